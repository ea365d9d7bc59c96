//! Connections, their time limits, and their end.
//!
//! `axum::serve` sets no time limit on a client that sends its headers slowly or never, so this uses hyper directly.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

use super::AppState;
use super::caller::Address;
use super::head::MAX_HEAD_BYTES;
use super::stream::{self, Drained};

/// How long the headers of a request may take to arrive, from the beginning of the connection or from the answer
/// before.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes of a request's beginning that are kept until its headers end; also the largest read from a
/// connection. `head` refuses what is longer than that without filling it.
const MAX_BUFFER_BYTES: usize = MAX_HEAD_BYTES;

/// How long to wait when the system can't accept a connection, for example because all file handles are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Accepts connections until the server drains. Connections that are open then finish their present request:
/// [`AppParts::connections`](super::AppParts::connections) waits for them.
pub(crate) async fn serve(listener: TcpListener, router: Router, state: AppState) {
    loop {
        let accepted = tokio::select! {
            () = state.drain.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                state.connections.spawn(connection(stream, peer.ip(), router.clone(), state.clone()));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "connections can't be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(tcp: TcpStream, peer: IpAddr, router: Router, state: AppState) {
    // Small answers and events must not wait for the client's acknowledgement of earlier ones.
    let _ = tcp.set_nodelay(true);
    let trusted = state.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let address = Address::of(peer, request.headers(), &trusted.trusted_proxies);
        request.extensions_mut().insert(address);
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_BUFFER_BYTES)
        .serve_connection(TokioIo::new(Drained::new(tcp, stream::PERIOD)), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return report(ended),
        () = state.drain.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = connection => report(ended),
        () = state.end.cancelled() => {}
    }
}

/// Clients end connections in all kinds of ways, none of which is a fault of this server.
fn report(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
