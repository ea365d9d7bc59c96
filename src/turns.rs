//! Turns for each of many: what one asks for waits for what the same one asked for before, not for others.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of turns at a time for each key. Clones share them. A key that nobody uses takes no memory.
#[derive(Debug)]
pub struct Turns<K: Hash + Eq + Clone>(Arc<Shared<K>>);

#[derive(Debug)]
struct Shared<K: Hash + Eq + Clone> {
    at_once: usize,
    keys: Mutex<HashMap<K, Key>>,
}

#[derive(Debug)]
struct Key {
    turns: Arc<Semaphore>,
    /// How many hold a turn or wait for one.
    users: usize,
}

/// A turn, given back when dropped.
#[derive(Debug)]
pub struct Turn<K: Hash + Eq + Clone> {
    /// Given back before the key is forgotten.
    permit: Option<OwnedSemaphorePermit>,
    key: K,
    shared: Arc<Shared<K>>,
}

impl<K: Hash + Eq + Clone> Clone for Turns<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Hash + Eq + Clone> Turns<K> {
    /// So many turns at a time for each key.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Shared { at_once, keys: Mutex::default() }))
    }

    /// Waits for a turn of this key; turns are given in the order in which they were asked for.
    pub async fn take(&self, key: K) -> Turn<K> {
        let turns = {
            let mut keys = self.0.lock();
            let new = || Key { turns: Arc::new(Semaphore::new(self.0.at_once)), users: 0 };
            let key = keys.entry(key.clone()).or_insert_with(new);
            key.users += 1;
            key.turns.clone()
        };
        let mut turn = Turn { permit: None, key, shared: self.0.clone() };
        // The semaphore is never closed.
        turn.permit = turns.acquire_owned().await.ok();
        turn
    }
}

impl<K: Hash + Eq + Clone> Shared<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Key>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> Drop for Turn<K> {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut keys = self.shared.lock();
        if let Some(key) = keys.get_mut(&self.key) {
            key.users -= 1;
            if key.users == 0 {
                keys.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::poll_immediate;

    use super::*;

    #[tokio::test]
    async fn one_waits_for_oneself_and_for_nobody_else() {
        let turns = Turns::new(2);
        let first = turns.take("ann").await;
        let _second = turns.take("ann").await;
        let mut third = Box::pin(turns.take("ann"));
        assert!(poll_immediate(&mut third).await.is_none());
        assert!(poll_immediate(turns.take("bob")).await.is_some());
        drop(first);
        assert!(poll_immediate(third).await.is_some());
    }

    #[tokio::test]
    async fn nothing_is_kept_of_those_who_are_done_or_have_given_up() {
        let turns = Turns::new(1);
        let held = turns.take("ann").await;
        let mut waiting = Box::pin(turns.take("ann"));
        assert!(poll_immediate(&mut waiting).await.is_none());
        drop(waiting);
        drop(held);
        assert!(turns.0.lock().is_empty());
    }
}
