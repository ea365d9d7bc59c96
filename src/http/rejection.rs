//! Answers to requests of which no operation was run: the request was not understood, not allowed, or could not be
//! served.

use async_graphql::{Response as GraphQLResponse, ServerError};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::engine::{self, InvalidBody};
use super::media::MediaType;
use crate::chat;
use crate::failure::Failure;
use crate::graphql::{ApiError, ErrorCode};
use crate::limits::Exceeded;

/// A refusal with an HTTP status. Its body has the shape of a GraphQL answer, so that clients need only one way to read
/// errors.
#[derive(Debug)]
pub struct Rejection {
    status: StatusCode,
    /// Boxed, because every result of a request's checks is as large as a refusal.
    error: Box<ServerError>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Rejection {
    /// An answer with this status, code and text.
    #[must_use]
    pub fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { status, error: Box::new(code.error(message)), header: None }
    }

    /// The request is not acceptable: 400.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, message)
    }

    /// Something failed that should not: 500. The caller must log the cause.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::InternalServerError, "internal error")
    }

    /// The request can't be served now: 503.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Unavailable,
            "the service is unavailable; try again later",
        )
    }

    /// An error of the rules that concerns a whole request: 403 where the rules forbid it, 400 for what it names. Anything
    /// else as by [`From<chat::Error>`].
    #[must_use]
    pub fn refused(error: chat::Error) -> Self {
        let status = match &error {
            chat::Error::Refused(_) | chat::Error::Forbidden(_) => StatusCode::FORBIDDEN,
            chat::Error::NotFound { .. } | chat::Error::Invalid { .. } => StatusCode::BAD_REQUEST,
            _ => return error.into(),
        };
        Self { status, error: Box::new(ApiError::from(error).into()), header: None }
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(self, name: HeaderName, value: &'static str) -> Self {
        Self { header: Some((name, HeaderValue::from_static(value))), ..self }
    }

    /// The answer in the form that the client asked for.
    #[must_use]
    pub fn into_media(self, media: MediaType) -> Response {
        let executed = engine::executed(GraphQLResponse::from_errors(vec![*self.error]));
        let mut response = media.render(self.status, &executed);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// The caller has exceeded a limit: 429, with how long to wait in `Retry-After`.
impl From<Exceeded> for Rejection {
    fn from(exceeded: Exceeded) -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, error: Box::new(ApiError::from(exceeded).into()), header: None }
    }
}

/// The request is no operation: 400.
impl From<InvalidBody> for Rejection {
    fn from(invalid: InvalidBody) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error: Box::new(invalid.to_error()), header: None }
    }
}

/// An error of the rules that occurred outside of any operation.
impl From<chat::Error> for Rejection {
    fn from(error: chat::Error) -> Self {
        match error {
            chat::Error::Unauthenticated => {
                Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthenticated, error.to_string())
                    .with_header(header::WWW_AUTHENTICATE, "Bearer")
            }
            outage if outage.failure() == Failure::Outage => {
                tracing::warn!(error = &outage as &dyn std::error::Error, "a request could not be served");
                Self::unavailable()
            }
            defect => {
                tracing::error!(error = &defect as &dyn std::error::Error, "a request failed");
                Self::internal()
            }
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.into_media(MediaType::Json)
    }
}
