//! The body of an answer that goes on.
//!
//! hyper polls it only while the client takes what was written (`http/stream.rs` ends a connection whose client doesn't),
//! so what waits, waits in the subscription's mailbox.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::time::sleep;

use super::{Ended, Framing};
use crate::http::AppState;
use crate::http::engine::{Output, Outputs};
use crate::http::live::{End, Live, jittered};

/// The outputs of a subscription as bytes, with heartbeats in between.
pub(super) struct EventsBody {
    state: AppState,
    framing: Framing,
    outputs: Outputs,
    /// Each is polled only when it fires.
    timers: FuturesUnordered<BoxFuture<'static, Timer>>,
    progress: Progress,
    #[expect(dead_code, reason = "held")]
    live: Live,
}

enum Timer {
    Heartbeat,
    End(End),
}

/// How far the body has come.
enum Progress {
    Opening,
    Open,
    Over,
}

impl EventsBody {
    /// The body with these outputs.
    pub(super) fn new(state: &AppState, framing: Framing, outputs: Outputs, live: Live) -> Self {
        let timers = FuturesUnordered::from_iter(live.ends(state).map(|end| end.map(Timer::End).boxed()));
        timers.push(heartbeat(state));
        state.metrics.streams.inc();
        Self { state: state.clone(), framing, outputs, timers, progress: Progress::Opening, live }
    }

    fn last(&mut self, bytes: Bytes) -> Poll<Option<Result<Bytes, Infallible>>> {
        self.progress = Progress::Over;
        Poll::Ready(Some(Ok(bytes)))
    }
}

fn heartbeat(state: &AppState) -> BoxFuture<'static, Timer> {
    let every = Duration::from_secs(state.keepalive_secs.into());
    sleep(jittered(every)).map(|()| Timer::Heartbeat).boxed()
}

impl Stream for EventsBody {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let framing = this.framing;
        match this.progress {
            Progress::Opening => {
                this.progress = Progress::Open;
                return Poll::Ready(Some(Ok(framing.opening())));
            }
            Progress::Open => {}
            Progress::Over => return Poll::Ready(None),
        }
        match this.timers.poll_next_unpin(cx) {
            Poll::Ready(Some(Timer::Heartbeat)) => {
                this.timers.push(heartbeat(&this.state));
                return Poll::Ready(Some(Ok(framing.heartbeat())));
            }
            Poll::Ready(Some(Timer::End(end))) => return this.last(framing.ended(Ended::Connection(end))),
            Poll::Ready(None) | Poll::Pending => {}
        }
        match ready!(this.outputs.poll_next_unpin(cx)) {
            Some(Output::Next { json, at }) => {
                let at = at.map(|at| this.state.cursors.seal_shown(at));
                Poll::Ready(Some(Ok(framing.next(&json, at))))
            }
            Some(Output::Error(errors)) => this.last(framing.refused(&errors)),
            Some(Output::Failed) => this.last(framing.ended(Ended::Failed)),
            Some(Output::Complete) | None => this.last(framing.complete()),
        }
    }
}

impl Drop for EventsBody {
    fn drop(&mut self) {
        self.state.metrics.streams.dec();
    }
}
