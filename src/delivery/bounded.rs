//! A channel that is bounded in bytes: the sender waits, holding nothing but what it sends, until there is room.
//!
//! One sender, one receiver. An empty channel takes next to no memory, because every subscription that catches up has one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use super::allowance::Reserved;

/// The sending end.
pub(crate) struct Sender<T>(Arc<Channel<T>>);

/// The receiving end.
pub(crate) struct Receiver<T>(Arc<Channel<T>>);

struct Channel<T> {
    max_bytes: usize,
    state: Mutex<State<T>>,
    /// Notified when there is more room, and when the receiver is gone.
    room: Notify,
}

struct State<T> {
    /// What waits, with its bytes, and what is reserved for it of the socket's allowance.
    items: VecDeque<(T, usize, Option<Reserved>)>,
    bytes: usize,
    receiver: Option<Waker>,
    sender_is_gone: bool,
    receiver_is_gone: bool,
}

/// The receiver is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// A channel in which at most so many bytes wait. An item is always let into an empty channel, however large it is.
#[must_use]
pub(crate) fn channel<T>(max_bytes: usize) -> (Sender<T>, Receiver<T>) {
    let state =
        State { items: VecDeque::new(), bytes: 0, receiver: None, sender_is_gone: false, receiver_is_gone: false };
    let channel = Arc::new(Channel { max_bytes, state: Mutex::new(state), room: Notify::new() });
    (Sender(channel.clone()), Receiver(channel))
}

impl<T> Channel<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Sender<T> {
    /// Sends an item of so many bytes, when there is room for it. What is reserved is given back when it is taken.
    ///
    /// # Errors
    /// When the receiver is gone.
    pub(crate) async fn send(&mut self, item: T, bytes: usize, reserved: Option<Reserved>) -> Result<(), Closed> {
        loop {
            {
                let mut state = self.0.lock();
                if state.receiver_is_gone {
                    return Err(Closed);
                }
                if state.items.is_empty() || state.bytes.saturating_add(bytes) <= self.0.max_bytes {
                    state.items.push_back((item, bytes, reserved));
                    state.bytes = state.bytes.saturating_add(bytes);
                    if let Some(receiver) = state.receiver.take() {
                        receiver.wake();
                    }
                    return Ok(());
                }
            }
            // Kept by `Notify` if it has come since.
            self.0.room.notified().await;
        }
    }

    /// Waits until the receiver is gone.
    pub(crate) async fn closed(&mut self) {
        while !self.0.lock().receiver_is_gone {
            self.0.room.notified().await;
        }
    }
}

impl<T> Receiver<T> {
    /// The next item. `None`: the sender is gone, and all that it sent was taken.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.lock();
        if let Some((item, bytes, _reserved)) = state.items.pop_front() {
            state.bytes -= bytes;
            drop(state);
            self.0.room.notify_one();
            return Poll::Ready(Some(item));
        }
        if state.sender_is_gone {
            return Poll::Ready(None);
        }
        state.receiver = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.sender_is_gone = true;
        if let Some(receiver) = state.receiver.take() {
            receiver.wake();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.receiver_is_gone = true;
        // What nobody will take is not kept until the sender notices.
        let left = std::mem::take(&mut state.items);
        drop(state);
        drop(left);
        self.0.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::future::poll_immediate;

    use super::*;

    async fn next<T>(receiver: &mut Receiver<T>) -> Option<T> {
        poll_fn(|cx| receiver.poll_next(cx)).await
    }

    #[tokio::test]
    async fn a_sender_waits_until_there_is_room_for_its_bytes() {
        let (mut sender, mut receiver) = channel(10);
        assert_eq!(sender.send("a", 6, None).await, Ok(()));
        assert_eq!(sender.send("b", 4, None).await, Ok(()));
        assert_eq!(poll_immediate(sender.send("c", 1, None)).await, None, "there is no room");
        assert_eq!(next(&mut receiver).await, Some("a"));
        assert_eq!(sender.send("c", 6, None).await, Ok(()));
        assert_eq!(next(&mut receiver).await, Some("b"));
        assert_eq!(next(&mut receiver).await, Some("c"));
    }

    #[tokio::test]
    async fn one_item_is_let_in_however_large_and_then_nothing_beside_it() {
        let (mut sender, mut receiver) = channel(10);
        assert_eq!(sender.send("large", usize::MAX, None).await, Ok(()));
        assert_eq!(poll_immediate(sender.send("small", 1, None)).await, None);
        assert_eq!(next(&mut receiver).await, Some("large"));
        drop(sender);
        assert_eq!(next(&mut receiver).await, None);
    }

    #[tokio::test]
    async fn a_sender_that_waits_learns_that_the_receiver_is_gone() {
        let (mut sender, receiver) = channel(1);
        assert_eq!(sender.send((), 1, None).await, Ok(()));
        let (sent, ()) = tokio::join!(sender.send((), 1, None), async { drop(receiver) });
        assert_eq!(sent, Err(Closed));
        sender.closed().await;
    }

    #[tokio::test]
    async fn a_receiver_that_waits_is_woken_by_an_item_and_by_the_end() {
        let (mut sender, mut receiver) = channel(1);
        let sending = async {
            assert_eq!(sender.send(1, 1, None).await, Ok(()));
            assert_eq!(sender.send(2, 1, None).await, Ok(()));
            drop(sender);
        };
        let receiving = async { [next(&mut receiver).await, next(&mut receiver).await, next(&mut receiver).await] };
        let (taken, ()) = tokio::join!(receiving, sending);
        assert_eq!(taken, [Some(1), Some(2), None]);
    }
}
