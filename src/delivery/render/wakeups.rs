//! Waking the sockets whose mailboxes were filled, some at a time.
//!
//! An event is put into all of its mailboxes at once, which costs little, so that nothing that comes after it has to wait:
//! a post in a small room doesn't stand behind a crowd that is being served. To wake a socket, which then writes, costs
//! about 10 µs; so that is done in wakeups, in turns with each other and with the other tasks. A socket that has taken what
//! it was to be woken for is passed over, and one whose turn comes late finds with the event those that came meanwhile.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::mailbox::{Mailboxes, Rendered};

/// Sockets that are woken before other tasks get their turn. Much more, and they pile up in the runtime's queue, which
/// whoever comes then has to wait in; much less, and its threads go to sleep and are woken in between.
const WOKEN_TOGETHER: usize = 96;

/// Events whose sockets are still to be woken, from which on no more are taken. What a mailbox holds meanwhile is to stay
/// well below its capacity.
const MAX_EVENTS: usize = 96;

/// Mailboxes from which on an audience is a crowd. Each of its sockets takes about 10 µs to wake and write to, whether it
/// is for one event or for several.
const LARGE_AUDIENCE: usize = 500;

/// How long events wait for company, for each mailbox of a crowd, and at most. The last socket is served a fifth later; in
/// a busy room all are served several events with one write.
const DELAY_PER_MAILBOX: Duration = Duration::from_micros(2);
const MAX_DELAY: Duration = Duration::from_millis(8);

/// What was put into mailboxes whose sockets are still to be woken.
#[derive(Default)]
pub(super) struct WakeQueue {
    /// In the order of their next turns.
    wakeups: VecDeque<WakeBatch>,
}

/// One walk through the mailboxes that some events were put into.
struct WakeBatch {
    mailboxes: Mailboxes,
    /// How many of them it has been to.
    done: usize,
    /// How many events it is for.
    events: usize,
    /// None: now.
    begins: Option<Instant>,
}

impl WakeQueue {
    /// Puts events into these mailboxes. Their sockets are woken by [`Self::wake_some`].
    pub(super) fn put(&mut self, mailboxes: Mailboxes, rendered: &[Arc<Rendered>]) {
        mailboxes.iter().for_each(|mailbox| mailbox.push(rendered));
        let events = rendered.len();
        let waiting =
            self.wakeups.iter_mut().find(|batch| batch.done == 0 && Arc::ptr_eq(&batch.mailboxes, &mailboxes));
        if let Some(batch) = waiting {
            batch.events += events;
        } else {
            let begins = coalesce_delay(mailboxes.len()).map(|delay| Instant::now() + delay);
            self.wakeups.push_back(WakeBatch { mailboxes, done: 0, events, begins });
        }
    }

    /// Whether more events may be put in before others' sockets are woken.
    pub(super) fn has_room(&self) -> bool {
        self.wakeups.iter().map(|batch| batch.events).sum::<usize>() < MAX_EVENTS
    }

    /// Waits until somebody may be woken; for ever where nobody is to be.
    pub(super) async fn due(&self) {
        match self.wakeups.iter().map(|batch| batch.begins).min() {
            Some(None) => {}
            Some(Some(begins)) => tokio::time::sleep_until(begins).await,
            None => pending().await,
        }
    }

    /// Wakes the next few sockets that may be woken, and lets other tasks have their turn if they were many.
    pub(super) async fn wake_some(&mut self) {
        let mut left = WOKEN_TOGETHER;
        let now = Instant::now();
        for _ in 0..self.wakeups.len() {
            let Some(mut batch) = self.wakeups.pop_front() else { return };
            if batch.begins.is_none_or(|begins| begins <= now) {
                batch.begins = None;
                left = batch.go_on(left);
            }
            if batch.done < batch.mailboxes.len() {
                self.wakeups.push_back(batch);
            }
            if left == 0 {
                return tokio::task::yield_now().await;
            }
        }
    }

    /// Waits for something, and goes on waking meanwhile.
    pub(super) async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        let go_on = async {
            loop {
                self.due().await;
                self.wake_some().await;
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            () = go_on => unreachable!("it goes on for ever"),
        }
    }
}

impl WakeBatch {
    /// Wakes at most this many more, and answers how many may still be woken.
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

/// How long what is for so many waits to be joined by what comes next.
fn coalesce_delay(mailboxes: usize) -> Option<Duration> {
    let crowd = u32::try_from(mailboxes).unwrap_or(u32::MAX);
    (mailboxes >= LARGE_AUDIENCE).then(|| DELAY_PER_MAILBOX.saturating_mul(crowd).min(MAX_DELAY))
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
