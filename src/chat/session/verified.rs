//! Access tokens that were found good a moment ago, so that a client's every request need not ask the database again.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use crate::chat::Viewer;
use crate::ids::UserId;

/// Tokens that are remembered at most: 4 MiB or so.
const CAPACITY: usize = 16_384;

/// How long a token is taken for good without asking. What ends a session is told at once, by the log; this bounds what
/// a defect in that could do.
const LIFETIME: TimeDelta = TimeDelta::seconds(60);

/// Tokens and whom they stand for, until something ends their sessions.
///
/// Whoever ends a session says so by [`Self::forget`]: on this node when it is committed, on others when the log tells.
pub struct Verified {
    /// By their SHA-256, which takes less room than they do, and is no use to who finds it.
    tokens: Cache<[u8; 32], Entry>,
    /// How often something was forgotten: what was read from the database before that may not be true any more.
    forgotten: AtomicU64,
}

#[derive(Clone, Copy)]
struct Entry {
    viewer: Viewer,
    until: DateTime<Utc>,
}

/// A moment before the database is asked.
#[derive(Clone, Copy)]
pub(super) struct Asking(u64);

impl Default for Verified {
    fn default() -> Self {
        Self { tokens: Cache::new(CAPACITY), forgotten: AtomicU64::new(0) }
    }
}

impl Verified {
    /// Whom the token stands for, if it was verified a moment ago and nothing has ended since.
    pub(super) fn get(&self, token: &str, now: DateTime<Utc>) -> Option<Viewer> {
        self.tokens.get(&digest(token)).filter(|entry| now < entry.until).map(|entry| entry.viewer)
    }

    /// To be called before the database is asked about a token.
    pub(super) fn asking(&self) -> Asking {
        Asking(self.forgotten.load(Ordering::SeqCst))
    }

    /// Remembers a token that is good until `expires_at`, unless something was forgotten since the database was asked.
    pub(super) fn keep(
        &self,
        asked: Asking,
        token: &str,
        viewer: Viewer,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) {
        let until = expires_at.min(viewer.until).min(now + LIFETIME);
        let key = digest(token);
        self.tokens.insert(key, Entry { viewer, until });
        // Only now, for whoever forgets from here on finds it.
        if self.forgotten.load(Ordering::SeqCst) != asked.0 {
            self.tokens.remove(&key);
        }
    }

    /// Forgets a user's tokens: a session, or all, were ended.
    pub fn forget(&self, user: UserId) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.tokens.retain(|_, entry| entry.viewer.user != user);
    }

    /// Forgets all: the database is another one.
    pub fn forget_all(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.tokens.clear();
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(until: DateTime<Utc>) -> Viewer {
        Viewer { user: UserId::generate(), session: None, until }
    }

    #[test]
    fn a_token_is_known_until_it_expires_and_for_a_minute_at_most() {
        let (verified, now) = (Verified::default(), DateTime::UNIX_EPOCH);
        let soon = now + TimeDelta::seconds(10);
        let viewer = viewer(now + TimeDelta::days(1));
        verified.keep(verified.asking(), "short", viewer, now, soon);
        verified.keep(verified.asking(), "long", viewer, now, now + TimeDelta::hours(1));
        assert_eq!(verified.get("short", now), Some(viewer));
        assert_eq!(verified.get("short", soon), None);
        assert_eq!(verified.get("long", soon), Some(viewer));
        assert_eq!(verified.get("long", now + LIFETIME), None);
        assert_eq!(verified.get("lon", now), None);
    }

    #[test]
    fn what_ends_a_session_is_not_forgotten_by_an_answer_that_comes_late() {
        let (verified, now) = (Verified::default(), DateTime::UNIX_EPOCH);
        let (ann, bob) = (viewer(now + LIFETIME), viewer(now + LIFETIME));
        verified.keep(verified.asking(), "ann", ann, now, ann.until);
        verified.keep(verified.asking(), "bob", bob, now, bob.until);
        let asked = verified.asking();
        verified.forget(ann.user);
        verified.keep(asked, "ann's other", ann, now, ann.until);
        assert_eq!(verified.get("ann", now), None);
        assert_eq!(verified.get("ann's other", now), None);
        assert_eq!(verified.get("bob", now), Some(bob));
        verified.forget_all();
        assert_eq!(verified.get("bob", now), None);
    }
}
