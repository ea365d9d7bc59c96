//! Follows the log on every node and hands on each event once, in order.
//!
//! Nothing depends on a doorbell arriving, arriving once, or in order: a ring only says when to read the log.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::append::Committed;
use super::event::Event;
use super::scribe::Commits;
use crate::position::Cursor;
use crate::store::Store;
use crate::store::entity::event;
use crate::telemetry::Metrics;

/// How soon a tail that could not read the log tries again, if its poll doesn't come sooner.
const RETRY: Duration = Duration::from_secs(1);

/// The most new events that one query reads from the log.
const READ_TOGETHER: u64 = 512;

/// The one owner of what the tail reads: it takes the events, and the tail waits for it. A consumer that may fail, or
/// whose progress must outlive this process, is no follower: it reads the log itself.
pub trait Follower: Send + Sync + 'static {
    /// Takes the next events, which continue where the last ones ended.
    fn follow(&self, committed: Committed) -> impl Future<Output = ()> + Send;

    /// The log is about to be read.
    fn reading(&self) {}

    /// What was read since [`Self::reading`], and taken since, went to the end of the log.
    fn read_to_the_end(&self) {}

    /// The log is not the one that was followed so far: the database was restored from an older copy under the running
    /// server. The next events continue from `head`.
    fn reset(&self, head: Cursor);
}

/// Sees each event before the [`Follower`] takes it. It can't fail and must not wait.
pub trait Observer: Send + Sync + 'static {
    /// Sees the next events, which continue where the last ones ended.
    fn observe(&self, events: &[Event]);

    /// As [`Follower::reset`].
    fn reset(&self);
}

/// Follows the log for a list of observers and one follower.
pub struct Tail<F> {
    store: Store,
    metrics: Arc<Metrics>,
    /// In the order in which they see the events.
    observers: Vec<Arc<dyn Observer>>,
    follower: Arc<F>,
    applied: Cursor,
    commits: Commits,
    doorbell: Arc<Notify>,
    poll: Duration,
}

impl<F: Follower> Tail<F> {
    /// A tail that has seen everything up to `applied`, on the database [for followers](Store::for_followers). It reads the log when `doorbell` is rung and every `poll`, and
    /// takes what this node commits from `commits`. The observers see the events in the order of their list, then
    /// `follower` takes them.
    #[expect(clippy::too_many_arguments, reason = "wired once")]
    pub fn new(
        store: Store,
        metrics: Arc<Metrics>,
        observers: Vec<Arc<dyn Observer>>,
        follower: Arc<F>,
        applied: Cursor,
        commits: Commits,
        doorbell: Arc<Notify>,
        poll: Duration,
    ) -> Self {
        metrics.tail_position.set(applied.position.0);
        Self { store, metrics, observers, follower, applied, commits, doorbell, poll }
    }

    /// Follows until cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut poll = tokio::time::interval(self.poll);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(committed) = self.commits.handover.recv() => self.take(committed).await,
                () = self.doorbell.notified() => self.read().await,
                _ = poll.tick() => self.read().await,
            }
            if self.metrics.tail_errors.get() > 0 {
                poll.reset_after(RETRY.min(self.poll));
            }
        }
    }

    /// Takes what this node wrote, if it continues what was seen; otherwise reads the log.
    async fn take(&mut self, committed: Committed) {
        if committed.base == self.applied {
            self.hand_on(committed).await;
        } else {
            self.read().await;
        }
    }

    async fn read(&mut self) {
        loop {
            self.follower.reading();
            match self.next_events().await {
                Ok(None) => return self.start_over().await,
                Ok(Some(events)) => {
                    self.commits.pulse.read();
                    let more = events.len() as u64 == READ_TOGETHER;
                    if !events.is_empty() {
                        self.hand_on(Committed { base: self.applied, events, messages: Vec::new() }).await;
                    }
                    if !more {
                        self.follower.read_to_the_end();
                        self.metrics.tail_errors.set(0);
                        return;
                    }
                }
                Err(error) => return self.failed(&error),
            }
        }
    }

    fn failed(&self, error: &DbErr) {
        if self.metrics.tail_errors.get() == 0 {
            tracing::warn!(%error, "the log can't be read; trying again at every poll");
        }
        self.metrics.tail_errors.inc();
    }

    async fn start_over(&mut self) {
        match super::head(&self.store).await {
            Ok(head) => {
                tracing::warn!(
                    from = self.applied.position.0,
                    to = head.position.0,
                    "the log was replaced; starting over"
                );
                self.commits.pulse.read();
                self.applied = head;
                self.metrics.tail_position.set(head.position.0);
                self.observers.iter().for_each(|observer| observer.reset());
                self.follower.reset(head);
            }
            Err(error) => self.failed(&error),
        }
    }

    /// The events after the last one that was handed on. `None`: the log doesn't continue from that event, because it
    /// was replaced.
    async fn next_events(&self) -> Result<Option<Vec<event::Model>>, DbErr> {
        let applied = self.applied;
        let asked = event::Entity::find()
            .filter(event::Column::Position.gte(applied.position))
            .order_by_asc(event::Column::Position)
            .limit(READ_TOGETHER + 1);
        let mut events = self.store.read().models(asked).await?;
        if events.first().is_some_and(|event| event.cursor() == applied) {
            events.remove(0);
            return Ok(Some(events));
        }
        // The last event may have been pruned meanwhile; then the log begins right after it.
        let next = events.first().map(|event| event.position);
        let is_trimmed = next == Some(applied.position.next());
        let is_empty = applied == Cursor::default() && next.is_none();
        events.truncate(usize::try_from(READ_TOGETHER).unwrap_or(usize::MAX));
        Ok((is_trimmed || is_empty).then_some(events))
    }

    async fn hand_on(&mut self, committed: Committed) {
        if let Some(last) = committed.events.last() {
            self.applied = last.cursor();
            self.observers.iter().for_each(|observer| observer.observe(&committed.events));
            self.follower.follow(committed).await;
            self.metrics.tail_position.set(self.applied.position.0);
        }
    }
}
