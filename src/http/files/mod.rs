//! Files: sent to and fetched from links that say what their holder may do.

use std::collections::HashMap;

use axum::http::{StatusCode, Uri, header};

use super::{AppState, Rejection};
use crate::files::{Right, Thumbnails, Variant, is_full};
use crate::graphql::ErrorCode;
use crate::ids::AttachmentId;

mod get;
mod put;
mod range;

pub(super) use get::get;
pub(super) use put::put;

/// What every path of a file begins with.
pub(super) const BELOW: &str = "/files/";

/// What a link says.
struct Link {
    id: AttachmentId,
    parameters: HashMap<String, String>,
}

impl Link {
    fn parse(id: &str, uri: &Uri) -> Result<Self, Rejection> {
        let id = id.parse().map_err(|_| not_found())?;
        let parameters = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Ok(Self { id, parameters: parameters.into_owned().collect() })
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.parameters.get(name)?.parse().ok()
    }

    /// What is to be fetched.
    fn variant(&self) -> Result<Variant, Rejection> {
        if !self.parameters.contains_key("side") {
            return Ok(Variant::Whole);
        }
        let side = self.number("side").filter(|side| Thumbnails::SIDES.contains(side));
        side.map(Variant::Thumbnail).ok_or_else(not_found)
    }

    fn is_signed(&self) -> bool {
        self.parameters.contains_key("sig")
    }

    /// Checks that the link gives its holder this right.
    fn expect(&self, state: &AppState, right: Right) -> Result<(), Rejection> {
        let files = state.chat.files().map_err(Rejection::refused)?;
        let signature = self.parameters.get("sig").map_or("", String::as_str);
        let exp = self.number("exp").unwrap_or_default();
        if files.links.are_good(self.id, right, exp, signature, state.chat.clock().now()) {
            return Ok(());
        }
        let problem = "this link isn't good, or not any more: ask for another one";
        Err(Rejection::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, problem))
    }
}

fn not_found() -> Rejection {
    Rejection::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, "there is no such file")
}

/// The storage of files can't be used now, which is logged.
fn storage_failed(error: &object_store::Error) -> Rejection {
    let (status, problem) = if is_full(error) {
        (StatusCode::INSUFFICIENT_STORAGE, "the storage of files is full; try again later")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the storage of files can't be used now; try again later")
    };
    tracing::warn!(error = error as &dyn std::error::Error, status = status.as_u16(), "the storage of files failed");
    Rejection::new(status, ErrorCode::Unavailable, problem).with_header(header::RETRY_AFTER, "5")
}
