//! The life of a socket after its handshake.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::time::{Instant, sleep_until, timeout};

use super::close::Close;
use super::limits::{Intake, MAX_MISSED_PONGS, WRITE_TIMEOUT};
use super::operations::{Operations, Output};
use super::protocol::{self, ClientMessage};
use super::seldom::Seldom;
use crate::chat::Viewer;
use crate::delivery::hub::SocketWatch;
use crate::http::Edge;
use crate::position::Cursor;

/// Outputs that are written before the connection is flushed and other things get their turn.
const OUTPUTS_AT_ONCE: usize = 64;

/// By which share the time between two pings varies up and down: many sockets that came together drift apart.
const PING_JITTER: f64 = 0.2;

/// After the last ping that may go unanswered, this share of the interval is left to answer it.
const LAST_CHANCE_DIVISOR: u32 = 3;

/// A socket after its handshake.
pub struct Opened {
    /// Who is there.
    pub viewer: Viewer,
    /// Where its subscriptions resume from, unless they say so themselves.
    pub after: Option<Cursor>,
    /// Tells when its session has ended.
    pub watch: SocketWatch,
}

/// Runs the socket until something ends it.
pub async fn run(edge: &Edge, socket: &mut WebSocket, opened: Opened) -> Close {
    let now = Instant::now();
    let session = Session {
        edge,
        socket,
        operations: Operations::default(),
        intake: Intake::new(now),
        pings: Pings::new(Duration::from_secs(edge.keepalive_secs.into()), now),
        opened,
    };
    session.run().await.unwrap_or_else(|close| close)
}

/// Sends one message at once.
pub async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Close> {
    written(socket.send(message)).await
}

/// A write that the connection doesn't take in time ends the socket: its client resumes on a new one.
async fn written(write: impl Future<Output = Result<(), axum::Error>>) -> Result<(), Close> {
    let mut write = pin!(write);
    // Nearly every write is taken at once, and needs no clock.
    if let Poll::Ready(written) = poll_fn(|cx| Poll::Ready(write.as_mut().poll(cx))).await {
        return written.map_err(Close::from);
    }
    match timeout(WRITE_TIMEOUT, write).await {
        Ok(written) => written.map_err(Close::from),
        Err(_) => Err(Close::Gone),
    }
}

struct Session<'s> {
    edge: &'s Edge,
    socket: &'s mut WebSocket,
    opened: Opened,
    operations: Operations,
    intake: Intake,
    pings: Pings,
}

/// What a socket's task has to do next.
enum Happened {
    /// An operation has something for the client.
    Output((Arc<str>, Output)),
    /// The client has sent something; none when the connection is over.
    Frame(Option<Result<Message, axum::Error>>),
    /// It is time for something.
    Turn(Turn),
}

/// What there is a time for.
enum Turn {
    Ping,
    SessionEnded,
    SessionExpired,
    Drained,
}

impl<'s> Session<'s> {
    async fn run(mut self) -> Result<Close, Close> {
        let mut turns = self.turns();
        let mut seldom = Seldom::default();
        loop {
            let happened = poll_fn(|cx| {
                let rare = seldom.poll(cx, |cx| {
                    if let Poll::Ready(frame) = self.socket.poll_next_unpin(cx) {
                        return Poll::Ready(Happened::Frame(frame));
                    }
                    turns.poll_next_unpin(cx).map(|turn| Happened::Turn(turn.unwrap_or(Turn::SessionExpired)))
                });
                if rare.is_ready() {
                    return rare;
                }
                self.operations.poll_next(cx).map(Happened::Output)
            });
            match happened.await {
                Happened::Output(output) => self.give(output).await?,
                Happened::Frame(None) => return Err(Close::Gone),
                Happened::Frame(Some(frame)) => self.take(frame?).await?,
                Happened::Turn(Turn::Ping) => {
                    self.ping().await?;
                    turns.push(sleep_until(self.pings.next_at).map(|()| Turn::Ping).boxed());
                }
                Happened::Turn(Turn::SessionEnded) => return Ok(Close::Forbidden("Session ended")),
                Happened::Turn(Turn::SessionExpired) => return Ok(Close::Forbidden("Session expired")),
                Happened::Turn(Turn::Drained) => return Ok(Close::Restart),
            }
        }
    }

    fn turns(&self) -> FuturesUnordered<BoxFuture<'s, Turn>> {
        let lasts = (self.opened.viewer.until - self.edge.chat.clock().now()).to_std().unwrap_or_default();
        // A year from now is as good as never, and within what the timer can count.
        let expires = Instant::now() + lasts.min(Duration::from_hours(24 * 365));
        FuturesUnordered::from_iter([
            sleep_until(expires).map(|()| Turn::SessionExpired).boxed(),
            self.opened.watch.ended.clone().cancelled_owned().map(|()| Turn::SessionEnded).boxed(),
            drained(self.edge).map(|()| Turn::Drained).boxed(),
            sleep_until(self.pings.next_at).map(|()| Turn::Ping).boxed(),
        ])
    }

    async fn take(&mut self, frame: Message) -> Result<(), Close> {
        let text = match frame {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Close::BadRequest("messages are text".to_owned())),
            Message::Close(_) => return Err(Close::ByClient),
            Message::Pong(_) => {
                self.pings.missed = 0;
                return Ok(());
            }
            Message::Ping(_) => return self.admit(),
        };
        self.admit()?;
        match ClientMessage::parse(&text)? {
            ClientMessage::ConnectionInit(_) => Err(Close::TooManyInits),
            ClientMessage::Subscribe { id, payload } => {
                self.operations.begin(self.edge, self.opened.viewer, self.opened.after, id, payload)
            }
            ClientMessage::Complete { id } => {
                self.operations.end(&id);
                Ok(())
            }
            ClientMessage::Ping => send(self.socket, protocol::pong()).await,
            ClientMessage::Pong => Ok(()),
        }
    }

    fn admit(&mut self) -> Result<(), Close> {
        let admitted = self.intake.admit(Instant::now());
        admitted.then_some(()).ok_or(Close::TryAgainLater("Too many messages"))
    }

    /// Writes what there is, up to a bound, and flushes once.
    async fn give(&mut self, first: (Arc<str>, Output)) -> Result<(), Close> {
        let mut next = Some(first);
        let mut written_ones = 0;
        while let Some((id, output)) = next {
            if matches!(output, Output::Complete | Output::Error(_)) {
                // Once the client has been told, it may use the id again.
                self.operations.end(&id);
            }
            let message = match output {
                Output::Next(response) => protocol::next(&id, &response),
                Output::Complete => protocol::complete(&id),
                Output::Error(errors) => protocol::error(&id, &errors),
                Output::Failed => return Err(Close::TryAgainLater("Try again later")),
            };
            written(self.socket.feed(message)).await?;
            written_ones += 1;
            next = if written_ones < OUTPUTS_AT_ONCE { self.operations.next_of_those_that_wait().await } else { None };
        }
        written(self.socket.flush()).await
    }

    async fn ping(&mut self) -> Result<(), Close> {
        if self.pings.missed >= MAX_MISSED_PONGS {
            return Err(Close::Gone);
        }
        self.pings.sent();
        send(self.socket, Message::Ping(axum::body::Bytes::new())).await
    }
}

/// When the server stops, each socket is closed at a moment of its own within the drain time, so that the clients don't
/// all come back at once.
async fn drained(edge: &Edge) {
    edge.drain.cancelled().await;
    tokio::select! {
        () = tokio::time::sleep(edge.drain_time.mul_f64(random_share())) => {}
        () = edge.end.cancelled() => {}
    }
}

/// Keeps a silent connection from being taken for a live one, and the other way round.
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

/// From 0 to 1.
fn random_share() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}
