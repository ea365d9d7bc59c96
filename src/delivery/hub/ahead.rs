//! Subscriptions that go on from a cursor which this node has not reached: another node, which is faster, gave it out.
//! They are shown nothing up to it, so the hub makes sure that it is reached, in the very log that it is of. A log that
//! was replaced at or after the last event that was handed out looks to the tail as if it just went on.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::delivery::mailbox::Mailbox;
use crate::log::Event;
use crate::position::{Cursor, Position, Tag};

/// The cursors that the log must come to, by position and subscription.
#[derive(Default)]
pub(super) struct Ahead {
    expected: BTreeMap<(Position, u64), Expected>,
    /// Every subscription up to this one was here when the tail last began to read.
    read_for: u64,
}

struct Expected {
    tag: Tag,
    mailbox: Arc<Mailbox>,
}

impl Ahead {
    /// This subscription goes on from `cursor`.
    pub(super) fn expect(&mut self, cursor: Cursor, id: u64, mailbox: Arc<Mailbox>) {
        self.expected.insert((cursor.position, id), Expected { tag: cursor.tag, mailbox });
    }

    /// The subscription has ended. It went on from `cursor`.
    pub(super) fn forget(&mut self, cursor: Cursor, id: u64) {
        self.expected.remove(&(cursor.position, id));
    }

    /// The log is about to be read. Subscriptions up to `last_id` were there before.
    pub(super) fn reading(&mut self, last_id: u64) {
        self.read_for = last_id;
    }

    /// The log has come to this event. Where another was expected, the subscription catches up, which shows it that its
    /// cursor is of another log.
    pub(super) fn reach(&mut self, event: &Event) {
        while let Some(first) = self.expected.first_entry()
            && first.key().0 <= event.position
        {
            let ((position, _), expected) = first.remove_entry();
            if position == event.position && expected.tag != event.tag {
                expected.mailbox.lag();
            }
        }
    }

    /// The log was read to its end. A cursor that was given out before that reading and is not in it never will be.
    pub(super) fn end(&mut self) {
        let read_for = self.read_for;
        self.expected.retain(|(_, id), expected| {
            let is_missing = *id <= read_for;
            if is_missing {
                expected.mailbox.lag();
            }
            !is_missing
        });
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use chrono::DateTime;

    use super::*;
    use crate::delivery::mailbox::Next;
    use crate::log::Kind;

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

    /// Three subscriptions, numbered from 1, that go on from the events at 5, 6 and 7 with tag 1.
    fn three() -> (Ahead, [Arc<Mailbox>; 3]) {
        let (mut ahead, mailboxes) = (Ahead::default(), [5, 6, 7].map(|_| Arc::<Mailbox>::default()));
        for (n, mailbox) in (1..).zip(&mailboxes) {
            ahead.expect(event(4 + n, 1).cursor(), n.unsigned_abs(), mailbox.clone());
        }
        (ahead, mailboxes)
    }

    fn lagged(mailboxes: &[Arc<Mailbox>; 3]) -> [bool; 3] {
        let next = |mailbox: &Arc<Mailbox>| mailbox.poll_next(&Context::from_waker(Waker::noop()));
        mailboxes.each_ref().map(|mailbox| next(mailbox).map(|next| matches!(next, Next::Lagged)) == Poll::Ready(true))
    }

    #[test]
    fn another_event_where_one_was_expected_shows_that_the_log_was_replaced() {
        let (mut ahead, mailboxes) = three();
        ahead.reach(&event(5, 1));
        ahead.reach(&event(6, 2));
        assert_eq!(lagged(&mailboxes), [false, true, false]);
        ahead.reach(&event(8, 2));
        assert!(ahead.expected.is_empty());
    }

    #[test]
    fn a_log_that_ends_before_a_cursor_that_it_had_was_replaced() {
        let (mut ahead, mailboxes) = three();
        ahead.reading(2);
        ahead.reach(&event(5, 1));
        ahead.end();
        assert_eq!(lagged(&mailboxes), [false, true, false], "the third came after the reading had begun");
        ahead.reading(3);
        ahead.end();
        assert_eq!(lagged(&mailboxes), [false, true, true]);
    }

    #[test]
    fn a_subscription_that_ends_expects_nothing() {
        let (mut ahead, mailboxes) = three();
        ahead.forget(event(6, 1).cursor(), 2);
        ahead.reading(3);
        ahead.end();
        assert_eq!(lagged(&mailboxes), [true, false, true]);
    }
}
