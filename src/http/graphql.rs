//! Operations by POST, and queries by GET, following the draft of [GraphQL over
//! HTTP](https://graphql.github.io/graphql-over-http/draft/). Subscriptions branch off to `events`, by the `Accept` header.

use std::time::Duration;

use async_graphql::Response as GraphQLResponse;
use async_graphql::parser::types::OperationType;
use axum::body::Bytes;
use axum::extract::{Extension, FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answers::Answer;
use super::caller::{Address, Caller};
use super::encoding::{self, Coding, Undecodable};
use super::engine::{self, InvalidBody, Operation, OperationRefused, RequestBody};
use super::events::{self, Accepted};
use super::parameters::{InvalidParameters, Parameters};
use super::{AppState, Rejection, pages, ws};
use crate::delivery::Executed;
use crate::graphql::ErrorCode;
use crate::limits::{Exceeded, PerNetwork};

/// The most bytes in a body, compressed and not; the router enforces it while the body is read.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;

/// What a client is told that subscribes and takes no answer that goes on.
const HOW_TO_SUBSCRIBE: &str = "subscribe through a WebSocket at the same address, or accept `text/event-stream`, or \
                                `multipart/mixed;subscriptionSpec=1.0`";

/// How long the body may take to arrive after the headers.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What an answer by GET depends on besides its URL, for caches that keep it although they are told not to.
const VARY: HeaderValue = HeaderValue::from_static("authorization, accept");

/// How a request wants to be answered.
#[derive(Clone, Copy)]
struct Reply {
    accepted: Accepted,
    coding: Option<Coding>,
    /// Whether the request must change nothing: a link, and whatever follows one, can make it.
    is_safe: bool,
}

/// A WebSocket for a client that upgrades, the answer to a query in the URL, the playground for a browser that wants a
/// page.
pub(crate) async fn get(
    State(state): State<AppState>,
    Extension(address): Extension<Address>,
    mut request: Request,
) -> Response {
    if let Err(exceeded) = charge_request(&state, address) {
        return Rejection::from(exceeded).into_response();
    }
    if request.method() == Method::GET && ws::Upgrade::is_asked_for(request.headers()) {
        return match ws::Upgrade::of(&mut request) {
            Ok(upgrade) => ws::serve(&state, upgrade, address, request.headers()),
            Err(rejection) => (*rejection).into_response(),
        };
    }
    let headers = request.headers();
    let parameters = Parameters::parse(request.uri().query().unwrap_or_default());
    let wants_page = pages::are_wanted(headers) && !parameters.as_ref().is_ok_and(Parameters::have_operation);
    if let Some(page) = wants_page.then(|| state.pages.show_playground(headers)).flatten() {
        return page;
    }
    let mut response = match Accepted::of(headers) {
        Some(accepted) => {
            let reply = Reply { accepted, coding: Coding::accepted(headers), is_safe: true };
            let answer = get_query(&state, address, headers, parameters, reply).await;
            answer.unwrap_or_else(|problem| problem.into_media(accepted.media))
        }
        None => not_acceptable(),
    };
    response.headers_mut().append(header::VARY, VARY);
    response
}

async fn get_query(
    state: &AppState,
    address: Address,
    headers: &HeaderMap,
    parameters: Result<Parameters, InvalidParameters>,
    reply: Reply,
) -> Result<Response, Rejection> {
    let caller = Caller::of(state, address, headers).await?;
    let parameters = parameters.map_err(|invalid| Rejection::bad_request(invalid.to_string()))?;
    let Parameters { query, operation_name, variables, extensions } = parameters;
    let body = RequestBody::from_parts(query, operation_name, variables.as_deref(), extensions.as_deref());
    answer(state, headers, caller, body, reply).await
}

/// Executes one query or mutation.
pub(crate) async fn post(
    State(state): State<AppState>,
    Extension(address): Extension<Address>,
    request: Request,
) -> Response {
    let Some(accepted) = Accepted::of(request.headers()) else { return not_acceptable() };
    let reply = Reply { accepted, coding: Coding::accepted(request.headers()), is_safe: false };
    match charge_request(&state, address) {
        Ok(()) => serve(&state, address, request, reply).await,
        Err(exceeded) => Err(exceeded.into()),
    }
    .unwrap_or_else(|problem| problem.into_media(accepted.media))
}

fn not_acceptable() -> Response {
    let message = "the answer is either `application/graphql-response+json` or `application/json`, that to a \
                   subscription `text/event-stream` or `multipart/mixed;subscriptionSpec=1.0`";
    Rejection::new(StatusCode::NOT_ACCEPTABLE, ErrorCode::BadUserInput, message).into_response()
}

/// Charges a request to the caller's address, before anything is read or looked up for it.
pub(super) fn charge_request(state: &AppState, address: Address) -> Result<(), Exceeded> {
    state.doubts.report(address);
    state.limits.charge_network(address.origin, PerNetwork::Requests)
}

async fn serve(state: &AppState, address: Address, request: Request, reply: Reply) -> Result<Response, Rejection> {
    if !is_json(request.headers()) {
        let message = "the body must be `application/json` in UTF-8";
        return Err(Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::BadUserInput, message));
    }
    let caller = Caller::of(state, address, request.headers()).await?;
    let headers = request.headers().clone();
    let body = read(request).await?;
    answer(state, &headers, caller, RequestBody::parse(&body), reply).await
}

/// Admits and executes an operation, and renders its response.
async fn answer(
    state: &AppState,
    headers: &HeaderMap,
    caller: Caller,
    body: Result<RequestBody, InvalidBody>,
    reply: Reply,
) -> Result<Response, Rejection> {
    let Reply { accepted, is_safe, .. } = reply;
    let body = match body {
        Ok(body) => body,
        // What the client does about it is part of its protocol, so the media type decides the status.
        Err(invalid @ InvalidBody::PersistedQuery) => {
            let refused = engine::executed(GraphQLResponse::from_errors(vec![invalid.to_error()]));
            return Ok(accepted.media.answer(&refused));
        }
        Err(invalid) => return Err(Rejection::from(invalid)),
    };
    let meter = caller.meter(&state.limits);
    meter.charge_document(body.query.len()).await?;
    // Beside a secret, text that somebody else has chosen would show by the answer's length how much of it is the same.
    let coding = reply.coding.filter(|_| !body.query.contains("Token"));
    let reply = Reply { coding, ..reply };
    let operation = match Operation::admit(state, body) {
        Ok(operation) => operation,
        Err(refused) => return Ok(refusal(&refused, accepted)),
    };
    match (operation.kind(), accepted.framing) {
        (OperationType::Subscription, Some(framing)) => {
            return events::subscribe(state, headers, caller, operation, &meter, framing).await;
        }
        (OperationType::Subscription, None) if is_safe => {
            return Err(by_post_only("by GET, a subscription is served to who accepts `text/event-stream`"));
        }
        (OperationType::Subscription, None) => return Err(Rejection::bad_request(HOW_TO_SUBSCRIBE)),
        (OperationType::Mutation, _) if is_safe => return Err(by_post_only("send mutations by POST")),
        (OperationType::Mutation | OperationType::Query, _) => {}
    }
    let is_query = operation.kind() == OperationType::Query;
    let executed = engine::execute(state, caller, operation, meter).await;
    let json = executed.to_json();
    // What a mutation has done is always told.
    let answer = if is_query { state.answers.hold(caller.whose(), json) } else { Some(Answer::uncounted(json)) };
    let Some(answer) = answer else {
        state.metrics.refusals.with_label_values(&["answers_waiting"]).inc();
        return Ok(whole(&engine::too_much_waits(), accepted));
    };
    if accepted.is_stream_preferred {
        return Ok(events::single(answer.into()));
    }
    let response = render(state, &executed, answer, reply).await;
    Ok(if caller.whose().is_none() { accepted.media.challenging(response, &executed) } else { response })
}

/// The response with this answer, compressed if the client accepts that.
async fn render(state: &AppState, executed: &Executed, mut answer: Answer, reply: Reply) -> Response {
    let varies = answer.is_compressible();
    let coding = answer.compress(reply.coding, &state.compressor).await;
    let mut response = reply.accepted.media.answer_with(executed, answer.into());
    if varies {
        response.headers_mut().append(header::VARY, HeaderValue::from_name(header::ACCEPT_ENCODING));
    }
    if let Some(coding) = coding {
        response.headers_mut().insert(header::CONTENT_ENCODING, coding.name());
    }
    response
}

/// The refusal of an operation that a link must not be able to run.
fn by_post_only(message: &str) -> Rejection {
    Rejection::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadUserInput, message).with_header(header::ALLOW, "POST")
}

/// A document over a limit is a bad request whatever the client accepts; for any other fault of a document, the media
/// type decides the status. A stream of events tells of both by itself.
fn refusal(refused: &OperationRefused, accepted: Accepted) -> Response {
    let response = engine::executed(GraphQLResponse::from_errors(refused.to_errors()));
    if refused.is_limit() && !accepted.is_stream_preferred {
        accepted.media.render(StatusCode::BAD_REQUEST, &response)
    } else {
        whole(&response, accepted)
    }
}

/// A response without anything to be done for it.
fn whole(executed: &Executed, accepted: Accepted) -> Response {
    if accepted.is_stream_preferred {
        events::single(executed.to_json().into())
    } else {
        accepted.media.answer(executed)
    }
}

/// `application/json`, with no charset or UTF-8.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = content_type.split(';').map(str::trim);
    parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"))
        && parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
            !name.trim().eq_ignore_ascii_case("charset") || is_utf_8(value.trim().trim_matches('"'))
        })
}

/// Whether a charset is UTF-8, which many clients write without its hyphen.
fn is_utf_8(charset: &str) -> bool {
    ["utf-8", "utf8"].iter().any(|name| charset.eq_ignore_ascii_case(name))
}

/// The body, decoded if it came compressed.
async fn read(request: Request) -> Result<Bytes, Rejection> {
    let headers = request.headers().clone();
    let body = read_encoded(request).await?;
    encoding::decode(&headers, body, MAX_BODY_BYTES).map_err(|undecodable| match undecodable {
        Undecodable::TooLong => too_large(),
        Undecodable::Broken => Rejection::bad_request("the body is not what its `Content-Encoding` says"),
        Undecodable::Unknown => {
            let message = format!("the body may be encoded by one of {}, or not at all", encoding::READ);
            Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::BadUserInput, message)
                .with_header(header::ACCEPT_ENCODING, encoding::READ)
        }
    })
}

fn too_large() -> Rejection {
    let message = format!("the body is longer than {MAX_BODY_BYTES} bytes");
    Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::BadUserInput, message)
}

async fn read_encoded(request: Request) -> Result<Bytes, Rejection> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
        Ok(Err(_)) => Err(Rejection::bad_request("the body ended early")),
        Err(_) => Err(Rejection::new(StatusCode::REQUEST_TIMEOUT, ErrorCode::BadUserInput, "the body came too slowly")
            .with_header(header::CONNECTION, "close")),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_json_in_utf_8_is_read() {
        let is_json = |content_type: &'static str| {
            is_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]))
        };
        for content_type in [
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON;charset=\"UTF-8\"",
            "application/json; profile=x",
            "application/json; charset=utf8",
            "application/json;charset=\"UTF8\"",
        ] {
            assert!(is_json(content_type), "{content_type}");
        }
        for content_type in [
            "",
            "text/plain",
            "application/graphql",
            "application/json-patch+json",
            "application/json; charset=latin1",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!is_json(content_type), "{content_type}");
        }
    }
}
