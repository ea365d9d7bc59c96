//! Presence and typing.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::error::ApiError;
use super::events::{Event, Stamp, event};
use super::execution::context::ContextExt;
use super::room::Room;
use super::user::User;
use super::values::ids;
use super::values::scalars::{DateTime, ShownCursor};
use crate::chat::presence;
use crate::chat::room::RoomRef;
use crate::delivery::notice::PresenceNotice;
use crate::ids::UserId;
use crate::limits::PerUser;

/// Whether a user is online. All devices of a user are one presence.
#[derive(SimpleObject)]
pub(crate) struct Presence {
    /// Names it in a client's cache: there is one for each user. `node` doesn't take it.
    id: ID,
    /// The user has an open socket, on any device, or had one until at most five seconds ago.
    online: bool,
    /// When the last socket of the user closed. Null while the user is online, and when the user was never online.
    last_seen_at: Option<DateTime>,
}

impl Presence {
    /// The presence of this user.
    pub(super) fn of(user: UserId, presence: presence::Presence) -> Self {
        let presence::Presence { online, last_seen_at } = presence;
        Self { id: ids::of_user("presence", user), online, last_seen_at: last_seen_at.map(Into::into) }
    }
}

/// The room in which the viewer is typing.
#[derive(SimpleObject)]
pub(crate) struct SetTypingPayload {
    /// The room's id.
    room_id: ID,
}

/// Reporting that the viewer is typing.
#[derive(Default)]
pub(crate) struct PresenceMutation;

#[Object]
impl PresenceMutation {
    /// Notifies the other members of a room, by `TypingChanged`, that the viewer is typing. Call it again every few
    /// seconds while that lasts: typing ends by itself after six seconds, and immediately when the viewer posts to the
    /// room. A call that comes in time only prolongs it, and nobody is notified again.
    ///
    /// In a room of more than 100 members, and between two of whom one blocks the other, it does nothing, without an error.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room.
    async fn set_typing(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
    ) -> Result<SetTypingPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Typing).await?;
        let room_id = ctx.room_id(room_id).await?;
        ctx.chat().set_typing(viewer, room_id).await?;
        Ok(SetTypingPayload { room_id: room_id.into() })
    }
}

event! {
    /// A user came online or went offline. Users who share a room of at most 100 members with the user receive it, but
    /// the user's own sockets do not. A room of two of whom one blocks the other doesn't count. The bound keeps members who connect together from costing the square of their
    /// number.
    ///
    /// A user who reconnects within five seconds was never offline. It is not replayed: changes that were missed before
    /// `Synced` never come, so fetch the presence that is shown when `Synced` comes.
    PresenceChanged {
        /// The user; `presence` says which of the two it was.
        user: User,
    }
}
event! {
    /// A user's name, picture or anything else that the app keeps about the user has changed. The user receives it on all
    /// sockets, and so do users who share a room of at most 100 members with the user.
    ///
    /// It is not replayed, because what is fetched is always current: fetch the users who are shown when `Synced` comes.
    UserChanged {
        /// The user as it is now.
        user: User,
    }
}
event! {
    /// Another member began or stopped typing. In a room of at most 100 members, all other members receive it.
    ///
    /// It is not replayed: when `Synced` comes, nobody counts as typing until the next `TypingChanged`.
    TypingChanged {
        /// The room.
        room: Room,
        /// The member.
        user: User,
        /// Whether the member is typing now. False after six seconds without `setTyping`, after a post, and as soon as
        /// the member leaves the room or has no socket any more. For a deleted account, `MemberLeft` says it.
        is_typing: bool,
    }
}

pub(super) fn event(stamp: Stamp, notice: &PresenceNotice) -> Event {
    let Stamp { cursor, at } = stamp;
    match notice {
        PresenceNotice::Presence(user) => PresenceChanged { cursor, at, user: user.into() }.into(),
        PresenceNotice::Changed(user) => UserChanged { cursor, at, user: user.into() }.into(),
        PresenceNotice::Typing { room, user, is_typing } => {
            TypingChanged { cursor, at, room: room.into(), user: user.into(), is_typing: *is_typing }.into()
        }
    }
}
