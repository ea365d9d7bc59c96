//! Giving a file to whoever has a link to it, or sees its message.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::range::{Asked, asked};
use super::{Link, not_found, storage_failed};
use crate::files::{Kind, Right, Thumbnails, Variant};
use crate::graphql::ErrorCode;
use crate::http::caller::{Address, Caller};
use crate::http::graphql::charge_request;
use crate::http::{AppState, Rejection};
use crate::store::entity::attachment;

/// Whatever a file holds, a browser that opens it runs nothing of it and loads nothing for it.
const POLICY: &str = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'";

/// Links change each hour, and the file behind a path never does.
const CACHING: &str = "private, max-age=7200, immutable";

/// Gives a file to whoever has a good link to it or, without a signature, to who is signed in and sees its message.
pub(in crate::http) async fn get(
    State(state): State<AppState>,
    Extension(address): Extension<Address>,
    Path((id, _)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Rejection> {
    charge_request(&state, address)?;
    let (request, _) = request.into_parts();
    let link = Link::parse(&id, &request.uri)?;
    let variant = link.variant()?;
    let row = if link.is_signed() {
        link.expect(&state, Right::Fetch(variant))?;
        let gone = || Rejection::new(StatusCode::GONE, ErrorCode::NotFound, "this file was deleted");
        state.chat.living_attachment(link.id).await?.ok_or_else(gone)?
    } else {
        state.chat.files().map_err(Rejection::refused)?;
        let caller = Caller::of(&state, address, &request.headers).await?;
        let viewer = caller.viewer.ok_or(Rejection::from(crate::chat::Error::Unauthenticated))?;
        let row = state.chat.living_attachment(link.id).await?.ok_or_else(not_found)?;
        if !state.chat.sees_attachment(&viewer, &row).await? {
            return Err(not_found());
        }
        row
    };
    serve(&state, &row, variant, &request).await
}

async fn serve(
    state: &AppState,
    row: &attachment::Model,
    variant: Variant,
    request: &Parts,
) -> Result<Response, Rejection> {
    let (object, files) = (row.object_id.ok_or_else(not_found)?, state.chat.files().map_err(Rejection::refused)?);
    let (media_type, is_shown) = match variant {
        Variant::Whole => Kind::served(&row.content_type),
        Variant::Thumbnail(_) => (Thumbnails(row.thumbnails).media_type(), true),
    };
    let etag = match variant {
        Variant::Whole => format!("\"{}\"", object.0.simple()),
        Variant::Thumbnail(side) => format!("\"{}-{side}\"", object.0.simple()),
    };
    let headers = headers(&row.name, media_type, is_shown, &etag);
    let given = &request.headers;
    if given.get(header::IF_NONE_MATCH).is_some_and(|known| names(known, &etag)) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let size = u64::try_from(row.size).unwrap_or_default();
    let asked = match variant {
        Variant::Whole => part(given, &etag, size),
        Variant::Thumbnail(_) => Asked::All,
    };
    let range = match asked {
        Asked::None => {
            let whole = HeaderValue::from_str(&format!("bytes */{size}")).map_err(|_| Rejection::internal())?;
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, whole)]).into_response());
        }
        Asked::Part(range) => Some(range),
        Asked::All => None,
    };
    let found = files.storage.get(object, variant, range.clone()).await.map_err(|error| match error {
        object_store::Error::NotFound { .. } => {
            tracing::error!(attachment = %row.id, %object, "a file isn't in the storage");
            Rejection::new(StatusCode::GONE, ErrorCode::NotFound, "this file is lost")
        }
        error => storage_failed(&error),
    })?;
    let length = found.range.end - found.range.start;
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = (status, headers).into_response();
    let mut set = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_LENGTH, length.to_string());
    if let Some(range) = range {
        set(header::CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1));
    }
    if request.method != Method::HEAD {
        *response.body_mut() = Body::from_stream(found.into_stream());
    }
    Ok(response)
}

/// The part that is asked for, unless it is of another file than this.
fn part(given: &HeaderMap, etag: &str, size: u64) -> Asked {
    if given.get(header::IF_RANGE).is_some_and(|known| known.as_bytes() != etag.as_bytes()) {
        return Asked::All;
    }
    given.get(header::RANGE).and_then(|range| range.to_str().ok()).map_or(Asked::All, |range| asked(range, size))
}

/// Whether `If-None-Match` names this file.
fn names(known: &HeaderValue, etag: &str) -> bool {
    known
        .to_str()
        .is_ok_and(|known| known.split(',').any(|known| [etag, "*"].contains(&known.trim().trim_start_matches("W/"))))
}

fn headers(name: &str, media_type: &'static str, is_shown: bool, etag: &str) -> HeaderMap {
    let how = if is_shown { "inline" } else { "attachment" };
    // https://www.rfc-editor.org/rfc/rfc6266#section-5: the form that says its encoding, which all browsers know.
    let disposition = format!("{how}; filename*=UTF-8''{}", utf8_percent_encode(name, NON_ALPHANUMERIC));
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_DISPOSITION, &*disposition),
        (header::ETAG, etag),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, CACHING),
        (header::ACCEPT_RANGES, "bytes"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers
}
