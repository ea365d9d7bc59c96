//! The dialects that are spoken over a socket. What they mean is the same; the words differ.

use std::time::Duration;

use async_graphql::ServerError;
use tokio_tungstenite::tungstenite::Message;

use super::close::Close;
use super::older;
use super::protocol::{self, ClientMessage};

/// A subprotocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `graphql-transport-ws`.
    Present,
    /// `graphql-ws`, of the library subscriptions-transport-ws.
    Older,
}

impl Dialect {
    /// The first of these subprotocols that is spoken: clients name first what they like best.
    pub(super) fn choose<'o>(mut offered: impl Iterator<Item = &'o str>) -> Option<Self> {
        offered.find_map(|name| match name {
            protocol::NAME => Some(Self::Present),
            older::NAME => Some(Self::Older),
            _ => None,
        })
    }

    /// The subprotocol's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Present => protocol::NAME,
            Self::Older => older::NAME,
        }
    }

    /// Reads a message from the client.
    ///
    /// # Errors
    /// How the socket is to be closed: 4400 with what was expected, which never quotes what came.
    pub(super) fn parse(self, text: &str) -> Result<ClientMessage, Close> {
        match self {
            Self::Present => ClientMessage::parse(text),
            Self::Older => older::parse(text),
        }
    }

    /// A response of an operation.
    pub(super) fn next(self, id: &str, response: &str) -> Message {
        match self {
            Self::Present => protocol::next(id, response),
            Self::Older => older::data(id, response),
        }
    }

    /// The operation was refused.
    pub(super) fn error(self, id: &str, errors: &[ServerError]) -> Message {
        match self {
            Self::Present => protocol::error(id, errors),
            Self::Older => older::error(id, errors),
        }
    }

    /// How a client is told, before the socket is closed in this way, that it was not accepted. `None` where the close
    /// says it.
    pub(super) fn refusal(self, close: &Close) -> Option<Message> {
        match self {
            Self::Present => None,
            Self::Older => close.reason().map(older::connection_error),
        }
    }

    /// What is sent every so often to clients that would take the connection for dead without it, by servers that ping
    /// this often.
    pub(super) fn keep_alive(self, pings: Duration) -> Option<(Message, Duration)> {
        match self {
            Self::Present => None,
            Self::Older => Some((older::keep_alive(), pings.min(older::KEEP_ALIVE))),
        }
    }

    /// Whether an operation that the client has ended is answered with its completion: some clients wait for that.
    pub(super) fn completes_what_was_ended(self) -> bool {
        self == Self::Older
    }

    /// Whether an operation with the id of another takes its place; otherwise the client has made a mistake.
    pub(super) fn replaces(self) -> bool {
        self == Self::Older
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_spoken_is_chosen() {
        for (offered, expected) in [
            (&["graphql-transport-ws", "graphql-ws"][..], Some(Dialect::Present)),
            (&["mqtt", "graphql-ws", "graphql-transport-ws"], Some(Dialect::Older)),
            (&["graphql-subscriptions", "GRAPHQL-WS"], None),
            (&[], None),
        ] {
            assert_eq!(Dialect::choose(offered.iter().copied()), expected, "{offered:?}");
        }
    }
}
