//! Apollo's multipart protocol: each part holds a response, and empty ones are heartbeats.
//!
//! The boundary stands behind each part rather than before it, because a client knows that a part is whole only when it
//! has read the next boundary. What is written at a time is a whole part: Apollo iOS reads what arrives together on its own.

use async_graphql::ServerError;
use bytes::Bytes;
use serde::Serialize;

pub(super) const CONTENT_TYPE: &str = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0";

const BOUNDARY: &str = "\r\n--graphql";
const HEADERS: &str = "\r\ncontent-type: application/json\r\n\r\n";
const END: &str = "--\r\n";

/// The first boundary, and a heartbeat, so that the client's library knows that the stream has begun.
pub(super) fn opening() -> Bytes {
    [BOUNDARY, HEADERS, "{}", BOUNDARY].concat().into()
}

pub(super) fn heartbeat() -> Bytes {
    part("{}")
}

/// A response.
pub(super) fn next(json: &str) -> Bytes {
    [HEADERS, r#"{"payload":"#, json, "}", BOUNDARY].concat().into()
}

/// The end.
pub(super) fn complete() -> Bytes {
    Bytes::from_static(END.as_bytes())
}

/// The end of a stream that could have gone on, as an error of the transport.
pub(super) fn ended(error: &ServerError) -> Bytes {
    #[derive(Serialize)]
    struct Ended<'e> {
        payload: (),
        errors: [&'e ServerError; 1],
    }
    let json = serde_json::to_string(&Ended { payload: (), errors: [error] });
    let json = json.expect("strings and GraphQL values can be written as JSON");
    [HEADERS, &json, BOUNDARY, END].concat().into()
}

fn part(json: &str) -> Bytes {
    [HEADERS, json, BOUNDARY].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_between_boundaries() {
        let body = [opening(), next(r#"{"data":1}"#), heartbeat(), complete()].concat();
        let body = String::from_utf8(body).expect("a text");
        assert!(body.ends_with("\r\n--graphql--\r\n"));
        let parts: Vec<&str> = body.split("\r\n--graphql").collect();
        let json = |part: &str| part.split_once("\r\n\r\n").map(|(_, json)| json.to_owned());
        let all: Vec<_> = parts.into_iter().map(json).collect();
        assert_eq!(all, [None, Some("{}".into()), Some(r#"{"payload":{"data":1}}"#.into()), Some("{}".into()), None]);
    }

    #[test]
    fn the_end_of_a_connection_is_an_error_beside_an_empty_payload() {
        let ended = ended(&ServerError::new("session ended", None));
        assert!(ended.ends_with(b"{\"payload\":null,\"errors\":[{\"message\":\"session ended\"}]}\r\n--graphql--\r\n"));
    }
}
