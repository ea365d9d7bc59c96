//! The bytes of a file as they come in: so many and no other number, at a least rate.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::receive::ReceiveError;

/// How long it may take until the next [`LEAST`] bytes have come.
const WINDOW: Duration = Duration::from_secs(15);

/// How many bytes come within [`WINDOW`] at least: 16 KiB a second.
const LEAST: u64 = 240 * 1024;

/// The fewest bytes a second with which a file keeps its room while others wait for some. A few that come as slowly as they may
/// would else keep everybody out for as long as they last.
const LEAST_WHILE_OTHERS_WAIT: u64 = 256 * 1024;

/// For how long its bytes are waited for before it is asked how fast they come.
const GRACE: Duration = Duration::from_secs(3);

/// A file that waits for room, as long as this is there.
pub(super) struct Waits<'w>(&'w AtomicUsize);

impl<'w> Waits<'w> {
    pub(super) fn among(waiting: &'w AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The bytes of a file as they come in.
pub(super) struct Incoming<'w, B> {
    body: B,
    /// How many are still to come.
    left: u64,
    digest: Sha256,
    /// Until when the rest of [`LEAST`] bytes is waited for.
    deadline: Instant,
    in_window: u64,
    /// How many have come.
    came: u64,
    /// For how long they were waited for.
    waited: Duration,
    /// How many files wait for room.
    waiting: &'w AtomicUsize,
}

impl<'w, B> Incoming<'w, B> {
    pub(super) fn new(body: B, announced: u64, waiting: &'w AtomicUsize) -> Self {
        let deadline = Instant::now() + WINDOW;
        let (digest, waited) = (Sha256::new(), Duration::ZERO);
        Self { body, left: announced, digest, deadline, in_window: 0, came: 0, waited, waiting }
    }

    /// What was waited for until now was not the client.
    pub(super) fn begin_window(&mut self) {
        (self.deadline, self.in_window) = (Instant::now() + WINDOW, 0);
    }

    /// Whether others wait, and this file comes too slowly for that.
    fn gives_way(&self) -> bool {
        self.left > 0
            && self.waited >= GRACE
            && self.waiting.load(Ordering::Relaxed) > 0
            && self.came < LEAST_WHILE_OTHERS_WAIT * self.waited.as_secs()
    }

    pub(super) fn sha256(self) -> Vec<u8> {
        self.digest.finalize().to_vec()
    }
}

impl<E, B: Stream<Item = Result<Bytes, E>> + Unpin> Incoming<'_, B> {
    /// The next bytes; `None` when there were as many as announced.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ReceiveError> {
        let next = loop {
            let asked = Instant::now();
            let next = timeout_at(self.deadline.min(asked + GRACE), self.body.next()).await;
            self.waited += asked.elapsed();
            match next {
                Ok(next) => break next,
                Err(_) if self.gives_way() => return Err(ReceiveError::Busy),
                Err(_) if Instant::now() >= self.deadline => return Err(ReceiveError::TooSlow),
                Err(_) => {}
            }
        };
        let Some(bytes) = next else {
            return if self.left == 0 { Ok(None) } else { Err(ReceiveError::TooShort) };
        };
        let bytes = bytes.map_err(|_| ReceiveError::Cut)?;
        let count = bytes.len() as u64;
        self.left = self.left.checked_sub(count).ok_or(ReceiveError::TooLong)?;
        self.digest.update(&bytes);
        self.came += count;
        if self.gives_way() {
            return Err(ReceiveError::Busy);
        }
        self.in_window += count;
        if self.in_window >= LEAST {
            self.begin_window();
        }
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[test]
    fn who_sends_slowly_gives_way_only_to_who_waits() {
        let waiting = AtomicUsize::new(0);
        let gives_way = |came: u64, seconds: u64, announced: u64| {
            let body = stream::empty::<Result<Bytes, std::io::Error>>();
            let mut incoming = Incoming::new(body, announced - came, &waiting);
            (incoming.came, incoming.waited) = (came, Duration::from_secs(seconds));
            incoming.gives_way()
        };
        let announced = 25 * 1024 * 1024;
        assert!(!gives_way(4 * LEAST, 60, announced), "nobody waits");
        let waits = Waits::among(&waiting);
        assert!(gives_way(4 * LEAST, 60, announced));
        assert!(gives_way(0, 3, announced));
        assert!(!gives_way(0, 2, announced), "it has just begun");
        assert!(!gives_way(4 * LEAST_WHILE_OTHERS_WAIT, 4, announced), "it is quick");
        assert!(!gives_way(announced, 3_600, announced), "it is there");
        drop(waits);
        assert!(!gives_way(0, 3, announced), "nobody waits any more");
    }
}
