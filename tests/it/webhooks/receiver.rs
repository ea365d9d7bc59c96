//! A receiver of webhooks in this process, which answers as a test tells it.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::within;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Request {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: String,
    /// As it came.
    pub bytes: Bytes,
    /// As JSON.
    pub body: Value,
}

impl Request {
    /// Its `type`.
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().expect("a type")
    }

    /// The text of the message in it.
    pub fn text(&self) -> &str {
        self.body["data"]["message"]["body"].as_str().unwrap_or_else(|| panic!("a message in {:#}", self.body))
    }

    /// Which of its signatures are of this secret.
    pub fn signed_by(&self, secret: &str) -> Vec<bool> {
        let secret = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let mut signed = format!("{}.{}.", self.id, self.timestamp).into_bytes();
        signed.extend(&self.bytes);
        let signatures = self.signature.split(' ').map(|part| {
            let signature = STANDARD.decode(part.strip_prefix("v1,").expect("the version")).expect("base64");
            hmac::verify(&key, &signed, &signature).is_ok()
        });
        signatures.collect()
    }
}

/// How a request is answered.
type Answer = Box<dyn FnMut(&Request) -> Response + Send>;

struct Inbox {
    requests: Mutex<VecDeque<Request>>,
    arrived: Notify,
    answer: Mutex<Answer>,
}

/// A receiver.
pub struct Receiver {
    pub url: String,
    inbox: Arc<Inbox>,
    serving: JoinSet<()>,
}

impl Receiver {
    /// One that takes everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/hook", listener.local_addr().expect("it has an address"));
        let inbox = Arc::new(Inbox {
            requests: Mutex::default(),
            arrived: Notify::new(),
            answer: Mutex::new(Box::new(|_| StatusCode::NO_CONTENT.into_response())),
        });
        let app = Router::new().fallback(receive).with_state(inbox.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { url, inbox, serving }
    }

    /// Has it answer so from now on.
    pub fn answers<R: IntoResponse>(&self, mut answer: impl FnMut(&Request) -> R + Send + 'static) {
        *self.inbox.answer.lock().expect("no panic") = Box::new(move |request| answer(request).into_response());
    }

    /// The next request that comes, or came.
    pub async fn next(&self) -> Request {
        within("the next request", async {
            loop {
                if let Some(request) = self.inbox.requests.lock().expect("no panic").pop_front() {
                    return request;
                }
                self.inbox.arrived.notified().await;
            }
        })
        .await
    }

    /// The next request of an event with this text.
    pub async fn next_with(&self, text: impl Display) -> Request {
        let text = text.to_string();
        loop {
            let next = self.next().await;
            if next.body["data"]["message"]["body"] == *text {
                return next;
            }
        }
    }

    /// All requests that came and weren't looked at.
    pub fn rest(&self) -> Vec<Request> {
        self.inbox.requests.lock().expect("no panic").drain(..).collect()
    }

    /// Goes away.
    pub async fn stop(mut self) {
        self.serving.shutdown().await;
    }
}

async fn receive(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, bytes: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).expect(name).to_owned();
    let request = Request {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp").parse().expect("seconds"),
        signature: header("webhook-signature"),
        body: serde_json::from_slice(&bytes).expect("the body is JSON"),
        bytes,
    };
    let response = (inbox.answer.lock().expect("no panic"))(&request);
    inbox.requests.lock().expect("no panic").push_back(request);
    inbox.arrived.notify_one();
    response
}
