//! The last events of the log, in memory, for those who have seen all but these.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::event::Event;
use super::tail::Observer;
use crate::position::{Cursor, Tag};

/// Events that are remembered.
pub(crate) const MAX_EVENTS: usize = 8_192;

/// The last events of one log, in order and without holes.
pub(crate) struct Recent {
    /// The event before the first that is remembered.
    before: Cursor,
    events: VecDeque<Event>,
}

impl Recent {
    /// Remembers nothing before `head`, nor that.
    pub(crate) fn after(head: Cursor) -> Self {
        Self { before: head, events: VecDeque::new() }
    }

    /// Remembers the next event, and forgets the oldest when there are too many.
    pub(crate) fn push(&mut self, event: Event) {
        if self.events.len() == MAX_EVENTS
            && let Some(oldest) = self.events.pop_front()
        {
            self.before = oldest.cursor();
        }
        self.events.push_back(event);
    }

    /// All events that are remembered.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }

    /// The events after this one. `None` if not all of them are remembered, or if it is not an event of this log: that
    /// another event stands at its position shows that the log was replaced.
    pub(crate) fn since(&self, cursor: Cursor) -> Option<impl ExactSizeIterator<Item = &Event>> {
        let skipped = usize::try_from(cursor.position.0 - self.before.position.0).ok()?;
        let at = match skipped.checked_sub(1) {
            None => self.before,
            Some(index) => self.events.get(index)?.cursor(),
        };
        (at == cursor).then(|| self.events.range(skipped..))
    }
}

/// What the tail has seen last, for the consumers of this node: they keep up with the log, and reading the same events
/// from the database once for each of them would cost more than what they do with them.
pub(crate) struct Memory(Mutex<Recent>);

impl Memory {
    /// Remembers what comes after `head`.
    #[must_use]
    pub(crate) fn after(head: Cursor) -> Self {
        Self(Mutex::new(Recent::after(head)))
    }

    /// The first events after this one, no more than so many. `None` if the log has to be read, which alone can tell that
    /// there are none.
    pub(super) fn next(&self, at: Cursor, most: usize) -> Option<Vec<Event>> {
        let next: Vec<_> = self.lock().since(at)?.take(most).cloned().collect();
        (!next.is_empty()).then_some(next)
    }

    fn lock(&self) -> MutexGuard<'_, Recent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Memory {
    fn observe(&self, events: &[Event]) {
        let mut recent = self.lock();
        // After a reset, whatever comes next is the first that is known.
        if let Some(first) = events.first()
            && recent.events.is_empty()
            && recent.before.position.next() != first.position
        {
            *recent = Recent::after(Cursor { position: first.position.previous(), tag: Tag::default() });
        }
        for event in events {
            recent.push(event.clone());
        }
    }

    fn reset(&self) {
        *self.lock() = Recent::after(Cursor::default());
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

    #[test]
    fn consumers_read_from_memory_what_it_has_of_the_same_log() {
        let memory = Memory::after(at(4, 40));
        let next = |cursor, most| {
            memory.next(cursor, most).map(|events| events.iter().map(|event| event.position.0).collect::<Vec<_>>())
        };
        memory.observe(&[event(5, 1), event(6, 1), event(7, 1)]);
        assert_eq!(next(at(4, 40), 2), Some(vec![5, 6]));
        assert_eq!(next(at(7, 1), 2), None);
        assert_eq!(next(at(3, 1), 2), None);
        memory.reset();
        assert_eq!(next(at(7, 1), 2), None);
        // The log that was put in its place goes on somewhere else.
        memory.observe(&[event(3, 9), event(4, 9)]);
        assert_eq!(next(at(2, 9), 9), None);
        assert_eq!(next(at(3, 9), 9), Some(vec![4]));
        assert_eq!(next(at(4, 40), 9), None);
    }
}
