//! Turns at something costly, for which many may wait: one of each who waits, in turn, so that a crowd of one delays
//! nobody else for longer than one turn of each other.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Turns, so many at a time, and a bounded number of those who wait.
pub struct FairQueue<K: Hash + Eq + Clone> {
    at_once: usize,
    max_waiting: usize,
    queue: Mutex<Queue<K>>,
}

struct Queue<K: Hash + Eq + Clone> {
    running: usize,
    waiting: usize,
    /// Who waits at all, in the order in which they come next.
    order: VecDeque<K>,
    /// What each of them waits with, the oldest first; never empty.
    of: HashMap<K, VecDeque<oneshot::Sender<Turn<K>>>>,
}

/// A turn; over when it is dropped.
pub struct Turn<K: Hash + Eq + Clone>(Option<Arc<FairQueue<K>>>);

impl<K: Hash + Eq + Clone> FairQueue<K> {
    /// So many turns at a time, and so many who may wait for one.
    #[must_use]
    pub fn new(at_once: usize, max_waiting: usize) -> Arc<Self> {
        let queue = Queue { running: 0, waiting: 0, order: VecDeque::new(), of: HashMap::new() };
        Arc::new(Self { at_once, max_waiting, queue: Mutex::new(queue) })
    }

    /// A turn, once it is there. `None` when too many wait: where others wait with more than this one does, the last
    /// of the largest crowd is turned away instead.
    pub async fn wait(self: &Arc<Self>, key: K) -> Option<Turn<K>> {
        let turn = {
            let mut queue = self.queue();
            if queue.running < self.at_once && queue.waiting == 0 {
                queue.running += 1;
                return Some(Turn(Some(Arc::clone(self))));
            }
            if queue.waiting >= self.max_waiting && !queue.make_room(&key) {
                return None;
            }
            queue.add(key)
        };
        turn.await.ok()
    }

    fn queue(&self) -> MutexGuard<'_, Queue<K>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> Queue<K> {
    fn add(&mut self, key: K) -> oneshot::Receiver<Turn<K>> {
        let (sender, turn) = oneshot::channel();
        let of_key = self.of.entry(key.clone()).or_default();
        if of_key.is_empty() {
            self.order.push_back(key);
        }
        of_key.push_back(sender);
        self.waiting += 1;
        turn
    }

    /// Turns away the last of the largest crowd, if that is larger than this one's would be.
    fn make_room(&mut self, newcomer: &K) -> bool {
        let own = self.of.get(newcomer).map_or(0, VecDeque::len);
        let Some(crowd) = self.of.values_mut().max_by_key(|crowd| crowd.len()) else { return false };
        if crowd.len() <= own + 1 {
            return false;
        }
        crowd.pop_back();
        self.waiting -= 1;
        true
    }

    /// Whoever comes next.
    fn next(&mut self) -> Option<oneshot::Sender<Turn<K>>> {
        let key = self.order.pop_front()?;
        let of_key = self.of.get_mut(&key)?;
        let next = of_key.pop_front();
        if of_key.is_empty() {
            self.of.remove(&key);
        } else {
            self.order.push_back(key);
        }
        self.waiting -= 1;
        next
    }
}

impl<K: Hash + Eq + Clone> Drop for Turn<K> {
    fn drop(&mut self) {
        let Some(turns) = self.0.take() else { return };
        let mut queue = turns.queue();
        while let Some(next) = queue.next() {
            match next.send(Self(Some(Arc::clone(&turns)))) {
                Ok(()) => return,
                // Whoever waited is gone. The turn isn't over, and the lock is held.
                Err(mut unused) => unused.0 = None,
            }
        }
        queue.running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Wait = Pin<Box<dyn Future<Output = Option<Turn<&'static str>>> + Send>>;

    fn wait(turns: &Arc<FairQueue<&'static str>>, key: &'static str) -> Wait {
        let turns = Arc::clone(turns);
        let mut wait: Wait = Box::pin(async move { turns.wait(key).await });
        assert!(poll(&mut wait).is_pending());
        wait
    }

    fn poll(wait: &mut Wait) -> Poll<Option<Turn<&'static str>>> {
        pin!(wait).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn turn(wait: &mut Wait) -> Option<Turn<&'static str>> {
        match poll(wait) {
            Poll::Ready(turn) => Some(turn.expect("not turned away")),
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn who_comes_last_need_not_wait_for_a_crowd() {
        let turns = FairQueue::new(1, 10);
        let first = turns.wait("crowd").await.expect("nobody is there");
        let mut crowd: Vec<Wait> = (0..5).map(|_| wait(&turns, "crowd")).collect();
        let mut alone = wait(&turns, "alone");

        drop(first);
        let of_crowd = turn(&mut crowd[0]).expect("was there before");
        assert!(turn(&mut alone).is_none());
        drop(of_crowd);
        let of_alone = turn(&mut alone).expect("comes after one of the crowd");
        assert!(turn(&mut crowd[1]).is_none());
        drop(of_alone);
        assert!(turn(&mut crowd[1]).is_some());
    }

    #[tokio::test]
    async fn a_crowd_that_fills_all_places_makes_room_for_a_newcomer() {
        let turns = FairQueue::new(1, 4);
        let first = turns.wait("crowd").await.expect("nobody is there");
        let mut crowd: Vec<Wait> = (0..4).map(|_| wait(&turns, "crowd")).collect();
        assert!(turns.wait("crowd").await.is_none(), "its own crowd has no room for it");
        let mut alone = wait(&turns, "alone");
        assert!(matches!(poll(&mut crowd[3]), Poll::Ready(None)), "the last of the crowd is turned away");
        drop(first);
        drop(turn(&mut crowd[0]).expect("was there before"));
        assert!(turn(&mut alone).is_some());
    }

    #[tokio::test]
    async fn who_goes_away_while_waiting_is_passed_over_and_no_turn_is_lost() {
        let turns = FairQueue::new(2, 4);
        let running = [turns.wait("a").await, turns.wait("b").await];
        let gone = wait(&turns, "gone");
        let mut given = wait(&turns, "given and gone");
        let mut last = wait(&turns, "last");
        drop(gone);
        drop(running);
        let taken = turn(&mut last);
        assert!(taken.is_some());
        // A turn that was handed over, and never taken out, comes free as well.
        assert!(matches!(poll(&mut given), Poll::Ready(Some(_))));
        drop((given, taken));
        let again = [turns.wait("a").await, turns.wait("b").await];
        assert!(again.iter().all(Option::is_some));
        let queue = turns.queue();
        assert!((queue.running, queue.waiting) == (2, 0) && queue.of.is_empty());
        drop(queue);
    }
}
