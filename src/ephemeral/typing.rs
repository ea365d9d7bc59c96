//! Who is typing where. A state machine without a clock, sockets or other nodes: its caller reports what happens and
//! takes the changes to be published.
//!
//! Every node keeps the same table, from what the others publish, and each entry expires by itself, so nothing stays
//! behind when a message between nodes is lost or a node dies.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::{RoomId, UserId};

/// The most changes that wait to be published. Older ones are dropped: they are out of date by then.
const MAX_WAITING: usize = 10_000;

/// Somebody has begun or stopped typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Typed {
    /// The room.
    pub room: RoomId,
    /// The user.
    pub user: UserId,
    /// Whether the user has begun; otherwise the user has stopped.
    pub is_typing: bool,
}

/// All who are typing.
pub(crate) struct Typing {
    lasts: Duration,
    entries: HashMap<(RoomId, UserId), Entry>,
    /// When each entry is to be checked.
    due: BTreeSet<(Instant, RoomId, UserId)>,
    changes: Vec<Typed>,
}

struct Entry {
    until: Instant,
    /// Its key in `Typing::due`: `until` or, when the entry was prolonged since, an earlier moment.
    due: Instant,
}

impl Typing {
    /// A table in which nobody is typing. An entry lasts for `lasts` after the last report.
    #[must_use]
    pub(crate) fn new(lasts: Duration) -> Self {
        Self { lasts, entries: HashMap::new(), due: BTreeSet::new(), changes: Vec::new() }
    }

    /// The user is typing. A report that comes before the entry ends prolongs it and makes no change.
    pub(crate) fn set(&mut self, room: RoomId, user: UserId, now: Instant) {
        let until = now + self.lasts;
        if let Some(entry) = self.entries.get_mut(&(room, user)) {
            entry.until = until;
            return;
        }
        self.entries.insert((room, user), Entry { until, due: until });
        self.due.insert((until, room, user));
        self.change(Typed { room, user, is_typing: true });
    }

    /// The user has posted to the room or left it, which ends the typing.
    pub(crate) fn stop(&mut self, room: RoomId, user: UserId) {
        if let Some(entry) = self.entries.remove(&(room, user)) {
            self.due.remove(&(entry.due, room, user));
            self.change(Typed { room, user, is_typing: false });
        }
    }

    /// The user is gone, which ends the typing in all rooms. Whether there was any.
    pub(crate) fn stop_all_of(&mut self, user: UserId) -> bool {
        let rooms: Vec<RoomId> =
            self.entries.keys().filter(|(_, whose)| *whose == user).map(|(room, _)| *room).collect();
        for room in &rooms {
            self.stop(*room, user);
        }
        !rooms.is_empty()
    }

    /// Ends the entries that were not prolonged in time.
    pub(crate) fn tick(&mut self, now: Instant) {
        while self.next_tick().is_some_and(|due| due <= now) {
            let Some((_, room, user)) = self.due.pop_first() else { return };
            match self.entries.get_mut(&(room, user)) {
                Some(entry) if entry.until > now => {
                    entry.due = entry.until;
                    self.due.insert((entry.due, room, user));
                }
                _ => {
                    self.entries.remove(&(room, user));
                    self.change(Typed { room, user, is_typing: false });
                }
            }
        }
    }

    /// When [`Self::tick`] has something to do. `None` if nobody is typing.
    #[must_use]
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        self.due.first().map(|(due, ..)| *due)
    }

    /// Whether nobody is typing.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes the changes to be published, in order.
    pub(crate) fn take(&mut self) -> Vec<Typed> {
        std::mem::take(&mut self.changes)
    }

    /// Puts back changes that could not be published.
    pub(crate) fn put_back(&mut self, mut unpublished: Vec<Typed>) {
        unpublished.append(&mut self.changes);
        unpublished.drain(..unpublished.len().saturating_sub(MAX_WAITING));
        self.changes = unpublished;
    }

    /// Whether there are changes to be published.
    #[must_use]
    pub(crate) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    fn change(&mut self, change: Typed) {
        self.changes.push(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(6);
    const NOTHING: [bool; 0] = [];

    struct Setting {
        typing: Typing,
        begun: Instant,
        room: RoomId,
        ann: UserId,
    }

    impl Setting {
        fn new() -> Self {
            let (room, ann) = (RoomId::generate(), UserId::generate());
            Self { typing: Typing::new(LASTS), begun: Instant::now(), room, ann }
        }

        fn set(&mut self, after_secs: u64) {
            self.typing.set(self.room, self.ann, self.begun + Duration::from_secs(after_secs));
        }

        fn stop(&mut self) {
            self.typing.stop(self.room, self.ann);
        }

        /// The changes up to this long after the beginning.
        fn published(&mut self, after_secs: u64) -> Vec<bool> {
            self.typing.tick(self.begun + Duration::from_secs(after_secs));
            self.typing.take().into_iter().map(|typed| typed.is_typing).collect()
        }
    }

    #[test]
    fn typing_ends_by_itself_after_its_time() {
        let mut setting = Setting::new();
        setting.set(0);
        assert_eq!(setting.published(0), [true]);
        assert_eq!(setting.published(5), NOTHING);
        assert_eq!(setting.published(6), [false]);
        assert_eq!(setting.typing.next_tick(), None);
        setting.set(7);
        assert_eq!(setting.published(7), [true]);
    }

    #[test]
    fn said_again_it_lasts_longer_and_is_no_news() {
        let mut setting = Setting::new();
        for secs in [0, 2, 5] {
            setting.set(secs);
        }
        assert_eq!(setting.published(6), [true]);
        assert_eq!(setting.published(10), NOTHING);
        assert_eq!(setting.published(11), [false]);
    }

    #[test]
    fn a_post_ends_it_at_once_and_nothing_is_told_later() {
        let mut setting = Setting::new();
        setting.stop();
        assert_eq!(setting.published(0), NOTHING);
        setting.set(0);
        setting.set(2);
        assert_eq!(setting.published(2), [true]);
        setting.stop();
        setting.stop();
        assert_eq!(setting.published(3), [false]);
        assert_eq!(setting.published(60), NOTHING);
        assert_eq!(setting.typing.next_tick(), None);
    }

    #[test]
    fn who_is_gone_types_in_no_room_and_others_go_on() {
        let mut setting = Setting::new();
        let (room, other) = (RoomId::generate(), UserId::generate());
        for (room, user) in [(setting.room, setting.ann), (room, setting.ann), (room, other)] {
            setting.typing.set(room, user, setting.begun);
        }
        assert_eq!(setting.published(0), [true, true, true]);
        assert!(setting.typing.stop_all_of(setting.ann) && !setting.typing.stop_all_of(setting.ann));
        assert_eq!(setting.published(1), [false, false]);
        assert_eq!(setting.published(6), [false]);
    }

    #[test]
    fn a_post_right_before_the_next_letter_leaves_that_letter_its_time() {
        let mut setting = Setting::new();
        setting.set(0);
        setting.stop();
        setting.set(1);
        assert_eq!(setting.published(6), [true, false, true]);
        assert_eq!(setting.published(7), [false]);
    }

    #[test]
    fn rooms_and_users_are_told_apart() {
        let mut setting = Setting::new();
        setting.set(0);
        let (room, other) = (RoomId::generate(), UserId::generate());
        setting.typing.set(room, setting.ann, setting.begun);
        setting.typing.set(setting.room, other, setting.begun);
        assert_eq!(setting.published(0), [true, true, true]);
        setting.stop();
        assert_eq!(setting.published(1), [false]);
        assert_eq!(setting.published(6), [false, false]);
    }

    #[test]
    fn what_could_not_be_told_is_told_first_the_next_time() {
        let mut setting = Setting::new();
        setting.set(0);
        let unpublished = setting.typing.take();
        setting.stop();
        setting.typing.put_back(unpublished);
        assert_eq!(setting.published(1), [true, false]);
    }
}
