//! The loop of a socket after its handshake.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::WebSocket;
use super::close::Close;
use super::dialect::Dialect;
use super::handshake::OpeningCharge;
use super::limits::{CLOSE_WRITE_TIMEOUT, MAX_MISSED_PONGS, MESSAGES, TokenBucket};
use super::operations::{Operations, Progress};
use super::poll_gate::PollGate;
use super::protocol::{self, ClientMessage};
use crate::delivery::Allowance;
use crate::http::AppState;
use crate::http::caller::Caller;
use crate::http::engine::{self, InvalidBody, Operation, Output, RequestBody};
use crate::http::live::{End, Live, jittered};
use crate::limits::{Meter, Pace};
use crate::position::Resume;

/// Outputs that are written before the connection is flushed, and frames and timers get their turn.
const OUTPUTS_PER_FLUSH: usize = 64;

/// Outputs that are written before the socket is closed, at most.
const OUTPUTS_BEFORE_CLOSE: usize = 256;

/// After the last ping that may go unanswered, this share of the interval is left to answer it.
const LAST_CHANCE_DIVISOR: u32 = 3;

/// A socket after its handshake.
pub(super) struct OpenSocket {
    /// The caller.
    pub caller: Caller,
    /// The connection as one that stays open for the caller's viewer.
    pub live: Live,
    /// Where the socket's first subscription resumes, if it has no cursor of its own. It takes it away either way.
    pub after: Option<Resume>,
    /// To whom the opening of the socket is charged.
    pub charged: OpeningCharge,
}

/// Runs the socket until something ends it.
pub(super) async fn run(state: &AppState, socket: &mut WebSocket, dialect: Dialect, opened: OpenSocket) -> Close {
    let now = Instant::now();
    let pings = Pings::new(Duration::from_secs(state.keepalive_secs.into()), now);
    let session = Session {
        state,
        socket,
        dialect,
        operations: Operations::default(),
        allowance: Allowance::default(),
        pace: Arc::default(),
        is_reading: true,
        bucket: TokenBucket::new(MESSAGES, now),
        ends_due: 0,
        pings,
        opened,
    };
    session.run().await
}

/// Sends one message and flushes it. If the client doesn't take it, the connection ends (`http/stream.rs`), and its
/// client resumes on a new one.
pub(super) async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Close> {
    Ok(socket.send(message).await?)
}

struct Session<'s> {
    state: &'s AppState,
    socket: &'s mut WebSocket,
    dialect: Dialect,
    opened: OpenSocket,
    operations: Operations,
    /// What may wait for the client, over all operations.
    allowance: Allowance,
    /// In which order operations wait to be within the limits.
    pace: Arc<Pace>,
    /// Whether it reads from the connection. It doesn't while too many operations wait.
    is_reading: bool,
    bucket: TokenBucket,
    /// Operations that the client has begun and not ended.
    ends_due: usize,
    pings: Pings,
}

/// What has woken a socket's task.
enum Wakeup {
    /// An operation has an output for the client, or has ended.
    Progress(Progress),
    /// The client has sent a frame; `None` when the connection is over.
    Frame(Option<Result<Message, Error>>),
    /// A timer has fired.
    SocketTimer(SocketTimer),
}

/// What a socket's timers are for.
enum SocketTimer {
    Ping,
    KeepAlive,
    End(End),
}

impl<'s> Session<'s> {
    /// Runs until something ends the socket, and then writes what is ready: what was done must be told.
    async fn run(mut self) -> Close {
        let close = self.serve().await.unwrap_or_else(|close| close);
        if matches!(close, Close::Forbidden(_)) {
            // What happens after its session has ended is none of the client's business.
            self.operations.end_subscriptions();
        }
        if close.is_heard() {
            let _ = tokio::time::timeout(CLOSE_WRITE_TIMEOUT, self.write_ready()).await;
        }
        close
    }

    async fn serve(&mut self) -> Result<Close, Close> {
        let mut timers = self.timers();
        let mut poll_gate = PollGate::default();
        loop {
            self.begin_operations();
            let was_reading = std::mem::replace(&mut self.is_reading, !self.operations.is_full());
            if self.is_reading && !was_reading {
                poll_gate.ring();
            }
            let wakeup = poll_fn(|cx| {
                let rare = poll_gate.poll(cx, |cx| {
                    if self.is_reading
                        && let Poll::Ready(frame) = self.socket.poll_next_unpin(cx)
                    {
                        return Poll::Ready(Wakeup::Frame(frame));
                    }
                    timers
                        .poll_next_unpin(cx)
                        .map(|timer| Wakeup::SocketTimer(timer.unwrap_or(SocketTimer::End(End::SessionExpired))))
                });
                if rare.is_ready() {
                    return rare;
                }
                self.operations.poll_next(cx).map(Wakeup::Progress)
            });
            match wakeup.await {
                Wakeup::Progress(Progress::Output(id, output)) => self.write_outputs((id, output)).await?,
                Wakeup::Progress(Progress::Ended) => {}
                Wakeup::Frame(None) => return Err(Close::Gone),
                Wakeup::Frame(Some(frame)) => self.handle_frame(frame?).await?,
                Wakeup::SocketTimer(SocketTimer::Ping) => {
                    self.ping().await?;
                    timers.push(sleep_until(self.pings.next_at).map(|()| SocketTimer::Ping).boxed());
                }
                Wakeup::SocketTimer(SocketTimer::KeepAlive) => {
                    if let Some((keep_alive, every)) = self.dialect.keep_alive(self.pings.every) {
                        send(self.socket, keep_alive).await?;
                        timers.push(keep_alive_after(every));
                    }
                }
                Wakeup::SocketTimer(SocketTimer::End(end)) => return Ok(end.into()),
            }
        }
    }

    fn timers(&self) -> FuturesUnordered<BoxFuture<'s, SocketTimer>> {
        let ends = self.opened.live.ends(self.state).map(|end| end.map(SocketTimer::End).boxed());
        let mut timers = FuturesUnordered::from_iter(ends);
        timers.push(sleep_until(self.pings.next_at).map(|()| SocketTimer::Ping).boxed());
        let keep_alive = self.dialect.keep_alive(self.pings.every).map(|(_, every)| keep_alive_after(every));
        timers.extend(keep_alive);
        timers
    }

    async fn handle_frame(&mut self, frame: Message) -> Result<(), Close> {
        let text = match frame {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Close::BadRequest("messages are text".to_owned())),
            Message::Close(_) => return Err(Close::ByClient),
            Message::Pong(_) => {
                self.pings.missed = 0;
                return Ok(());
            }
            // Answered by the library, and counted beneath it.
            Message::Ping(_) | Message::Frame(_) => return Ok(()),
        };
        match self.dialect.parse(&text)? {
            ClientMessage::ConnectionInit(_) => Err(Close::TooManyInits),
            ClientMessage::Subscribe { id, payload } => self.accept(id, payload, text.len()),
            ClientMessage::Complete { id } => {
                let is_running = self.operations.end(&id);
                // One end for each beginning costs nothing, even if the operation has ended before, by itself.
                let is_due = self.ends_due > 0;
                self.ends_due = self.ends_due.saturating_sub(1);
                if !is_running {
                    if is_due { Ok(()) } else { self.admit() }
                } else if self.dialect.completes_what_was_ended() {
                    send(self.socket, protocol::complete(&id)).await
                } else {
                    Ok(())
                }
            }
            ClientMessage::Terminate => Err(Close::Terminated),
            ClientMessage::Ping => {
                self.admit()?;
                send(self.socket, protocol::pong()).await
            }
            ClientMessage::Pong => self.admit(),
        }
    }

    /// Accepts an operation that came in a message of so many bytes. What is wrong with it is told of its id.
    fn accept(&mut self, id: String, payload: Result<RequestBody, InvalidBody>, bytes: usize) -> Result<(), Close> {
        let admission = match payload {
            Ok(body) => Operation::admit(self.state, body).map_err(|refused| refused.to_errors()),
            Err(invalid) => Err(vec![invalid.to_error()]),
        };
        let admission = admission.map(|operation| {
            let resume = self.resume(&operation);
            (operation, resume)
        });
        if self.dialect.replaces() {
            self.operations.end(&id);
        }
        self.ends_due += 1;
        self.operations.accept(id, admission, bytes)
    }

    /// Where this operation resumes without a cursor of its own. One that has one shows that the socket resumes.
    fn resume(&mut self, operation: &Operation) -> Option<Resume> {
        if operation.kind() != OperationType::Subscription {
            return None;
        }
        if matches!(engine::own_cursor(self.state, operation), Ok(Some(_))) {
            self.opened.charged.resumes(&self.state.limits, self.opened.live.viewer.user.0);
        }
        self.opened.after.take()
    }

    fn begin_operations(&mut self) {
        let (caller, viewer) = (self.opened.caller, self.opened.live.viewer);
        let refused = self.operations.begin(|admission, arrived| {
            let (limits, origin) = (&self.state.limits, caller.address.origin);
            let meter = Meter::pacing(limits, origin, viewer.user.0, &self.pace, arrived);
            let (operation, after) = match admission {
                Ok(admitted) => admitted,
                Err(errors) => return engine::refuse(errors, meter),
            };
            engine::begin(self.state, caller, viewer, after, operation, meter, &self.allowance)
        });
        if refused > 0 {
            self.state.metrics.refusals.with_label_values(&["socket_too_many_subscriptions"]).inc_by(refused);
        }
    }

    fn admit(&mut self) -> Result<(), Close> {
        let admitted = self.bucket.admit(Instant::now());
        admitted.then_some(()).ok_or(Close::TryAgainLater("Too many messages"))
    }

    /// Writes the outputs that are ready, up to a bound, and flushes once.
    async fn write_outputs(&mut self, first: (Arc<str>, Output)) -> Result<(), Close> {
        let mut next = Some(first);
        let mut written_ones = 0;
        while let Some((id, output)) = next {
            self.feed(&id, output).await?;
            written_ones += 1;
            next = if written_ones < OUTPUTS_PER_FLUSH { self.operations.next_ready().await } else { None };
        }
        Ok(self.socket.flush().await?)
    }

    /// Writes what is ready and flushes once, before the socket is closed.
    async fn write_ready(&mut self) -> Result<(), Close> {
        for _ in 0..OUTPUTS_BEFORE_CLOSE {
            match self.operations.next_ready().await {
                // The close says it.
                Some((_, Output::Failed)) => {}
                Some((id, output)) => self.feed(&id, output).await?,
                None => break,
            }
        }
        Ok(self.socket.flush().await?)
    }

    async fn feed(&mut self, id: &str, output: Output) -> Result<(), Close> {
        if matches!(output, Output::Complete | Output::Error(_)) {
            // Once the client has received this, it may use the id again.
            self.operations.complete(id);
        }
        let message = match output {
            Output::Next { json, .. } => self.dialect.next(id, &json),
            Output::Complete => protocol::complete(id),
            Output::Error(errors) => self.dialect.error(id, &errors),
            Output::Failed => return Err(Close::TryAgainLater("Try again later")),
        };
        Ok(self.socket.feed(message).await?)
    }

    async fn ping(&mut self) -> Result<(), Close> {
        if !self.is_reading {
            // The pongs may be there, behind the operations that aren't read.
            self.pings.missed = 0;
        }
        if self.pings.missed >= MAX_MISSED_PONGS {
            return Err(Close::Gone);
        }
        self.pings.sent();
        send(self.socket, Message::Ping(bytes::Bytes::new())).await
    }
}

fn keep_alive_after(every: Duration) -> BoxFuture<'static, SocketTimer> {
    tokio::time::sleep(jittered(every)).map(|()| SocketTimer::KeepAlive).boxed()
}

/// Pings, which tell a dead connection from one that is only silent.
struct Pings {
    every: Duration,
    next_at: Instant,
    /// Pings since the last pong.
    missed: u32,
}

impl Pings {
    fn new(every: Duration, now: Instant) -> Self {
        Self { every, next_at: now + jittered(every), missed: 0 }
    }

    fn sent(&mut self) {
        self.missed += 1;
        let last = self.missed >= MAX_MISSED_PONGS;
        self.next_at = Instant::now() + if last { self.every / LAST_CHANCE_DIVISOR } else { jittered(self.every) };
    }
}
