//! How a subscription waits for a database that can't be read: it tries again and again, for a minute and more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sea_orm::DbErr;
use tokio::time::Instant;

use crate::telemetry::Metrics;

/// The pause before the first further try; each later one is twice as long, up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// For how long a subscription tries.
#[derive(Clone, Copy, Debug)]
pub struct WaitLimits {
    /// At least so long. Afterwards its client is better off with another connection, perhaps to another node.
    pub at_least: Duration,
    /// Up to this much longer, at random, because the subscriptions of a node begin to wait together, and clients that
    /// are sent away together come back together.
    pub spread: Duration,
}

impl Default for WaitLimits {
    fn default() -> Self {
        Self { at_least: Duration::from_mins(1), spread: Duration::from_secs(20) }
    }
}

/// The tries of one subscription, from its first failure on.
#[derive(Default)]
pub(super) struct Patience {
    waiting: Option<Waiting>,
}

struct Waiting {
    until: Instant,
    next_pause: Duration,
    _counted: Counted,
}

impl Patience {
    /// How long to wait before the next try, after one has failed now. `None`: it was tried for long enough.
    pub(super) fn pause(&mut self, now: Instant, waiters: &Arc<Waiters>, error: Option<&DbErr>) -> Option<Duration> {
        let waiting = self.waiting.get_or_insert_with(|| {
            let WaitLimits { at_least, spread } = waiters.limits;
            let until = now + at_least + spread.mul_f64(random_share());
            Waiting { until, next_pause: FIRST_PAUSE, _counted: Waiters::count(waiters, error) }
        });
        if now >= waiting.until {
            return None;
        }
        let pause = waiting.next_pause;
        waiting.next_pause = (pause * 2).min(MAX_PAUSE);
        // From half of it to all of it, so that those who failed together don't try again together.
        Some(pause.mul_f64(0.5 + random_share() / 2.0))
    }

    /// A try has succeeded: the next failure is a first one.
    pub(super) fn renew(&mut self) {
        self.waiting = None;
    }
}

/// The subscriptions of a node that wait for the database. The log tells of the first and of the last, not of each.
pub(in crate::delivery) struct Waiters {
    count: AtomicUsize,
    metrics: Arc<Metrics>,
    limits: WaitLimits,
}

impl Waiters {
    /// Nobody waits yet.
    pub(in crate::delivery) fn new(metrics: Arc<Metrics>, limits: WaitLimits) -> Self {
        Self { count: AtomicUsize::new(0), metrics, limits }
    }

    fn count(self: &Arc<Self>, error: Option<&DbErr>) -> Counted {
        if self.count.fetch_add(1, Ordering::Relaxed) == 0 {
            let error = error.map(tracing::field::display);
            tracing::warn!(error, "what was missed can't be shown now; subscriptions wait, and try again");
        }
        self.metrics.subscriptions_waiting.inc();
        Counted(self.clone())
    }
}

/// One subscription that waits, counted until it is dropped.
struct Counted(Arc<Waiters>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.subscriptions_waiting.dec();
        if self.0.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            tracing::info!("no subscription waits for the database any more");
        }
    }
}

/// A random number from 0 to 1.
fn random_share() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiters() -> Arc<Waiters> {
        Arc::new(Waiters::new(Arc::new(Metrics::new()), WaitLimits::default()))
    }

    #[test]
    fn pauses_grow_to_five_seconds_and_end_after_a_minute() {
        let (waiters, mut patience, started) = (waiters(), Patience::default(), Instant::now());
        let (mut now, mut longest) = (started, FIRST_PAUSE);
        while let Some(pause) = patience.pause(now, &waiters, None) {
            assert!(pause >= longest / 2 && pause <= longest, "{pause:?}, and at most {longest:?} was expected");
            longest = (longest * 2).min(MAX_PAUSE);
            now += pause;
        }
        let (took, WaitLimits { at_least, spread }) = (now - started, waiters.limits);
        assert!(took >= at_least && took <= at_least + spread + MAX_PAUSE, "{took:?}");
        assert_eq!(longest, MAX_PAUSE);
    }

    #[test]
    fn those_who_began_to_wait_together_give_up_apart() {
        let (waiters, now) = (waiters(), Instant::now());
        let limits = (0..100).map(|_| {
            let mut patience = Patience::default();
            patience.pause(now, &waiters, None);
            patience.waiting.map(|waiting| waiting.until)
        });
        let limits: Vec<_> = limits.collect();
        let (first, last) = (limits.iter().flatten().min(), limits.iter().flatten().max());
        let apart = last.zip(first).map(|(last, first)| *last - *first);
        assert!(apart >= Some(waiters.limits.spread / 2), "{apart:?}");
    }

    #[test]
    fn success_makes_the_next_failure_a_first_one() {
        let (waiters, mut patience, mut now) = (waiters(), Patience::default(), Instant::now());
        for _ in 0..3 {
            for _ in 0..10 {
                now += patience.pause(now, &waiters, None).expect("ten tries are within a minute");
            }
            assert_eq!(waiters.metrics.subscriptions_waiting.get(), 1);
            patience.renew();
            assert_eq!(waiters.metrics.subscriptions_waiting.get(), 0);
        }
        assert!(patience.pause(now, &waiters, None).is_some_and(|pause| pause <= FIRST_PAUSE));
    }
}
