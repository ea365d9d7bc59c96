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
use uuid::Uuid;

use super::WebSocket;
use super::close::Close;
use super::handshake::OpeningCharge;
use super::limits::{MAX_MISSED_PONGS, MESSAGES, TokenBucket};
use super::operations::{Operations, Progress};
use super::poll_gate::PollGate;
use super::protocol::{self, ClientMessage};
use crate::chat::Viewer;
use crate::delivery::Allowance;
use crate::delivery::hub::SocketWatch;
use crate::ephemeral::Connected;
use crate::http::AppState;
use crate::http::caller::Caller;
use crate::http::engine::{self, InvalidBody, Operation, Output, RequestBody};
use crate::limits::count::Place;
use crate::limits::{Meter, Pace};
use crate::position::Resume;

/// Outputs that are written before the connection is flushed, and frames and timers get their turn.
const OUTPUTS_PER_FLUSH: usize = 64;

/// The share by which the time between two pings varies up and down, so that many sockets that were opened together
/// drift apart.
const PING_JITTER: f64 = 0.2;

/// After the last ping that may go unanswered, this share of the interval is left to answer it.
const LAST_CHANCE_DIVISOR: u32 = 3;

/// A socket after its handshake.
pub(super) struct OpenSocket {
    /// The caller.
    pub caller: Caller,
    /// The caller's viewer.
    pub viewer: Viewer,
    /// Keeps the viewer online until it is dropped, before `watch`. `None` if the session had just ended.
    #[expect(dead_code, reason = "held")]
    pub connected: Option<Connected>,
    /// One of the sockets that the viewer may have.
    #[expect(dead_code, reason = "held")]
    pub place: Place<Uuid>,
    /// Where the socket's first subscription resumes, if it has no cursor of its own. It takes it away either way.
    pub after: Option<Resume>,
    /// To whom the opening of the socket is charged.
    pub charged: OpeningCharge,
    /// Is cancelled when the session has ended.
    pub watch: SocketWatch,
}

/// Runs the socket until something ends it.
pub(super) async fn run(state: &AppState, socket: &mut WebSocket, opened: OpenSocket) -> Close {
    let now = Instant::now();
    let session = Session {
        state,
        socket,
        operations: Operations::default(),
        allowance: Allowance::default(),
        pace: Arc::default(),
        is_reading: true,
        bucket: TokenBucket::new(MESSAGES, now),
        pings: Pings::new(Duration::from_secs(state.keepalive_secs.into()), now),
        opened,
    };
    session.run().await.unwrap_or_else(|close| close)
}

/// Sends one message and flushes it. If the client doesn't take it, the connection ends (`http/stream.rs`), and its
/// client resumes on a new one.
pub(super) async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Close> {
    Ok(socket.send(message).await?)
}

struct Session<'s> {
    state: &'s AppState,
    socket: &'s mut WebSocket,
    opened: OpenSocket,
    operations: Operations,
    /// What may wait for the client, over all operations.
    allowance: Allowance,
    /// In which order operations wait to be within the limits.
    pace: Arc<Pace>,
    /// Whether it reads from the connection. It doesn't while too many operations wait.
    is_reading: bool,
    bucket: TokenBucket,
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
    SessionEnded,
    SessionExpired,
    Drained,
}

impl<'s> Session<'s> {
    async fn run(mut self) -> Result<Close, Close> {
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
                        .map(|timer| Wakeup::SocketTimer(timer.unwrap_or(SocketTimer::SessionExpired)))
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
                Wakeup::SocketTimer(SocketTimer::SessionEnded) => return Ok(Close::Forbidden("Session ended")),
                Wakeup::SocketTimer(SocketTimer::SessionExpired) => return Ok(Close::Forbidden("Session expired")),
                Wakeup::SocketTimer(SocketTimer::Drained) => return Ok(Close::Restart),
            }
        }
    }

    fn timers(&self) -> FuturesUnordered<BoxFuture<'s, SocketTimer>> {
        let lasts = (self.opened.viewer.until - self.state.chat.clock().now()).to_std().unwrap_or_default();
        // A year is as good as forever, and within the timer's range.
        let expires = Instant::now() + lasts.min(Duration::from_hours(24 * 365));
        FuturesUnordered::from_iter([
            sleep_until(expires).map(|()| SocketTimer::SessionExpired).boxed(),
            self.opened.watch.ended.clone().cancelled_owned().map(|()| SocketTimer::SessionEnded).boxed(),
            drained(self.state).map(|()| SocketTimer::Drained).boxed(),
            sleep_until(self.pings.next_at).map(|()| SocketTimer::Ping).boxed(),
        ])
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
        match ClientMessage::parse(&text)? {
            ClientMessage::ConnectionInit(_) => Err(Close::TooManyInits),
            ClientMessage::Subscribe { id, payload } => self.accept(id, payload, text.len()),
            // There are no more ends than beginnings, unless an id is made up or the operation has just ended.
            ClientMessage::Complete { id } => {
                if self.operations.end(&id) {
                    Ok(())
                } else {
                    self.admit()
                }
            }
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
        self.operations.accept(id, admission, bytes)
    }

    /// Where this operation resumes without a cursor of its own. One that has one shows that the socket resumes.
    fn resume(&mut self, operation: &Operation) -> Option<Resume> {
        if operation.kind() != OperationType::Subscription {
            return None;
        }
        if matches!(engine::own_cursor(self.state, operation), Ok(Some(_))) {
            self.opened.charged.resumes(&self.state.limits, self.opened.viewer.user.0);
        }
        self.opened.after.take()
    }

    fn begin_operations(&mut self) {
        let OpenSocket { caller, viewer, .. } = self.opened;
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
            if matches!(output, Output::Complete | Output::Error(_)) {
                // Once the client has received this, it may use the id again.
                self.operations.complete(&id);
            }
            let message = match output {
                Output::Next { json, .. } => protocol::next(&id, &json),
                Output::Complete => protocol::complete(&id),
                Output::Error(errors) => protocol::error(&id, &errors),
                Output::Failed => return Err(Close::TryAgainLater("Try again later")),
            };
            self.socket.feed(message).await?;
            written_ones += 1;
            next = if written_ones < OUTPUTS_PER_FLUSH { self.operations.next_ready().await } else { None };
        }
        Ok(self.socket.flush().await?)
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

/// When the server stops, each socket is closed at a random moment within the drain time, so that the clients don't all
/// connect elsewhere at the same time.
async fn drained(state: &AppState) {
    state.drain.cancelled().await;
    tokio::select! {
        () = tokio::time::sleep(state.drain_time.mul_f64(random_share())) => {}
        () = state.end.cancelled() => {}
    }
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

fn jittered(every: Duration) -> Duration {
    every.mul_f64(1.0 - PING_JITTER + 2.0 * PING_JITTER * random_share())
}

/// A random number from 0 to 1.
fn random_share() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}
