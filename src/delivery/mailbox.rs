//! The rendered events that wait for one subscription, up to a bound.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::allowance::{Allowance, Reserved};
use crate::position::Cursor;

/// The most events that wait for one subscription. When one more comes, all of them are dropped, and the subscription
/// catches up from the log instead, at its own speed.
pub const CAPACITY: usize = 256;

/// Bytes that wait for one subscription without being counted for its socket, so that the usual event, which is taken
/// immediately, costs no more than the mailbox's own lock.
const FREE_BYTES: usize = 16 * 1024;

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
    /// What may wait for the socket. Without one, the number of events is the only bound.
    allowance: Option<Allowance>,
}

#[derive(Default)]
struct Inner {
    /// The next event. Usually it waits alone, and then only the mailbox's own memory is touched.
    next: Option<Arc<Rendered>>,
    /// The events after `next`.
    queue: VecDeque<Arc<Rendered>>,
    /// Of all events.
    bytes: usize,
    /// What is reserved of the socket's allowance: [`Self::bytes`] beyond [`FREE_BYTES`].
    reserved: Option<Reserved>,
    /// Events were dropped; the mailbox takes no more.
    lagged: bool,
    /// Nothing comes after the events that wait.
    ended: bool,
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
    /// There is nothing more to come.
    Ended,
}

impl Mailbox {
    /// A mailbox of a subscription whose socket has this allowance.
    #[must_use]
    pub fn of(allowance: Allowance) -> Self {
        Self { allowance: Some(allowance), ..Self::default() }
    }

    /// Puts events in, or drops all that the mailbox holds if there is no room for them. Wakes nobody: see
    /// [`Self::wake`].
    pub fn push(&self, rendered: &[Arc<Rendered>]) {
        let mut inner = self.lock();
        if inner.lagged {
            return;
        }
        let bytes = rendered.iter().map(|rendered| rendered.payload.len()).sum::<usize>();
        let bytes = inner.bytes + bytes;
        if inner.len() + rendered.len() > CAPACITY || !inner.reserve(bytes, self.allowance.as_ref()) {
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

    /// Nothing more comes. The subscription still takes what waits, and is woken to learn of it.
    pub fn end(&self) {
        let mut inner = self.lock();
        inner.ended = true;
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
            inner.release(rendered.payload.len());
            return Poll::Ready(Next::Rendered(rendered));
        }
        if inner.lagged {
            return Poll::Ready(Next::Lagged);
        }
        if inner.ended {
            return Poll::Ready(Next::Ended);
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
        self.bytes = 0;
        self.reserved = None;
    }

    /// Makes room for so many bytes in all. False if the socket's allowance has none.
    fn reserve(&mut self, bytes: usize, allowance: Option<&Allowance>) -> bool {
        self.bytes = bytes;
        let (Some(counted), Some(allowance)) = (bytes.checked_sub(FREE_BYTES).filter(|&n| n > 0), allowance) else {
            return true;
        };
        if let Some(reserved) = &mut self.reserved {
            return reserved.resize(counted);
        }
        self.reserved = allowance.try_reserve(counted);
        self.reserved.is_some()
    }

    fn release(&mut self, bytes: usize) {
        self.bytes -= bytes;
        match self.bytes.saturating_sub(FREE_BYTES) {
            0 => self.reserved = None,
            counted => {
                // It has become less.
                let _ = self.reserved.as_mut().is_none_or(|reserved| reserved.resize(counted));
            }
        }
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
    fn mailboxes_of_one_socket_overflow_together_by_their_bytes() {
        let large = || {
            let payload = "x".repeat(FREE_BYTES + 60).into();
            [Arc::new(Rendered { cursor: Cursor::default(), payload, is_logged: true })]
        };
        let allowance = Allowance::new(100);
        let (one, other) = (Mailbox::of(allowance.clone()), Mailbox::of(allowance.clone()));
        one.push(&large());
        other.push(&large());
        assert!(matches!(poll(&one), Poll::Ready(Next::Rendered(_))));
        assert!(matches!(poll(&other), Poll::Ready(Next::Lagged)));
        // What was taken is counted no more.
        one.push(&large());
        assert!(matches!(poll(&one), Poll::Ready(Next::Rendered(_))));
        assert!(allowance.try_reserve(100).is_some());
        // What counts for nobody else is free.
        (0..CAPACITY).for_each(|_| one.push(&rendered()));
        assert!(allowance.try_reserve(100).is_some());
    }

    #[test]
    fn a_mailbox_ends_after_what_waits_in_it() {
        let mailbox = Mailbox::default();
        mailbox.push(&rendered());
        mailbox.end();
        assert!(matches!(poll(&mailbox), Poll::Ready(Next::Rendered(_))));
        assert!(matches!(poll(&mailbox), Poll::Ready(Next::Ended)));
        mailbox.lag();
        assert!(matches!(poll(&mailbox), Poll::Ready(Next::Lagged)), "what was dropped must be read again");
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
