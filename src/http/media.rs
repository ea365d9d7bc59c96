//! Which JSON media type the client wants, and which status goes with it.
//!
//! There are two media types, as in the draft of [GraphQL over
//! HTTP](https://graphql.github.io/graphql-over-http/draft/). With `application/graphql-response+json` the status says
//! whether the operation ran. With `application/json`, which any proxy on the way may have sent, clients read a body
//! only if the status is 200, so a request that is well formed gets 200 even when its document is not.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::delivery::Executed;
use crate::failure::Failure;
use crate::graphql;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `application/graphql-response+json`.
    GraphQL,
    /// `application/json`.
    Json,
}

impl MediaType {
    /// The type that suits the request best; `None` if neither is acceptable. A client that names no preference is an
    /// older one, which expects `application/json`.
    #[must_use]
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(header::ACCEPT) {
            return Some(Self::Json);
        }
        let ranges = ranges(headers);
        let graphql = quality(&ranges, "graphql-response+json");
        let json = quality(&ranges, "json");
        let named = ranges.iter().any(|range| range.kind == "application" && range.subtype == "graphql-response+json");
        match (graphql > 0, json > 0) {
            (true, true) if named && graphql >= json => Some(Self::GraphQL),
            (_, true) => Some(Self::Json),
            (true, false) => Some(Self::GraphQL),
            (false, false) => None,
        }
    }

    /// The answer to an operation.
    #[must_use]
    pub fn answer(self, executed: &Executed) -> Response {
        self.render(self.status(executed), executed)
    }

    /// As [`Self::answer`], with this JSON, which is the operation's response.
    #[must_use]
    pub fn answer_with(self, executed: &Executed, json: Bytes) -> Response {
        self.render_with(self.status(executed), executed, json)
    }

    /// This answer to a caller without a valid token. If that is all it would have taken, the status says so where the
    /// media type leaves it a meaning: 401, with the scheme of the token that is asked for.
    #[must_use]
    pub fn challenging(self, mut answer: Response, executed: &Executed) -> Response {
        if self == Self::GraphQL && graphql::needs_viewer(&executed.response) {
            *answer.status_mut() = StatusCode::UNAUTHORIZED;
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }

    fn status(self, executed: &Executed) -> StatusCode {
        if !executed.is_refusal() {
            return StatusCode::OK;
        }
        match self {
            _ if executed.failure == Some(Failure::Outage) => StatusCode::SERVICE_UNAVAILABLE,
            _ if graphql::retry_after(&executed.response).is_some() => StatusCode::TOO_MANY_REQUESTS,
            Self::GraphQL => StatusCode::BAD_REQUEST,
            Self::Json => StatusCode::OK,
        }
    }

    /// This answer with this status. Answers may hold tokens and messages, so no cache may store them. One that was
    /// limited says in `Retry-After` when to try again, in seconds, rounded up.
    #[must_use]
    pub fn render(self, status: StatusCode, executed: &Executed) -> Response {
        self.render_with(status, executed, executed.to_json().into())
    }

    fn render_with(self, status: StatusCode, executed: &Executed, json: Bytes) -> Response {
        let content_type = match self {
            Self::GraphQL => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        };
        let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-store")];
        let mut response = (status, headers, json).into_response();
        if let Some(wait) = graphql::retry_after(&executed.response) {
            let secs = wait.as_millis().div_ceil(1_000).max(1);
            if let Ok(secs) = HeaderValue::from_str(&secs.to_string()) {
                response.headers_mut().insert(header::RETRY_AFTER, secs);
            }
        }
        response
    }
}

/// One item of an `Accept` header, in lower case.
pub(super) struct MediaRange {
    kind: String,
    subtype: String,
    parameters: Vec<(String, String)>,
    /// 0 to 1,000; 0 means not acceptable.
    quality: u16,
}

impl MediaRange {
    fn parse(text: &str) -> Self {
        let mut parts = text.split(';').map(|part| part.trim().to_ascii_lowercase());
        let name = parts.next().unwrap_or_default();
        let (kind, subtype) = name.split_once('/').unwrap_or((&name, ""));
        let parameters: Vec<_> = parts
            .filter_map(|part| {
                part.split_once('=').map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
            })
            .collect();
        let weight = parameters.iter().find(|(name, _)| name == "q").map(|(_, q)| q.parse::<f32>().unwrap_or(0.0));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 1,000")]
        let quality = (weight.unwrap_or(1.0).clamp(0.0, 1.0) * 1_000.0) as u16;
        Self { kind: kind.to_owned(), subtype: subtype.to_owned(), parameters, quality }
    }
}

/// What the client accepts.
pub(super) fn ranges(headers: &HeaderMap) -> Vec<MediaRange> {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|value| value.split(',')).map(MediaRange::parse).collect()
}

/// How much a media type is wanted that is named, with this parameter: 0 to 1,000.
pub(super) fn named(ranges: &[MediaRange], kind: &str, subtype: &str, parameter: Option<(&str, &str)>) -> u16 {
    let has = |range: &MediaRange| {
        parameter.is_none_or(|(name, value)| range.parameters.iter().any(|(n, v)| n == name && v == value))
    };
    let asked = ranges.iter().filter(|range| range.kind == kind && range.subtype == subtype && has(range));
    asked.map(|range| range.quality).max().unwrap_or(0)
}

/// How much either of the two JSON media types is wanted.
pub(super) fn json_quality(ranges: &[MediaRange]) -> u16 {
    quality(ranges, "json").max(quality(ranges, "graphql-response+json"))
}

/// How much `application/{subtype}` is wanted: the most specific range counts ([RFC 9110, section
/// 12.5.1](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1)).
fn quality(ranges: &[MediaRange], subtype: &str) -> u16 {
    let of = |kind: &str, subtype: &str| {
        ranges.iter().filter(|range| range.kind == kind && range.subtype == subtype).map(|range| range.quality).max()
    };
    of("application", subtype).or_else(|| of("application", "*")).or_else(|| of("*", "*")).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use async_graphql::{Response as GraphQLResponse, ServerError};
    use axum::http::HeaderValue;

    use super::*;

    fn accepted(accept: &'static str) -> Option<MediaType> {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
        MediaType::accepted(&headers)
    }

    #[test]
    fn the_newer_type_must_be_asked_for_by_name() {
        use MediaType::{GraphQL, Json};
        assert_eq!(MediaType::accepted(&HeaderMap::new()), Some(Json));
        for (accept, expected) in [
            ("*/*", Some(Json)),
            ("application/*", Some(Json)),
            ("application/json", Some(Json)),
            ("application/json; charset=utf-8", Some(Json)),
            ("application/json, multipart/mixed", Some(Json)),
            ("application/graphql-response+json", Some(GraphQL)),
            ("Application/GraphQL-Response+JSON; charset=utf-8", Some(GraphQL)),
            ("application/graphql-response+json, application/json;q=0.9", Some(GraphQL)),
            ("application/json, application/graphql-response+json", Some(GraphQL)),
            ("application/graphql-response+json;q=0.5, application/json", Some(Json)),
            ("application/graphql-response+json, */*", Some(GraphQL)),
            ("application/json;q=0, */*;q=0.1", Some(GraphQL)),
            ("text/html", None),
            ("text/event-stream", None),
            ("application/json;q=0", None),
            ("", None),
        ] {
            assert_eq!(accepted(accept), expected, "{accept}");
        }
    }

    #[test]
    fn a_refusal_has_a_status_of_its_own_and_a_failed_field_has_not() {
        let response = GraphQLResponse::from_errors(vec![ServerError::new("no", None)]);
        let mut failed = Executed { response, failure: Some(Failure::Client) };
        assert_eq!(MediaType::GraphQL.status(&failed), StatusCode::BAD_REQUEST);
        assert_eq!(MediaType::Json.status(&failed), StatusCode::OK);
        failed.failure = Some(Failure::Outage);
        assert_eq!(MediaType::GraphQL.status(&failed), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(MediaType::Json.status(&failed), StatusCode::SERVICE_UNAVAILABLE);

        failed.response.errors[0].path = vec![async_graphql::PathSegment::Field("me".into())];
        assert_eq!(MediaType::GraphQL.status(&failed), StatusCode::OK);
    }
}
