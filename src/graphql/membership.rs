//! Rooms as they come and go: the viewer's, and their members.

use async_graphql::{ComplexObject, Context, Enum, ID, SimpleObject};

use super::error::ApiError;
use super::events::{Event, Stamp, event};
use super::execution::context::ContextExt;
use super::execution::loaders::MemberOf;
use super::group;
use super::member::{self, RoomMember};
use super::room::Room;
use super::user::User;
use super::values::page::{self, List, PageEdge};
use super::values::scalars::{DateTime, ShownCursor};
use crate::chat::room::RoomKey;
use crate::delivery::notice::{LeftReason, MemberNotice, RoomNotice};
use crate::ids::UserId;

event! {
    /// The viewer is now a member of a room: somebody opened it, or the viewer came back. What happened in it before is
    /// not replayed; fetch what is to be shown.
    #[graphql(complex)]
    RoomJoined {
        /// The room.
        room: Room,
    }
}

#[ComplexObject]
impl RoomJoined {
    /// The room as an edge of `rooms`, to be put into a list that is shown.
    async fn room_edge(&self, ctx: &Context<'_>) -> PageEdge<RoomKey, Room> {
        page::edge(ctx, List::Rooms, RoomKey::of(&self.room.0), self.room.clone())
    }
}

event! {
    /// The viewer is no longer a member of a room. No event of the room comes after this one.
    RoomLeft {
        /// The room's id.
        room_id: ID,
        /// Why the viewer is no longer a member.
        reason: RoomLeftReason,
    }
}
event! {
    /// Another member came back to a room.
    #[graphql(complex)]
    MemberJoined {
        /// The room.
        room: Room,
        /// The member; null when the account has been deleted since.
        user: Option<User>,
        /// The member's id.
        user_id: ID,
        #[graphql(skip)]
        place: MemberOf,
    }
}

#[ComplexObject]
impl MemberJoined {
    /// The id of the membership.
    async fn member_id(&self) -> ID {
        member::id(self.place.room, self.place.user)
    }

    /// The membership as an edge of the room's `members`, to be put into a list that is shown. Null when the user has left
    /// since.
    async fn member_edge(&self, ctx: &Context<'_>) -> Result<Option<PageEdge<UserId, RoomMember>>, ApiError> {
        let member = ctx.loader().load_one(self.place).await?;
        let member = member.map(|row| RoomMember::new(row, self.room.0.member_count));
        Ok(member.map(|member| page::edge(ctx, List::Members(self.place.room), self.place.user, member)))
    }

    /// `seq` of the last message that the member has read: as before leaving. Null when the user has left since, and in a
    /// room with more members than the server's limit (250, unless set otherwise).
    async fn last_read_seq(&self, ctx: &Context<'_>) -> Result<Option<i32>, ApiError> {
        if !ctx.chat().tells_reading(self.room.0.member_count) {
            return Ok(None);
        }
        Ok(ctx.loader().load_one(self.place).await?.map(|member| member.read_seq))
    }
}

event! {
    /// Another member left a room.
    #[graphql(complex)]
    MemberLeft {
        /// The room.
        room: Room,
        /// The former member; null when the account was deleted.
        user: Option<User>,
        /// The former member's id.
        user_id: ID,
        #[graphql(skip)]
        place: MemberOf,
    }
}

#[ComplexObject]
impl MemberLeft {
    /// The id of the membership that has ended, to be thrown out of a client's cache.
    async fn member_id(&self) -> ID {
        member::id(self.place.room, self.place.user)
    }
}

event! {
    /// The viewer muted or unmuted a room, on this device or another.
    RoomMuted {
        /// The room; `viewer.muted` says which of the two it was.
        room: Room,
    }
}

/// Why the viewer is no longer a member of a room.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "LeftReason")]
pub enum RoomLeftReason {
    /// The viewer left it, on this device or another.
    Left,
    /// The viewer left a room of two, on this device or another: it comes back by `RoomJoined`, with the other's next message.
    Hidden,
    /// It was deleted.
    Deleted,
}

pub(super) fn event(stamp: Stamp, notice: &RoomNotice) -> Event {
    let Stamp { cursor, at } = stamp;
    match notice {
        RoomNotice::Joined(room) => RoomJoined { cursor, at, room: room.into() }.into(),
        RoomNotice::Left(room, reason) => {
            RoomLeft { cursor, at, room_id: (*room).into(), reason: (*reason).into() }.into()
        }
        RoomNotice::Updated(room, by) => group::updated(stamp, room, by.as_ref()),
        RoomNotice::MemberJoined(joined) => {
            let (room, user, user_id, place) = member(joined);
            MemberJoined { cursor, at, room, user, user_id, place }.into()
        }
        RoomNotice::MemberLeft(left) => {
            let (room, user, user_id, place) = member(left);
            MemberLeft { cursor, at, room, user, user_id, place }.into()
        }
        RoomNotice::Muted(room) => RoomMuted { cursor, at, room: room.into() }.into(),
    }
}

fn member(notice: &MemberNotice) -> (Room, Option<User>, ID, MemberOf) {
    let place = MemberOf { room: notice.room.id, user: notice.user_id };
    ((&notice.room).into(), notice.user.as_ref().map(User::from), notice.user_id.into(), place)
}
