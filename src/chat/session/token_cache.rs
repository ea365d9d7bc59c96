//! Access tokens that were found good a moment ago, so that a client's every request need not ask the database again.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use crate::chat::Viewer;
use crate::ids::UserId;
use crate::log::{About, Event, Observer};

/// Tokens that are remembered at most: 4 MiB or so.
const CAPACITY: usize = 16_384;

/// How long a token is taken for valid without asking. The log tells every node immediately when a session ends; this
/// bounds what a defect in that could do.
const LIFETIME: TimeDelta = TimeDelta::seconds(60);

/// Tokens and whom they stand for, until something ends their sessions.
///
/// What ends a session calls [`Self::forget`]: on this node when it is committed, on others when their log shows it.
pub struct TokenCache {
    /// By their SHA-256, which takes less room than they do, and is of no use to an intruder who finds it.
    tokens: Cache<[u8; 32], Entry>,
    /// How often something was forgotten: what was read from the database before that may not be true any more.
    generation: AtomicU64,
}

#[derive(Clone, Copy)]
struct Entry {
    viewer: Viewer,
    until: DateTime<Utc>,
}

/// A moment before the database is asked.
#[derive(Clone, Copy)]
pub(super) struct Generation(u64);

impl Default for TokenCache {
    fn default() -> Self {
        Self { tokens: Cache::new(CAPACITY), generation: AtomicU64::new(0) }
    }
}

impl TokenCache {
    /// Whom the token stands for, if it was verified a moment ago and nothing has ended since.
    pub(super) fn get(&self, token: &str, now: DateTime<Utc>) -> Option<Viewer> {
        self.tokens.get(&digest(token)).filter(|entry| now < entry.until).map(|entry| entry.viewer)
    }

    /// To be called before the database is asked about a token.
    pub(super) fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::SeqCst))
    }

    /// Remembers a token that is valid until `expires_at`, unless something was forgotten since the database was asked.
    pub(super) fn keep(
        &self,
        asked: Generation,
        token: &str,
        viewer: Viewer,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) {
        let until = expires_at.min(viewer.until).min(now + LIFETIME);
        let key = digest(token);
        self.tokens.insert(key, Entry { viewer, until });
        // Checked only now, because what forgets from here on finds it.
        if self.generation.load(Ordering::SeqCst) != asked.0 {
            self.tokens.remove(&key);
        }
    }

    /// Forgets a user's tokens: a session, or all, were ended.
    pub(in crate::chat) fn forget(&self, user: UserId) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.tokens.retain(|_, entry| entry.viewer.user != user);
    }

    /// Forgets all: the database is another one.
    fn forget_all(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.tokens.clear();
    }
}

impl Observer for TokenCache {
    fn observe(&self, events: &[Event]) {
        let ended = events.iter().filter(|event| event.kind.row().about == About::Session);
        ended.filter_map(|event| event.user_id).for_each(|user| self.forget(user));
    }

    fn reset(&self) {
        self.forget_all();
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
        let (cache, now) = (TokenCache::default(), DateTime::UNIX_EPOCH);
        let soon = now + TimeDelta::seconds(10);
        let viewer = viewer(now + TimeDelta::days(1));
        cache.keep(cache.generation(), "short", viewer, now, soon);
        cache.keep(cache.generation(), "long", viewer, now, now + TimeDelta::hours(1));
        assert_eq!(cache.get("short", now), Some(viewer));
        assert_eq!(cache.get("short", soon), None);
        assert_eq!(cache.get("long", soon), Some(viewer));
        assert_eq!(cache.get("long", now + LIFETIME), None);
        assert_eq!(cache.get("lon", now), None);
    }

    #[test]
    fn what_ends_a_session_is_not_forgotten_by_an_answer_that_comes_late() {
        let (cache, now) = (TokenCache::default(), DateTime::UNIX_EPOCH);
        let (ann, bob) = (viewer(now + LIFETIME), viewer(now + LIFETIME));
        cache.keep(cache.generation(), "ann", ann, now, ann.until);
        cache.keep(cache.generation(), "bob", bob, now, bob.until);
        let asked = cache.generation();
        cache.forget(ann.user);
        cache.keep(asked, "ann's other", ann, now, ann.until);
        assert_eq!(cache.get("ann", now), None);
        assert_eq!(cache.get("ann's other", now), None);
        assert_eq!(cache.get("bob", now), Some(bob));
        cache.forget_all();
        assert_eq!(cache.get("bob", now), None);
    }
}
