//! Durable readers of the log, at least once, one of a name over all nodes.
//!
//! A consumer reads what is new, has its handler deal with it, and then writes how far it has read. Whatever ends it in
//! between, the next one reads the same again: at most [`BATCH`] events. It needs no queue: the log is one.
//!
//! Two things keep two nodes from getting in each other's way. One at a time has the [claim](super::alone), so that work is
//! not done twice. And a consumer moves only from the place that it has read from, so that a node which was frozen and
//! lost its claim without knowing can't set the others back.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::DbErr;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::alone::{Pauses, alone};
use super::event::Event;
use super::recent::Memory;
use super::tail::Observer;
use crate::clock::Clock;
use crate::position::Cursor;
use crate::store::Store;
use crate::telemetry::Metrics;

mod lag;
mod place;

pub use lag::Lags;
pub(crate) use place::BATCH;
use place::Next;

/// The pauses after failures.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));

/// How soon after it came to the end of the log a consumer looks again at the earliest, so that it doesn't write its
/// place for each event by itself.
const PACE: Duration = Duration::from_millis(250);

/// Why a handler failed.
pub type HandlerError = Box<dyn StdError + Send + Sync>;

/// Where a consumer begins that is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With what happens from now on.
    Head,
    /// With the oldest event that is kept.
    Oldest,
    /// Nowhere: its row is made, and deleted, by others.
    Registered,
}

/// What a consumer does with events. All of it may happen again, and may be dropped wherever it waits.
pub trait Handler: Send + Sync + 'static {
    /// The consumer's name, the same on all nodes and for ever.
    fn name(&self) -> &str;

    /// Where it begins.
    fn begin(&self) -> Begin;

    /// Whether this event is any business of the handler's. Others wake nobody; they are passed with the next poll.
    fn wants(&self, event: &Event) -> bool;

    /// How many of those events are dealt with together at most: so many may happen again.
    fn together(&self) -> usize {
        BATCH
    }

    /// How long it lets events gather at the end of the log before it looks again.
    fn pace(&self) -> Duration {
        PACE
    }

    /// Deals with these events, in log order. Whatever time it takes is its own to bound.
    fn handle(&self, events: &[Event]) -> impl Future<Output = Result<(), HandlerError>> + Send;

    /// Deals with whatever was missed: events were trimmed before they were read, or before there was this consumer.
    fn missed(&self) -> impl Future<Output = Result<(), HandlerError>> + Send;
}

/// A consumer on this node. It observes the tail to be woken, and reads the log by itself where the node's memory of it ends.
pub struct Consumer<H> {
    handler: H,
    store: Store,
    memory: Arc<Memory>,
    clock: Clock,
    metrics: Arc<Metrics>,
    /// How often it looks at least.
    poll: Duration,
    woken: Notify,
}

/// Why a consumer can't go on.
enum Trouble {
    /// The database failed.
    Database(DbErr),
    /// The handler did.
    Handler(HandlerError),
    /// Its row says another place than it has written there: another node goes on.
    Overtaken,
    /// Its row is of another log.
    Foreign(Cursor),
}

impl From<DbErr> for Trouble {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl<H: Handler> Consumer<H> {
    /// A consumer on this database, which looks at the log every `poll` at least, as far as `memory` doesn't have it.
    #[must_use]
    pub(crate) fn new(
        handler: H,
        store: Store,
        memory: Arc<Memory>,
        clock: Clock,
        metrics: Arc<Metrics>,
        poll: Duration,
    ) -> Self {
        for counter in [&metrics.consumer_events, &metrics.consumer_failures, &metrics.consumer_missed] {
            counter.with_label_values(&[handler.name()]).reset();
        }
        metrics.consumer_running.with_label_values(&[handler.name()]).set(0);
        metrics.consumer_lag.with_label_values(&[handler.name()]).set(0.0);
        Self { handler, store, memory, clock, metrics, poll, woken: Notify::new() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.handler.name()
    }

    /// Consumes whenever this node has the claim, until cancelled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let name = format!("consumer {}", self.handler.name());
        alone(&self.store, &name, &stop, || self.work()).await;
    }

    /// Consumes, for whoever has a claim already, until its row turns out to be moved by others, or deleted.
    pub async fn work(&self) {
        let name = self.handler.name();
        let _running = Running::of(&self.metrics, name);
        let mut pauses = Pauses::new(PAUSES.0, PAUSES.1);
        let mut foreign = None;
        loop {
            let Err(trouble) = self.consume(&mut pauses).await;
            match trouble {
                Trouble::Overtaken => {
                    tracing::info!(consumer = name, "another node has moved the consumer meanwhile; beginning anew");
                    return;
                }
                Trouble::Foreign(at) => {
                    // Told once for each place, because an operator has to mend it, which may take days.
                    if foreign.replace(at) != Some(at) {
                        tracing::error!(
                            consumer = name,
                            position = at.position.0,
                            "the consumer stands at an event that this log doesn't hold, so its row is of another log; it \
                             stands still until the row is deleted, and then begins anew"
                        );
                    }
                }
                Trouble::Handler(error) => {
                    tracing::warn!(consumer = name, error = &*error as &dyn StdError, "it failed; trying again");
                }
                Trouble::Database(error) => {
                    tracing::warn!(consumer = name, %error, "the database failed; trying again");
                }
            }
            self.metrics.consumer_failures.with_label_values(&[name]).inc();
            sleep(pauses.next()).await;
        }
    }

    /// Consumes from the place in its row, until something goes wrong.
    async fn consume(&self, pauses: &mut Pauses) -> Result<std::convert::Infallible, Trouble> {
        let mut at = self.stand().await?;
        // The log itself says first whether it is the one that is remembered.
        let mut memory = None;
        loop {
            let next = place::next(&self.store, memory, at).await?;
            memory = Some(&*self.memory);
            let mut events = match next {
                Next::Events(events) => events,
                Next::Foreign => return Err(Trouble::Foreign(at)),
                Next::Missed(oldest) => {
                    self.tell_missed(at, oldest);
                    self.handler.missed().await.map_err(Trouble::Handler)?;
                    at = self.go(at, oldest).await?;
                    continue;
                }
            };
            let is_full = events.len() == BATCH;
            let mut wanted: Vec<Event> = events.iter().filter(|event| self.handler.wants(event)).cloned().collect();
            let is_cut = wanted.len() > self.handler.together();
            if is_cut {
                let next = wanted.split_off(self.handler.together())[0].position;
                events.retain(|event| event.position < next);
            }
            if let Some(last) = events.last() {
                let (after, upto) = (at.position.0, last.position.0);
                tracing::debug!(consumer = self.handler.name(), after, upto, "read");
                if !wanted.is_empty() {
                    self.handler.handle(&wanted).await.map_err(Trouble::Handler)?;
                }
                at = self.go(at, last.cursor()).await?;
            }
            pauses.reset();
            if !is_full && !is_cut {
                sleep(self.handler.pace().min(self.poll)).await;
                // Woken or not, it looks.
                let _ = timeout(self.poll, self.woken.notified()).await;
            }
        }
    }

    /// Where it stands, by its row, which is made if there is none.
    async fn stand(&self) -> Result<Cursor, Trouble> {
        let name = self.handler.name();
        if let Some(at) = place::read(&self.store, name).await? {
            return Ok(at);
        }
        if self.handler.begin() == Begin::Registered {
            return Err(Trouble::Overtaken);
        }
        let at = place::first(&self.store, self.handler.begin()).await?;
        if self.handler.begin() == Begin::Oldest && at != Cursor::default() {
            self.handler.missed().await.map_err(Trouble::Handler)?;
        }
        place::register(&self.store, name, at, self.clock.now()).await?;
        tracing::info!(consumer = name, position = at.position.0, "a new consumer of the log begins");
        // Another node may have been the first.
        place::read(&self.store, name).await?.ok_or(Trouble::Overtaken)
    }

    /// Writes that everything up to `to` is dealt with.
    async fn go(&self, from: Cursor, to: Cursor) -> Result<Cursor, Trouble> {
        let name = self.handler.name();
        if !place::advance(&self.store, name, from, to, self.clock.now()).await? {
            return Err(Trouble::Overtaken);
        }
        let (after, upto) = (from.position.0, to.position.0);
        tracing::debug!(consumer = name, after, upto, "consumed");
        self.metrics.consumer_events.with_label_values(&[name]).inc_by(u64::try_from(upto - after).unwrap_or_default());
        Ok(to)
    }

    fn tell_missed(&self, at: Cursor, oldest: Cursor) {
        let name = self.handler.name();
        let (position, oldest) = (at.position.0, oldest.position.0);
        tracing::error!(consumer = name, position, oldest, "events were trimmed before the consumer had read them");
        self.metrics.consumer_missed.with_label_values(&[name]).inc();
    }
}

impl<H: Handler> Observer for Consumer<H> {
    fn observe(&self, events: &[Event]) {
        if events.iter().any(|event| self.handler.wants(event)) {
            self.woken.notify_one();
        }
    }

    fn reset(&self) {
        self.woken.notify_one();
    }
}

/// Shows in a metric that the consumer runs on this node, until it is dropped.
struct Running<'m> {
    metrics: &'m Metrics,
    name: &'m str,
}

impl<'m> Running<'m> {
    fn of(metrics: &'m Metrics, name: &'m str) -> Self {
        metrics.consumer_running.with_label_values(&[name]).set(1);
        Self { metrics, name }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.metrics.consumer_running.with_label_values(&[self.name]).set(0);
    }
}

#[cfg(test)]
mod tests;
