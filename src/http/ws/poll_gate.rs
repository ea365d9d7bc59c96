//! Keeps a socket's task from polling everything it waits for with every event, because events wake it far more often
//! than anything else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Lets something be polled only when it was woken itself, and not whenever its task was: polling the connection,
/// timers and tokens in vain would cost more than passing an event on.
pub(super) struct PollGate {
    bell: Arc<Bell>,
    waker: Waker,
}

struct Bell {
    /// Whether the gated future was woken, or was never polled.
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Default for PollGate {
    fn default() -> Self {
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), task: AtomicWaker::new() });
        Self { waker: Waker::from(bell.clone()), bell }
    }
}

impl PollGate {
    /// Has the next poll take place: something that was left out of the last one is to be polled again.
    pub(super) fn ring(&self) {
        self.bell.rung.store(true, Ordering::Release);
    }

    /// Polls, if the gate was woken since the last poll was pending; otherwise the result is pending, too.
    pub(super) fn poll<T>(&mut self, cx: &Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.bell.task.register(cx.waker());
        if !self.bell.rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let polled = poll(&mut Context::from_waker(&self.waker));
        if polled.is_ready() {
            // It has registered no waker, so it must be polled again.
            self.bell.rung.store(true, Ordering::Release);
        }
        polled
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pending_is_polled_again_only_when_it_was_woken() {
        let (mut poll_gate, mut polls, mut kept) = (PollGate::default(), 0, None);
        let cx = Context::from_waker(Waker::noop());
        let mut ask = |answer: Poll<()>| {
            let mut asked = false;
            let polled = poll_gate.poll(&cx, |cx| {
                (asked, kept) = (true, Some(cx.waker().clone()));
                answer
            });
            polls += usize::from(asked);
            (asked, polled, kept.clone())
        };
        assert!(matches!(ask(Poll::Ready(())), (true, Poll::Ready(()), _)));
        let (asked, polled, waker) = ask(Poll::Pending);
        assert!(asked && polled.is_pending());
        assert!(matches!(ask(Poll::Ready(())), (false, Poll::Pending, _)));
        waker.expect("it was polled").wake();
        assert!(matches!(ask(Poll::Ready(())), (true, Poll::Ready(()), _)));
        assert_eq!(polls, 3);
    }
}
