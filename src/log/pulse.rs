//! Whether the log is being read and written: when each last succeeded.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many polls may pass before a tail that has not read the log counts as stuck.
const POLLS: u32 = 3;

/// With short polls a tail has at least this much time, so that a busy moment doesn't take the node out of service. Less
/// than the deadline of its readings.
const LEAST: Duration = Duration::from_secs(4);

/// For how long the outcome of an append says whether the next one will succeed.
const FRESH: Duration = Duration::from_secs(5);

/// When the log was last read, and how writing it last ended.
pub struct Pulse(Mutex<Beats>);

struct Beats {
    read: Instant,
    append: Option<(Instant, bool)>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new(Beats { read: Instant::now(), append: None }))
    }
}

impl Pulse {
    /// The tail has read the log up to its end, or a part of it.
    pub(super) fn read(&self) {
        self.change(|beats| beats.read = Instant::now());
    }

    /// An append has ended; `well` unless the database failed.
    pub(super) fn appended(&self, well: bool) {
        self.change(|beats| beats.append = Some((Instant::now(), well)));
    }

    /// Whether the tail has read the log within three of its polls.
    #[must_use]
    pub fn is_read(&self, poll: Duration) -> bool {
        let mut read = false;
        self.change(|beats| read = beats.read.elapsed() <= LEAST.max(poll * POLLS));
        read
    }

    /// Whether the last append succeeded. `None`: there was none for a while, so it says nothing about now.
    #[must_use]
    pub fn is_written(&self) -> Option<bool> {
        let mut append = None;
        self.change(|beats| append = beats.append);
        append.filter(|(at, _)| at.elapsed() <= FRESH).map(|(_, well)| well)
    }

    fn change(&self, change: impl FnOnce(&mut Beats)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_append_says_something_only_for_a_while() {
        let pulse = Pulse::default();
        assert_eq!(pulse.is_written(), None);
        pulse.appended(false);
        assert_eq!(pulse.is_written(), Some(false));
        let earlier = |at: Instant| at.checked_sub(FRESH + LEAST).expect("the clock runs since before");
        pulse.change(|beats| beats.append = beats.append.map(|(at, well)| (earlier(at), well)));
        assert_eq!(pulse.is_written(), None);
    }

    #[test]
    fn a_tail_has_three_polls_and_no_less_than_four_seconds() {
        let pulse = Pulse::default();
        pulse.change(|beats| beats.read -= Duration::from_secs(30));
        assert!(!pulse.is_read(Duration::from_secs(1)));
        assert!(pulse.is_read(Duration::from_secs(20)));
        pulse.read();
        assert!(pulse.is_read(Duration::from_millis(50)));
    }
}
