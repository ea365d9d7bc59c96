//! Which JSON the client wants, and what status goes with it.
//!
//! Two media types, as in the draft of [GraphQL over HTTP](https://graphql.github.io/graphql-over-http/draft/). With
//! `application/graphql-response+json` the status tells whether the operation ran. With `application/json`, which may
//! come from any proxy on the way, clients read a body only if the status is 200, so a request that is well formed gets
//! 200 even when its document is not.

use async_graphql::{Response as GraphQLResponse, ServerError, Value};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::graphql::ErrorCode;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `application/graphql-response+json`.
    GraphQL,
    /// `application/json`.
    Json,
}

impl MediaType {
    /// The type that suits the request best; none if neither does. Clients that name no preference are the older ones,
    /// which expect `application/json`.
    #[must_use]
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut accept = headers.get_all(header::ACCEPT).iter().peekable();
        if accept.peek().is_none() {
            return Some(Self::Json);
        }
        let ranges: Vec<Range> = accept
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(Range::parse)
            .collect();
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
    pub fn answer(self, response: &GraphQLResponse) -> Response {
        self.render(self.status(response), response)
    }

    fn status(self, response: &GraphQLResponse) -> StatusCode {
        if !is_request_error(response) {
            return StatusCode::OK;
        }
        match self {
            _ if has_code(response, ErrorCode::Unavailable) => StatusCode::SERVICE_UNAVAILABLE,
            Self::GraphQL => StatusCode::BAD_REQUEST,
            Self::Json => StatusCode::OK,
        }
    }

    /// This answer with this status. Answers may hold tokens and messages, so nothing on the way may keep them.
    #[must_use]
    pub fn render(self, status: StatusCode, response: &GraphQLResponse) -> Response {
        let content_type = match self {
            Self::GraphQL => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        };
        let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-store")];
        (status, headers, json(response)).into_response()
    }
}

/// The answer as JSON. `data` is left out, rather than null, when the operation did not run.
#[must_use]
pub fn json(response: &GraphQLResponse) -> String {
    #[derive(Serialize)]
    struct Body<'r> {
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'r Value>,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        errors: &'r [ServerError],
        #[serde(skip_serializing_if = "Option::is_none")]
        extensions: Option<&'r std::collections::BTreeMap<String, Value>>,
    }
    let body = Body {
        data: (!is_request_error(response)).then_some(&response.data),
        errors: &response.errors,
        extensions: (!response.extensions.is_empty()).then_some(&response.extensions),
    };
    serde_json::to_string(&body).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer can't be written as JSON");
        r#"{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#.to_owned()
    })
}

/// Whether the operation did not run at all. An error of a field names its path.
fn is_request_error(response: &GraphQLResponse) -> bool {
    response.data == Value::Null && response.errors.iter().all(|error| error.path.is_empty()) && response.is_err()
}

fn has_code(response: &GraphQLResponse, code: ErrorCode) -> bool {
    let codes = response.errors.iter().filter_map(|error| error.extensions.as_ref()?.get("code"));
    codes.eq([&Value::from(code.name())])
}

/// One item of an `Accept` header.
struct Range {
    kind: String,
    subtype: String,
    /// 0 to 1,000; 0 refuses.
    quality: u16,
}

impl Range {
    fn parse(text: &str) -> Self {
        let mut parts = text.split(';').map(|part| part.trim().to_ascii_lowercase());
        let name = parts.next().unwrap_or_default();
        let (kind, subtype) = name.split_once('/').unwrap_or((&name, ""));
        let weight = parts.find_map(|part| part.strip_prefix("q=").map(|q| q.parse::<f32>().unwrap_or(0.0)));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 1,000")]
        let quality = (weight.unwrap_or(1.0).clamp(0.0, 1.0) * 1_000.0) as u16;
        Self { kind: kind.to_owned(), subtype: subtype.to_owned(), quality }
    }
}

/// How much `application/{subtype}` is wanted: the most specific range counts
/// ([RFC 9110, section 12.5.1](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1)).
fn quality(ranges: &[Range], subtype: &str) -> u16 {
    let of = |kind: &str, subtype: &str| {
        ranges.iter().filter(|range| range.kind == kind && range.subtype == subtype).map(|range| range.quality).max()
    };
    of("application", subtype).or_else(|| of("application", "*")).or_else(|| of("*", "*")).unwrap_or(0)
}

#[cfg(test)]
mod tests {
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
    fn a_request_error_has_no_data_and_a_field_error_has() {
        let mut failed = GraphQLResponse::from_errors(vec![ServerError::new("no", None)]);
        assert_eq!(json(&failed), r#"{"errors":[{"message":"no"}]}"#);
        assert_eq!(MediaType::GraphQL.status(&failed), StatusCode::BAD_REQUEST);
        assert_eq!(MediaType::Json.status(&failed), StatusCode::OK);

        failed.errors[0].path = vec![async_graphql::PathSegment::Field("me".into())];
        assert_eq!(json(&failed), r#"{"data":null,"errors":[{"message":"no","path":["me"]}]}"#);
        assert_eq!(MediaType::GraphQL.status(&failed), StatusCode::OK);
    }
}
