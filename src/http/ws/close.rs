//! Why a socket is closed.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::WebSocket;
use super::frames::Offence;
use super::limits::{CLOSE_TIMEOUT, CLOSE_WRITE_TIMEOUT};
use crate::http::live::End;

/// The end of a socket. The codes of 44xx are those of the
/// [protocol](https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md); graphql-ws, its
/// most widespread client, connects again after 4403 and 1012 to 1014, and gives up after the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Close {
    /// The client went away, or the connection broke: no close frame can reach it.
    Gone,
    /// The client closed the socket, and received an answer.
    ByClient,
    /// The client has taken its leave, in the older dialect.
    Terminated,
    /// The server is stopping: the client is to connect again, to another node.
    Restart,
    /// The socket can't go on now: the client is to connect again later, and resume.
    TryAgainLater(&'static str),
    /// A message is longer than [`super::limits::MAX_MESSAGE_BYTES`].
    TooLong,
    /// A text message is not UTF-8.
    NotUtf8,
    /// The bytes are no WebSocket frames that a client may send.
    Protocol,
    /// A message can't be read.
    BadRequest(String),
    /// The client began an operation before the handshake was over.
    Unauthorized,
    /// No token, or one that is not valid; or its session has ended.
    Forbidden(&'static str),
    /// The client offers no subprotocol that the server speaks.
    SubprotocolNotAcceptable,
    /// `connection_init` did not come in time.
    InitTimeout,
    /// The id belongs to an operation that is still running.
    DuplicateId,
    /// The client sent a second `connection_init`.
    TooManyInits,
}

impl Close {
    /// The code and the text for the client. The text is constant except for [`Self::BadRequest`], and never quotes the
    /// client.
    fn frame(&self) -> Option<(u16, &str)> {
        Some(match self {
            Self::Gone | Self::ByClient => return None,
            Self::Terminated => (1000, ""),
            Self::Restart => (1012, "Service restart"),
            Self::TryAgainLater(reason) => (1013, reason),
            Self::TooLong => (1009, "Message too big"),
            Self::NotUtf8 => (1007, "Invalid UTF-8"),
            Self::Protocol => (1002, "Protocol error"),
            Self::BadRequest(reason) => (4400, reason),
            Self::Unauthorized => (4401, "Unauthorized"),
            Self::Forbidden(reason) => (4403, reason),
            Self::SubprotocolNotAcceptable => (4406, "Subprotocol not acceptable"),
            Self::InitTimeout => (4408, "Connection initialisation timeout"),
            Self::DuplicateId => (4409, "Subscriber already exists"),
            Self::TooManyInits => (4429, "Too many initialisation requests"),
        })
    }

    /// What the client is told, if it still listens and there is anything to tell.
    pub(super) fn reason(&self) -> Option<&str> {
        self.frame().map(|(_, reason)| reason).filter(|reason| !reason.is_empty())
    }

    /// Whether the client still listens, so that it may be sent what is ready.
    pub(super) fn is_heard(&self) -> bool {
        self.frame().is_some()
    }

    /// The label for metrics, if the client or the load is at fault.
    pub fn refusal(&self) -> Option<&'static str> {
        Some(match self {
            Self::Gone | Self::ByClient | Self::Terminated | Self::Restart => return None,
            Self::TryAgainLater(_) => "socket_try_again_later",
            Self::TooLong => "socket_message_too_long",
            Self::NotUtf8 => "socket_not_utf8",
            Self::Protocol => "socket_protocol",
            Self::BadRequest(_) => "socket_bad_request",
            Self::Unauthorized => "socket_unauthorized",
            Self::Forbidden(_) => "socket_forbidden",
            Self::SubprotocolNotAcceptable => "socket_subprotocol",
            Self::InitTimeout => "socket_init_timeout",
            Self::DuplicateId => "socket_duplicate_id",
            Self::TooManyInits => "socket_too_many_inits",
        })
    }

    /// Sends the close frame and waits for the client's: a connection that is dropped immediately could be reset before
    /// the client has read the reason.
    pub(super) async fn carry_out(self, mut socket: WebSocket) {
        if let Some((code, reason)) = self.frame() {
            let end = reason.floor_char_boundary(MAX_REASON_BYTES);
            let frame = CloseFrame { code: code.into(), reason: reason[..end].into() };
            let sent = within(CLOSE_WRITE_TIMEOUT, socket.send(Message::Close(Some(frame)))).await;
            if !matches!(sent, Some(Ok(()))) {
                return;
            }
        } else if self == Self::Gone {
            return;
        }
        within(CLOSE_TIMEOUT, async { while socket.next().await.is_some_and(|frame| frame.is_ok()) {} }).await;
    }
}

/// The most bytes that fit into a control frame beside the code (RFC 6455, section 5.5).
const MAX_REASON_BYTES: usize = 123;

async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

impl From<End> for Close {
    fn from(end: End) -> Self {
        match end {
            End::SessionEnded => Self::Forbidden("Session ended"),
            End::SessionExpired => Self::Forbidden("Session expired"),
            End::Drained => Self::Restart,
        }
    }
}

/// How a socket ends whose connection broke, or whose bytes are no valid WebSocket frames.
impl From<Error> for Close {
    fn from(error: Error) -> Self {
        match error {
            Error::Capacity(_) => Self::TooLong,
            Error::Utf8(_) => Self::NotUtf8,
            Error::Protocol(problem) if problem != ProtocolError::ResetWithoutClosingHandshake => Self::Protocol,
            Error::Io(error) => match error.get_ref().and_then(|cause| cause.downcast_ref()) {
                Some(Offence::TooManyFrames) => Self::TryAgainLater("Too many messages"),
                Some(Offence::TooSlow) => Self::TryAgainLater("Message too slow"),
                None => Self::Gone,
            },
            _ => Self::Gone,
        }
    }
}
