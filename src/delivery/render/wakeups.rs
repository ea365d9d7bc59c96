//! Wakes the sockets whose mailboxes were filled, a few at a time.
//!
//! An event is put into all of its mailboxes in one step, which costs little, so that no later event has to wait: a
//! post in a small room doesn't wait until a large audience was served. To wake a socket, which then writes, costs
//! about 10 µs, so sockets are woken in batches, which alternate with each other and with the other tasks. A socket
//! that has already taken its events is skipped, and a socket that is woken late also finds the events that came in the
//! meantime.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::mailbox::{Mailboxes, Rendered};

/// Sockets that are woken before other tasks run. Many more would pile up in the runtime's queue, in which every other
/// task then waits; with many fewer, the runtime's threads would go to sleep and be woken in between.
const WOKEN_TOGETHER: usize = 96;

/// No more events are taken while this many wait for their sockets to be woken, so that what a mailbox holds in the
/// meantime stays well below its capacity.
const MAX_EVENTS: usize = 96;

/// An audience of this many mailboxes or more is large. Each of its sockets takes about 10 µs to wake and write to,
/// whether for one event or for several.
const LARGE_AUDIENCE: usize = 500;

/// How long events for a large audience wait to be joined by later ones, per mailbox of the audience and at most. The
/// last socket is served a fifth later for it; in a busy room each socket receives several events with one write.
const DELAY_PER_MAILBOX: Duration = Duration::from_micros(2);
const MAX_DELAY: Duration = Duration::from_millis(8);

/// The filled mailboxes whose sockets are still to be woken.
#[derive(Default)]
pub(super) struct WakeQueue {
    /// In the order in which they are continued.
    batches: VecDeque<WakeBatch>,
}

/// One pass through the mailboxes that some events were put into.
struct WakeBatch {
    mailboxes: Mailboxes,
    /// How many of the mailboxes it has passed.
    done: usize,
    /// How many events were put in.
    events: usize,
    /// When the pass begins. `None` if immediately.
    begins: Option<Instant>,
}

impl WakeQueue {
    /// Puts events into these mailboxes. [`Self::wake_some`] wakes their sockets.
    pub(super) fn put(&mut self, mailboxes: Mailboxes, rendered: &[Arc<Rendered>]) {
        mailboxes.iter().for_each(|mailbox| mailbox.push(rendered));
        let events = rendered.len();
        let waiting =
            self.batches.iter_mut().find(|batch| batch.done == 0 && Arc::ptr_eq(&batch.mailboxes, &mailboxes));
        if let Some(batch) = waiting {
            batch.events += events;
        } else {
            let begins = coalesce_delay(mailboxes.len()).map(|delay| Instant::now() + delay);
            self.batches.push_back(WakeBatch { mailboxes, done: 0, events, begins });
        }
    }

    /// Whether more events may be put in before more sockets are woken.
    pub(super) fn has_room(&self) -> bool {
        self.batches.iter().map(|batch| batch.events).sum::<usize>() < MAX_EVENTS
    }

    /// Waits until a socket may be woken; forever if none is to be woken.
    pub(super) async fn due(&self) {
        match self.batches.iter().map(|batch| batch.begins).min() {
            Some(None) => {}
            Some(Some(begins)) => tokio::time::sleep_until(begins).await,
            None => pending().await,
        }
    }

    /// Wakes the next few sockets that may be woken, and yields to other tasks after [`WOKEN_TOGETHER`].
    pub(super) async fn wake_some(&mut self) {
        let mut left = WOKEN_TOGETHER;
        let now = Instant::now();
        for _ in 0..self.batches.len() {
            let Some(mut batch) = self.batches.pop_front() else { return };
            if batch.begins.is_none_or(|begins| begins <= now) {
                batch.begins = None;
                left = batch.go_on(left);
            }
            if batch.done < batch.mailboxes.len() {
                self.batches.push_back(batch);
            }
            if left == 0 {
                return tokio::task::yield_now().await;
            }
        }
    }

    /// Waits for `work`, and wakes sockets in the meantime.
    pub(super) async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        let waking = async {
            loop {
                self.due().await;
                self.wake_some().await;
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            () = waking => unreachable!("the loop never ends"),
        }
    }
}

impl WakeBatch {
    /// Wakes at most `left` more sockets, and returns how many may still be woken.
    fn go_on(&mut self, mut left: usize) -> usize {
        while left > 0
            && let Some(mailbox) = self.mailboxes.get(self.done)
        {
            self.done += 1;
            left -= usize::from(mailbox.wake());
        }
        left
    }
}

/// How long events for this many mailboxes wait to be joined by later ones. `None` if they don't.
fn coalesce_delay(mailboxes: usize) -> Option<Duration> {
    let count = u32::try_from(mailboxes).unwrap_or(u32::MAX);
    (mailboxes >= LARGE_AUDIENCE).then(|| DELAY_PER_MAILBOX.saturating_mul(count).min(MAX_DELAY))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    use futures_util::future::poll_immediate;

    use super::*;
    use crate::delivery::mailbox::Mailbox;
    use crate::position::Cursor;

    /// Sockets that wait for their mailboxes, and how often each was woken.
    struct Sockets {
        mailboxes: Mailboxes,
        bells: Vec<Arc<Bell>>,
    }

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Sockets {
        fn new(count: usize) -> Self {
            let mailboxes = (0..count).map(|_| Arc::new(Mailbox::default())).collect();
            let sockets = Self { mailboxes, bells: (0..count).map(|_| Arc::default()).collect() };
            (0..count).for_each(|n| assert_eq!(sockets.take(n), 0));
            sockets
        }

        /// Takes out what is there, and waits for more.
        fn take(&self, n: usize) -> usize {
            let waker = Waker::from(self.bells[n].clone());
            let next = || self.mailboxes[n].poll_next(&Context::from_waker(&waker));
            std::iter::from_fn(|| matches!(next(), Poll::Ready(_)).then_some(())).count()
        }

        fn put_one(&self, wakeups: &mut WakeQueue) {
            let event = Rendered { cursor: Cursor::default(), payload: "{}".into(), is_logged: true };
            wakeups.put(self.mailboxes.clone(), &[Arc::new(event)]);
        }

        /// How often they were woken, all together.
        fn woken(&self) -> usize {
            self.bells.iter().map(|bell| bell.0.load(Ordering::Relaxed)).sum()
        }
    }

    #[tokio::test]
    async fn few_are_woken_beside_many_whose_round_is_not_over() {
        let (many, few) = (Sockets::new(4 * WOKEN_TOGETHER), Sockets::new(2));
        let mut wakeups = WakeQueue::default();
        many.put_one(&mut wakeups);
        few.put_one(&mut wakeups);
        wakeups.wake_some().await;
        assert_eq!((many.woken(), few.woken()), (WOKEN_TOGETHER, 0));
        wakeups.wake_some().await;
        assert_eq!((many.woken(), few.woken()), (2 * WOKEN_TOGETHER - 2, 2));
    }

    #[tokio::test]
    async fn every_socket_is_woken_once_but_those_who_have_taken_all_already() {
        let sockets = Sockets::new(3 * WOKEN_TOGETHER);
        let last = sockets.bells.len() - 1;
        let mut wakeups = WakeQueue::default();
        sockets.put_one(&mut wakeups);
        sockets.put_one(&mut wakeups);
        wakeups.wake_some().await;
        sockets.put_one(&mut wakeups);
        assert_eq!((sockets.take(0), sockets.take(last)), (3, 3));
        while poll_immediate(wakeups.due()).await.is_some() {
            wakeups.wake_some().await;
        }
        assert_eq!(sockets.woken(), sockets.bells.len() - 1, "the last was not, the first before it took them");
        assert_eq!(sockets.take(1), 3);
    }

    #[tokio::test]
    async fn no_more_is_put_in_than_a_mailbox_holds_until_its_socket_is_woken() {
        let sockets = Sockets::new(2 * WOKEN_TOGETHER);
        let mut wakeups = WakeQueue::default();
        for _ in 0..MAX_EVENTS {
            assert!(wakeups.has_room());
            sockets.put_one(&mut wakeups);
        }
        wakeups.wake_some().await;
        assert!(!wakeups.has_room(), "half of them wait still");
        wakeups.wake_some().await;
        assert!(wakeups.has_room());
        assert_eq!((sockets.woken(), sockets.take(0)), (sockets.bells.len(), MAX_EVENTS));
    }

    #[test]
    fn only_a_crowd_waits_for_company_and_not_for_long() {
        let waits =
            [LARGE_AUDIENCE - 1, LARGE_AUDIENCE, 2 * LARGE_AUDIENCE, 1_000 * LARGE_AUDIENCE].map(coalesce_delay);
        assert_eq!(waits, [None, Some(Duration::from_millis(1)), Some(Duration::from_millis(2)), Some(MAX_DELAY)]);
    }

    #[tokio::test]
    async fn a_crowd_that_has_waited_is_woken_once_for_all_that_came() {
        let crowd = Sockets::new(4 * LARGE_AUDIENCE);
        let mut wakeups = WakeQueue::default();
        crowd.put_one(&mut wakeups);
        crowd.put_one(&mut wakeups);
        while crowd.woken() < crowd.bells.len() {
            wakeups.due().await;
            wakeups.wake_some().await;
        }
        assert_eq!((crowd.woken(), crowd.take(0)), (crowd.bells.len(), 2));
    }

    #[tokio::test]
    async fn sockets_are_woken_while_something_takes_its_time() {
        let sockets = Sockets::new(4 * WOKEN_TOGETHER);
        let mut wakeups = WakeQueue::default();
        sockets.put_one(&mut wakeups);
        let all_are_woken = async {
            while sockets.woken() < sockets.bells.len() {
                tokio::task::yield_now().await;
            }
        };
        wakeups.meanwhile(all_are_woken).await;
    }
}
