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
        /// Who put the member in; null when nobody did, when the app's own backend did it, and when the account has been
        /// deleted since.
        by: Option<Box<User>>,
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
    /// Another member left a room, or was removed.
    #[graphql(complex)]
    MemberLeft {
        /// The room.
        room: Room,
        /// The former member; null when the account was deleted.
        user: Option<User>,
        /// The former member's id.
        user_id: ID,
        /// Who removed the member; null when the member left, when the app's own backend did it, and when the account has
        /// been deleted since.
        by: Option<Box<User>>,
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

event! {
    /// The viewer marked messages of a room as unread, on this device or another, or no longer has any marked.
    RoomViewerChanged {
        /// The room; `viewer` says what is unread now.
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
    /// A moderator, an owner or the app's own backend removed the viewer.
    Removed,
    /// They removed the viewer, who may not come back for now.
    Banned,
}

event! {
    /// Users have joined a group, or were put into it by one request. Each of them has received `RoomJoined` before.
    #[graphql(complex)]
    MembersJoined {
        /// The room.
        room: Room,
        /// Who put them in; null when the app's own backend did, or the account has been deleted since.
        by: Option<User>,
        #[graphql(skip)]
        places: Vec<MemberOf>,
    }
}

#[ComplexObject]
impl MembersJoined {
    /// The ids of those who joined: at most 100.
    async fn user_ids(&self) -> Vec<ID> {
        self.places.iter().map(|place| place.user.into()).collect()
    }

    /// Those of them who are still in the room: at most 100.
    #[graphql(complexity = "100 * child_complexity")]
    async fn members(&self, ctx: &Context<'_>) -> Result<Vec<RoomMember>, ApiError> {
        let mut members = ctx.loader().load_many(self.places.iter().copied()).await?;
        let rows = self.places.iter().filter_map(|place| members.remove(place));
        Ok(rows.map(|row| RoomMember::new(row, self.room.0.member_count)).collect())
    }
}

event! {
    /// What a member is in a room was changed.
    #[graphql(complex)]
    MemberChanged {
        /// The room.
        room: Room,
        /// The member's id.
        user_id: ID,
        /// Who changed it; null when the app's own backend did, when the rule of the last owner did, and when the account
        /// has been deleted since.
        by: Option<User>,
        #[graphql(skip)]
        place: MemberOf,
    }
}

#[ComplexObject]
impl MemberChanged {
    /// The member as it is now. Null when the user is no longer in the room.
    async fn member(&self, ctx: &Context<'_>) -> Result<Option<RoomMember>, ApiError> {
        let member = ctx.loader().load_one(self.place).await?;
        Ok(member.map(|row| RoomMember::new(row, self.room.0.member_count)))
    }
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
            let by = joined.by.as_ref().map(|user| Box::new(User::from(user)));
            let (room, user, user_id, place) = member(joined);
            MemberJoined { cursor, at, room, user, user_id, by, place }.into()
        }
        RoomNotice::MembersJoined(room, users, by) => {
            let places = users.iter().map(|user| MemberOf { room: room.id, user: *user }).collect();
            let by = by.as_ref().map(User::from);
            MembersJoined { cursor, at, room: room.into(), by, places }.into()
        }
        RoomNotice::MemberChanged(changed) => {
            let by = changed.by.as_ref().map(User::from);
            let (room, _, user_id, place) = member(changed);
            MemberChanged { cursor, at, room, user_id, by, place }.into()
        }
        RoomNotice::MemberLeft(left) => {
            let by = left.by.as_ref().map(|user| Box::new(User::from(user)));
            let (room, user, user_id, place) = member(left);
            MemberLeft { cursor, at, room, user, user_id, by, place }.into()
        }
        RoomNotice::ViewerChanged(room) => RoomViewerChanged { cursor, at, room: room.into() }.into(),
        RoomNotice::Muted(room) => RoomMuted { cursor, at, room: room.into() }.into(),
    }
}

fn member(notice: &MemberNotice) -> (Room, Option<User>, ID, MemberOf) {
    let place = MemberOf { room: notice.room.id, user: notice.user_id };
    ((&notice.room).into(), notice.user.as_ref().map(User::from), notice.user_id.into(), place)
}
