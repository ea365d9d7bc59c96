//! Connections, the time they are given, and their end.
//!
//! `axum::serve` sets no time limit on a client that sends its headers slowly or never, hence hyper itself.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

use super::Edge;

/// Within this time the headers of the first request must be here, and those of the next after each answer.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Headers of one request at most; also the largest read from a connection.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// How long to wait when the system gives no connection, for example because all file handles are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Accepts connections until the edge drains. Those that are open then finish the request they are at; who waits for
/// them waits for [`EdgeParts::connections`](super::EdgeParts::connections).
pub async fn serve(listener: TcpListener, router: Router, edge: Edge) {
    loop {
        let accepted = tokio::select! {
            () = edge.drain.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                edge.connections.spawn(connection(stream, router.clone(), edge.clone()));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "connections can't be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, edge: Edge) {
    // Small answers and events must not wait for the client's acknowledgement of earlier ones.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| router.clone().call(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return report(ended),
        () = edge.drain.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = connection => report(ended),
        () = edge.end.cancelled() => {}
    }
}

/// Clients end connections in every way there is; none of them is this server's trouble.
fn report(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
