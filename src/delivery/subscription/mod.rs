//! One subscription operation on one socket: catching up and living on are one stream.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use async_graphql::{Response, ServerError};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, Stream};

use crate::delivery::feed::{CatchUp, CaughtUp, Feed, From};
use crate::delivery::hub::{Hub, Turn};
use crate::delivery::mailbox::{Next, Rendered};
use crate::delivery::render::{Group, is_servers_failure, to_json};
use crate::delivery::{Execute, MakeRequest};
use crate::ids::UserId;
use crate::position::Cursor;
use crate::telemetry::Metrics;

/// What a subscription gives its socket.
#[derive(Debug)]
pub enum Delivered {
    /// A GraphQL response as JSON.
    Next(Arc<str>),
    /// The operation was refused. Nothing comes after it.
    Refused(Vec<ServerError>),
    /// The operation can't go on, for no fault of the client's; it can resume from the last cursor on a new connection.
    /// Nothing comes after it.
    Failed,
}

/// A subscription under way. Ends by itself only after [`Delivered::Refused`] or [`Delivered::Failed`].
pub struct Subscription {
    hub: Arc<Hub>,
    execute: Execute,
    metrics: Arc<Metrics>,
    group: Arc<Group>,
    request: MakeRequest,
    user: UserId,
    state: State,
}

enum State {
    /// Not polled yet, or fallen behind.
    Behind(From),
    /// Waiting for its turn to catch up: thousands may, and hold as good as nothing meanwhile.
    Waiting(From, BoxFuture<'static, Option<Turn>>),
    /// Being shown what was missed.
    CatchingUp {
        responses: BoxStream<'static, Response>,
        catch_up: Arc<CatchUp>,
    },
    /// Being shown what happens.
    Live(CaughtUp),
    Ended,
}

impl Subscription {
    pub(in crate::delivery) fn new(
        hub: Arc<Hub>,
        execute: Execute,
        metrics: Arc<Metrics>,
        group: Arc<Group>,
        request: MakeRequest,
        user: UserId,
        resume: Option<Cursor>,
    ) -> Self {
        metrics.subscriptions.inc();
        Self { hub, execute, metrics, group, request, user, state: State::Behind(From::Client(resume)) }
    }

    fn catch_up(&self, from: From, turn: Option<Turn>) -> State {
        let catch_up = Arc::new(CatchUp {
            hub: self.hub.clone(),
            metrics: self.metrics.clone(),
            group: self.group.clone(),
            user: self.user,
            from,
            turn: Mutex::new(turn),
            caught_up: Mutex::new(None),
        });
        let request = (self.request)().data(Feed::CatchUp(catch_up.clone()));
        State::CatchingUp { responses: (self.execute)(request), catch_up }
    }

    fn failed(&mut self) -> Poll<Option<Delivered>> {
        self.state = State::Ended;
        Poll::Ready(Some(Delivered::Failed))
    }
}

impl Stream for Subscription {
    type Item = Delivered;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Delivered>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Behind(from) => {
                    let from = *from;
                    this.state = State::Waiting(from, turn(this.hub.clone(), from));
                }
                State::Waiting(from, turn) => {
                    let (from, turn) = (*from, ready!(turn.poll_unpin(cx)));
                    this.state = this.catch_up(from, turn);
                }
                State::CatchingUp { responses, catch_up } => match ready!(responses.as_mut().poll_next(cx)) {
                    Some(response) if catch_up.is_under_way() && !is_servers_failure(&response) => {
                        let Some(payload) = to_json(&response) else { return this.failed() };
                        this.metrics.deliveries.inc();
                        return Poll::Ready(Some(Delivered::Next(payload)));
                    }
                    Some(response) if catch_up.is_under_way() => {
                        tracing::warn!(errors = ?response.errors, "a missed event could not be rendered");
                        return this.failed();
                    }
                    Some(response) => {
                        this.state = State::Ended;
                        return Poll::Ready(Some(Delivered::Refused(response.errors)));
                    }
                    None => match catch_up.take() {
                        Some(caught_up) => this.state = State::Live(caught_up),
                        None => return this.failed(),
                    },
                },
                State::Live(live) => match ready!(live.attachment.mailbox.poll_next(cx)) {
                    Next::Rendered(rendered) if is_past(&rendered, live.upto) => {}
                    Next::Rendered(rendered) => {
                        if rendered.is_logged {
                            live.upto = rendered.cursor;
                        }
                        this.metrics.deliveries.inc();
                        return Poll::Ready(Some(Delivered::Next(rendered.payload.clone())));
                    }
                    Next::Lagged => {
                        this.metrics.mailbox_overflows.inc();
                        this.state = State::Behind(From::Sent(live.upto));
                    }
                },
                State::Ended => return Poll::Ready(None),
            }
        }
    }
}

/// The way to a turn to catch up. A client is to find before `Synced` whatever it was answered before it subscribed.
fn turn(hub: Arc<Hub>, from: From) -> BoxFuture<'static, Option<Turn>> {
    Box::pin(async move {
        if matches!(from, From::Client(_)) {
            hub.caught_up().await;
        }
        hub.turn().await
    })
}

/// Whether it lies behind what was shown up to here. Who goes on from a cursor that a faster node gave out gets nothing
/// with an earlier one, logged or not: resuming from that would show events twice.
fn is_past(rendered: &Rendered, upto: Cursor) -> bool {
    if rendered.is_logged {
        rendered.cursor.position <= upto.position
    } else {
        rendered.cursor.position < upto.position
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.metrics.subscriptions.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Position;

    #[test]
    fn what_was_shown_is_past_and_what_is_in_no_log_is_only_before_that() {
        let at = |position| Cursor { position: Position(position), ..Cursor::default() };
        for (position, is_logged, expected) in
            [(4, true, true), (5, true, true), (6, true, false), (4, false, true), (5, false, false), (6, false, false)]
        {
            let rendered = Rendered { cursor: at(position), payload: "{}".into(), is_logged };
            assert_eq!(is_past(&rendered, at(5)), expected, "{position} {is_logged}");
        }
    }
}
