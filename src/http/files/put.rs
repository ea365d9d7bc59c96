//! Taking a file.

use axum::Extension;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{Link, not_found, storage_failed};
use crate::chat::{self, attachment::UploadError};
use crate::files::{ReceiveError, Right};
use crate::graphql::ErrorCode;
use crate::http::caller::Address;
use crate::http::graphql::charge_request;
use crate::http::{AppState, Rejection};

/// Takes the bytes of a file that was announced, from whoever has the link for it.
pub(in crate::http) async fn put(
    State(state): State<AppState>,
    Extension(address): Extension<Address>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Rejection> {
    charge_request(&state, address)?;
    let link = Link::parse(&id, request.uri())?;
    let size: i64 = link.number("size").unwrap_or_default();
    link.expect(&state, Right::Send { size })?;
    expect_length(request.headers(), size)?;
    let body = request.into_body().into_data_stream();
    // As a task of its own, so that what was written is deleted though the connection is gone.
    let (of_task, id) = (state.clone(), link.id);
    let receiving = state.connections.spawn(async move { receive(&of_task, id, body).await });
    receiving.await.unwrap_or_else(|error| {
        tracing::error!(%error, "taking a file failed");
        Err(Rejection::internal())
    })
}

/// Refuses a body of another length, if its length is said, before any of it is read.
fn expect_length(headers: &HeaderMap, size: i64) -> Result<(), Rejection> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Rejection::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorCode::BadUserInput,
            "a file is sent as it is, without an encoding",
        ));
    }
    let Some(length) = headers.get(header::CONTENT_LENGTH) else { return Ok(()) };
    match length.to_str().ok().and_then(|length| length.parse::<i64>().ok()) {
        Some(length) if length > size => Err(rejection(&ReceiveError::TooLong)),
        Some(length) if length < size => Err(rejection(&ReceiveError::TooShort)),
        _ => Ok(()),
    }
}

async fn receive(state: &AppState, id: crate::ids::AttachmentId, body: BodyDataStream) -> Result<Response, Rejection> {
    let row = state.chat.receive_upload(id, body).await.map_err(|error| match error {
        UploadError::Refused(chat::Error::NotFound { .. }) => not_found(),
        UploadError::Refused(error) => Rejection::refused(error),
        UploadError::NotReceived(error) => rejection(&error),
        UploadError::Taken => Rejection::new(StatusCode::CONFLICT, ErrorCode::Conflict, error.to_string()),
        UploadError::Other => unprocessable(&error),
        UploadError::TooMany => {
            Rejection::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::RateLimited, error.to_string())
                .with_header(header::RETRY_AFTER, "1")
        }
    })?;
    let answer = json!({
        "id": row.id.to_string(),
        "name": row.name,
        "contentType": row.content_type,
        "size": row.size,
        "width": row.width,
        "height": row.height,
        "url": state.chat.attachment_url(&row, None),
    });
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from(answer.to_string())).into_response())
}

fn unprocessable(error: &dyn std::error::Error) -> Rejection {
    Rejection::new(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::BadUserInput, error.to_string())
}

fn rejection(error: &ReceiveError) -> Rejection {
    let status = match error {
        ReceiveError::TooLong | ReceiveError::PictureTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ReceiveError::TooShort | ReceiveError::Cut => StatusCode::BAD_REQUEST,
        ReceiveError::TooSlow => StatusCode::REQUEST_TIMEOUT,
        ReceiveError::Picture(_) => return unprocessable(error),
        ReceiveError::Busy => {
            return Rejection::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, error.to_string())
                .with_header(header::RETRY_AFTER, "5");
        }
        ReceiveError::Storage(error) => return storage_failed(error),
    };
    Rejection::new(status, ErrorCode::BadUserInput, error.to_string())
}
