//! One at a time of each key, in the order in which they came.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Who is in a lane, and who waits for it, by key. Lanes in which nobody is or waits take no memory.
pub struct Lanes<K: Hash + Eq + Clone>(Mutex<HashMap<K, Arc<Semaphore>>>);

/// The one place in a lane; free again when it is dropped.
pub struct InLane<K: Hash + Eq + Clone> {
    lanes: Arc<Lanes<K>>,
    key: K,
    lane: Arc<Semaphore>,
    /// Whether it is in the lane, rather than waiting.
    is_inside: bool,
}

impl<K: Hash + Eq + Clone> Default for Lanes<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone> Lanes<K> {
    /// The place in this lane, once it is free. `None` when so many are in it or wait already.
    pub async fn enter(self: &Arc<Self>, key: K, max: usize) -> Option<InLane<K>> {
        let mut entered = {
            let mut lanes = self.lock();
            let lane = lanes.entry(key.clone()).or_insert_with(|| Arc::new(Semaphore::new(1)));
            // The table has one, too.
            if Arc::strong_count(lane) > max {
                return None;
            }
            InLane { lanes: Arc::clone(self), lane: Arc::clone(lane), key, is_inside: false }
        };
        let free = entered.lane.acquire().await.ok();
        free.map(SemaphorePermit::forget)?;
        entered.is_inside = true;
        Some(entered)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Semaphore>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> Drop for InLane<K> {
    fn drop(&mut self) {
        if self.is_inside {
            self.lane.add_permits(1);
        }
        let mut lanes = self.lanes.lock();
        // The table's and this one's: nobody else is in it or waits.
        if Arc::strong_count(&self.lane) == 2 {
            lanes.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn of_each_key_one_is_inside_at_a_time_and_nothing_is_kept_of_those_who_left() {
        let lanes = Arc::<Lanes<u32>>::default();
        let inside = Mutex::new(HashMap::<u32, u32>::new());
        let visits = (0..40).map(|n| {
            let (lanes, inside, key) = (&lanes, &inside, n % 4);
            async move {
                let place = lanes.enter(key, 10).await.expect("there is room");
                *inside.lock().expect("not poisoned").entry(key).or_default() += 1;
                tokio::task::yield_now().await;
                let inside_now = std::mem::take(inside.lock().expect("not poisoned").entry(key).or_default());
                drop(place);
                inside_now
            }
        });
        assert!(join_all(visits).await.into_iter().all(|inside| inside == 1));
        assert!(lanes.lock().is_empty());
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_nothing_behind() {
        let lanes = Arc::<Lanes<u32>>::default();
        let first = lanes.enter(1, 2).await.expect("nobody is there");
        {
            let mut waiting = Box::pin(lanes.enter(1, 2));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(waiting.as_mut().poll(&mut context).is_pending());
            assert!(lanes.enter(1, 2).await.is_none(), "one is inside, and one waits");
        }
        drop(first);
        assert!(lanes.enter(1, 2).await.is_some());
        assert!(lanes.lock().is_empty());
    }
}
