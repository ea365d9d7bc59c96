//! Buckets by key: how much of what is limited each user, address or room has left.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::{Quota, RateLimiter};

use super::Exceeded;
use super::rate::Rates;

/// The most keys that a bucket remembers, at about 50 bytes each. Keys beyond them aren't limited: whoever commands
/// that many addresses isn't held by a limit per address, and one who fills the table must not have others refused.
const MAX_KEYS: usize = 200_000;

/// What is left to each key, by the [generic cell rate
/// algorithm](https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).
pub struct Bucket<K, C = DefaultClock>
where
    K: Hash + Eq + Clone,
    C: Clock,
{
    limiters: Vec<Limiter<K, C>>,
    clock: C,
}

/// One rate of a bucket.
struct Limiter<K: Hash + Eq + Clone, C: Clock> {
    quota: Quota,
    cells: RateLimiter<K, Shared<K>, C, NoOpMiddleware<C::Instant>>,
    store: Shared<K>,
}

impl<K: Hash + Eq + Clone> Bucket<K> {
    /// A bucket with these rates, full for each key.
    #[must_use]
    pub fn new(rates: &Rates) -> Self {
        Self::with_clock(rates, &DefaultClock::default())
    }
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> Bucket<K, C> {
    /// As [`Self::new`], by another clock.
    #[must_use]
    pub fn with_clock(rates: &Rates, clock: &C) -> Self {
        let limiter = |quota: Quota| {
            let store = Shared::default();
            Limiter { quota, cells: RateLimiter::new(quota, store.clone(), clock.clone()), store }
        };
        Self { limiters: rates.0.iter().map(|rate| limiter(rate.quota())).collect(), clock: clock.clone() }
    }

    /// Takes so many cells, or as many as a full bucket holds if that is less, or none at all.
    ///
    /// # Errors
    /// When they aren't there: how long until they are, if nobody else takes any.
    pub fn take(&self, key: &K, cells: NonZeroU32) -> Result<(), Exceeded> {
        for (n, limiter) in self.limiters.iter().enumerate() {
            let within = cells.min(limiter.quota.burst_size());
            if let Ok(Err(until)) = limiter.cells.check_key_n(key, within) {
                for taken in &self.limiters[..n] {
                    taken.give_back(key, cells);
                }
                return Err(Exceeded { retry_after: until.wait_time_from(self.clock.now()) });
            }
        }
        Ok(())
    }

    /// Gives back so many cells that were taken together.
    pub fn give_back(&self, key: &K, cells: NonZeroU32) {
        for limiter in &self.limiters {
            limiter.give_back(key, cells);
        }
    }

    /// Forgets the keys whose buckets are full again.
    pub fn sweep(&self) {
        for limiter in &self.limiters {
            limiter.cells.retain_recent();
            limiter.cells.shrink_to_fit();
            limiter.store.0.keys.store(limiter.cells.len(), Ordering::Relaxed);
        }
    }
}

impl<K: Hash + Eq + Clone, C: Clock> Limiter<K, C> {
    fn give_back(&self, key: &K, cells: NonZeroU32) {
        let cells = cells.min(self.quota.burst_size());
        let weight = Nanos::from(self.quota.replenish_interval()) * u64::from(cells.get());
        self.store.give_back(key, weight);
    }
}

/// The state of each key, shared with the limiter that it belongs to.
struct Shared<K: Hash + Eq + Clone>(Arc<Store<K>>);

struct Store<K: Hash + Eq + Clone> {
    states: DashMapStateStore<K>,
    /// Never less than there are; exact after each sweep.
    keys: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Clone for Shared<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Hash + Eq + Clone> Default for Shared<K> {
    fn default() -> Self {
        Self(Arc::new(Store { states: DashMapStateStore::default(), keys: AtomicUsize::new(0) }))
    }
}

impl<K: Hash + Eq + Clone> Shared<K> {
    fn give_back(&self, key: &K, weight: Nanos) {
        if self.0.states.contains_key(key) {
            let earlier = |arrival: Option<Nanos>| Ok(((), arrival.unwrap_or_default().saturating_sub(weight)));
            let Ok(()) = self.0.states.measure_and_replace::<_, _, std::convert::Infallible>(key, earlier);
        }
    }
}

impl<K: Hash + Eq + Clone> StateStore for Shared<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if !self.0.states.contains_key(key) && self.0.keys.fetch_add(1, Ordering::Relaxed) >= MAX_KEYS {
            self.0.keys.fetch_sub(1, Ordering::Relaxed);
            return measure(None).map(|(outcome, _)| outcome);
        }
        self.0.states.measure_and_replace(key, measure)
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Shared<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.0.states.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        self.0.states.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.0.states.len()
    }

    fn is_empty(&self) -> bool {
        self.0.states.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    fn bucket(rates: &str) -> (Bucket<u32, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Bucket::with_clock(&rates.parse().expect(rates), &clock), clock)
    }

    fn cells(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("not 0")
    }

    fn taken(bucket: &Bucket<u32, FakeRelativeClock>, key: u32, tries: u32) -> usize {
        (0..tries).filter(|_| bucket.take(&key, ONE).is_ok()).count()
    }

    #[test]
    fn a_burst_is_there_and_then_a_steady_rate_for_each_key() {
        let (bucket, clock) = bucket("5/s burst 20");
        assert_eq!((taken(&bucket, 1, 30), taken(&bucket, 2, 30)), (20, 20));
        let refused = bucket.take(&1, ONE).expect_err("nothing is left");
        assert_eq!(refused.retry_after, Duration::from_millis(200));
        clock.advance(Duration::from_secs(1));
        assert_eq!(taken(&bucket, 1, 30), 5);
    }

    #[test]
    fn every_rate_holds_and_a_refusal_by_one_takes_nothing_from_the_others() {
        let (bucket, clock) = bucket("5/s burst 20, 60/min");
        let mut passed = 0;
        for _ in 0..60 {
            passed += taken(&bucket, 1, 20);
            clock.advance(Duration::from_secs(1));
        }
        // 60 at first, and one in each second after.
        assert!((118..=120).contains(&passed), "{passed}");
        clock.advance(Duration::from_mins(1));
        assert_eq!(taken(&bucket, 1, 30), 20, "the burst is whole again");
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let (bucket, _) = bucket("1/h burst 3, 3/h");
        assert_eq!(taken(&bucket, 1, 3), 3);
        bucket.give_back(&1, cells(2));
        assert_eq!(taken(&bucket, 1, 3), 2);
        bucket.give_back(&2, ONE);
        assert_eq!(taken(&bucket, 2, 5), 3, "nobody has more than a full bucket");
    }

    #[test]
    fn more_than_a_full_bucket_takes_all_of_it() {
        let (bucket, clock) = bucket("10/s burst 100");
        assert!(bucket.take(&1, cells(5_000)).is_ok());
        assert!(bucket.take(&1, ONE).is_err());
        clock.advance(Duration::from_secs(10));
        assert!(bucket.take(&1, cells(100)).is_ok());
    }

    #[test]
    fn without_a_rate_nothing_is_limited() {
        let (bucket, _) = bucket("off");
        assert_eq!(taken(&bucket, 1, 1_000), 1_000);
    }

    #[test]
    fn full_buckets_are_forgotten_and_others_kept() {
        let (bucket, clock) = bucket("1/s burst 10");
        assert_eq!((taken(&bucket, 1, 1), taken(&bucket, 2, 10)), (1, 10));
        clock.advance(Duration::from_secs(3));
        bucket.sweep();
        assert_eq!(bucket.limiters[0].cells.len(), 1);
        assert_eq!(taken(&bucket, 2, 10), 3, "what was kept is as it was");
    }

    #[test]
    fn the_number_of_keys_is_bounded_and_those_beyond_are_not_refused() {
        let (bucket, clock) = bucket("1/s");
        for key in 0..300_000 {
            assert!(bucket.take(&key, ONE).is_ok());
        }
        assert_eq!(bucket.limiters[0].cells.len(), MAX_KEYS);
        assert!(bucket.take(&1, ONE).is_err(), "who was known is still limited");
        assert!(bucket.take(&299_999, ONE).is_ok());
        clock.advance(Duration::from_secs(5));
        bucket.sweep();
        assert_eq!(bucket.limiters[0].cells.len(), 0);
        assert!(bucket.take(&299_999, ONE).is_ok());
        assert!(bucket.take(&299_999, ONE).is_err(), "there is room again");
    }
}
