//! What waits for one subscription: rendered events, up to a bound.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::position::Cursor;

/// Events that wait for one subscription at most. One more, and all are dropped: the subscription catches up from the
/// log instead, at its own speed.
pub const CAPACITY: usize = 256;

/// One rendered event, shared by all who get it.
#[derive(Debug)]
pub struct Rendered {
    /// Where a client that has seen it stands.
    pub cursor: Cursor,
    /// The GraphQL response as JSON.
    pub payload: Arc<str>,
    /// It stands in the log at its cursor, so that it is replayed to who has not seen it. Else it came after that.
    pub is_logged: bool,
}

/// Mailboxes that receive the same bytes. Shared, so that handing an event to thousands copies one pointer.
pub type Mailboxes = Arc<[Arc<Mailbox>]>;

/// A queue between a group and one subscription.
#[derive(Default)]
pub struct Mailbox {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The one that is next: usually it waits alone, and then nothing but the mailbox itself is touched.
    next: Option<Arc<Rendered>>,
    /// Those after it.
    queue: VecDeque<Arc<Rendered>>,
    /// Something was dropped; nothing more is taken.
    lagged: bool,
    /// Whoever waits is to be woken by the next that happens.
    is_awaited: bool,
    waker: Option<Waker>,
}

/// What a mailbox holds next.
#[derive(Debug)]
pub enum Next {
    /// An event.
    Rendered(Arc<Rendered>),
    /// Some were dropped: this mailbox is of no more use.
    Lagged,
}

impl Mailbox {
    /// Puts events in; drops all that it holds if there is no room. Nobody is woken yet.
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

    /// Drops all: an event that belongs here could not be put in.
    pub fn lag(&self) {
        let mut inner = self.lock();
        inner.lag();
        inner.wake();
    }

    /// Wakes whoever waits for what was put in. Answers whether anybody did.
    pub fn wake(&self) -> bool {
        let mut inner = self.lock();
        (inner.lagged || inner.next.is_some()) && inner.wake()
    }

    /// Takes the next event out, or asks to be woken when there is one.
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
