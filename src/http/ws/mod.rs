//! Operations by WebSocket: one task per socket, for which this is the map.
//!
//! | File | Holds |
//! |---|---|
//! | `protocol` | what goes over the wire: the messages of `graphql-transport-ws` |
//! | `close` | why a socket is closed, by code |
//! | `handshake` | from the upgrade to the acknowledged viewer |
//! | `session` | the loop: operations in, events out, until something ends it |
//! | `seldom` | keeps what the loop waits for beside events from being polled with each of them |
//! | `operations` | the operations under way on one socket |
//! | `limits` | the bounds that keep one socket from costing more than its share |
//!
//! Another dialect gets its own messages beside `protocol`; the rest serves both.

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Edge, Problem};
use crate::graphql::ErrorCode;

mod close;
mod handshake;
mod limits;
mod operations;
pub mod protocol;
mod seldom;
mod session;

use close::Close;
use handshake::Handshake;

/// Takes over a connection that asks for a WebSocket.
pub fn serve(edge: &Edge, upgrade: WebSocketUpgrade, headers: &HeaderMap) -> Response {
    if !is_allowed_origin(edge, headers) {
        edge.metrics.refusals.with_label_values(&["origin"]).inc();
        let message = "this website may not open sockets here";
        return Problem::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, message).into_response();
    }
    if edge.drain.is_cancelled() {
        return Problem::unavailable().into_response();
    }
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let upgrade = upgrade
        .protocols([protocol::NAME])
        .read_buffer_size(limits::READ_BUFFER_BYTES)
        .write_buffer_size(limits::WRITE_BUFFER_BYTES)
        .max_write_buffer_size(limits::MAX_WRITE_BUFFER_BYTES)
        .max_message_size(limits::MAX_MESSAGE_BYTES)
        .max_frame_size(limits::MAX_MESSAGE_BYTES);
    let is_spoken = upgrade.selected_protocol().is_some();
    // Counted from here on, so that a shutdown waits for a socket whose upgrade is not done yet.
    let counted = edge.connections.token();
    let edge = edge.clone();
    upgrade.on_upgrade(move |socket| async move {
        run(edge, socket, is_spoken, authorization).await;
        drop(counted);
    })
}

async fn run(edge: Edge, mut socket: WebSocket, is_spoken: bool, authorization: Option<String>) {
    edge.metrics.sockets.inc();
    let close = if is_spoken {
        // In a box of its own, which is gone after it: a socket waits longest for events, and should hold no more than that
        // needs.
        match Box::pin(Handshake::new(&edge, authorization).run(&mut socket)).await {
            Ok(opened) => session::run(&edge, &mut socket, opened).await,
            Err(close) => close,
        }
    } else {
        Close::SubprotocolNotAcceptable
    };
    edge.metrics.sockets.dec();
    if let Some(reason) = close.refusal() {
        edge.metrics.refusals.with_label_values(&[reason]).inc();
    }
    Box::pin(close.carry_out(socket)).await;
}

/// Scripts of other websites must not reach a user's chat by way of the user's browser. Programs send no `Origin`.
fn is_allowed_origin(edge: &Edge, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = origin.split_once("://").map(|(_, host)| host);
    (own.is_some() && own == host) || edge.allowed_origins.iter().any(|allowed| allowed == "*" || allowed == origin)
}
