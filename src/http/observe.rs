//! What is recorded of every request: an id, one line in the log, and a panic if there was one.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;
use uuid::Uuid;

use super::Rejection;
use super::caller::Address;

/// Carries the request's id, in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is accepted from a client or proxy.
const MAX_ID_BYTES: usize = 64;

/// Identifies one request in the log, the answer, and the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    /// The id that the request came with, if it is 1 to 64 of `A-Z a-z 0-9 - _`; otherwise a new one.
    #[must_use]
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| {
            (1..=MAX_ID_BYTES).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        });
        Self(given.map_or_else(|| Uuid::now_v7().simple().to_string().into(), Arc::from))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path as it is logged: that of a file without what its owner calls it.
fn logged(path: &str) -> &str {
    let Some(file) = path.strip_prefix(super::files::BELOW) else { return path };
    let name = file.find('/').map_or(0, |at| file.len() - at);
    &path[..path.len() - name]
}

/// Gives the request an id and logs how it was answered. The query string isn't logged. A panic is answered with
/// `INTERNAL_SERVER_ERROR` and affects no other request. Every answer forbids browsers to guess what it is.
pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    let (method, path) = (request.method().clone(), logged(request.uri().path()).to_owned());
    let client = request.extensions().get::<Address>().map(|address| tracing::field::display(address.ip));
    request.extensions_mut().insert(id.clone());

    let span = tracing::info_span!("request", %id);
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;

    let _entered = span.enter();
    let mut response = answer.unwrap_or_else(|panic| {
        tracing::error!(panic = message(&*panic), "a request handler panicked");
        Rejection::internal().into_response()
    });
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let (status, duration_us) = (response.status().as_u16(), started.elapsed().as_micros());
    if matches!(&*path, "/livez" | "/readyz" | "/metrics") {
        tracing::debug!(%method, path, client, status, duration_us, "answered");
    } else {
        tracing::info!(%method, path, client, status, duration_us, "answered");
    }
    response
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(given: &str) -> String {
        RequestId::of(&HeaderMap::from_iter([(REQUEST_ID, given.parse().expect("a header"))])).to_string()
    }

    #[test]
    fn what_files_are_called_is_not_logged() {
        for (path, expected) in [
            ("/graphql", "/graphql"),
            ("/files/att_1", "/files/att_1"),
            ("/files/att_1/notes.txt", "/files/att_1"),
            ("/files/att_1/a/b", "/files/att_1"),
            ("/files/", "/files/"),
            ("/files//a", "/files/"),
            ("/files", "/files"),
        ] {
            assert_eq!(logged(path), expected);
        }
    }

    #[test]
    fn a_sane_id_is_kept() {
        let longest = "x".repeat(MAX_ID_BYTES);
        assert_eq!(id_of("abc-DEF_123"), "abc-DEF_123");
        assert_eq!(id_of(&longest), longest);
    }

    #[test]
    fn any_other_id_is_replaced() {
        for given in ["", "a b", "a\"b", "ä", &"x".repeat(MAX_ID_BYTES + 1)] {
            assert_eq!(id_of(given).len(), 32, "{given}");
        }
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }
}
