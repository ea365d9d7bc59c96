//! How many of something each key has at a time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many places each key has taken, of at most so many.
pub struct Counts<K: Hash + Eq + Clone> {
    max: u32,
    taken: Arc<Mutex<HashMap<K, u32>>>,
}

/// One of them; free again when it is dropped.
pub struct Place<K: Hash + Eq + Clone> {
    key: K,
    taken: Arc<Mutex<HashMap<K, u32>>>,
}

impl<K: Hash + Eq + Clone> Counts<K> {
    /// So many places per key; 0 is any number.
    #[must_use]
    pub fn new(max: u32) -> Self {
        Self { max, taken: Arc::default() }
    }

    /// One more place for this key, if there is one.
    #[must_use]
    pub fn enter(&self, key: K) -> Option<Place<K>> {
        let mut taken = lock(&self.taken);
        let count = taken.entry(key.clone()).or_default();
        if self.max > 0 && *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Place { key, taken: Arc::clone(&self.taken) })
    }
}

impl<K: Hash + Eq + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

fn lock<K>(taken: &Mutex<HashMap<K, u32>>) -> MutexGuard<'_, HashMap<K, u32>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_dropped() {
        let counts = Counts::new(2);
        let places = [counts.enter(1), counts.enter(1)];
        assert!(places.iter().all(Option::is_some));
        assert!(counts.enter(1).is_none() && counts.enter(2).is_some());
        drop(places);
        assert!(counts.enter(1).is_some());
        assert!(lock(&counts.taken).is_empty(), "nothing is kept of who has none");
    }

    #[test]
    fn without_a_bound_there_is_always_a_place() {
        let counts = Counts::new(0);
        let places: Vec<_> = (0..1_000).map(|_| counts.enter("ann")).collect();
        assert!(places.iter().all(Option::is_some));
    }
}
