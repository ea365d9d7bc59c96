//! The engine behind every transport: an operation is admitted, runs as a task of its own, and its outputs wait in a
//! channel that is bounded in bytes until the transport's writer takes them.
//!
//! A task that reads the database never waits for a client while it holds a connection or a permit: a query or mutation
//! runs to its end whatever the client does, and holds neither while its outputs wait. An operation that runs and a
//! socket that is written meet only in that channel and in the mailboxes of subscriptions.
//!
//! A transport (a dialect of WebSocket, event streams over HTTP) is one file or folder beside this one: it defines its
//! messages, authenticates a [`Caller`] and writes [`Output`]s.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Response, ServerError, Variables};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::time::timeout;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::AppState;
use super::caller::Caller;
use crate::chat::{self, Argument, Viewer};
use crate::delivery::allowance;
use crate::delivery::bounded::{self, Receiver, Sender};
use crate::delivery::{Allowance, Delivered, Executed, MakeRequest, Subscribe, Subscription, ViewerShown};
use crate::graphql::{self, ApiError, ErrorCode};
use crate::limits::{Charge, Exceeded, Meter, PerNetwork, PerUser};
use crate::position::{CursorText, InvalidCursor, Resume, ShownCursor};
use crate::turns::Turn;

mod body;
mod operation;

pub(crate) use body::{InvalidBody, RequestBody};
pub(crate) use operation::{Operation, OperationRefused};

/// Bytes of one operation's outputs that wait for its writer. An output that is larger waits alone.
const MAX_WAITING_BYTES: usize = 64 * 1024;

// Delivery doesn't know the API, and reserves room for what the API may render.
const _: () = assert!(graphql::MAX_RENDERING_BYTES <= allowance::RENDERING_BYTES);

/// How long an answer waits for room on its socket, for example until subscriptions that catch up give back what they have
/// reserved.
const PATIENCE: Duration = Duration::from_secs(5);

/// A turn to execute an operation.
pub(crate) type UserTurn = Turn<Option<Uuid>>;

/// When a client may ask again for what was too much at the moment, such as an answer that had no room on its socket.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Queries and mutations that run for one user at the same time; the others wait for one of them. There are eight
/// connections for reading, unless set otherwise.
pub(crate) const EXECUTIONS_PER_USER: usize = 4;

/// What an operation sends to its client.
#[derive(Debug)]
pub(crate) enum Output {
    /// A response.
    Next {
        /// As JSON.
        json: Arc<str>,
        /// Where the client of a subscription stands that has received it.
        at: Option<ShownCursor>,
    },
    /// The operation was refused. Nothing comes after it.
    Error(Vec<ServerError>),
    /// The operation is complete. Nothing comes after it.
    Complete,
    /// The operation can't go on, through no fault of the client, which is to begin it anew on another connection.
    Failed,
}

/// The outputs of an operation, for one writer. Dropping them ends a subscription; a query or mutation that has begun
/// still runs to its end.
pub(crate) enum Outputs {
    /// Of a query or mutation. `None` when it is over.
    Execution(Option<Receiver<Output>>),
    /// Of a subscription that waits to be within the limits.
    Beginning(BoxFuture<'static, Outputs>),
    /// Of a subscription.
    Subscription(Box<Subscription>),
    /// Of an operation that was not admitted. `None` when it is over.
    Refused(Option<Vec<ServerError>>),
}

impl Outputs {
    /// The one output of an operation that is refused with this error.
    #[must_use]
    pub(crate) fn refused(error: ServerError) -> Self {
        Self::refused_for(vec![error])
    }

    /// The one output of an operation that is refused with these errors.
    #[must_use]
    pub(crate) fn refused_for(errors: Vec<ServerError>) -> Self {
        Self::Refused(Some(errors))
    }
}

impl Stream for Outputs {
    type Item = Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Output>> {
        let outputs = self.get_mut();
        if let Self::Beginning(beginning) = outputs {
            *outputs = ready!(beginning.poll_unpin(cx));
        }
        match outputs {
            Self::Beginning(_) => unreachable!("it has begun"),
            Self::Execution(running) => {
                let Some(outputs) = running else { return Poll::Ready(None) };
                // An execution that ended without a last output has panicked.
                let output = ready!(outputs.poll_next(cx)).unwrap_or(Output::Failed);
                if !matches!(output, Output::Next { .. }) {
                    *running = None;
                }
                Poll::Ready(Some(output))
            }
            Self::Subscription(subscription) => {
                let output = match ready!(subscription.poll_next_unpin(cx)) {
                    Some(Delivered::Next { json, at }) => Output::Next { json, at },
                    Some(Delivered::Refused(errors)) => {
                        Output::Error(graphql::finish(Response::from_errors(errors)).errors)
                    }
                    Some(Delivered::Failed) => Output::Failed,
                    None => Output::Complete,
                };
                if !matches!(output, Output::Next { .. }) {
                    *outputs = Self::Refused(None);
                }
                Poll::Ready(Some(output))
            }
            Self::Refused(errors) => Poll::Ready(errors.take().map(Output::Error)),
        }
    }
}

/// Where the client asks that this operation resumes, outside of its document: `extensions.after`.
///
/// # Errors
/// When the text is no cursor.
pub(crate) fn own_cursor(state: &AppState, operation: &Operation) -> Result<Option<Resume>, InvalidCursor> {
    let text = operation.after().map(str::parse::<CursorText>).transpose()?;
    Ok(text.map(|text| state.cursors.open(text)))
}

/// Begins an operation for a viewer, once it is within the limits; a refusal comes as its output. A subscription
/// without a cursor of its own begins at `resume`. What waits for the client counts towards `allowance`.
#[must_use]
pub(crate) fn begin(
    state: &AppState,
    caller: Caller,
    viewer: Viewer,
    resume: Option<Resume>,
    operation: Operation,
    meter: Meter,
    allowance: &Allowance,
) -> Outputs {
    let allowance = allowance.clone();
    if operation.kind() == OperationType::Subscription {
        let state = state.clone();
        let beginning = async move {
            match charge_subscription(&meter, &operation).await {
                Ok(()) => subscribe(&state, viewer, resume, operation, allowance),
                Err(exceeded) => Outputs::refused(ApiError::from(exceeded).into()),
            }
        };
        return Outputs::Beginning(beginning.boxed());
    }
    let (sender, outputs) = bounded::channel(MAX_WAITING_BYTES);
    state.connections.spawn(run(state.clone(), caller, operation, meter, allowance, sender));
    Outputs::Execution(Some(outputs))
}

/// Refuses an operation with these errors, once it is within the limits: it costs a request like any other.
#[must_use]
pub(crate) fn refuse(errors: Vec<ServerError>, meter: Meter) -> Outputs {
    let refusal = async move {
        match meter.charge(Charge::Network(PerNetwork::Requests)).await {
            Ok(()) => Outputs::refused_for(errors),
            Err(exceeded) => Outputs::refused(ApiError::from(exceeded).into()),
        }
    };
    Outputs::Beginning(refusal.boxed())
}

/// Charges an operation on a socket as a request of its own.
async fn charge_request(meter: &Meter, operation: &Operation) -> Result<(), Exceeded> {
    meter.charge(Charge::Network(PerNetwork::Requests)).await?;
    meter.charge_document(operation.document_bytes()).await
}

/// Charges the beginning of a subscription, which reads what was missed.
async fn charge_subscription(meter: &Meter, operation: &Operation) -> Result<(), Exceeded> {
    charge_request(meter, operation).await?;
    meter.charge(Charge::User(PerUser::Reads)).await
}

/// Executes a query or mutation as a task of its own, and waits for its response. The task runs to its end even if the
/// caller goes away.
pub(crate) async fn execute(state: &AppState, caller: Caller, operation: Operation, meter: Meter) -> Executed {
    let task = {
        let (state, tasks) = (state.clone(), state.connections.clone());
        // Its lines in the log carry the request's id, too.
        let work = async move { operation.execute(&state, caller, meter).await.0 }.instrument(Span::current());
        tasks.spawn(work)
    };
    task.await.unwrap_or_else(|error| match error.try_into_panic() {
        // `observe` reports it.
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => executed(Response::from_errors(vec![ErrorCode::Unavailable.error("the server is shutting down")])),
    })
}

/// Runs a query or mutation: its outputs are one response and the completion, or one error if the document was refused.
async fn run(
    state: AppState,
    caller: Caller,
    operation: Operation,
    meter: Meter,
    allowance: Allowance,
    mut outputs: Sender<Output>,
) {
    if let Err(exceeded) = charge_request(&meter, &operation).await {
        let _ = outputs.send(Output::Error(vec![ApiError::from(exceeded).into()]), 0, None).await;
        return;
    }
    // As long as a client takes nothing of what waits for it, nothing more is begun for it.
    let mut reserved = tokio::select! {
        reserved = allowance.reserve(MAX_WAITING_BYTES) => reserved,
        () = outputs.closed() => return,
    };
    let (executed, turn) = operation.execute(&state, caller, meter).await;
    if executed.is_refusal() {
        // The writer may be gone.
        let _ = outputs.send(Output::Error(executed.response.errors), 0, None).await;
        return;
    }
    let mut json = executed.to_json();
    drop(executed);
    let fits = match &mut reserved {
        Some(reserved) => reserved.resize(json.len()) || timeout(PATIENCE, reserved.grow(json.len())).await.is_ok(),
        None => false,
    };
    drop(turn);
    if !fits {
        state.metrics.refusals.with_label_values(&["answers_waiting"]).inc();
        json = too_much_waits().to_json();
    }
    let bytes = json.len();
    if outputs.send(Output::Next { json: json.into(), at: None }, bytes, reserved).await.is_ok() {
        let _ = outputs.send(Output::Complete, 0, None).await;
    }
}

/// What a client is answered that has not taken what it asked for before.
#[must_use]
pub(crate) fn too_much_waits() -> Executed {
    let problem = "too many bytes of earlier answers wait for this client: read them first";
    executed(Response::from_errors(vec![limited(problem)]))
}

/// The refusal of what is too much at this moment.
#[must_use]
pub(crate) fn limited(problem: impl Into<String>) -> ServerError {
    let limited: ServerError = ApiError::from(chat::Error::RateLimited { retry_after: RETRY_AFTER }).into();
    ServerError { message: problem.into(), ..limited }
}

/// A response, and the kind of failure in it.
#[must_use]
pub(crate) fn executed(response: Response) -> Executed {
    Executed { failure: graphql::failure(&response), response }
}

/// Begins a subscription for a viewer, who was charged for it; a refusal comes as its output. Without a cursor of its own
/// it begins at `resume`.
pub(crate) fn subscribe(
    state: &AppState,
    viewer: Viewer,
    resume: Option<Resume>,
    operation: Operation,
    allowance: Allowance,
) -> Outputs {
    let resume = match own_cursor(state, &operation) {
        Ok(own) => own.or(resume),
        Err(invalid) => {
            let invalid = chat::Error::invalid(Argument::After, invalid.to_string());
            return Outputs::refused(ApiError::from(invalid).into());
        }
    };
    let Some(shape) = operation.shape() else {
        return Outputs::refused(ErrorCode::GraphqlValidationFailed.error("not a subscription"));
    };
    let known = (shape.viewer_shown != ViewerShown::Never).then_some(viewer);
    let shared_variables = shape.shared_variables(operation.variables());
    let operation = Arc::new(operation);
    let request = requests(state, &operation, operation.variables().clone(), known);
    let shared_request = requests(state, &operation, shared_variables.clone(), None);
    let viewers_request = requests(state, &operation, shared_variables, known);
    let user = viewer.user;
    let subscribe = Subscribe { user, resume, allowance, shape, request, shared_request, viewers_request };
    match state.delivery.subscribe(subscribe) {
        Ok(subscription) => Outputs::Subscription(Box::new(subscription)),
        Err(too_many) => {
            state.metrics.refusals.with_label_values(&["too_many_groups"]).inc();
            Outputs::refused(ErrorCode::BadUserInput.error(too_many.to_string()))
        }
    }
}

fn requests(state: &AppState, operation: &Arc<Operation>, variables: Variables, viewer: Option<Viewer>) -> MakeRequest {
    let (state, operation) = (state.clone(), Arc::clone(operation));
    Arc::new(move || {
        let request = operation.request(&state, &variables);
        match viewer {
            Some(viewer) => request.data(viewer),
            None => request,
        }
    })
}
