//! The operations that run on one socket.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::StreamExt;
use tokio_stream::StreamMap;

use super::close::Close;
use super::limits::MAX_OPERATIONS;
use crate::graphql::ErrorCode;
use crate::http::AppState;
use crate::http::engine::{Output, Outputs};

/// Operations by the client's id. An operation is removed when its outputs end.
#[derive(Default)]
pub(super) struct Operations {
    running: StreamMap<Arc<str>, Outputs>,
}

impl Operations {
    /// Begins an operation; a refusal comes as its output.
    ///
    /// # Errors
    /// How the socket is to be closed, when the id is in use.
    pub(super) fn begin(&mut self, state: &AppState, id: String, begin: impl FnOnce() -> Outputs) -> Result<(), Close> {
        if self.running.contains_key(&*id) {
            return Err(Close::DuplicateId);
        }
        let outputs = if self.running.len() < MAX_OPERATIONS {
            begin()
        } else {
            state.metrics.refusals.with_label_values(&["socket_too_many_operations"]).inc();
            let problem = format!("a socket runs at most {MAX_OPERATIONS} operations at a time");
            Outputs::refused(ErrorCode::BadUserInput.error(problem))
        };
        self.running.insert(id.into(), outputs);
        Ok(())
    }

    /// Ends an operation, if there is one with this id.
    pub(super) fn end(&mut self, id: &str) {
        self.running.remove(id);
    }

    /// The next output of any operation; pending while there is none, or no operation.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(Arc<str>, Output)> {
        match ready!(self.running.poll_next_unpin(cx)) {
            Some(output) => Poll::Ready(output),
            // The loop polls again after it has begun an operation.
            None => Poll::Pending,
        }
    }

    /// The next output that is ready, without waiting for one.
    pub(super) async fn next_ready(&mut self) -> Option<(Arc<str>, Output)> {
        poll_fn(|cx| match self.poll_next(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}
