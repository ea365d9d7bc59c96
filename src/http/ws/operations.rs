//! The operations under way on one socket.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_graphql::parser::types::OperationType;
use async_graphql::{ServerError, Variables};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use tokio_stream::StreamMap;

use super::close::Close;
use super::limits::MAX_OPERATIONS;
use crate::chat::Viewer;
use crate::delivery::{Delivered, MakeRequest, Shape, Subscribe, Subscription};
use crate::graphql::{self, ErrorCode};
use crate::http::{Edge, Operation, RequestBody};
use crate::position::Cursor;

/// What an operation has for its client.
pub enum Output {
    /// A response, as JSON.
    Next(Arc<str>),
    /// The operation is refused, and over.
    Error(Vec<ServerError>),
    /// The operation is over.
    Complete,
    /// The operation can't go on: the socket is to be closed.
    Failed,
}

/// Operations by the client's id. An operation leaves by itself when it is over.
#[derive(Default)]
pub struct Operations {
    running: StreamMap<Arc<str>, Pin<Box<dyn Stream<Item = Output> + Send>>>,
}

impl Operations {
    /// Begins an operation; everything that is wrong with it comes as its output.
    ///
    /// # Errors
    /// The socket's end when the id is taken.
    pub fn begin(
        &mut self,
        edge: &Edge,
        viewer: Viewer,
        resume: Option<Cursor>,
        id: String,
        body: RequestBody,
    ) -> Result<(), Close> {
        if self.running.contains_key(&*id) {
            return Err(Close::DuplicateId);
        }
        let output = if self.running.len() < MAX_OPERATIONS {
            match Operation::admit(edge, body) {
                Ok(operation) if operation.kind() == OperationType::Subscription => {
                    subscribe(edge, viewer, resume, operation)
                }
                Ok(operation) => execute(edge, viewer, operation),
                Err(refused) => refuse(refused.to_error()),
            }
        } else {
            edge.metrics.refusals.with_label_values(&["socket_too_many_operations"]).inc();
            let problem = format!("a socket runs at most {MAX_OPERATIONS} operations at once");
            refuse(ErrorCode::BadUserInput.error(problem))
        };
        self.running.insert(id.into(), output);
        Ok(())
    }

    /// Ends an operation, if it is there.
    pub fn end(&mut self, id: &str) {
        self.running.remove(id);
    }

    /// The next output of any operation; pending when there is none, or no operation.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(Arc<str>, Output)> {
        match ready!(self.running.poll_next_unpin(cx)) {
            Some(output) => Poll::Ready(output),
            // Whoever begins an operation asks again.
            None => Poll::Pending,
        }
    }

    /// The next output that is there already.
    pub async fn next_of_those_that_wait(&mut self) -> Option<(Arc<str>, Output)> {
        poll_fn(|cx| match self.poll_next(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}

type Outputs = BoxStream<'static, Output>;

fn refuse(error: ServerError) -> Outputs {
    stream::iter([Output::Error(vec![error])]).boxed()
}

/// A query or mutation: one response, then over. An error of the document is an `error`, never a `next`.
fn execute(edge: &Edge, viewer: Viewer, operation: Operation) -> Outputs {
    let edge = edge.clone();
    stream::once(async move {
        let response = operation.execute(&edge, Some(viewer)).await;
        let outputs = match serde_json::to_string(&response) {
            _ if !response.errors.is_empty()
                && response.data == async_graphql::Value::Null
                && is_refusal(&response.errors) =>
            {
                vec![Output::Error(response.errors)]
            }
            Ok(json) => vec![Output::Next(json.into()), Output::Complete],
            Err(error) => {
                tracing::error!(%error, "a response could not be written as JSON");
                vec![Output::Failed]
            }
        };
        stream::iter(outputs)
    })
    .flatten()
    .boxed()
}

/// Whether these errors come from before the execution.
fn is_refusal(errors: &[ServerError]) -> bool {
    errors.iter().all(|error| error.path.is_empty())
}

fn subscribe(edge: &Edge, viewer: Viewer, resume: Option<Cursor>, operation: Operation) -> Outputs {
    let document = operation.document();
    let shape = Shape::of(document.text(), document.parsed(), operation.name(), operation.variables());
    let Some(shape) = shape else {
        return refuse(ErrorCode::GraphqlValidationFailed.error("not a subscription"));
    };
    let viewer_shown = shape.depends_on_viewer.then_some(viewer);
    let shared_variables = shape.shared_variables(operation.variables());
    let operation = Arc::new(operation);
    let request = requests(&operation, operation.variables().clone(), viewer_shown);
    let shared_request = requests(&operation, shared_variables, viewer_shown);
    let subscribe = Subscribe { user: viewer.user, resume, shape, request, shared_request };
    outputs(edge.delivery.subscribe(subscribe))
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

fn outputs(subscription: Subscription) -> Outputs {
    subscription
        .map(|delivered| match delivered {
            Delivered::Next(json) => Output::Next(json),
            Delivered::Refused(errors) => {
                Output::Error(graphql::finish(async_graphql::Response::from_errors(errors)).errors)
            }
            Delivered::Failed => Output::Failed,
        })
        .boxed()
}
