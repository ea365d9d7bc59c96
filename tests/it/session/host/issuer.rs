//! An issuer of tokens, which publishes its keys.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::keys::TestKey;
use crate::support::{Endpoint, TestUser};

/// An issuer on a port of its own, until it is dropped. It is found by discovery, or by the URL of its keys.
pub struct TestIssuer {
    url: String,
    published: Arc<Published>,
    #[expect(dead_code, reason = "held")]
    serving: JoinSet<()>,
}

#[derive(Default)]
struct Published {
    url: String,
    keys: Mutex<Vec<Value>>,
    asked: AtomicUsize,
    is_away: AtomicBool,
}

impl TestIssuer {
    /// An issuer that publishes these keys by these ids.
    pub async fn publishing(keys: &[(&str, &TestKey)]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it has an address"));
        let published = Arc::new(Published { url: url.clone(), ..Published::default() });
        let router = Router::new()
            .route("/keys", get(key_set))
            .route("/.well-known/openid-configuration", get(configuration))
            .with_state(published.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        let issuer = Self { url, published, serving };
        issuer.publish(keys);
        issuer
    }

    /// Publishes these keys from now on.
    pub fn publish(&self, keys: &[(&str, &TestKey)]) {
        *self.published.keys.lock().expect("no panic") = keys.iter().map(|(id, key)| key.jwk(id)).collect();
    }

    /// Answers nothing but 503, or does again.
    pub fn go_away(&self, is_away: bool) {
        self.published.is_away.store(is_away, Ordering::SeqCst);
    }

    /// How often its keys were fetched.
    pub fn asked(&self) -> usize {
        self.published.asked.load(Ordering::SeqCst)
    }

    /// What its tokens have as `iss`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Claims of this user, for ten minutes.
    pub fn claims(&self, sub: &str, now: DateTime<Utc>) -> Value {
        claims(&self.url, sub, now)
    }
}

/// Claims of this issuer's user, for ten minutes.
pub fn claims(issuer: &str, sub: &str, now: DateTime<Utc>) -> Value {
    let now = now.timestamp();
    json!({ "iss": issuer, "aud": "chat", "sub": sub, "name": format!("The {sub}"), "iat": now, "exp": now + 600 })
}

impl Endpoint {
    /// The user whose token this is.
    pub async fn hosted(&self, token: String) -> TestUser {
        let me = self.graphql(Some(&token), "{ me { id username } }", json!({})).await;
        let session = json!({ "user": me["/me"], "accessToken": token, "refreshToken": "" });
        TestUser::from_session(self.clone(), &session)
    }
}

async fn key_set(State(issuer): State<Arc<Published>>) -> Result<Json<Value>, StatusCode> {
    issuer.asked.fetch_add(1, Ordering::SeqCst);
    issuer.answer(json!({ "keys": *issuer.keys.lock().expect("no panic") }))
}

async fn configuration(State(issuer): State<Arc<Published>>) -> Result<Json<Value>, StatusCode> {
    issuer.answer(json!({ "issuer": issuer.url, "jwks_uri": format!("{}/keys", issuer.url) }))
}

impl Published {
    fn answer(&self, body: Value) -> Result<Json<Value>, StatusCode> {
        if self.is_away.load(Ordering::SeqCst) { Err(StatusCode::SERVICE_UNAVAILABLE) } else { Ok(Json(body)) }
    }
}
