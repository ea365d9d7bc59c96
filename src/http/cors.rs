//! What scripts of other websites may send and read
//! ([Fetch standard, section 3.3](https://fetch.spec.whatwg.org/#http-cors-protocol)).

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::AppState;
use super::observe::REQUEST_ID;

/// How long a browser may remember what is allowed. Chromium remembers it for two hours at most.
const PREFLIGHT_AGE: Duration = Duration::from_hours(2);

/// What clients of GraphQL, and what traces and reports their requests, send without being asked to. Parlor ignores
/// them, but a browser sends nothing at all if one of them isn't allowed.
const SENT_BY_DEFAULT: [&str; 16] = [
    "apollo-require-preflight",
    "apollographql-client-name",
    "apollographql-client-version",
    "baggage",
    "cache-control",
    "content-encoding",
    "graphql-preflight",
    "last-event-id",
    "pragma",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "x-apollo-operation-id",
    "x-apollo-operation-name",
    "x-apollo-operation-type",
    "x-requested-with",
];

/// Without allowed websites there is no header: browsers then let only the server's own pages read answers.
pub(super) fn layer(state: &AppState) -> Option<CorsLayer> {
    let websites = state.allowed_origins.clone();
    if websites.are_none() {
        return None;
    }
    let origins = if websites.are_any() {
        AllowOrigin::any()
    } else {
        AllowOrigin::predicate(move |origin: &HeaderValue, _| {
            origin.to_str().is_ok_and(|origin| websites.include(origin))
        })
    };
    let cors = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT])
        .allow_headers(headers(&state.allowed_headers))
        .expose_headers([
            header::CONTENT_DISPOSITION,
            header::CONTENT_RANGE,
            REQUEST_ID,
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
        ])
        .max_age(PREFLIGHT_AGE);
    Some(cors)
}

/// Those that every client sends, those above, and those that the operator names.
fn headers(more: &[String]) -> AllowHeaders {
    if more.iter().any(|name| name == "*") {
        // `*` itself would not include `Authorization`.
        return AllowHeaders::mirror_request();
    }
    let own = [header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT, REQUEST_ID];
    let by_default = SENT_BY_DEFAULT.map(HeaderName::from_static);
    let more = more.iter().filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    AllowHeaders::list(own.into_iter().chain(by_default).chain(more))
}
