//! What one socket may use.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes of one message from the client at most.
pub(super) const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Bytes read from the connection at a time: clients send little. The library's default of 128 KiB would be most of an
/// idle socket's memory.
pub(super) const READ_BUFFER_BYTES: usize = 1_024;

/// Bytes that are collected before they are written without being asked to.
pub(super) const WRITE_BUFFER_BYTES: usize = 8 * 1024;

/// Bytes that may wait to be written: one rendered event may be as large as a page of messages.
pub(super) const MAX_WRITE_BUFFER_BYTES: usize = 16 * 1024 * 1024;

/// Operations under way on one socket at most.
pub(super) const MAX_OPERATIONS: usize = 20;

/// Bytes of an operation's id at most.
pub(super) const MAX_ID_BYTES: usize = 64;

/// The client's first message must be here within this time.
pub(super) const INIT_TIMEOUT: Duration = Duration::from_secs(3);

/// What is sent must be taken by the connection within this time.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the client's side of closing is waited for.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Pings that may go unanswered.
pub(super) const MAX_MISSED_PONGS: u32 = 2;

/// Messages per second that a client may send for long.
const MESSAGES_PER_SEC: f64 = 20.0;

/// Messages that it may send at once.
const BURST: f64 = 60.0;

/// Counts a client's messages: a token bucket.
pub(super) struct TokenBucket {
    tokens: f64,
    filled_at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) fn new(now: Instant) -> Self {
        Self { tokens: BURST, filled_at: now }
    }

    /// Whether one more message is acceptable.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.filled_at).as_secs_f64() * MESSAGES_PER_SEC;
        self.tokens = (self.tokens + gained).min(BURST);
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
        let mut bucket = TokenBucket::new(start);
        assert_eq!((0..100).filter(|_| bucket.admit(start)).count(), 60);
        let later = start + Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| bucket.admit(later)).count(), 10);
        let much_later = start + Duration::from_hours(1);
        assert_eq!((0..100).filter(|_| bucket.admit(much_later)).count(), 60);
    }
}
