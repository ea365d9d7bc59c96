//! Limits on what users and addresses may do, on every path.
//!
//! The server takes this machine for a proxy, so that a request can come from any address.

use parlor::limits::LimitSettings;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};

use crate::support::{Endpoint, TestApp, within};

mod nouns;
mod operations;
mod proxies;
mod quotas;
mod requests;
mod sign_in;
mod sockets;

/// A server behind a proxy at 127.0.0.1, with only these limits.
async fn limited(set: impl FnOnce(&mut LimitSettings)) -> TestApp {
    behind(true, set).await
}

/// A server with only these limits, and a proxy at 127.0.0.1 that it knows of or doesn't.
async fn behind(declared: bool, set: impl FnOnce(&mut LimitSettings)) -> TestApp {
    let mut limits = LimitSettings { enabled: true, ..LimitSettings::off() };
    set(&mut limits);
    TestApp::start_with(|config| {
        config.limits = limits;
        if declared {
            config.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
        }
    })
    .await
}

/// An answer with its `Retry-After`.
struct Limited {
    status: u16,
    retry_after_secs: Option<u64>,
    body: Value,
}

impl Limited {
    /// `extensions` of the first error.
    fn extensions(&self) -> &Value {
        &self.body["errors"][0]["extensions"]
    }

    /// Says how long to wait, twice, in agreement. Returns the milliseconds.
    #[track_caller]
    fn retry_after_ms(&self) -> u64 {
        assert_eq!(self.extensions()["code"], "RATE_LIMITED", "{:#}", self.body);
        let millis = self.extensions()["retryAfterMs"].as_u64().expect("it says how long to wait");
        assert_eq!(self.retry_after_secs, Some(millis.div_ceil(1_000).max(1)));
        millis
    }
}

/// Sends one operation.
async fn send(endpoint: &Endpoint, token: Option<&str>, accept: &str, document: &str, variables: Value) -> Limited {
    let mut request = endpoint.http.post(endpoint.url("/graphql")).header("accept", accept);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let request = request.json(&json!({ "query": document, "variables": variables }));
    within(format_args!("the answer to {document}"), async {
        let response = request.send().await.expect("the server responds");
        let retry_after_secs =
            response.headers().get(RETRY_AFTER).map(|secs| secs.to_str().expect("text").parse().expect("seconds"));
        Limited { status: response.status().as_u16(), retry_after_secs, body: response.json().await.expect("JSON") }
    })
    .await
}
