//! How the server is, for those who run it.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use sea_orm::ConnectionTrait;
use serde::Serialize;

use super::Edge;
use crate::log::doorbell::BrokerState;

/// A database that takes longer to answer `SELECT 1` is not reachable.
const DATABASE_DEADLINE: Duration = Duration::from_secs(2);

const OK: &str = "ok";

/// `/livez`: the process answers. Restart it when it doesn't.
pub async fn live() -> &'static str {
    "ok\n"
}

/// Whether requests should be sent here, and why not: each check is `ok` or says what is wrong.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    database: &'static str,
    log: &'static str,
    /// `degraded` is no reason to send requests elsewhere: events of other nodes only come later.
    broker: &'static str,
    server: &'static str,
}

/// `/readyz`: send requests here on 200, elsewhere on 503.
pub async fn ready(State(edge): State<Edge>) -> Response {
    let database = if reachable(&edge).await { OK } else { "unreachable" };
    let followed = edge.metrics.tail_errors.get() == 0 && !edge.halted.is_cancelled();
    let log = if followed { OK } else { "not followed" };
    let server = if edge.drain.is_cancelled() { "stopping" } else { OK };
    let broker = match edge.doorbell.state() {
        BrokerState::None => "none",
        BrokerState::Connected => OK,
        BrokerState::Away => "degraded",
    };
    let ready = [database, log, server] == [OK; 3];
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(Readiness { ready, database, log, broker, server }))
        .into_response()
}

async fn reachable(edge: &Edge) -> bool {
    let asked = tokio::time::timeout(DATABASE_DEADLINE, edge.store.read().execute_unprepared("SELECT 1")).await;
    matches!(asked, Ok(Ok(_)))
}

/// `/metrics`: for Prometheus.
pub async fn metrics(State(edge): State<Edge>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], edge.metrics.render())
}
