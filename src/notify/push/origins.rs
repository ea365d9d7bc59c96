//! Which push services are away: those are left alone for a while, so that nobody waits for them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// So many requests in a row don't reach a service that is away.
const AWAY_AFTER: u32 = 3;

/// One request to which nothing is answered for so long is enough.
const SLOW: Duration = Duration::from_secs(5);

/// For how long one that is away is left alone.
const LEFT_ALONE: TimeDelta = TimeDelta::minutes(1);

/// The most services of which it is known. Whoever registers browsers chooses their names, within the operator's list.
const MAX_KNOWN: usize = 256;

/// Services by their origin, those alone whose last request has failed.
#[derive(Default)]
pub(super) struct Origins(Mutex<HashMap<String, Origin>>);

#[derive(Default)]
struct Origin {
    /// How many requests in a row haven't reached it.
    failed: u32,
    /// Until when it is left alone.
    until: Option<DateTime<Utc>>,
}

impl Origin {
    fn is_left_alone(&self, now: DateTime<Utc>) -> bool {
        // The clock may be set back.
        self.until.is_some_and(|until| now < until && until - now <= LEFT_ALONE)
    }
}

impl Origins {
    /// Whether this one is left alone at this moment.
    pub(super) fn is_left_alone(&self, origin: &str, now: DateTime<Utc>) -> bool {
        self.lock().get(origin).is_some_and(|origin| origin.is_left_alone(now))
    }

    /// Notes that a request was answered, whatever the answer.
    pub(super) fn answered(&self, origin: &str) {
        self.lock().remove(origin);
    }

    /// Notes that a request to it failed after this time.
    pub(super) fn failed(&self, origin: &str, after: Duration, now: DateTime<Utc>) {
        let mut known = self.lock();
        if known.len() >= MAX_KNOWN && !known.contains_key(origin) {
            known.retain(|_, origin| origin.is_left_alone(now));
            if known.len() >= MAX_KNOWN {
                return;
            }
        }
        let known = known.entry(origin.to_owned()).or_default();
        known.failed = if after >= SLOW { AWAY_AFTER } else { known.failed.saturating_add(1) };
        if known.failed >= AWAY_AFTER && !known.is_left_alone(now) {
            tracing::warn!(service = origin, "a push service is away; it is left alone for a minute");
            known.until = Some(now + LEFT_ALONE);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Origin>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::from_millis(3);
    const BEGUN: DateTime<Utc> = DateTime::UNIX_EPOCH;

    #[test]
    fn a_service_that_fails_thrice_in_a_row_or_hangs_once_is_left_alone_for_a_minute() {
        let origins = Origins::default();
        for after in [AT_ONCE, AT_ONCE] {
            origins.failed("a", after, BEGUN);
        }
        assert!(!origins.is_left_alone("a", BEGUN));
        origins.answered("a");
        for _ in 0..2 {
            origins.failed("a", AT_ONCE, BEGUN);
            assert!(!origins.is_left_alone("a", BEGUN), "it has answered in between");
        }
        origins.failed("a", AT_ONCE, BEGUN);
        origins.failed("b", SLOW, BEGUN);
        for origin in ["a", "b"] {
            assert!(origins.is_left_alone(origin, BEGUN + TimeDelta::seconds(59)), "{origin}");
            assert!(!origins.is_left_alone(origin, BEGUN + TimeDelta::seconds(60)), "{origin}");
            assert!(!origins.is_left_alone(origin, BEGUN - TimeDelta::seconds(1)), "the clock was set back");
        }
        assert!(!origins.is_left_alone("c", BEGUN));
        origins.failed("a", AT_ONCE, BEGUN + TimeDelta::minutes(2));
        assert!(origins.is_left_alone("a", BEGUN + TimeDelta::minutes(2)), "it has still answered nothing");
    }

    #[test]
    fn however_many_names_are_made_up_a_few_are_remembered() {
        let origins = Origins::default();
        origins.failed("away", SLOW, BEGUN);
        for n in 0..10 * MAX_KNOWN {
            origins.failed(&n.to_string(), AT_ONCE, BEGUN);
        }
        assert!(origins.lock().len() <= MAX_KNOWN && origins.is_left_alone("away", BEGUN));
    }
}
