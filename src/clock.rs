//! The one source of the time. Nothing else in the crate asks the system for it, so a test can move it ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// Tells the time in UTC, to the microsecond: what both SQLite and PostgreSQL keep.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Microseconds that a test has moved this clock ahead of the system's.
    ahead_micros: Arc<AtomicI64>,
}

impl Clock {
    /// The present moment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now(&self) -> DateTime<Utc> {
        self.moved(Utc::now().trunc_subsecs(6))
    }

    /// A moment by another clock, moved as far ahead as a test has moved this one.
    #[must_use]
    pub fn moved(&self, moment: DateTime<Utc>) -> DateTime<Utc> {
        moment + TimeDelta::microseconds(self.ahead_micros.load(Ordering::Relaxed))
    }

    /// Moves this clock, and every clone of it, ahead. For tests of what happens after an hour or a month.
    pub fn advance(&self, by: TimeDelta) {
        self.ahead_micros.fetch_add(by.num_microseconds().unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}
