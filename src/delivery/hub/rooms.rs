//! The rooms of one user, as the hub follows them.

use std::collections::HashMap;

use crate::ids::{RoomId, UserId};
use crate::log::Effect;
use crate::store::entity::member::Membership;

/// A user's rooms, and whether each is muted. Only the effects of events change them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rooms(HashMap<RoomId, bool>);

impl Rooms {
    /// Applies an event's effect to these rooms of `user`. The hub uses it for every event as it happens, and an
    /// attachment to bring the memberships that it has read up to date.
    pub fn fold(&mut self, user: UserId, effect: Effect) {
        match effect {
            Effect::Joins(whose, room) if whose == user => {
                self.0.entry(room).or_insert(false);
            }
            Effect::Mutes(whose, room, muted) if whose == user => {
                self.0.entry(room).and_modify(|was| *was = muted);
            }
            Effect::Leaves(whose, room) if whose == user => {
                self.0.remove(&room);
            }
            Effect::Closes(room) => {
                self.0.remove(&room);
            }
            Effect::Nothing | Effect::Joins(..) | Effect::Mutes(..) | Effect::Leaves(..) => {}
        }
    }

    /// Whether the user has muted the room. `None` if the user isn't in it.
    #[must_use]
    pub fn muted(&self, room: RoomId) -> Option<bool> {
        self.0.get(&room).copied()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = RoomId> {
        self.0.keys().copied()
    }
}

impl FromIterator<Membership> for Rooms {
    fn from_iter<M: IntoIterator<Item = Membership>>(memberships: M) -> Self {
        Self(memberships.into_iter().map(|membership| (membership.room_id, membership.muted)).collect())
    }
}
