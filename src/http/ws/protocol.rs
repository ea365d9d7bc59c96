//! The messages of `graphql-transport-ws`, as
//! [its protocol](https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md) has them.

use async_graphql::ServerError;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Message;

use super::close::Close;
use super::limits::MAX_ID_BYTES;
use crate::http::engine::{InvalidBody, RequestBody};
use crate::ids::SessionId;
use crate::json::{self, JsonText, Members};

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
        /// The operation, or why the payload is none.
        payload: Result<RequestBody, InvalidBody>,
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
    /// The client takes its leave, in the older dialect.
    Terminate,
}

/// The payload of `connection_init`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct InitPayload {
    /// `Bearer …`, by any spelling of the header's name, and also among `headers`: GraphiQL, GraphQL Playground and other
    /// clients pass their HTTP headers on.
    pub authorization: Option<String>,
    /// The cursor at which the socket's first subscription resumes, if that has none of its own. Deprecated.
    pub after: Option<String>,
}

impl InitPayload {
    /// Reads the payload; `None` if a member is no string, or comes twice with different texts.
    fn read(json: Option<&RawValue>) -> Option<Self> {
        let Some(json) = json else { return Some(Self::default()) };
        let members = Members::of(json)?;
        let is_authorization = |name: &str| name.eq_ignore_ascii_case("authorization");
        let authorization = match text(&members, is_authorization).ok()? {
            None => match members.single("headers").ok()?.and_then(Members::of) {
                Some(headers) => text(&headers, is_authorization).ok()?,
                None => None,
            },
            found => found,
        };
        Some(Self { authorization, after: text(&members, |name| name == "after").ok()? })
    }
}

/// A member that must be a text is none, or comes twice with different ones.
struct Unreadable;

/// The text of the members with such a name; `None` if they are absent or null.
fn text(members: &Members<'_>, is_wanted: impl Fn(&str) -> bool) -> Result<Option<String>, Unreadable> {
    let mut found: Option<String> = None;
    let values =
        members.0.iter().filter(|(key, value)| key.0.as_deref().is_ok_and(&is_wanted) && !json::is_null(value));
    for (_, value) in values {
        let text = json::text(value).and_then(|text| text.get().ok()).ok_or(Unreadable)?;
        if found.as_ref().is_some_and(|found| *found != text) {
            return Err(Unreadable);
        }
        found = Some(text);
    }
    Ok(found)
}

/// The members that every message may have. They decide about the socket; what is in the payload of an operation decides
/// about the operation.
pub(super) struct Envelope<'m> {
    /// What kind of message it is.
    pub(super) kind: String,
    id: Option<JsonText>,
    /// `None` when it is absent or null.
    pub(super) payload: Option<&'m RawValue>,
}

impl<'m> Envelope<'m> {
    /// Reads the members of a message, and ignores others.
    ///
    /// # Errors
    /// How the socket is to be closed: 4400 with what was expected, which never quotes what came.
    pub(super) fn parse(text: &'m str) -> Result<Self, Close> {
        let bad = || Close::BadRequest("a message is a JSON object with a string `type`".to_owned());
        let message: &RawValue = serde_json::from_str(text).map_err(|_| bad())?;
        let members = Members::of(message).ok_or_else(bad)?;
        let member = |name| members.single(name).map_err(|_| bad());
        let kind = member("type")?.and_then(json::text).and_then(|kind| kind.get().ok()).ok_or_else(bad)?;
        // Numbers are taken for what they look like, and refused where an id is needed.
        Ok(Self { kind, id: member("id")?.and_then(json::text), payload: member("payload")? })
    }

    /// The id of the operation that the message is about.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(super) fn id(&self) -> Result<String, Close> {
        match self.id.as_ref().map(|id| &id.0) {
            Some(Ok(id)) if !id.is_empty() && id.len() <= MAX_ID_BYTES => Ok(id.clone()),
            _ => Err(Close::BadRequest(format!("`id` must be a string of 1 to {MAX_ID_BYTES} bytes"))),
        }
    }

    /// The operation in the payload.
    pub(super) fn operation(&self) -> Result<RequestBody, InvalidBody> {
        self.payload.map_or(Err(InvalidBody::NoObject), RequestBody::read)
    }

    /// The payload of the first message.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(super) fn init(&self) -> Result<InitPayload, Close> {
        let problem = "`authorization` and `after` in the payload of `connection_init` are strings";
        InitPayload::read(self.payload).ok_or_else(|| Close::BadRequest(problem.to_owned()))
    }
}

impl ClientMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// How the socket is to be closed: 4400 with what was expected, which never quotes what came.
    pub fn parse(text: &str) -> Result<Self, Close> {
        let message = Envelope::parse(text)?;
        Ok(match &*message.kind {
            "connection_init" => Self::ConnectionInit(message.init()?),
            "subscribe" => Self::Subscribe { id: message.id()?, payload: message.operation() },
            "complete" => Self::Complete { id: message.id()? },
            "ping" => Self::Ping,
            "pong" => Self::Pong,
            _ => return Err(Close::BadRequest("unknown message type".to_owned())),
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
    spliced("next", id, response)
}

/// A message of this type with this JSON as its payload.
pub(super) fn spliced(r#type: &'static str, id: &str, response: &str) -> Message {
    const BEFORE_TYPE: &str = r#"{"type":""#;
    const BEFORE_ID: &str = r#"","id":"#;
    const BEFORE_RESPONSE: &str = r#","payload":"#;
    let quoted = id.len() + 2;
    // The exact length, if the id needs no escapes, so that the text becomes a message without being copied.
    let around = BEFORE_TYPE.len() + r#type.len() + BEFORE_ID.len() + quoted + BEFORE_RESPONSE.len() + 1;
    let mut text = String::with_capacity(around + response.len());
    text.push_str(BEFORE_TYPE);
    text.push_str(r#type);
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

pub(super) fn message<P: Serialize + ?Sized>(r#type: &'static str, id: Option<&str>, payload: Option<&P>) -> Message {
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
            r#"{"type":"subscribe","id":"\ud83d","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1","id":"2","payload":{"query":"{a}"}}"#,
            r#"{"type":"ping","type":"pong"}"#,
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

    #[test]
    fn a_token_may_be_given_twice_if_it_is_the_same() {
        let init = |payload: &str| match ClientMessage::parse(&format!(
            r#"{{"type":"connection_init","payload":{{{payload}}}}}"#
        )) {
            Ok(ClientMessage::ConnectionInit(init)) => init.authorization,
            other => panic!("{payload}: {other:?}"),
        };
        for same in [
            r#""authorization":"a","Authorization":"a""#,
            r#""Authorization":"a","authorization":null"#,
            r#""auth\u006frization":"\u0061","x":"\ud83d""#,
        ] {
            assert_eq!(init(same).as_deref(), Some("a"), "{same}");
        }
        let two = r#"{"type":"connection_init","payload":{"authorization":"a","Authorization":"b"}}"#;
        assert!(matches!(ClientMessage::parse(two), Err(Close::BadRequest(_))));
    }

    #[test]
    fn what_is_wrong_with_a_payload_is_told_of_its_operation() {
        for payload in [
            "",
            r#","payload":null"#,
            r#","payload":1"#,
            r#","payload":[]"#,
            r#","payload":{}"#,
            r#","payload":{"query":1}"#,
            r#","payload":{"query":"{a}\ud83d"}"#,
            r#","payload":{"query":"{a}","variables":1e999}"#,
        ] {
            let message = format!(r#"{{"type":"subscribe","id":"1"{payload}}}"#);
            match ClientMessage::parse(&message) {
                Ok(ClientMessage::Subscribe { id, payload: Err(_) }) => assert_eq!(id, "1"),
                other => panic!("{message}: {other:?}"),
            }
        }
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        for variables in [r#"{"x":"\ud83d"}"#, r#"{"n":1e999}"#, &format!("{{\"d\":{deep}}}")] {
            let message = format!(
                r#"{{"t\u0079pe":"subscri\u0062e","id":"1","payload":{{"query":"{{a}}","variables":{variables}}}}}"#
            );
            assert!(matches!(ClientMessage::parse(&message), Ok(ClientMessage::Subscribe { payload: Ok(_), .. })));
        }
    }
}
