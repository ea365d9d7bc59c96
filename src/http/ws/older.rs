//! The messages of `graphql-ws`, the subprotocol of the library
//! [subscriptions-transport-ws](https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md),
//! which is older than the library with the subprotocol's name. Where its document is silent, this does as its server does.

use std::time::Duration;

use async_graphql::ServerError;
use serde::Serialize;
use tokio_tungstenite::tungstenite::Message;

use super::close::Close;
use super::protocol::{ClientMessage, Envelope, message, spliced};

/// What the client asks for in `Sec-WebSocket-Protocol`.
pub(super) const NAME: &str = "graphql-ws";

/// About how often `ka` is sent at least. Clients that have received one give the socket up without another: GraphQL
/// Playground after 20 s, subscriptions-transport-ws and `graphql_flutter` after 30 s unless set otherwise.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Reads a message from the client.
///
/// # Errors
/// As [`ClientMessage::parse`].
pub(super) fn parse(text: &str) -> Result<ClientMessage, Close> {
    let message = Envelope::parse(text)?;
    Ok(match &*message.kind {
        "connection_init" => ClientMessage::ConnectionInit(message.init()?),
        "start" => ClientMessage::Subscribe { id: message.id()?, payload: message.operation() },
        "stop" => ClientMessage::Complete { id: message.id()? },
        "connection_terminate" => ClientMessage::Terminate,
        _ => return Err(Close::BadRequest("unknown message type".to_owned())),
    })
}

/// `data`: a response of the operation.
pub(super) fn data(id: &str, response: &str) -> Message {
    spliced("data", id, response)
}

/// `error`: the operation was refused. There is room for one reason.
pub(super) fn error(id: &str, errors: &[ServerError]) -> Message {
    message("error", Some(id), errors.first())
}

/// `ka`: the connection is alive.
pub(super) fn keep_alive() -> Message {
    message::<()>("ka", None, None)
}

/// `connection_error`: the client was not accepted.
pub(super) fn connection_error(reason: &str) -> Message {
    #[derive(Serialize)]
    struct Problem<'r> {
        message: &'r str,
    }
    message("connection_error", None, Some(&Problem { message: reason }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: Message) -> String {
        message.into_text().expect("a text message").to_string()
    }

    #[test]
    fn messages_are_written_as_the_older_protocol_has_them() {
        assert_eq!(text(data("1", r#"{"data":1}"#)), r#"{"type":"data","id":"1","payload":{"data":1}}"#);
        assert_eq!(text(keep_alive()), r#"{"type":"ka"}"#);
        assert_eq!(text(connection_error("No")), r#"{"type":"connection_error","payload":{"message":"No"}}"#);
        let errors = [ServerError::new("one", None), ServerError::new("two", None)];
        assert_eq!(text(error("1", &errors)), r#"{"type":"error","id":"1","payload":{"message":"one"}}"#);
    }

    #[test]
    fn only_the_words_of_the_older_protocol_are_understood() {
        assert!(matches!(parse(r#"{"type":"stop","id":"1"}"#), Ok(ClientMessage::Complete { .. })));
        assert!(matches!(parse(r#"{"type":"connection_terminate","payload":null}"#), Ok(ClientMessage::Terminate)));
        for newer in ["subscribe", "complete", "ping", "data"] {
            let parsed = parse(&format!(r#"{{"type":"{newer}","id":"1","payload":{{"query":"{{a}}"}}}}"#));
            assert!(matches!(parsed, Err(Close::BadRequest(_))), "{newer}");
        }
    }
}
