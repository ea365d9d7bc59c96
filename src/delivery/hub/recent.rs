//! The last events that the hub has handed out. A client that was away for a moment receives what it missed from here,
//! without a query to the log.

use std::collections::{HashMap, VecDeque};

use super::rooms::Rooms;
use crate::ids::{RoomId, UserId};
use crate::log::Event;
use crate::log::replay::{Filter, MAX_PER_ROOM, MAX_TOTAL};
use crate::position::{Cursor, Position};

/// Events that are remembered.
const MAX_EVENTS: usize = 8_192;

/// The last events, in log order and without holes.
#[derive(Default)]
pub(super) struct Recent(VecDeque<Event>);

impl Recent {
    /// Remembers the next event, and forgets the oldest when there are too many.
    pub(super) fn push(&mut self, event: Event) {
        if self.0.len() == MAX_EVENTS {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }

    /// Forgets all events, because the log is another one.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// All events that are remembered.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.0.iter()
    }

    /// The events after this position, which is not after the last one. `None` if not all of them are remembered.
    pub(super) fn since(&self, position: Position) -> Option<impl ExactSizeIterator<Item = &Event>> {
        let first = self.0.front()?.position;
        let skipped = usize::try_from(position.0 - first.0 + 1).ok()?;
        (skipped <= self.0.len()).then(|| self.0.range(skipped..))
    }

    /// The events that a replay from this cursor up to the last event would show this user, whose rooms these are.
    /// `None` if this memory can't tell, or if the replay takes more than a list of events.
    pub(super) fn missed(&self, user: UserId, rooms: &Rooms, filter: Filter, after: Cursor) -> Option<Vec<Event>> {
        let mut since = self.since(Position(after.position.0 - 1))?;
        // The event that the cursor names is still here, which proves that the client's log is this one.
        if since.next()?.cursor() != after || since.len() as u64 > MAX_TOTAL {
            return None;
        }
        let mut of_room: HashMap<RoomId, u64> = HashMap::new();
        let mut missed = Vec::new();
        for event in since {
            // The user's present rooms don't say what the user could see before this event.
            if event.effect().changes_rooms_of(user) {
                return None;
            }
            let Some((room, muted)) = event.room().and_then(|room| Some((room, rooms.muted(room)?))) else { continue };
            let is_own_or_shared = event.user_id.is_none_or(|of| of == user);
            if !is_own_or_shared || !filter.takes(event.kind.row().class, room, muted) {
                continue;
            }
            if let Some(room) = event.room_id {
                let count = of_room.entry(room).or_default();
                *count += 1;
                if *count > MAX_PER_ROOM {
                    return None;
                }
            }
            missed.push(event.clone());
        }
        Some(missed)
    }
}
