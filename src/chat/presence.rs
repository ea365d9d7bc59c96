//! Who is online, and who is typing: ephemeral state, which is not in the log.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Chat, Error, Viewer};
use crate::ids::{RoomId, UserId};
use crate::store::entity::{block, user};

/// The source of ephemeral state. It is all that the rules know about sockets.
pub trait PresenceSource: Send + Sync + 'static {
    /// Whether the user is connected, through this node or another.
    fn is_online(&self, user: UserId) -> bool;

    /// When the user was last connected, as far as that may be newer than the user's row.
    fn last_seen(&self, user: UserId) -> Option<DateTime<Utc>>;

    /// The most members of a room in which the others are notified that a member is typing.
    fn max_members(&self) -> u32;

    /// Notifies those who see the user that its name, picture or state has changed.
    fn user_changed(&self, user: UserId);

    /// Notifies the other members of this room that the user is typing.
    fn typing(&self, room: RoomId, user: UserId);
}

/// The source of a process without sockets, such as the command line: nobody is online.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nobody;

impl PresenceSource for Nobody {
    fn is_online(&self, _: UserId) -> bool {
        false
    }

    fn last_seen(&self, _: UserId) -> Option<DateTime<Utc>> {
        None
    }

    fn max_members(&self) -> u32 {
        0
    }

    fn user_changed(&self, _: UserId) {}

    fn typing(&self, _: RoomId, _: UserId) {}
}

/// Whether a user is online and, if not, when that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The user is connected, on any device.
    pub online: bool,
    /// When the last connection of a device ended. `None`: the user is connected now, or never was.
    pub last_seen_at: Option<DateTime<Utc>>,
}

impl Chat {
    /// Whether the user is connected, through this node or another.
    #[must_use]
    pub(crate) fn is_online(&self, user: UserId) -> bool {
        self.presence.is_online(user)
    }

    /// This chat, in a process that has sockets.
    #[must_use]
    pub fn with_presence(self, presence: Arc<dyn PresenceSource>) -> Self {
        Self { presence, ..self }
    }

    /// Whether this user is online. It runs no statement, so the presence of a list of users costs nothing beyond the
    /// list.
    #[must_use]
    pub fn presence(&self, user: &user::Model) -> Presence {
        let online = self.presence.is_online(user.id);
        let last_seen_at = if online { None } else { user.last_seen_at.max(self.presence.last_seen(user.id)) };
        Presence { online, last_seen_at }
    }

    /// Notifies the other members that the viewer is typing. In a room above the bound nobody is notified, nor between
    /// two of whom one blocks the other, and that is no error.
    ///
    /// # Errors
    /// `NotFound` for a room that the viewer isn't in.
    pub async fn set_typing(&self, viewer: &Viewer, room: RoomId) -> Result<(), Error> {
        let room = self.room(viewer, room).await?;
        if block::Entity::is_between_two(self.store.read(), room.id, viewer.user).await? {
            return Ok(());
        }
        if u32::try_from(room.member_count).is_ok_and(|members| members <= self.presence.max_members()) {
            self.presence.typing(room.id, viewer.user);
        }
        Ok(())
    }
}
