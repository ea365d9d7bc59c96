//! The rendered events that wait for one subscription, up to a bound.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::position::Cursor;

/// The most events that wait for one subscription. When one more comes, all of them are dropped, and the subscription
/// catches up from the log instead, at its own speed.
pub const CAPACITY: usize = 256;

/// One rendered event, shared by all subscriptions that receive it.
#[derive(Debug)]
pub struct Rendered {
    /// Where the stream of a client stands that has received this event.
    pub cursor: Cursor,
    /// The GraphQL response as JSON.
    pub payload: Arc<str>,
    /// Whether the event is in the log at its cursor, and so is replayed to a client that has not received it. If not,
    /// it came after the event at the cursor.
    pub is_logged: bool,
}

/// Mailboxes that receive the same bytes. Shared, so that handing an event to thousands copies one pointer.
pub type Mailboxes = Arc<[Arc<Mailbox>]>;

/// The queue between a group and one subscription.
#[derive(Default)]
pub struct Mailbox {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The next event. Usually it waits alone, and then only the mailbox's own memory is touched.
    next: Option<Arc<Rendered>>,
    /// The events after `next`.
    queue: VecDeque<Arc<Rendered>>,
    /// Events were dropped; the mailbox takes no more.
    lagged: bool,
    /// The subscription waits, and `waker` is to be woken by the next change.
    is_awaited: bool,
    waker: Option<Waker>,
}

/// What a mailbox holds next.
#[derive(Debug)]
pub enum Next {
    /// An event.
    Rendered(Arc<Rendered>),
    /// Events were dropped: this mailbox takes and gives no more.
    Lagged,
}

impl Mailbox {
    /// Puts events in, or drops all that the mailbox holds if there is no room for them. Wakes nobody: see
    /// [`Self::wake`].
    pub fn push(&self, rendered: &[Arc<Rendered>]) {
        let mut inner = self.lock();
        if inner.lagged {
            return;
        }
        if inner.len() + rendered.len() > CAPACITY {
            inner.lag();
        } else {
            let mut rendered = rendered.iter().cloned();
            if inner.next.is_none() {
                inner.next = rendered.next();
            }
            inner.queue.extend(rendered);
        }
    }

    /// Drops all events, because one that belongs here could not be put in, and wakes the subscription.
    pub fn lag(&self) {
        let mut inner = self.lock();
        inner.lag();
        inner.wake();
    }

    /// Wakes the subscription if it waits for what was put in. Returns whether it was woken.
    pub fn wake(&self) -> bool {
        let mut inner = self.lock();
        (inner.lagged || inner.next.is_some()) && inner.wake()
    }

    /// Takes the next event out, or registers to be woken when there is one.
    pub fn poll_next(&self, cx: &Context<'_>) -> Poll<Next> {
        let mut inner = self.lock();
        if let Some(rendered) = inner.next.take() {
            inner.next = inner.queue.pop_front();
            return Poll::Ready(Next::Rendered(rendered));
        }
        if inner.lagged {
            return Poll::Ready(Next::Lagged);
        }
        if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            inner.waker = Some(cx.waker().clone());
        }
        inner.is_awaited = true;
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn len(&self) -> usize {
        usize::from(self.next.is_some()) + self.queue.len()
    }

    fn lag(&mut self) {
        self.lagged = true;
        self.next = None;
        self.queue = VecDeque::new();
    }

    fn wake(&mut self) -> bool {
        let is_awaited = std::mem::take(&mut self.is_awaited);
        if is_awaited && let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
        is_awaited
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::position::Position;

    fn rendered() -> [Arc<Rendered>; 1] {
        [Arc::new(Rendered { cursor: Cursor::default(), payload: "{}".into(), is_logged: true })]
    }

    fn poll(mailbox: &Mailbox) -> Poll<Next> {
        mailbox.poll_next(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_full_mailbox_still_gives_all_it_holds() {
        let mailbox = Mailbox::default();
        (0..CAPACITY).for_each(|_| mailbox.push(&rendered()));
        for _ in 0..CAPACITY {
            assert!(matches!(poll(&mailbox), Poll::Ready(Next::Rendered(_))));
        }
        assert!(poll(&mailbox).is_pending());
    }

    #[test]
    fn events_that_come_together_wake_once_and_are_taken_in_order() {
        struct Bell(AtomicUsize);
        impl Wake for Bell {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let at = |position| Cursor { position: Position(position), ..Cursor::default() };
        let together: Vec<_> =
            (1..=3).map(|n| Arc::new(Rendered { cursor: at(n), payload: "{}".into(), is_logged: true })).collect();
        let (mailbox, bell) = (Mailbox::default(), Arc::new(Bell(AtomicUsize::new(0))));
        let waker = Waker::from(bell.clone());
        assert!(mailbox.poll_next(&Context::from_waker(&waker)).is_pending());
        assert!(!mailbox.wake(), "nothing is there");
        mailbox.push(&together);
        assert_eq!((mailbox.wake(), mailbox.wake()), (true, false));
        assert_eq!(bell.0.load(Ordering::Relaxed), 1);
        for expected in &together {
            let Poll::Ready(Next::Rendered(taken)) = poll(&mailbox) else { panic!("an event is there") };
            assert_eq!(taken.cursor, expected.cursor);
        }
        assert!(poll(&mailbox).is_pending());
    }

    #[test]
    fn an_overflowing_mailbox_drops_all_and_says_so() {
        let mailbox = Mailbox::default();
        (0..=CAPACITY).for_each(|_| mailbox.push(&rendered()));
        assert!(matches!(poll(&mailbox), Poll::Ready(Next::Lagged)));
        mailbox.push(&rendered());
        assert!(matches!(poll(&mailbox), Poll::Ready(Next::Lagged)));
    }
}
