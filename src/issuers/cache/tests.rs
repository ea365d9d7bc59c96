//! When keys are fetched, by a clock that the test moves.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Semaphore;

use super::*;
use crate::issuers::tests::signing::TestKey;

/// An issuer that publishes what it is told to, and counts how often it is asked.
struct Provider {
    cache: Arc<KeyCache>,
    clock: Clock,
    published: Arc<Mutex<Vec<String>>>,
    asked: Arc<AtomicUsize>,
    is_away: Arc<AtomicBool>,
    /// Permits to answer.
    may_answer: Arc<Semaphore>,
}

impl Provider {
    fn publishing(ids: &[&str]) -> Self {
        let (clock, asked, is_away) = (Clock::default(), Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let published = Arc::new(Mutex::new(ids.iter().map(ToString::to_string).collect::<Vec<_>>()));
        let may_answer = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let key = TestKey::ed25519().jwk("");
        let fetch: Fetch = {
            let (published, asked, is_away) = (published.clone(), asked.clone(), is_away.clone());
            let may_answer = may_answer.clone();
            Arc::new(move || {
                asked.fetch_add(1, Ordering::SeqCst);
                let keys: Vec<_> = published
                    .lock()
                    .expect("no panic")
                    .iter()
                    .map(|id| {
                        let mut key = key.clone();
                        key["kid"] = json!(id);
                        key
                    })
                    .collect();
                let is_away = is_away.load(Ordering::SeqCst);
                let may_answer = may_answer.clone();
                async move {
                    may_answer.acquire().await.expect("is open").forget();
                    if is_away {
                        return Err(FetchError("away".to_owned()));
                    }
                    let keys = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).map_err(FetchError)?;
                    Ok(Fetched { keys, lifetime: TimeDelta::minutes(10) })
                }
                .boxed()
            })
        };
        let cache = KeyCache::new("https://id.example", fetch, clock.clone(), TaskTracker::new());
        Self { cache, clock, published, asked, is_away, may_answer }
    }

    fn publish(&self, ids: &[&str]) {
        *self.published.lock().expect("no panic") = ids.iter().map(ToString::to_string).collect();
    }

    fn go_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn advance(&self, by: TimeDelta) {
        self.clock.advance(by);
    }

    async fn find(&self, id: &str) -> Result<bool, Unavailable> {
        self.cache.find(Some(id), Algorithm::EdDSA).await.map(|keys| !keys.is_empty())
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_kept_until_they_are_out_of_date() {
    let provider = Provider::publishing(&["a"]);
    for _ in 0..1_000 {
        assert_eq!(provider.find("a").await, Ok(true));
    }
    assert_eq!(provider.asked(), 1);
    provider.advance(TimeDelta::minutes(9));
    assert_eq!(provider.find("a").await, Ok(true));
    assert_eq!(provider.asked(), 1);
    provider.advance(TimeDelta::minutes(2));
    provider.publish(&["b"]);
    assert_eq!(provider.find("a").await, Ok(false), "a key that was withdrawn");
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn ten_thousand_unknown_keys_make_one_fetch_in_half_a_minute() {
    let provider = Provider::publishing(&["a"]);
    assert_eq!(provider.find("nobody's").await, Ok(false));
    assert_eq!(provider.asked(), 1, "what was just fetched isn't fetched again");
    for round in 0..10_000 {
        assert_eq!(provider.find(&format!("made up {round}")).await, Ok(false));
    }
    assert_eq!(provider.asked(), 2);
    provider.advance(TimeDelta::seconds(29));
    let together = join_all((0..1_000).map(|n| {
        let provider = &provider;
        async move { provider.find(&format!("more {n}")).await }
    }));
    assert!(together.await.iter().all(|found| *found == Ok(false)));
    assert_eq!(provider.asked(), 2);
    provider.advance(TimeDelta::seconds(31));
    for round in 0..10_000 {
        assert_eq!(provider.find(&format!("again {round}")).await, Ok(false));
    }
    assert_eq!(provider.asked(), 3);
}

#[tokio::test]
async fn all_who_ask_together_share_a_fetch_even_if_the_first_goes_away() {
    let provider = Provider::publishing(&["a"]);
    provider.may_answer.forget_permits(Semaphore::MAX_PERMITS);
    let mut first = Box::pin(provider.find("a"));
    assert!(first.as_mut().now_or_never().is_none());
    drop(first);
    let all = join_all((0..100).map(|_| provider.find("a")));
    let release = async { provider.may_answer.add_permits(1) };
    let (found, ()) = tokio::join!(all, release);
    assert!(found.iter().all(|found| *found == Ok(true)));
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn a_new_key_is_known_with_its_first_token_and_the_old_one_as_long_as_it_is_published() {
    let provider = Provider::publishing(&["key 0"]);
    assert_eq!(provider.find("key 0").await, Ok(true));
    // Two keys at a time, each of which replaces the one before last.
    for n in 1..20 {
        provider.advance(TimeDelta::seconds(30));
        let (old, new) = (format!("key {}", n - 1), format!("key {n}"));
        provider.publish(&[&old, &new]);
        let ids = [&old, &new].into_iter().cycle().take(200);
        let found = join_all(ids.map(|id| provider.find(id))).await;
        assert!(found.iter().all(|found| *found == Ok(true)), "{new}");
    }
    assert!(provider.asked() <= 20, "one for each new key: {}", provider.asked());
}

#[tokio::test]
async fn old_keys_serve_for_a_day_while_the_issuer_is_away() {
    let provider = Provider::publishing(&["a"]);
    assert_eq!(provider.find("a").await, Ok(true));
    provider.go_away(true);
    provider.publish(&["a", "b"]);
    provider.advance(TimeDelta::minutes(11));
    assert_eq!(provider.find("a").await, Ok(true));
    assert_eq!(provider.asked(), 2);
    assert_eq!(provider.find("b").await, Err(Unavailable), "it may be a new key");
    provider.advance(TimeDelta::hours(23));
    assert_eq!(provider.find("a").await, Ok(true));
    provider.advance(TimeDelta::hours(1));
    assert_eq!(provider.find("a").await, Err(Unavailable));
    let asked = provider.asked();
    assert_eq!(provider.find("a").await, Err(Unavailable));
    assert_eq!(provider.asked(), asked, "it isn't asked again for half a minute");

    provider.go_away(false);
    provider.advance(TimeDelta::seconds(31));
    assert_eq!((provider.find("a").await, provider.find("b").await), (Ok(true), Ok(true)));
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_makes_its_tokens_unavailable_not_invalid() {
    let provider = Provider::publishing(&["a"]);
    provider.go_away(true);
    for _ in 0..100 {
        assert_eq!(provider.find("a").await, Err(Unavailable));
    }
    assert_eq!(provider.asked(), 1);
    provider.go_away(false);
    provider.advance(TimeDelta::seconds(30));
    assert_eq!(provider.find("a").await, Ok(true));
}

#[test]
fn keys_are_fetched_again_before_they_are_out_of_date_and_soon_after_a_failure() {
    let (mut state, now) = (State::default(), DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    assert_eq!(state.due_in(now), Duration::ZERO);
    state.take(Err(FetchError("away".to_owned())), now, now);
    assert_eq!(state.due_in(now), Duration::from_secs(30));
    assert_eq!(state.due_in(now - TimeDelta::hours(5)), Duration::from_secs(30), "the clock was set back");
    let keys = KeySet::parse(br#"{"keys":[]}"#).expect("a set");
    state.take(Ok(Fetched { keys, lifetime: TimeDelta::minutes(5) }), now, now);
    assert_eq!(state.due_in(now), Duration::from_secs(270));
}

#[test]
fn a_set_of_more_keys_or_other_json_is_refused() {
    let set = |count: usize| {
        let keys: Vec<_> = (0..count).map(|n| json!({ "kty": "RSA", "kid": n })).collect();
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).map(|set| (set.len(), set.unusable))
    };
    assert_eq!(set(64), Ok((0, 64)));
    assert!(set(65).is_err());
    for json in ["", "[]", "{}", "{\"keys\":7}", "<html>"] {
        assert!(KeySet::parse(json.as_bytes()).is_err(), "{json}");
    }
}
