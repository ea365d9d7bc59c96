//! Subscriptions over HTTP: answers that go on, in one of two forms.
//!
//! | File | Holds |
//! |---|---|
//! | `accept` | which form the client wants |
//! | `sse` | GraphQL over server-sent events |
//! | `multipart` | Apollo's multipart protocol for subscriptions |
//! | `body` | the body: outputs and heartbeats, until something ends it |
//!
//! What is written is what the engine gives, as on a socket; the forms differ in what surrounds it.

use async_graphql::ServerError;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use uuid::Uuid;

use super::caller::Caller;
use super::engine::{self, Operation};
use super::live::{End, Live};
use super::{AppState, Rejection};
use crate::chat::{self, Reason};
use crate::delivery::Allowance;
use crate::graphql::ErrorCode;
use crate::limits::{Charge, Exceeded, Limits, Meter, Origin, PerNetwork, PerUser};
use crate::position::{CursorText, InvalidCursor, Resume};

mod accept;
mod body;
mod multipart;
mod sse;

pub(super) use accept::Accepted;

use body::EventsBody;

/// Carries the cursor at which a stream of server-sent events resumes.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Asks nginx, and proxies that do as it does, to pass each event on without waiting for more.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// When somebody who has as many connections as may be can try again.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(5);

/// The form of an answer that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// [GraphQL over server-sent events](https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverSSE.md),
    /// in distinct connections mode.
    EventStream,
    /// Apollo's [multipart protocol](https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol).
    Multipart,
}

impl Framing {
    fn content_type(self) -> &'static str {
        match self {
            Self::EventStream => sse::CONTENT_TYPE,
            Self::Multipart => multipart::CONTENT_TYPE,
        }
    }

    fn opening(self) -> Bytes {
        match self {
            Self::EventStream => sse::opening(),
            Self::Multipart => multipart::opening(),
        }
    }

    fn heartbeat(self) -> Bytes {
        match self {
            Self::EventStream => sse::heartbeat(),
            Self::Multipart => multipart::heartbeat(),
        }
    }

    /// One response. `at` is the cursor of a client that has received it.
    fn next(self, json: &str, at: Option<CursorText>) -> Bytes {
        match self {
            Self::EventStream => sse::next(json, at),
            Self::Multipart => multipart::next(json),
        }
    }

    /// Nothing comes any more, and the client needn't come back.
    fn complete(self) -> Bytes {
        match self {
            Self::EventStream => sse::complete(),
            Self::Multipart => multipart::complete(),
        }
    }

    /// The operation was refused.
    fn refused(self, errors: &[ServerError]) -> Bytes {
        let json = engine::executed(async_graphql::Response::from_errors(errors.to_vec())).to_json();
        [self.next(&json, None), self.complete()].concat().into()
    }

    /// Nothing comes any more on this connection, and the client is to connect again.
    fn ended(self, why: Ended) -> Bytes {
        match self {
            Self::EventStream => sse::ended(why.message()),
            Self::Multipart => multipart::ended(&why.error()),
        }
    }
}

/// Why a stream ends that the client is to begin anew.
#[derive(Clone, Copy, Debug)]
enum Ended {
    /// The server can't go on with it now.
    Failed,
    /// The connection must end.
    Connection(End),
}

impl Ended {
    fn message(self) -> &'static str {
        match self {
            Self::Failed => "try again later",
            Self::Connection(End::SessionEnded) => "session ended",
            Self::Connection(End::SessionExpired) => "session expired",
            Self::Connection(End::Drained) => "service restart",
        }
    }

    fn error(self) -> ServerError {
        let code = match self {
            Self::Failed | Self::Connection(End::Drained) => ErrorCode::Unavailable,
            Self::Connection(End::SessionEnded | End::SessionExpired) => ErrorCode::Unauthenticated,
        };
        code.error(self.message())
    }
}

/// Begins a subscription for the caller, whose answer goes on until its client, its session or the server ends it. It
/// resumes at the cursor of the operation or, without one, at `Last-Event-ID`.
///
/// # Errors
/// 401 without a viewer; 403 for a server key; 400 when `Last-Event-ID` is no cursor; 429 over a limit; 503 when the server stops.
pub(super) async fn subscribe(
    state: &AppState,
    headers: &HeaderMap,
    caller: Caller,
    operation: Operation,
    meter: &Meter,
    framing: Framing,
) -> Result<Response, Rejection> {
    if state.drain.is_cancelled() {
        return Err(Rejection::unavailable());
    }
    if caller.key.is_some() {
        return Err(Rejection::refused(chat::Error::Refused(Reason::ServerKeyCantSubscribe)));
    }
    let viewer = caller.viewer.ok_or(chat::Error::Unauthenticated)?;
    let last = match framing {
        Framing::EventStream => last_event_id(state, headers).map_err(|rejection| *rejection)?,
        Framing::Multipart => None,
    };
    let resumes = last.is_some() || matches!(engine::own_cursor(state, &operation), Ok(Some(_)));
    charge_opening(&state.limits, caller.address.origin, viewer.user.0, resumes)?;
    meter.charge(Charge::User(PerUser::Reads)).await?;
    let live = Live::open(state, viewer).ok_or(Exceeded { retry_after: RETRY_AFTER })?;
    let outputs = engine::subscribe(state, viewer, last, operation, Allowance::default());
    Ok(response(framing, Body::from_stream(EventsBody::new(state, framing, outputs, live))))
}

/// One response to a query or mutation, or its refusal, for a client that wants it as a stream of events.
pub(super) fn single(json: Bytes) -> Response {
    let parts = [sse::before_data(), json, sse::after_data(), sse::complete()];
    let body = Body::from_stream(stream::iter(parts.map(Ok::<_, std::convert::Infallible>)));
    response(Framing::EventStream, body)
}

fn response(framing: Framing, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(framing.content_type())),
        // Whoever compresses it on the way would keep events back.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform")),
        (ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (StatusCode::OK, headers, body).into_response()
}

fn last_event_id(state: &AppState, headers: &HeaderMap) -> Result<Option<Resume>, Box<Rejection>> {
    let Some(id) = headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty()) else { return Ok(None) };
    let text: Result<CursorText, InvalidCursor> = id.to_str().map_err(|_| InvalidCursor).and_then(str::parse);
    let text = text.map_err(|invalid| Rejection::bad_request(format!("`Last-Event-ID` is {invalid}")))?;
    Ok(Some(state.cursors.open(text)))
}

/// Charges the opening of a stream as that of a socket: to its address or, if it resumes or its address may open no more,
/// to its user. After a restart, everybody behind one address comes back together.
fn charge_opening(limits: &Limits, origin: Origin, user: Uuid, resumes: bool) -> Result<(), Exceeded> {
    let (network, user) =
        (|| limits.charge_network(origin, PerNetwork::Sockets), || limits.charge_user(user, PerUser::Resumes));
    if resumes { user().or_else(|_| network()) } else { network().or_else(|_| user()) }
}
