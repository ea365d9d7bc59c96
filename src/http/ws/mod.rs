//! Operations by WebSocket: one task per socket reads and writes; the operations that it begins run in the engine.
//!
//! | File | Holds |
//! |---|---|
//! | `upgrade` | from the HTTP request to a stream of frames |
//! | `frames` | what a client sends beneath the WebSocket library |
//! | `dialect` | the subprotocols that are spoken, and how they differ |
//! | `protocol` | what goes over the wire: the messages of `graphql-transport-ws` |
//! | `older` | the messages of `graphql-ws`, the dialect before it |
//! | `close` | why a socket is closed, by code |
//! | `handshake` | from the upgrade to the acknowledged viewer |
//! | `session` | the loop: operations in, events out, until something ends it |
//! | `poll_gate` | keeps the loop from polling the connection and the timers with every event |
//! | `operations` | the operations that run on one socket |
//! | `limits` | the bounds that keep one socket from costing more than its share |
//!
//! Another dialect gets its own messages in a file beside `protocol`, a place in `dialect`, and shares the rest.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::caller::Address;
use super::{AppState, Rejection};
use crate::graphql::ErrorCode;
use crate::website::Website;

mod close;
mod dialect;
mod frames;
mod handshake;
mod limits;
mod older;
mod operations;
mod poll_gate;
pub mod protocol;
mod session;
mod upgrade;

use close::Close;
use dialect::Dialect;
use frames::CountedFrames;
use handshake::Handshake;
pub(super) use upgrade::Upgrade;

/// A socket, from the upgrade on.
type WebSocket = WebSocketStream<CountedFrames<TokioIo<Upgraded>>>;

/// Takes over a connection that asks for a WebSocket.
pub(super) fn serve(state: &AppState, upgrade: Upgrade, address: Address, headers: &HeaderMap) -> Response {
    if !is_allowed_origin(state, headers) {
        state.metrics.refusals.with_label_values(&["origin"]).inc();
        let message = "this website may not open sockets here";
        return Rejection::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, message).into_response();
    }
    if state.drain.is_cancelled() {
        return Rejection::unavailable().into_response();
    }
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let dialect = Dialect::choose(upgrade.subprotocols());
    if dialect.is_none() {
        // Browsers tell nobody why such a socket failed.
        tracing::info!(
            client = %address.ip,
            offered = ?upgrade.offered(),
            "a client offers no subprotocol that is spoken: graphql-transport-ws or graphql-ws"
        );
    }
    let response = upgrade.response(dialect.map(Dialect::name));
    // Spawned before the answer is sent, so that a shutdown waits for a socket whose upgrade is not done yet.
    state.connections.spawn({
        let state = state.clone();
        async move {
            let Ok(stream) = upgrade.stream.await else { return };
            let frames = CountedFrames::new(TokioIo::new(stream), limits::MESSAGE_TIME);
            let socket = WebSocketStream::from_raw_socket(frames, Role::Server, Some(config())).await;
            run(state, socket, dialect, address, authorization).await;
        }
    });
    response
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(limits::READ_BUFFER_BYTES)
        .write_buffer_size(limits::WRITE_BUFFER_BYTES)
        .max_write_buffer_size(limits::MAX_WRITE_BUFFER_BYTES)
        .max_message_size(Some(limits::MAX_MESSAGE_BYTES))
        .max_frame_size(Some(limits::MAX_MESSAGE_BYTES))
}

async fn run(
    state: AppState,
    mut socket: WebSocket,
    dialect: Option<Dialect>,
    address: Address,
    authorization: Option<String>,
) {
    state.metrics.sockets.inc();
    let close = match dialect {
        // In a box of its own, which is freed after the handshake: a socket spends most of its life waiting for events,
        // and should hold no more memory than that needs.
        Some(dialect) => {
            match Box::pin(Handshake::new(&state, dialect, address, authorization).run(&mut socket)).await {
                Ok(opened) => session::run(&state, &mut socket, dialect, opened).await,
                Err(close) => close,
            }
        }
        None => Close::SubprotocolNotAcceptable,
    };
    state.metrics.sockets.dec();
    if let Some(reason) = close.refusal() {
        state.metrics.refusals.with_label_values(&[reason]).inc();
    }
    Box::pin(close.carry_out(socket)).await;
}

/// Scripts of other websites must not reach a user's chat through the user's browser. Programs send no `Origin`.
fn is_allowed_origin(state: &AppState, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    Website::parse(origin).is_some_and(|website| website.is_at(host)) || state.allowed_origins.include(origin)
}
