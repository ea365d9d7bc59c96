//! How long an issuer's keys are kept, and when they are fetched again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fetch::{Fetch, FetchError, Fetched};
use super::keys::KeySet;
use crate::clock::Clock;

#[cfg(test)]
mod tests;

/// How long after one fetch for the sake of an unknown key there is no other: whoever makes up keys makes no requests.
/// Also how long after a fetch that failed there is no other.
const PAUSE: TimeDelta = TimeDelta::seconds(30);

/// How long keys that are out of date are used while they can't be fetched.
const STALE: TimeDelta = TimeDelta::hours(24);

/// How long before keys are out of date they are fetched again, so that no token has to wait for it.
const AHEAD: TimeDelta = TimeDelta::seconds(30);

/// The keys that an issuer publishes.
pub(super) struct KeyCache {
    issuer: String,
    fetch: Fetch,
    clock: Clock,
    tasks: TaskTracker,
    state: Mutex<State>,
}

/// What is known of the issuer's keys. The rules are its methods, which know no time but the one that they are given.
#[derive(Default)]
struct State {
    held: Option<Held>,
    /// When the last fetch failed, unless one has succeeded since.
    failed_at: Option<DateTime<Utc>>,
    /// When keys were last fetched because one was unknown.
    sought_at: Option<DateTime<Utc>>,
    /// Is cancelled when the fetch that runs is over.
    running: Option<CancellationToken>,
}

struct Held {
    keys: Arc<KeySet>,
    /// When the fetch began that found them.
    asked_at: DateTime<Utc>,
    /// From this moment on they are out of date.
    fresh_until: DateTime<Utc>,
}

/// The keys can't be fetched, so it can't be known whether they hold the one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unavailable;

/// What is to be done to find a key.
enum Step {
    /// These may be it; none: there is no such key.
    Found(Vec<Arc<DecodingKey>>),
    Unavailable,
    /// To look again when this is cancelled.
    Wait(CancellationToken),
    /// To fetch the keys, and look again.
    Fetch,
}

impl KeyCache {
    /// The keys of this issuer, of which none is known yet. Fetches run on `tasks`.
    pub(super) fn new(issuer: &str, fetch: Fetch, clock: Clock, tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { issuer: issuer.to_owned(), fetch, clock, tasks, state: Mutex::default() })
    }

    /// The keys of this id, or without one the first, that fit the algorithm; none if there is no such key. May wait for
    /// one fetch that runs and for another, which all who ask share.
    pub(super) async fn find(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Vec<Arc<DecodingKey>>, Unavailable> {
        let since = self.clock.now();
        loop {
            let over = {
                let mut state = self.state();
                match state.look_for(id, algorithm, since, self.clock.now()) {
                    Step::Found(keys) => return Ok(keys),
                    Step::Unavailable => return Err(Unavailable),
                    Step::Wait(over) => over,
                    Step::Fetch => self.begin(&mut state),
                }
            };
            over.cancelled().await;
        }
    }

    /// Fetches the keys now, and whenever they are about to be out of date.
    pub(super) async fn keep_fresh(self: &Arc<Self>) {
        loop {
            let due = self.state().due_in(self.clock.now());
            tokio::time::sleep(due).await;
            let over = {
                let mut state = self.state();
                match state.running() {
                    Some(over) => over,
                    None => self.begin(&mut state),
                }
            };
            over.cancelled().await;
        }
    }

    /// Begins a fetch. What is returned is cancelled when it is over, however it ends.
    fn begin(self: &Arc<Self>, state: &mut State) -> CancellationToken {
        let over = CancellationToken::new();
        state.running = Some(over.clone());
        let (cache, asked_at, ends) = (self.clone(), self.clock.now(), over.clone().drop_guard());
        self.tasks.spawn(async move {
            let outcome = (cache.fetch)().await;
            match &outcome {
                Ok(Fetched { keys, .. }) if keys.len() == 0 => {
                    tracing::warn!(issuer = cache.issuer, unusable = keys.unusable, "the issuer has no key of use");
                }
                Ok(Fetched { keys, .. }) => {
                    tracing::debug!(issuer = cache.issuer, keys = keys.len(), "fetched the issuer's keys");
                }
                Err(error) => {
                    let error = error as &dyn std::error::Error;
                    tracing::warn!(error, issuer = cache.issuer, "the issuer's keys can't be fetched");
                }
            }
            cache.state().take(outcome, asked_at, cache.clock.now());
            drop(ends);
        });
        over
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is to be done for a key that is being looked for since that moment.
    fn look_for(&mut self, id: Option<&str>, algorithm: Algorithm, since: DateTime<Utc>, now: DateTime<Utc>) -> Step {
        let has_just_failed = is_within(self.failed_at, PAUSE, now);
        // `keep_fresh` goes on trying, so nobody else has to wait for it.
        let held = self.held.as_ref().filter(|held| held.is_usable(self.failed_at.is_some(), now));
        let Some(held) = held else {
            return match self.running() {
                Some(over) => Step::Wait(over),
                None if has_just_failed => Step::Unavailable,
                None => Step::Fetch,
            };
        };
        let found = held.keys.find(id, algorithm);
        // What was fetched since then has no such key.
        if !found.is_empty() || held.asked_at >= since {
            return Step::Found(found);
        }
        if let Some(over) = self.running() {
            return Step::Wait(over);
        }
        if !is_within(self.sought_at, PAUSE, now) {
            self.sought_at = Some(now);
            return Step::Fetch;
        }
        if self.failed_at.is_some() { Step::Unavailable } else { Step::Found(found) }
    }

    /// Takes what a fetch has found that began at that moment.
    fn take(&mut self, outcome: Result<Fetched, FetchError>, asked_at: DateTime<Utc>, now: DateTime<Utc>) {
        match outcome {
            Ok(Fetched { keys, lifetime }) => {
                self.held = Some(Held { keys: Arc::new(keys), asked_at, fresh_until: now + lifetime });
                self.failed_at = None;
            }
            Err(_) => self.failed_at = Some(now),
        }
        self.running = None;
    }

    /// How long until the keys are to be fetched again, without anybody asking for one.
    fn due_in(&self, now: DateTime<Utc>) -> Duration {
        let due = match (self.failed_at, &self.held) {
            (Some(failed_at), _) => (failed_at + PAUSE - now).min(PAUSE),
            (None, Some(held)) => held.fresh_until - AHEAD - now,
            (None, None) => TimeDelta::zero(),
        };
        due.to_std().unwrap_or_default()
    }

    fn running(&self) -> Option<CancellationToken> {
        self.running.clone().filter(|over| !over.is_cancelled())
    }
}

impl Held {
    /// Whether they may be used now: while they are up to date or, for some time, can't be fetched.
    fn is_usable(&self, is_failing: bool, now: DateTime<Utc>) -> bool {
        now < self.fresh_until || (is_failing && now < self.fresh_until + STALE)
    }
}

/// Whether that was so short a time ago. A moment of the future was before the clock was set back.
fn is_within(at: Option<DateTime<Utc>>, time: TimeDelta, now: DateTime<Utc>) -> bool {
    at.is_some_and(|at| at <= now && now - at < time)
}
