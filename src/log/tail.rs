//! Follows the log on every node and hands each event on once, in order.
//!
//! Nothing depends on a doorbell arriving, arriving once, or in order: it only says when to look.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::append::Committed;
use super::scribe::Commits;
use crate::position::Position;
use crate::store::Store;
use crate::store::entity::event;
use crate::telemetry::Metrics;

/// Events read from the log at a time.
const READ_AT_ONCE: u64 = 512;

/// Whoever wants to see the log go by.
pub trait Follower: Send + Sync + 'static {
    /// Takes the next events: they continue where the last ones ended.
    fn follow(&self, committed: Committed) -> impl Future<Output = ()> + Send;
}

/// Follows the log for one follower.
pub struct Tail<F> {
    store: Store,
    metrics: Arc<Metrics>,
    follower: Arc<F>,
    applied: Position,
    commits: Commits,
    doorbell: Arc<Notify>,
    poll: Duration,
}

impl<F: Follower> Tail<F> {
    /// A tail that has seen everything up to `applied`. It looks at the log when this node commits, when `doorbell`
    /// is rung, and every `poll`.
    pub fn new(
        store: Store,
        metrics: Arc<Metrics>,
        follower: Arc<F>,
        applied: Position,
        commits: Commits,
        doorbell: Arc<Notify>,
        poll: Duration,
    ) -> Self {
        Self { store, metrics, follower, applied, commits, doorbell, poll }
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
        }
    }

    /// Takes what this node wrote itself, if it continues what was seen; otherwise reads the log.
    async fn take(&mut self, committed: Committed) {
        match committed.events.first() {
            Some(first) if first.position == self.applied.next() => self.hand_on(committed).await,
            _ => self.read().await,
        }
    }

    async fn read(&mut self) {
        loop {
            match self.next_events().await {
                Ok(events) => {
                    let more = events.len() as u64 == READ_AT_ONCE;
                    if !events.is_empty() {
                        self.hand_on(Committed { events, messages: Vec::new() }).await;
                    }
                    if !more {
                        self.metrics.tail_errors.set(0);
                        return;
                    }
                }
                Err(error) => {
                    if self.metrics.tail_errors.get() == 0 {
                        tracing::warn!(%error, "the log can't be read; trying again at every poll");
                    }
                    self.metrics.tail_errors.inc();
                    return;
                }
            }
        }
    }

    async fn next_events(&self) -> Result<Vec<event::Model>, DbErr> {
        event::Entity::find()
            .filter(event::Column::Position.gt(self.applied))
            .order_by_asc(event::Column::Position)
            .limit(READ_AT_ONCE)
            .all(self.store.read())
            .await
    }

    async fn hand_on(&mut self, committed: Committed) {
        if let Some(last) = committed.events.last() {
            self.applied = last.position;
            self.follower.follow(committed).await;
            self.metrics.tail_position.set(self.applied.0);
        }
    }
}
