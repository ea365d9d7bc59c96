//! The limits of one socket.

use std::time::Duration;

use tokio::time::Instant;

use crate::graphql::MAX_ANSWER_BYTES;

/// The most bytes in one message from the client.
pub(super) const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Bytes read from the connection at a time: clients send little. The library's default of 128 KiB would be most of an
/// idle socket's memory.
pub(super) const READ_BUFFER_BYTES: usize = 1_024;

/// Bytes that are collected before they are written without a flush.
pub(super) const WRITE_BUFFER_BYTES: usize = 8 * 1024;

/// The most bytes that may wait to be written: one answer, with what surrounds it, after what is collected.
pub(super) const MAX_WRITE_BUFFER_BYTES: usize = MAX_ANSWER_BYTES + 2 * WRITE_BUFFER_BYTES;

/// The most subscriptions on one socket: a list on a screen may have one for each of its rows.
pub(super) const MAX_SUBSCRIPTIONS: usize = 100;

/// The most queries and mutations that run on one socket at a time.
pub(super) const MAX_EXECUTIONS: usize = 20;

/// Operations that wait on one socket before it stops reading: what a client has kept while it was offline comes all
/// together.
pub(super) const MAX_WAITING: usize = 128;

/// Bytes of the messages of all operations that wait on one socket before it stops reading.
pub(super) const MAX_WAITING_BYTES: usize = 256 * 1024;

/// The most bytes in an operation's id.
pub(super) const MAX_ID_BYTES: usize = 64;

/// How long the client may take to send its first message.
pub(super) const INIT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the connection may take to accept a close frame.
pub(super) const CLOSE_WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for the client to finish closing.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Pings that may go unanswered.
pub(super) const MAX_MISSED_PONGS: u32 = 2;

/// How long the rest of a message may take after its beginning.
pub(super) const MESSAGE_TIME: Duration = Duration::from_secs(15);

/// Fragments with fewer bytes are counted like frames that carry nothing.
pub(super) const SMALL_FRAGMENT_BYTES: u64 = 1_024;

/// Messages that a client may send, besides operations and their ends.
pub(super) const MESSAGES: Rate = Rate { per_sec: 20.0, burst: 60.0 };

/// Pings, pongs and small fragments that a client may send.
pub(super) const FRAMES: Rate = Rate { per_sec: 5.0, burst: 60.0 };

/// How often something may happen continuously, and how often in a burst.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    per_sec: f64,
    burst: f64,
}

/// Limits what a client sends besides operations and their ends: a token bucket.
pub(super) struct TokenBucket {
    rate: Rate,
    tokens: f64,
    filled_at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, tokens: rate.burst, filled_at: now }
    }

    /// Whether one more is acceptable.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.filled_at).as_secs_f64() * self.rate.per_sec;
        self.tokens = (self.tokens + gained).min(self.rate.burst);
        self.filled_at = now;
        let admitted = self.tokens >= 1.0;
        self.tokens -= if admitted { 1.0 } else { 0.0 };
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_admitted_and_then_a_steady_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(MESSAGES, start);
        assert_eq!((0..100).filter(|_| bucket.admit(start)).count(), 60);
        let later = start + Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| bucket.admit(later)).count(), 10);
        let much_later = start + Duration::from_hours(1);
        assert_eq!((0..100).filter(|_| bucket.admit(much_later)).count(), 60);
    }
}
