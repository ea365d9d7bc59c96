//! The server's health and metrics, for its operator.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;

use super::AppState;
use crate::broker::BrokerState;

const OK: &str = "ok";

/// `/livez`: the process answers. Restart it if it doesn't.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// Whether requests should be sent here, and why not: each check is `ok` or says what is wrong.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    database: &'static str,
    log: &'static str,
    /// `degraded` is no reason to send requests elsewhere: events of other nodes only arrive later.
    broker: &'static str,
    /// `degraded`, with names, is no reason either: these consumers are far behind, on every node.
    consumers: String,
    server: &'static str,
}

/// `/readyz`: send requests here on 200, elsewhere on 503.
pub(crate) async fn ready(State(state): State<AppState>) -> Response {
    // What an append has shown just now need not be asked.
    let writable = match state.pulse.is_written() {
        Some(well) => well,
        None => state.store.may_write().await,
    };
    let database = match state.store.in_place() {
        Ok(()) if writable => OK,
        Ok(()) => "not writable",
        Err(_) => "not in place",
    };
    let followed =
        state.pulse.is_read(state.poll) && state.metrics.tail_errors.get() == 0 && !state.halted.is_cancelled();
    let log = if followed { OK } else { "not followed" };
    let server = if state.drain.is_cancelled() { "stopping" } else { OK };
    let broker = match state.broker.state() {
        BrokerState::None => "none",
        BrokerState::Connected => OK,
        BrokerState::Away => "degraded",
    };
    let consumers = match state.lags.degraded() {
        names if names.is_empty() => OK.to_owned(),
        names => format!("degraded: {}", names.join(", ")),
    };
    let ready = [database, log, server] == [OK; 3];
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let readiness = Readiness { ready, database, log, broker, consumers, server };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(readiness)).into_response()
}

/// `/metrics`: for Prometheus.
pub(crate) async fn metrics(State(state): State<AppState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render())
}
