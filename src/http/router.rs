//! Which handler serves which path, by which methods.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};

use super::observe::observe;
use super::pages::home;
use super::{AppState, Rejection, cors, files, graphql, head, health};
use crate::graphql::ErrorCode;

/// The path of the API.
const API: &str = "/graphql";

/// The whole server as one service.
pub(crate) fn router(state: AppState) -> Router {
    let graphql = get(graphql::get).post(graphql::post).options(options);
    let files = state.pages.routes();
    let router = files
        .fold(Router::new(), |router, (path, file)| router.route(&path, file.options(options)))
        .route("/", get(home::show).options(options))
        .route(API, graphql.layer(DefaultBodyLimit::max(graphql::MAX_BODY_BYTES)))
        .route("/files/{id}", put(files::put).options(options))
        .route("/files/{id}/{name}", get(files::get).options(options))
        .route("/livez", get(health::live).options(options))
        .route("/readyz", get(health::ready).options(options))
        .route("/metrics", get(health::metrics).options(options))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed);
    let router = match cors::layer(&state) {
        Some(cors) => router.layer(cors).layer(from_fn(name_methods)),
        None => router,
    };
    router.layer(from_fn(head::check)).layer(from_fn(observe)).with_state(state)
}

/// The methods by which this path is served.
fn methods(path: &str) -> &'static str {
    match path.strip_prefix(files::BELOW) {
        Some(below) if !below.contains('/') => "PUT, OPTIONS",
        _ if path == API => "GET, HEAD, POST, OPTIONS",
        _ => "GET, HEAD, OPTIONS",
    }
}

/// Answers `OPTIONS` ([RFC 9110, section 9.3.7](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.7)).
async fn options(uri: Uri) -> Response {
    (StatusCode::NO_CONTENT, [(header::ALLOW, methods(uri.path()))]).into_response()
}

/// The layer for CORS takes every `OPTIONS` for a preflight, and names what other websites may do alone.
async fn name_methods(request: Request, next: Next) -> Response {
    let allow = (request.method() == Method::OPTIONS).then(|| HeaderValue::from_static(methods(request.uri().path())));
    let mut response = next.run(request).await;
    if let Some(allow) = allow {
        response.headers_mut().entry(header::ALLOW).or_insert(allow);
    }
    response
}

async fn not_found() -> Rejection {
    Rejection::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, "there is nothing here; the API is at /graphql")
}

async fn method_not_allowed(method: Method, uri: Uri) -> Rejection {
    let message = if uri.path() == API && matches!(method, Method::PUT | Method::DELETE) {
        "not by this method: server-sent events are served on a connection for each operation, by POST or GET"
    } else {
        "not by this method"
    };
    Rejection::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadUserInput, message)
        .with_header(header::ALLOW, methods(uri.path()))
}
