//! A channel that is bounded in bytes: a sender waits, holding nothing but what it sends, until the receiver has room.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Items that wait at most, whatever they weigh.
const MAX_ITEMS: usize = 64;

/// The sending end.
pub(crate) struct Sender<T> {
    items: mpsc::Sender<(T, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
    max_bytes: u32,
}

/// The receiving end.
pub(crate) struct Receiver<T>(mpsc::Receiver<(T, OwnedSemaphorePermit)>);

/// The receiver is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// A channel in which at most so many bytes wait. One item is always let in, however many bytes it has.
#[must_use]
pub(crate) fn channel<T>(max_bytes: u32) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel(MAX_ITEMS);
    let room = Arc::new(Semaphore::new(usize::try_from(max_bytes).unwrap_or(usize::MAX)));
    (Sender { items: sender, room, max_bytes }, Receiver(receiver))
}

impl<T> Sender<T> {
    /// Sends an item of so many bytes, when there is room for it.
    ///
    /// # Errors
    /// When the receiver is gone.
    pub(crate) async fn send(&self, item: T, bytes: usize) -> Result<(), Closed> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.max_bytes);
        let sent = async {
            let room = self.room.clone().acquire_many_owned(bytes).await.map_err(|_| Closed)?;
            self.items.send((item, room)).await.map_err(|_| Closed)
        };
        tokio::select! {
            biased;
            sent = sent => sent,
            () = self.items.closed() => Err(Closed),
        }
    }

    /// Waits until the receiver is gone.
    pub(crate) async fn closed(&self) {
        self.items.closed().await;
    }
}

impl<T> Receiver<T> {
    /// The next item. None: the sender is gone, and all that it sent was taken.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(ready!(self.0.poll_recv(cx)).map(|(item, _room)| item))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::future::poll_immediate;

    use super::*;

    #[tokio::test]
    async fn a_sender_waits_until_there_is_room_for_its_bytes() {
        let (sender, mut receiver) = channel(10);
        assert_eq!(sender.send("a", 6).await, Ok(()));
        assert_eq!(sender.send("b", 4).await, Ok(()));
        assert_eq!(poll_immediate(sender.send("c", 1)).await, None, "there is no room");
        assert_eq!(poll_fn(|cx| receiver.poll_next(cx)).await, Some("a"));
        assert_eq!(sender.send("c", 6).await, Ok(()));
        assert_eq!(poll_fn(|cx| receiver.poll_next(cx)).await, Some("b"));
        assert_eq!(poll_fn(|cx| receiver.poll_next(cx)).await, Some("c"));
    }

    #[tokio::test]
    async fn one_item_is_let_in_however_large_and_then_nothing_beside_it() {
        let (sender, mut receiver) = channel(10);
        assert_eq!(sender.send("large", 1_000).await, Ok(()));
        assert_eq!(poll_immediate(sender.send("small", 1)).await, None);
        assert_eq!(poll_fn(|cx| receiver.poll_next(cx)).await, Some("large"));
        drop(sender);
        assert_eq!(poll_fn(|cx| receiver.poll_next(cx)).await, None);
    }

    #[tokio::test]
    async fn a_sender_that_waits_learns_that_the_receiver_is_gone() {
        let (sender, receiver) = channel(1);
        assert_eq!(sender.send((), 1).await, Ok(()));
        let waiting = sender.send((), 1);
        drop(receiver);
        assert_eq!(waiting.await, Err(Closed));
    }
}
