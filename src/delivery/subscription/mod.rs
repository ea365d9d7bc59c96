//! One subscription operation on one socket: catching up and receiving live events are one stream.
//!
//! Catching up reads the database, so it is a task of its own, which waits for the socket only while it holds neither a
//! connection nor a permit. What it renders waits in a channel that is bounded in bytes. Once the subscription is
//! dropped, the task ends with its next output. Live events are only taken out of the mailbox, so the socket's own task
//! polls for them.
//!
//! A database that can't be read is no reason to end: the catch-up waits (`patience`), tries again, and goes on with the
//! first event that was not shown.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_graphql::ServerError;
use futures_util::{Stream, StreamExt};
use tokio_util::task::TaskTracker;

use super::allowance::{Allowance, RENDERING_BYTES};
use super::bounded::{self, Receiver, Sender};
use super::execute::{self, Execute, MakeRequest};
use super::feed::Feed;
use super::hub::Hub;
use super::mailbox::{Next, Rendered};
use super::render::RenderGroup;
use crate::failure::Failure;
use crate::ids::UserId;
use crate::position::{Cursor, Resume, ShownCursor};
use crate::telemetry::Metrics;

mod catch_up;
mod patience;

use catch_up::{CatchUp, CaughtUp, StartFrom};

pub use patience::WaitLimits;
pub(super) use patience::Waiters;

/// Bytes of rendered events that wait for a socket while its subscription catches up. More is rendered as the socket
/// takes them.
const MAX_WAITING_BYTES: usize = 64 * 1024;

/// How often one event is tried that can't be rendered through a fault of the server's own.
const MAX_DEFECTS: u32 = 3;

/// What a subscription gives its socket.
#[derive(Debug)]
pub enum Delivered {
    /// A GraphQL response.
    Next {
        /// As JSON.
        json: Arc<str>,
        /// Where the client stands that has received it. `None` if it needn't be received again after that.
        at: Option<ShownCursor>,
    },
    /// The operation was refused. Nothing comes after it.
    Refused(Vec<ServerError>),
    /// The operation can't go on, through no fault of the client, which can resume from its last cursor on a new
    /// connection. Nothing comes after it.
    Failed,
}

/// A running subscription. It ends by itself only after [`Delivered::Refused`] or [`Delivered::Failed`], and, without
/// either, when it was to one room alone that its user is no longer in.
pub struct Subscription {
    parts: Parts,
    state: State,
}

/// What every catch-up of a subscription needs.
pub(super) struct Parts {
    pub(super) hub: Arc<Hub>,
    pub(super) execute: Execute,
    pub(super) tasks: TaskTracker,
    pub(super) metrics: Arc<Metrics>,
    pub(super) waiters: Arc<Waiters>,
    pub(super) group: Arc<RenderGroup>,
    pub(super) request: MakeRequest,
    pub(super) user: UserId,
    pub(super) allowance: Allowance,
}

enum State {
    /// Not polled yet, or fallen behind.
    Behind(StartFrom),
    /// Receives what was missed.
    CatchingUp {
        missed: Receiver<Delivered>,
        catch_up: Arc<CatchUp>,
    },
    /// Receives events as they happen.
    Live(CaughtUp),
    Ended,
}

impl Subscription {
    pub(super) fn new(parts: Parts, resume: Option<Resume>) -> Self {
        parts.metrics.subscriptions.inc();
        Self { parts, state: State::Behind(StartFrom::Client(resume)) }
    }

    fn failed(&mut self) -> Poll<Option<Delivered>> {
        self.state = State::Ended;
        Poll::Ready(Some(Delivered::Failed))
    }
}

impl Parts {
    fn catch_up(&self, from: StartFrom) -> State {
        let (sender, missed) = bounded::channel(MAX_WAITING_BYTES);
        let catch_up = Arc::new(CatchUp::new(self, from));
        let request = self.request.clone();
        let allowance = self.allowance.clone();
        self.tasks.spawn(run(catch_up.clone(), self.execute.clone(), request, allowance, sender));
        State::CatchingUp { missed, catch_up }
    }
}

/// Renders what was missed, as fast as the socket takes it.
async fn run(
    catch_up: Arc<CatchUp>,
    execute: Execute,
    request: MakeRequest,
    allowance: Allowance,
    mut sender: Sender<Delivered>,
) {
    // Before anything is read or rendered there is room for it, and while there is none, nothing else is held.
    let mut reserved = tokio::select! {
        reserved = allowance.reserve(RENDERING_BYTES) => reserved,
        () = sender.closed() => return,
    };
    tokio::select! {
        () = catch_up.turn() => {}
        () = sender.closed() => return,
    }
    let mut defects = 0;
    loop {
        let mut responses = execute(request().data(Feed::new(catch_up.clone())));
        let unshown = loop {
            let executed = tokio::select! {
                executed = responses.next() => executed,
                () = ended_while_waiting(&mut sender, &catch_up) => return,
            };
            let Some(executed) = executed else {
                if catch_up.is_over() {
                    return;
                }
                if !catch_up.is_under_way() {
                    // Nothing could be said of it, and nothing else would come of trying again.
                    tracing::error!("the execution of a subscription ended before it opened its feed");
                    let _ = sender.send(Delivered::Refused(vec![execute::defect()]), 0, None).await;
                }
                return;
            };
            // A document that is refused before it opens its feed must not keep the permit while its client doesn't
            // read.
            catch_up.keep(None);
            if executed.is_servers_failure() {
                break executed;
            }
            if catch_up.is_over() {
                return;
            }
            if !catch_up.is_under_way() {
                // The subscription may be gone.
                let _ = sender.send(Delivered::Refused(executed.response.errors), 0, None).await;
                return;
            }
            let at = catch_up.was_rendered();
            defects = 0;
            let json: Arc<str> = executed.to_json().into();
            let bytes = json.len();
            if let Some(reserved) = &mut reserved {
                // It was enough for any rendering.
                let _ = reserved.resize(bytes.min(RENDERING_BYTES));
            }
            if sender.send(Delivered::Next { json, at }, bytes, reserved).await.is_err() {
                return;
            }
            reserved = tokio::select! {
                reserved = allowance.reserve(RENDERING_BYTES) => reserved,
                () = sender.closed() => return,
            };
        };
        drop(responses);
        defects += u32::from(unshown.failure == Some(Failure::Server));
        if defects == MAX_DEFECTS {
            // Waiting mends no defect, and neither does another connection: the client must know.
            let _ = sender.send(Delivered::Refused(unshown.response.errors), 0, None).await;
            return;
        }
        let goes_on = tokio::select! {
            goes_on = catch_up.begin_again() => goes_on,
            () = sender.closed() => return,
        };
        if !goes_on {
            tracing::warn!(errors = ?unshown.response.errors, "a missed event could not be rendered for too long");
            let _ = sender.send(Delivered::Failed, 0, None).await;
            return;
        }
    }
}

/// Resolves when the subscription is gone while its catch-up waits between two tries. One that reads goes on to its
/// end.
async fn ended_while_waiting(sender: &mut Sender<Delivered>, catch_up: &CatchUp) {
    sender.closed().await;
    catch_up.waits().await;
}

impl Stream for Subscription {
    type Item = Delivered;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Delivered>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Behind(from) => this.state = this.parts.catch_up(*from),
                State::CatchingUp { missed, catch_up } => match ready!(missed.poll_next(cx)) {
                    Some(next @ Delivered::Next { .. }) => {
                        this.parts.metrics.deliveries.inc();
                        return Poll::Ready(Some(next));
                    }
                    Some(last) => {
                        this.state = State::Ended;
                        return Poll::Ready(Some(last));
                    }
                    None => match catch_up.take() {
                        Some(caught_up) => this.state = State::Live(caught_up),
                        None if catch_up.is_over() => this.state = State::Ended,
                        None => return this.failed(),
                    },
                },
                State::Live(live) => match ready!(live.attachment.mailbox.poll_next(cx)) {
                    Next::Rendered(rendered) if is_past(&rendered, live.upto) => {}
                    Next::Rendered(rendered) => {
                        let at = rendered.is_logged.then_some(ShownCursor::Event(rendered.cursor));
                        if at.is_some() {
                            live.upto = rendered.cursor;
                        }
                        this.parts.metrics.deliveries.inc();
                        return Poll::Ready(Some(Delivered::Next { json: rendered.payload.clone(), at }));
                    }
                    Next::Lagged => {
                        this.parts.metrics.mailbox_overflows.inc();
                        this.state = State::Behind(StartFrom::Sent(live.upto));
                    }
                    Next::Ended => this.state = State::Ended,
                },
                State::Ended => return Poll::Ready(None),
            }
        }
    }
}

/// Whether this was shown already, or comes before what was shown up to `upto`. A subscription that continues from a
/// cursor given out by a faster node receives nothing with an earlier cursor, logged or not: a client that resumed from
/// that cursor would receive events twice.
fn is_past(rendered: &Rendered, upto: Cursor) -> bool {
    if rendered.is_logged {
        rendered.cursor.position <= upto.position
    } else {
        rendered.cursor.position < upto.position
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.parts.metrics.subscriptions.dec();
    }
}

#[cfg(test)]
mod tests;
