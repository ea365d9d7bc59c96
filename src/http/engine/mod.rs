//! The engine behind every transport: an operation is admitted, runs as a task of its own, and its outputs wait in a
//! channel that is bounded in bytes until the transport's writer takes them.
//!
//! What reads the database never waits for a client: it runs to its end, whatever the client does, and while its outputs
//! wait it holds neither a connection nor a permit. Reading, running and writing of a socket meet only in that channel and
//! in the mailboxes of subscriptions.
//!
//! A transport (a dialect of WebSocket, event streams over HTTP) is one file or folder beside this one: it knows its
//! messages, authenticates a [`Caller`] and writes [`Output`]s.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_graphql::parser::types::OperationType;
use async_graphql::{Response, ServerError, Variables};
use futures_util::{Stream, StreamExt};

use super::AppState;
use super::caller::Caller;
use crate::chat::Viewer;
use crate::delivery::bounded::{self, Receiver, Sender};
use crate::delivery::{Delivered, Executed, MakeRequest, Subscribe, Subscription};
use crate::graphql::{self, ErrorCode};
use crate::position::Cursor;

mod operation;

pub(crate) use operation::{Operation, OperationRefused, RequestBody};

/// Bytes of one operation's outputs that wait for its writer. One output is let in however large it is.
const MAX_WAITING_BYTES: u32 = 64 * 1024;

/// What an operation has for its client.
#[derive(Debug)]
pub(crate) enum Output {
    /// A response, as JSON.
    Next(Arc<str>),
    /// The operation is refused, and over.
    Error(Vec<ServerError>),
    /// The operation is over.
    Complete,
    /// The operation can't go on, for no fault of the client's: it is to begin anew, on another connection.
    Failed,
}

/// The outputs of an operation, for one writer. Dropping them ends a subscription; a query or mutation that has begun runs
/// to its end all the same.
pub(crate) enum Outputs {
    /// Of a query or mutation. None: it is over.
    Execution(Option<Receiver<Output>>),
    /// Of a subscription.
    Subscription(Box<Subscription>),
    /// Of an operation that was not admitted.
    Refused(Option<ServerError>),
}

impl Outputs {
    /// One refusal.
    #[must_use]
    pub(crate) fn refused(error: ServerError) -> Self {
        Self::Refused(Some(error))
    }
}

impl Stream for Outputs {
    type Item = Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Output>> {
        match self.get_mut() {
            Self::Execution(running) => {
                let Some(outputs) = running else { return Poll::Ready(None) };
                // It has panicked if it ended without saying so.
                let output = ready!(outputs.poll_next(cx)).unwrap_or(Output::Failed);
                if !matches!(output, Output::Next(_)) {
                    *running = None;
                }
                Poll::Ready(Some(output))
            }
            Self::Subscription(subscription) => subscription.poll_next_unpin(cx).map(|delivered| {
                Some(match delivered? {
                    Delivered::Next(json) => Output::Next(json),
                    Delivered::Refused(errors) => Output::Error(graphql::finish(Response::from_errors(errors)).errors),
                    Delivered::Failed => Output::Failed,
                })
            }),
            Self::Refused(error) => Poll::Ready(error.take().map(|error| Output::Error(vec![error]))),
        }
    }
}

/// Begins an operation of somebody who is signed in; everything that is wrong with it comes as its output. `resume`: where
/// a subscription begins that doesn't say so itself.
#[must_use]
pub(crate) fn begin(
    state: &AppState,
    caller: Caller,
    viewer: Viewer,
    resume: Option<Cursor>,
    body: RequestBody,
) -> Outputs {
    match Operation::admit(state, body) {
        Ok(operation) if operation.kind() == OperationType::Subscription => subscribe(state, viewer, resume, operation),
        Ok(operation) => {
            let (sender, outputs) = bounded::channel(MAX_WAITING_BYTES);
            state.connections.spawn(run(state.clone(), caller, operation, sender));
            Outputs::Execution(Some(outputs))
        }
        Err(refused) => Outputs::refused(refused.to_error()),
    }
}

/// Executes a query or mutation as a task of its own, and waits for what comes of it.
pub(crate) async fn execute(state: &AppState, caller: Caller, operation: Operation) -> Executed {
    let task = {
        let state = state.clone();
        state.connections.clone().spawn(async move { operation.execute(&state, caller).await })
    };
    task.await.unwrap_or_else(|error| match error.try_into_panic() {
        // The request's to report.
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => executed(Response::from_errors(vec![ErrorCode::Unavailable.error("the server is shutting down")])),
    })
}

/// A query or mutation: one response, then over. An error of the document is an error, never a response.
async fn run(state: AppState, caller: Caller, operation: Operation, outputs: Sender<Output>) {
    let executed = operation.execute(&state, caller).await;
    if executed.is_refusal() {
        // A writer that is gone wants no more.
        let _ = outputs.send(Output::Error(executed.response.errors), 0).await;
        return;
    }
    let json = executed.to_json();
    drop(executed);
    let bytes = json.len();
    if outputs.send(Output::Next(json.into()), bytes).await.is_ok() {
        let _ = outputs.send(Output::Complete, 0).await;
    }
}

/// A response with what kind of failure is in it.
#[must_use]
pub(crate) fn executed(response: Response) -> Executed {
    Executed { failure: graphql::failure(&response), response }
}

fn subscribe(state: &AppState, viewer: Viewer, resume: Option<Cursor>, operation: Operation) -> Outputs {
    let Some(shape) = operation.shape() else {
        return Outputs::refused(ErrorCode::GraphqlValidationFailed.error("not a subscription"));
    };
    let viewer_shown = shape.depends_on_viewer.then_some(viewer);
    let shared_variables = shape.shared_variables(operation.variables());
    let operation = Arc::new(operation);
    let request = requests(&operation, operation.variables().clone(), viewer_shown);
    let shared_request = requests(&operation, shared_variables, viewer_shown);
    let subscribe = Subscribe { user: viewer.user, resume, shape, request, shared_request };
    Outputs::Subscription(Box::new(state.delivery.subscribe(subscribe)))
}

fn requests(operation: &Arc<Operation>, variables: Variables, viewer: Option<Viewer>) -> MakeRequest {
    let operation = Arc::clone(operation);
    Arc::new(move || {
        let request = operation.request(variables.clone());
        match viewer {
            Some(viewer) => request.data(viewer),
            None => request,
        }
    })
}
