//! The operations on one socket: those that run, and those that wait until they may.
//!
//! Subscriptions begin immediately, up to a number. Of queries and mutations, only some run at a time; the others wait
//! in the order in which they came, and mutations of one kind run one after the other, so that what a client sends in
//! order happens in that order. When too much waits, the socket stops reading.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_graphql::parser::types::OperationType;
use async_graphql::{Name, ServerError};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::Instant;
use tokio_stream::StreamMap;

use super::close::Close;
use super::limits::{MAX_EXECUTIONS, MAX_SUBSCRIPTIONS, MAX_WAITING, MAX_WAITING_BYTES};
use crate::http::engine::{self, Operation, Output, Outputs};
use crate::position::Resume;

/// Operations by the client's id. An operation is removed when its outputs end.
#[derive(Default)]
pub(super) struct Operations {
    running: StreamMap<Arc<str>, Outputs>,
    /// What runs is, by id; a refusal is nothing.
    lanes: HashMap<Arc<str>, Lane>,
    /// Queries and mutations that the client has ended, and that still run.
    ended: FuturesUnordered<BoxFuture<'static, Lane>>,
    /// The lanes of all queries and mutations that run.
    executing: Vec<Lane>,
    subscriptions: usize,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
}

/// What may run beside what.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Lane {
    Subscription,
    Query,
    /// Mutations that begin with the same field run one after the other.
    Mutation(Option<Name>),
}

/// An operation that has not begun.
struct Waiting {
    id: Arc<str>,
    lane: Lane,
    operation: Admission,
    bytes: usize,
    arrived: Instant,
}

/// An operation, and where it resumes without a cursor of its own; or why it is refused.
pub(super) type Admission = Result<(Operation, Option<Resume>), Vec<ServerError>>;

/// What has become of the operations.
pub(super) enum Progress {
    /// One has an output.
    Output(Arc<str>, Output),
    /// One that the client has ended doesn't run any more, so another may begin.
    Ended,
}

impl Operations {
    /// Accepts an operation, which came in a message of so many bytes. It waits until [`Self::begin`] begins it. A
    /// refusal waits for its turn, too, so that refusals cost a client as much as anything else.
    ///
    /// # Errors
    /// How the socket is to be closed, when the id is in use.
    pub(super) fn accept(&mut self, id: String, operation: Admission, bytes: usize) -> Result<(), Close> {
        let id = self.free(id)?;
        let lane = match &operation {
            Err(_) => Lane::Query,
            Ok((operation, _)) => match operation.kind() {
                OperationType::Subscription => Lane::Subscription,
                OperationType::Query => Lane::Query,
                OperationType::Mutation => Lane::Mutation(operation.first_root()),
            },
        };
        self.waiting_bytes += bytes;
        self.waiting.push_back(Waiting { id, lane, operation, bytes, arrived: Instant::now() });
        Ok(())
    }

    /// Begins whatever may run by now. `begin` is given an operation and when it came. Returns how many subscriptions
    /// were refused.
    pub(super) fn begin(&mut self, begin: impl Fn(Admission, Instant) -> Outputs) -> u64 {
        let (mut n, mut refused) = (0, 0);
        while let Some(next) = self.waiting.get(n) {
            let may_begin = match &next.lane {
                Lane::Subscription => true,
                Lane::Query => self.executing.len() < MAX_EXECUTIONS,
                lane @ Lane::Mutation(_) => self.executing.len() < MAX_EXECUTIONS && !self.executing.contains(lane),
            };
            if !may_begin {
                n += 1;
                continue;
            }
            let Some(Waiting { id, lane, operation, bytes, arrived }) = self.waiting.remove(n) else { break };
            self.waiting_bytes -= bytes;
            if lane == Lane::Subscription && self.subscriptions >= MAX_SUBSCRIPTIONS {
                refused += 1;
                let problem = format!("a socket runs at most {MAX_SUBSCRIPTIONS} subscriptions at a time");
                self.running.insert(id, Outputs::refused(engine::limited(problem)));
                continue;
            }
            match lane {
                Lane::Subscription => self.subscriptions += 1,
                _ => self.executing.push(lane.clone()),
            }
            self.running.insert(Arc::clone(&id), begin(operation, arrived));
            self.lanes.insert(id, lane);
        }
        refused
    }

    /// Whether so much waits that no more should be read.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING || self.waiting_bytes >= MAX_WAITING_BYTES
    }

    /// Ends an operation whose last output was written.
    pub(super) fn complete(&mut self, id: &str) {
        self.running.remove(id);
        if let Some(lane) = self.lanes.remove(id) {
            self.leave(&lane);
        }
    }

    /// Ends an operation for the client, and says whether there was one with this id. What was executing goes on to its
    /// end, unseen.
    pub(super) fn end(&mut self, id: &str) -> bool {
        if let Some(n) = self.waiting.iter().position(|waiting| &*waiting.id == id) {
            self.waiting_bytes -= self.waiting.remove(n).map_or(0, |waiting| waiting.bytes);
            return true;
        }
        let Some(outputs) = self.running.remove(id) else { return false };
        match self.lanes.remove(id) {
            None => {}
            Some(Lane::Subscription) => self.leave(&Lane::Subscription),
            Some(lane) => self.ended.push(outputs.for_each(|_| async {}).map(|()| lane).boxed()),
        }
        true
    }

    /// Ends all subscriptions that run.
    pub(super) fn end_subscriptions(&mut self) {
        let ids: Vec<_> =
            self.lanes.iter().filter(|(_, lane)| **lane == Lane::Subscription).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.complete(&id);
        }
    }

    /// What becomes of any operation; pending while nothing does, or there is none.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        if !self.ended.is_empty()
            && let Poll::Ready(Some(lane)) = self.ended.poll_next_unpin(cx)
        {
            self.leave(&lane);
            return Poll::Ready(Progress::Ended);
        }
        match self.running.poll_next_unpin(cx) {
            Poll::Ready(Some((id, output))) => Poll::Ready(Progress::Output(id, output)),
            // The loop polls again after it has begun an operation.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// The next output that is ready, without waiting for one.
    pub(super) async fn next_ready(&mut self) -> Option<(Arc<str>, Output)> {
        poll_fn(|cx| {
            loop {
                match self.poll_next(cx) {
                    Poll::Ready(Progress::Output(id, output)) => return Poll::Ready(Some((id, output))),
                    Poll::Ready(Progress::Ended) => {}
                    Poll::Pending => return Poll::Ready(None),
                }
            }
        })
        .await
    }

    fn free(&self, id: String) -> Result<Arc<str>, Close> {
        let is_taken = self.running.contains_key(&*id) || self.waiting.iter().any(|waiting| *waiting.id == *id);
        if is_taken { Err(Close::DuplicateId) } else { Ok(id.into()) }
    }

    fn leave(&mut self, lane: &Lane) {
        if *lane == Lane::Subscription {
            self.subscriptions -= 1;
        } else if let Some(n) = self.executing.iter().position(|executing| executing == lane) {
            self.executing.swap_remove(n);
        }
    }
}
