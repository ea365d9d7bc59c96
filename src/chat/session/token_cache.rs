//! Access tokens that were found valid a moment ago, so that not every request of a client has to read the database.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use crate::chat::Viewer;
use crate::ids::UserId;
use crate::log::{About, Event, Observer};

/// The most tokens that are cached: about 4 MiB.
const CAPACITY: usize = 16_384;

/// How long a token is taken for valid without reading the database. Every node learns from the log when a session
/// ends; this bounds the effect of a defect there.
const LIFETIME: TimeDelta = TimeDelta::seconds(60);

/// How long it is remembered that a session of a user has ended: longer than any operation takes that may have begun
/// before, and than it takes until the session's sockets are closed.
const REMEMBERED: Duration = Duration::from_mins(1);

/// Tokens and the viewers that they stand for, until their sessions end.
///
/// When a session ends, [`Self::forget`] is called: on this node when the end is committed, on the others when their
/// tail reads it.
pub struct TokenCache {
    /// By their SHA-256, which takes less memory than the tokens, and is of no use to an intruder who reads it.
    tokens: Cache<[u8; 32], Entry>,
    /// How often tokens were forgotten. What was read from the database before the last time may not be true any more.
    generation: AtomicU64,
    /// The users of whom a session has ended, and when.
    ended: Cache<UserId, Instant>,
}

#[derive(Clone, Copy)]
struct Entry {
    viewer: Viewer,
    until: DateTime<Utc>,
}

/// The value of [`TokenCache::generation`] before the database was read.
#[derive(Clone, Copy)]
pub(super) struct Generation(u64);

impl Default for TokenCache {
    fn default() -> Self {
        Self { tokens: Cache::new(CAPACITY), generation: AtomicU64::new(0), ended: Cache::new(CAPACITY) }
    }
}

impl TokenCache {
    /// The viewer that the token stands for, if it was verified within [`LIFETIME`] and no session of the user has
    /// ended since.
    pub(super) fn get(&self, token: &str, now: DateTime<Utc>) -> Option<Viewer> {
        self.tokens.get(&digest(token)).filter(|entry| now < entry.until).map(|entry| entry.viewer)
    }

    /// To be called before a token is looked up in the database.
    pub(super) fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::SeqCst))
    }

    /// Caches a token that is valid until `expires_at`, unless tokens were forgotten since `asked`.
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
        // Checked after the insertion, because a `forget` that comes later finds the entry.
        if self.generation.load(Ordering::SeqCst) != asked.0 {
            self.tokens.remove(&key);
        }
    }

    /// Forgets a user's tokens, because one or all of the user's sessions were ended.
    pub(in crate::chat) fn forget(&self, user: UserId) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.tokens.retain(|_, entry| entry.viewer.user != user);
        self.ended.insert(user, Instant::now());
    }

    /// Whether a session of this user has ended a moment ago, so that a viewer who was authenticated before may be one
    /// no longer.
    pub(super) fn has_ended_lately(&self, user: UserId) -> bool {
        self.ended.get(&user).is_some_and(|ended| ended.elapsed() < REMEMBERED)
    }

    /// Forgets all tokens, because the database was replaced.
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
        Viewer { user: UserId::generate(), session: None, issued_by: None, acted_for: false, valid_after: until, until }
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
        assert!(cache.has_ended_lately(ann.user) && !cache.has_ended_lately(bob.user));
        assert_eq!(cache.get("ann", now), None);
        assert_eq!(cache.get("ann's other", now), None);
        assert_eq!(cache.get("bob", now), Some(bob));
        cache.forget_all();
        assert_eq!(cache.get("bob", now), None);
    }
}
