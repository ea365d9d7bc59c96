//! What must be true of every request's head before anything is done with it.

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Rejection;
use crate::graphql::ErrorCode;

/// The most bytes of a request's first line and headers.
pub(crate) const MAX_HEAD_BYTES: usize = 32 * 1024;

/// What HTTP/1.1 writes between a header's name and value, and after it.
const PUNCTUATION_BYTES: usize = ": \r\n".len();

/// Refuses a request whose head is too long, or doesn't say for which host it is, or says it twice.
pub(crate) async fn check(request: Request, next: Next) -> Response {
    if let Some(refusal) = refusal(&request) {
        return refusal.with_header(header::CONNECTION, "close").into_response();
    }
    next.run(request).await
}

/// What is wrong with the head.
fn refusal(request: &Request) -> Option<Rejection> {
    let headers = request.headers();
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + PUNCTUATION_BYTES);
    let uri = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri + lines.sum::<usize>() > MAX_HEAD_BYTES {
        let message = format!("the headers are longer than {MAX_HEAD_BYTES} bytes");
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Some(Rejection::new(status, ErrorCode::BadUserInput, message));
    }
    let is_named = names_its_host(request.version(), headers);
    (!is_named).then(|| Rejection::bad_request("there must be one `Host`"))
}

/// [RFC 9112, section 3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2).
fn names_its_host(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host
            .to_str()
            .is_ok_and(|host| host.is_empty() || (!host.contains('@') && host.parse::<Authority>().is_ok())),
        (None, _) => version < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_request_names_one_host() {
        for (hosts, in_1_1, in_1_0) in [
            (&["chat.example"][..], true, true),
            (&["chat.example:4000"], true, true),
            (&["[::1]:4000"], true, true),
            (&[""], true, true),
            (&[], false, true),
            (&["a.example", "b.example"], false, false),
            (&["a.example", "a.example"], false, false),
            (&["ann@chat.example"], false, false),
            (&["chat.example/path"], false, false),
            (&["a.example, b.example"], false, false),
        ] {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_static(host));
            }
            assert_eq!(names_its_host(Version::HTTP_11, &headers), in_1_1, "{hosts:?}");
            assert_eq!(names_its_host(Version::HTTP_10, &headers), in_1_0, "{hosts:?}");
        }
    }
}
