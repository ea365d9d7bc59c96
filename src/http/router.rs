//! Which handler serves which path.

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::from_fn;
use axum::routing::get;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::observe::{REQUEST_ID, observe};
use super::{AppState, Rejection, graphql, head, health};
use crate::graphql::ErrorCode;

/// How long a browser may remember that an origin is allowed.
const PREFLIGHT_AGE: Duration = Duration::from_hours(1);

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
    let router = match cors(&state.allowed_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(from_fn(head::check)).layer(from_fn(observe)).with_state(state)
}

/// Without configured origins there is no header: browsers then let only the server's own pages read answers.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    let allowed = match origins {
        [] => return None,
        origins if origins.iter().any(|origin| origin == "*") => AllowOrigin::any(),
        origins => AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok())),
    };
    let cors = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT, REQUEST_ID])
        .expose_headers([REQUEST_ID, header::RETRY_AFTER])
        .max_age(PREFLIGHT_AGE);
    Some(cors)
}

async fn not_found() -> Rejection {
    Rejection::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, "there is nothing here; the API is at /graphql")
}

async fn method_not_allowed() -> Rejection {
    Rejection::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadUserInput, "not by this method")
}
