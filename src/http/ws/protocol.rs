//! The messages of `graphql-transport-ws`, as
//! [its protocol](https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md) has them.

use async_graphql::ServerError;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Message;

use super::close::Close;
use super::limits::MAX_ID_BYTES;
use crate::http::engine::RequestBody;
use crate::ids::SessionId;

/// What the client asks for in `Sec-WebSocket-Protocol`.
pub const NAME: &str = "graphql-transport-ws";

/// A message from the client.
#[derive(Debug)]
pub enum ClientMessage {
    /// The first one, which authenticates the client.
    ConnectionInit(InitPayload),
    /// The client begins an operation.
    Subscribe {
        /// The client's id for it.
        id: String,
        /// The operation.
        payload: RequestBody,
    },
    /// The client ends an operation.
    Complete {
        /// Its id.
        id: String,
    },
    /// The client asks for a `pong`.
    Ping,
    /// The client answers a `ping`, or shows that it is alive.
    Pong,
}

/// The payload of `connection_init`.
#[derive(Debug, Default, Deserialize)]
pub struct InitPayload {
    /// `Bearer …`. The second spelling is for GraphiQL and other clients that pass their HTTP headers on.
    #[serde(alias = "Authorization")]
    pub authorization: Option<String>,
    /// The cursor to resume from.
    pub after: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<'m> {
    r#type: &'m str,
    id: Option<String>,
    #[serde(borrow)]
    payload: Option<&'m RawValue>,
}

impl ClientMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// How the socket is to be closed: 4400 with what was expected, which never quotes what came.
    pub fn parse(text: &str) -> Result<Self, Close> {
        let bad = |reason: &str| Close::BadRequest(reason.to_owned());
        let message: Envelope<'_> =
            serde_json::from_str(text).map_err(|_| bad("a message is a JSON object with a string `type`"))?;
        let payload = message.payload.map(RawValue::get);
        let id = || match &message.id {
            Some(id) if !id.is_empty() && id.len() <= MAX_ID_BYTES => Ok(id.clone()),
            _ => Err(Close::BadRequest(format!("`id` must be a string of 1 to {MAX_ID_BYTES} bytes"))),
        };
        Ok(match message.r#type {
            "connection_init" => Self::ConnectionInit(match payload {
                None | Some("null") => InitPayload::default(),
                Some(payload) => serde_json::from_str(payload)
                    .map_err(|_| bad("`authorization` and `after` in the payload of `connection_init` are strings"))?,
            }),
            "subscribe" => Self::Subscribe {
                id: id()?,
                payload: payload.and_then(|payload| RequestBody::parse(payload.as_bytes()).ok()).ok_or_else(|| {
                    bad("the payload of `subscribe` is an object with `query`, `operationName`, `variables`")
                })?,
            },
            "complete" => Self::Complete { id: id()? },
            "ping" => Self::Ping,
            "pong" => Self::Pong,
            _ => return Err(bad("unknown message type")),
        })
    }
}

/// `connection_ack`: the handshake is over.
#[must_use]
pub fn ack(session: Option<SessionId>, now: DateTime<Utc>, keepalive_secs: u32) -> Message {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct AckPayload {
        session_id: Option<String>,
        server_time: String,
        keep_alive_secs: u32,
    }
    let payload = AckPayload {
        session_id: session.map(|session| session.to_string()),
        server_time: now.to_rfc3339_opts(SecondsFormat::Micros, true),
        keep_alive_secs: keepalive_secs,
    };
    message("connection_ack", None, Some(&payload))
}

/// `pong`.
#[must_use]
pub fn pong() -> Message {
    message::<()>("pong", None, None)
}

/// `complete`: the operation is complete.
#[must_use]
pub fn complete(id: &str) -> Message {
    message::<()>("complete", Some(id), None)
}

/// `error`: the operation was refused.
#[must_use]
pub fn error(id: &str, errors: &[ServerError]) -> Message {
    message("error", Some(id), Some(errors))
}

/// `next`: a response of the operation, whose JSON is copied as it is. The one message that is sent often.
#[must_use]
pub fn next(id: &str, response: &str) -> Message {
    const BEFORE_ID: &str = r#"{"type":"next","id":"#;
    const BEFORE_RESPONSE: &str = r#","payload":"#;
    let quoted = id.len() + 2;
    // The exact length, if the id needs no escapes, so that the text becomes a message without being copied.
    let length = BEFORE_ID.len() + quoted + BEFORE_RESPONSE.len() + response.len() + 1;
    let mut text = String::with_capacity(length);
    text.push_str(BEFORE_ID);
    push_json_string(&mut text, id);
    text.push_str(BEFORE_RESPONSE);
    text.push_str(response);
    text.push('}');
    Message::text(text)
}

fn push_json_string(text: &mut String, value: &str) {
    let plain = value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&serde_json::Value::from(value).to_string());
    }
}

fn message<P: Serialize + ?Sized>(r#type: &'static str, id: Option<&str>, payload: Option<&P>) -> Message {
    #[derive(Serialize)]
    struct ServerMessage<'m, P: ?Sized> {
        r#type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'m str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<&'m P>,
    }
    let text = serde_json::to_string(&ServerMessage { r#type, id, payload });
    Message::text(text.expect("strings, numbers and GraphQL values can be written as JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: Message) -> String {
        message.into_text().expect("a text message").to_string()
    }

    #[test]
    fn a_response_is_spliced_in_as_it_is() {
        assert_eq!(text(next("1", r#"{"data":1}"#)), r#"{"type":"next","id":"1","payload":{"data":1}}"#);
        assert_eq!(text(next("a\"\u{1}", "{}")), r#"{"type":"next","id":"a\"\u0001","payload":{}}"#);
    }

    #[test]
    fn what_is_absent_is_left_out() {
        assert_eq!(text(pong()), r#"{"type":"pong"}"#);
        assert_eq!(text(complete("x")), r#"{"type":"complete","id":"x"}"#);
    }

    #[test]
    fn messages_that_make_no_sense_are_refused_without_repeating_them() {
        for wrong in [
            "",
            "secret",
            "[]",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"secret"}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":1}}"#,
            r#"{"type":"connection_init","payload":{"authorization":1}}"#,
            r#"{"type":"complete"}"#,
        ] {
            match ClientMessage::parse(wrong) {
                Err(Close::BadRequest(reason)) => {
                    assert!(reason.len() <= 123 && !reason.contains("secret"), "{reason}");
                }
                other => panic!("{wrong}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_payload_of_the_first_message_may_be_missing_or_hold_more() {
        for payload in ["", r#","payload":null"#, r#","payload":{"x":1}"#] {
            let init = ClientMessage::parse(&format!(r#"{{"type":"connection_init"{payload}}}"#));
            assert!(matches!(init, Ok(ClientMessage::ConnectionInit(InitPayload { authorization: None, .. }))));
        }
    }
}
