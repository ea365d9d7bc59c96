//! The bytes that may wait for one socket, over all of its operations.
//!
//! Every queue in front of a socket is bounded in itself, but a socket has many. What is rendered or answered for it
//! alone is counted here, from before it is made until the socket takes it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most bytes that wait for one socket.
pub const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;

/// What is reserved before an event is rendered for one socket: as much as a rendering may have.
pub const RENDERING_BYTES: usize = 256 * 1024;

/// The bytes of one socket. Clones share them.
#[derive(Clone, Debug)]
pub struct Allowance(Arc<Semaphore>);

/// Bytes of an [`Allowance`], given back when dropped.
#[derive(Debug)]
pub struct Reserved {
    permit: OwnedSemaphorePermit,
    allowance: Allowance,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::new(MAX_WAITING_BYTES)
    }
}

impl Allowance {
    /// So many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Waits for so many bytes; they are given in the order in which they were asked for. Hold nothing that others need.
    pub async fn reserve(&self, bytes: usize) -> Option<Reserved> {
        // The semaphore is never closed.
        let permit = self.0.clone().acquire_many_owned(permits(bytes)).await.ok()?;
        Some(Reserved { permit, allowance: self.clone() })
    }

    /// How many bytes are there now.
    #[must_use]
    pub fn available(&self) -> usize {
        self.0.available_permits()
    }

    /// So many bytes, if they are there now.
    #[must_use]
    pub fn try_reserve(&self, bytes: usize) -> Option<Reserved> {
        let permit = self.0.clone().try_acquire_many_owned(permits(bytes)).ok()?;
        Some(Reserved { permit, allowance: self.clone() })
    }
}

impl Reserved {
    /// Waits until it is so many bytes, or more.
    pub async fn grow(&mut self, bytes: usize) {
        let lacking = bytes.saturating_sub(self.permit.num_permits());
        if let Some(more) = self.allowance.reserve(lacking).await {
            self.permit.merge(more.permit);
        }
    }

    /// Makes it so many bytes. If they are more than before and not there now, it stays as it is.
    #[must_use]
    pub fn resize(&mut self, bytes: usize) -> bool {
        let held = self.permit.num_permits();
        if bytes > held {
            let Some(more) = self.allowance.try_reserve(bytes - held) else { return false };
            self.permit.merge(more.permit);
        } else {
            drop(self.permit.split(held - bytes));
        }
        true
    }
}

fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::future::poll_immediate;

    use super::*;

    #[tokio::test]
    async fn what_is_reserved_is_not_there_for_others_until_it_is_given_back() {
        let allowance = Allowance::new(10);
        let mut first = allowance.try_reserve(6).expect("there is room");
        assert!(allowance.try_reserve(5).is_none());
        assert!(!first.resize(11), "more than there is");
        let mut second = Box::pin(allowance.reserve(8));
        assert!(poll_immediate(&mut second).await.is_none());
        assert!(first.resize(2));
        let second = poll_immediate(second).await;
        assert!(second.is_some());
        assert!(poll_immediate(first.grow(10)).await.is_none());
        drop(second);
        assert!(poll_immediate(first.grow(10)).await.is_some());
        assert_eq!(allowance.available(), 0);
    }
}
