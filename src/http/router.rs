//! Which handler serves which path.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::routing::get;

use super::observe::observe;
use super::{AppState, Rejection, cors, graphql, head, health};
use crate::graphql::ErrorCode;

/// The whole server as one service.
pub(crate) fn router(state: AppState) -> Router {
    let graphql = get(graphql::get).post(graphql::post).layer(DefaultBodyLimit::max(graphql::MAX_BODY_BYTES));
    let router = Router::new()
        .route("/graphql", graphql)
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed);
    let router = match cors::layer(&state) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(from_fn(head::check)).layer(from_fn(observe)).with_state(state)
}

async fn not_found() -> Rejection {
    Rejection::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, "there is nothing here; the API is at /graphql")
}

async fn method_not_allowed() -> Rejection {
    Rejection::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadUserInput, "not by this method")
}
