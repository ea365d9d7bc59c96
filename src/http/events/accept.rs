//! Which form of answer the client wants.

use axum::http::HeaderMap;

use super::Framing;
use crate::http::media::{self, MediaType};

/// What a client takes for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Accepted {
    /// The form of one response.
    pub media: MediaType,
    /// The form of an answer that goes on. `None` if the client takes none.
    pub framing: Option<Framing>,
    /// Whether one response is to come as a stream of events, too.
    pub is_stream_preferred: bool,
}

impl Accepted {
    /// What the client of a request with these headers takes; `None` if nothing that there is. A stream must be asked for
    /// by name. Many clients name streams beside JSON with everything they send, so what is one response is JSON unless
    /// a stream is wanted more.
    #[must_use]
    pub(in crate::http) fn of(headers: &HeaderMap) -> Option<Self> {
        let media = MediaType::accepted(headers);
        let ranges = media::ranges(headers);
        let event_stream = media::named(&ranges, "text", "event-stream", None);
        let multipart = media::named(&ranges, "multipart", "mixed", Some(("subscriptionspec", "1.0")));
        let framing = match (event_stream, multipart) {
            (0, 0) => None,
            _ if event_stream >= multipart => Some(Framing::EventStream),
            _ => Some(Framing::Multipart),
        };
        if media.is_none() && framing.is_none() {
            return None;
        }
        let json = if media.is_some() { media::json_quality(&ranges) } else { 0 };
        Some(Self {
            media: media.unwrap_or(MediaType::Json),
            framing,
            is_stream_preferred: framing == Some(Framing::EventStream) && event_stream > json,
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    fn accepted(accept: &'static str) -> Option<(MediaType, Option<Framing>, bool)> {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
        Accepted::of(&headers).map(|accepted| (accepted.media, accepted.framing, accepted.is_stream_preferred))
    }

    #[test]
    fn a_stream_is_asked_for_by_name_and_one_response_is_json_where_both_are_welcome() {
        use Framing::{EventStream, Multipart};
        use MediaType::{GraphQL, Json};
        for (accept, expected) in [
            ("*/*", Some((Json, None, false))),
            ("application/json", Some((Json, None, false))),
            ("text/*", None),
            ("text/event-stream", Some((Json, Some(EventStream), true))),
            ("Text/Event-Stream; charset=utf-8", Some((Json, Some(EventStream), true))),
            ("text/event-stream;q=0", None),
            ("text/event-stream, application/json;q=0.5", Some((Json, Some(EventStream), true))),
            ("text/event-stream, */*", Some((Json, Some(EventStream), false))),
            (
                "application/graphql-response+json, application/json, text/event-stream, multipart/mixed",
                Some((GraphQL, Some(EventStream), false)),
            ),
            ("multipart/mixed", None),
            ("multipart/mixed;subscriptionSpec=1.0", Some((Json, Some(Multipart), false))),
            ("multipart/mixed;subscriptionSpec=2.0", None),
            ("multipart/mixed;deferSpec=20220824,application/json", Some((Json, None, false))),
            (
                "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json",
                Some((Json, Some(Multipart), false)),
            ),
            (
                "multipart/mixed;subscriptionSpec=\"1.0\", application/graphql-response+json, application/json",
                Some((GraphQL, Some(Multipart), false)),
            ),
            (
                "multipart/mixed;subscriptionSpec=1.0;q=0.5, text/event-stream;q=0.4",
                Some((Json, Some(Multipart), false)),
            ),
        ] {
            assert_eq!(accepted(accept), expected, "{accept}");
        }
    }
}
