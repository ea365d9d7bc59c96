//! What waits for one subscription: rendered events, up to a bound.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::position::Cursor;

/// Events that wait for one subscription at most. One more, and all are dropped: the subscription catches up from the
/// log instead, at its own speed.
pub const CAPACITY: usize = 256;

/// One rendered event, shared by all who get it.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// Where a client that has seen it stands.
    pub cursor: Cursor,
    /// The GraphQL response as JSON.
    pub payload: Arc<str>,
    /// It stands in the log at its cursor, so that it is replayed to who has not seen it. Else it came after that.
    pub is_logged: bool,
}

/// A queue between a group and one subscription.
#[derive(Default)]
pub struct Mailbox {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<Rendered>,
    /// Something was dropped; nothing more is taken.
    lagged: bool,
    waker: Option<Waker>,
}

/// What a mailbox holds next.
#[derive(Debug)]
pub enum Next {
    /// An event.
    Rendered(Rendered),
    /// Some were dropped: this mailbox is of no more use.
    Lagged,
}

impl Mailbox {
    /// Puts an event in; drops all if there is no room.
    pub fn push(&self, rendered: Rendered) {
        let mut inner = self.lock();
        if inner.lagged {
            return;
        }
        if inner.queue.len() == CAPACITY {
            inner.lag();
        } else {
            inner.queue.push_back(rendered);
        }
        inner.wake();
    }

    /// Drops all: an event that belongs here could not be put in.
    pub fn lag(&self) {
        let mut inner = self.lock();
        inner.lag();
        inner.wake();
    }

    /// Takes the next event out, or asks to be woken when there is one.
    pub fn poll_next(&self, cx: &Context<'_>) -> Poll<Next> {
        let mut inner = self.lock();
        if let Some(rendered) = inner.queue.pop_front() {
            return Poll::Ready(Next::Rendered(rendered));
        }
        if inner.lagged {
            return Poll::Ready(Next::Lagged);
        }
        if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            inner.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn lag(&mut self) {
        self.lagged = true;
        self.queue = VecDeque::new();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered() -> Rendered {
        Rendered { cursor: Cursor::default(), payload: "{}".into(), is_logged: true }
    }

    fn poll(mailbox: &Mailbox) -> Poll<Next> {
        mailbox.poll_next(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_full_mailbox_still_gives_all_it_holds() {
        let mailbox = Mailbox::default();
        (0..CAPACITY).for_each(|_| mailbox.push(rendered()));
        for _ in 0..CAPACITY {
            assert!(matches!(poll(&mailbox), Poll::Ready(Next::Rendered(_))));
        }
        assert!(poll(&mailbox).is_pending());
    }

    #[test]
    fn an_overflowing_mailbox_drops_all_and_says_so() {
        let mailbox = Mailbox::default();
        (0..=CAPACITY).for_each(|_| mailbox.push(rendered()));
        assert!(matches!(poll(&mailbox), Poll::Ready(Next::Lagged)));
        mailbox.push(rendered());
        assert!(matches!(poll(&mailbox), Poll::Ready(Next::Lagged)));
    }
}
