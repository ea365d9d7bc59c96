//! The presence and typing that the rules ask for.

use chrono::{DateTime, Utc};

use crate::chat::presence::PresenceSource;
use crate::ephemeral::Ephemeral;
use crate::ids::{RoomId, UserId};

impl PresenceSource for Ephemeral {
    fn is_online(&self, user: UserId) -> bool {
        self.is_online(user)
    }

    fn last_seen(&self, user: UserId) -> Option<DateTime<Utc>> {
        self.last_seen(user)
    }

    fn max_members(&self) -> u32 {
        self.limits().max_members
    }

    fn user_changed(&self, user: UserId) {
        self.user_changed(user);
    }

    fn typing(&self, room: RoomId, user: UserId) {
        self.typing(room, user);
    }
}
