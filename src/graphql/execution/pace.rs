//! Makes a long execution step aside, so that it takes turns with everything else that this thread has to do.
//!
//! async-graphql resolves whatever doesn't wait in one go: a query of 100,000 fields would occupy a thread for as long as
//! they take, and two such queries all threads of a machine with two cores.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Fields and items that one turn resolves: about 1 ms.
const PER_TURN: usize = 128;

/// The turns of one execution.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How many this turn has resolved.
    resolved: AtomicUsize,
    waiting: Mutex<Waiting>,
}

/// Those that wait for a turn, by number, in the order in which they came.
#[derive(Debug, Default)]
struct Waiting {
    /// All numbers below this had their turn.
    first: usize,
    wakers: VecDeque<Waker>,
}

impl Pace {
    /// Waits until this turn, or a later one, has room for one more field or item.
    pub(super) async fn turn(&self) {
        if self.resolved.fetch_add(1, Ordering::Relaxed) < PER_TURN {
            return;
        }
        let number = {
            let mut waiting = self.lock();
            waiting.wakers.push_back(Waker::noop().clone());
            waiting.first + waiting.wakers.len() - 1
        };
        poll_fn(|cx| {
            let mut waiting = self.lock();
            let Some(place) = number.checked_sub(waiting.first) else { return Poll::Ready(()) };
            if let Some(waker) = waiting.wakers.get_mut(place) {
                waker.clone_from(cx.waker());
            }
            Poll::Pending
        })
        .await;
    }

    /// Begins a turn with those that have waited longest.
    pub(super) fn begin_turn(&self) {
        let mut waiting = self.lock();
        let now = waiting.wakers.len().min(PER_TURN);
        waiting.first += now;
        self.resolved.store(now, Ordering::Relaxed);
        let woken: Vec<_> = waiting.wakers.drain(..now).collect();
        drop(waiting);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Whether somebody waits for the next turn.
    pub(super) fn is_awaited(&self) -> bool {
        !self.lock().wakers.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::poll_immediate;
    use futures_util::stream::FuturesUnordered;
    use futures_util::{StreamExt, stream};

    use super::*;

    #[tokio::test]
    async fn a_turn_has_room_for_so_many_and_the_others_have_theirs_in_order() {
        let pace = Pace::default();
        let all = 2 * PER_TURN + 10;
        let mut fields: FuturesUnordered<_> = (0..all)
            .map(|n| {
                let pace = &pace;
                async move {
                    pace.turn().await;
                    n
                }
            })
            .collect();
        for expected in [0..PER_TURN, PER_TURN..2 * PER_TURN, 2 * PER_TURN..all] {
            pace.begin_turn();
            let mut resolved = Vec::new();
            while let Some(Some(field)) = poll_immediate(fields.next()).await {
                resolved.push(field);
            }
            assert_eq!(resolved, stream::iter(expected).collect::<Vec<_>>().await);
        }
        assert!(!pace.is_awaited());
    }
}
