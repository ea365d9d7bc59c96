//! The last events that the hub has handed out. A client that was away for a moment receives what it missed from here,
//! without a query to the log.

use std::collections::{HashMap, VecDeque};

use super::rooms::Rooms;
use crate::ids::{RoomId, UserId};
use crate::log::replay::{Filter, MAX_PER_ROOM, MAX_TOTAL};
use crate::log::{Class, Event};
use crate::position::Cursor;

/// Events that are remembered.
const MAX_EVENTS: usize = 8_192;

/// The last events of one log, in order and without holes.
pub(super) struct Recent {
    /// The event before the first that is remembered.
    before: Cursor,
    events: VecDeque<Event>,
}

impl Recent {
    /// Remembers nothing before `head`, nor that.
    pub(super) fn after(head: Cursor) -> Self {
        Self { before: head, events: VecDeque::new() }
    }

    /// Remembers the next event, and forgets the oldest when there are too many.
    pub(super) fn push(&mut self, event: Event) {
        if self.events.len() == MAX_EVENTS
            && let Some(oldest) = self.events.pop_front()
        {
            self.before = oldest.cursor();
        }
        self.events.push_back(event);
    }

    /// All events that are remembered.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }

    /// The events after this one. `None` if not all of them are remembered, or if it is not an event of this log: that
    /// another event stands at its position shows that the log was replaced.
    pub(super) fn since(&self, cursor: Cursor) -> Option<impl ExactSizeIterator<Item = &Event>> {
        let skipped = usize::try_from(cursor.position.0 - self.before.position.0).ok()?;
        let at = match skipped.checked_sub(1) {
            None => self.before,
            Some(index) => self.events.get(index)?.cursor(),
        };
        (at == cursor).then(|| self.events.range(skipped..))
    }

    /// The events that a replay from this cursor up to the last event would show this user, whose rooms these are.
    /// `None` if this memory can't tell, or if the replay takes more than a list of events.
    pub(super) fn missed(&self, user: UserId, rooms: &Rooms, filter: Filter, after: Cursor) -> Option<Vec<Event>> {
        let since = self.since(after)?;
        if since.len() as u64 > MAX_TOTAL {
            return None;
        }
        let mut of_room: HashMap<RoomId, u64> = HashMap::new();
        let mut missed = Vec::new();
        for event in since {
            // The user's present rooms don't say what the user could see before this event.
            if event.effect().changes_rooms_of(user) {
                return None;
            }
            let Some(room) = event.room() else {
                if event.user_id == Some(user)
                    && filter == Filter::Everything
                    && event.kind.row().class != Class::Hidden
                {
                    missed.push(event.clone());
                }
                continue;
            };
            let Some(muted) = rooms.muted(room) else { continue };
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::log::Kind;
    use crate::position::Position;

    fn at(position: i64, tag: u32) -> Cursor {
        Cursor { position: Position(position), tag: tag.into() }
    }

    fn event(position: i64, tag: u32) -> Event {
        Event {
            position: Position(position),
            tag: tag.into(),
            room_id: None,
            user_id: None,
            kind: Kind::SessionRevoked,
            message_id: None,
            subject_id: None,
            seq: None,
            at: DateTime::UNIX_EPOCH,
            actor_id: None,
        }
    }

    fn since(recent: &Recent, cursor: Cursor) -> Option<Vec<i64>> {
        recent.since(cursor).map(|events| events.map(|event| event.position.0).collect())
    }

    #[test]
    fn only_an_event_of_this_log_is_gone_on_from() {
        let mut recent = Recent::after(at(4, 40));
        (5..=7).for_each(|position| recent.push(event(position, 1)));
        assert_eq!(since(&recent, at(4, 40)), Some(vec![5, 6, 7]));
        assert_eq!(since(&recent, at(6, 1)), Some(vec![7]));
        assert_eq!(since(&recent, at(7, 1)), Some(vec![]));
        for unknown in [at(3, 1), at(4, 1), at(6, 2), at(7, 2), at(8, 1)] {
            assert_eq!(since(&recent, unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn the_event_before_the_oldest_is_known_when_others_are_forgotten() {
        let mut recent = Recent::after(Cursor::default());
        let count = i64::try_from(MAX_EVENTS).expect("a position") + 2;
        (1..=count).for_each(|position| recent.push(event(position, 1)));
        assert_eq!(since(&recent, at(1, 1)), None);
        assert_eq!(since(&recent, at(2, 1)).map(|events| events.len()), Some(MAX_EVENTS));
        assert_eq!(since(&recent, at(2, 9)), None);
    }
}
