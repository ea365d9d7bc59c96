//! The one writer of the log on a node, with group commit.
//!
//! While one transaction is under way, commands queue; the next transaction takes all that wait. No timer is involved:
//! a lone command is written immediately, and commands that queue together share one sync to disk.

use std::sync::Arc;
use std::time::Instant;

use sea_orm::DbErr;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::append::{Append, Committed};
use crate::clock::Clock;
use crate::position::Position;
use crate::store::{Store, outage};
use crate::telemetry::Metrics;

/// The most commands that one transaction takes.
pub(crate) const MAX_BATCH: usize = 256;

/// The most commands in the queue; when it is full, callers wait to hand theirs over.
const QUEUE: usize = 4 * MAX_BATCH;

/// The most commits that wait for the tail; when there are more, the tail reads them from the log.
const HANDOVERS: usize = 64;

/// A change to the chat that waits to be applied. The log knows no rules: `chat` implements this.
pub trait ScribeCommand: Send + Sized + 'static {
    /// Applies the commands in order within one transaction; each keeps its own outcome. May be called again, in
    /// another transaction, after the first was rolled back.
    ///
    /// # Errors
    /// Only when the database fails: a broken rule is an outcome. The whole transaction is rolled back then.
    fn apply_all(commands: &mut [Self], append: &mut Append) -> impl Future<Output = Result<(), Arc<DbErr>>> + Send;

    /// Sends the caller the outcome: the transaction is committed.
    fn settle(self);

    /// Sends the caller the error: nothing was written.
    fn fail(self, error: Arc<DbErr>);
}

/// Submits commands to the scribe. Cheap to clone.
pub struct ScribeHandle<C> {
    queue: mpsc::Sender<C>,
}

impl<C> Clone for ScribeHandle<C> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

/// The scribe has stopped: the server is shutting down.
#[derive(Debug, thiserror::Error)]
#[error("the server is shutting down")]
pub struct Stopped;

impl<C: ScribeCommand> ScribeHandle<C> {
    /// Queues a command. The command itself answers the caller, by [`ScribeCommand::settle`] or
    /// [`ScribeCommand::fail`].
    ///
    /// # Errors
    /// When the scribe has stopped.
    pub async fn submit(&self, command: C) -> Result<(), Stopped> {
        self.queue.send(command).await.map_err(|_| Stopped)
    }
}

/// The writer itself; [`Scribe::run`] drives it.
pub struct Scribe<C> {
    store: Store,
    clock: Clock,
    metrics: Arc<Metrics>,
    queue: mpsc::Receiver<C>,
    handover: mpsc::Sender<Committed>,
    head: watch::Sender<Position>,
}

/// What the scribe publishes about its commits.
pub struct Commits {
    /// The commits themselves, for this node's tail. Some are left out when it lags.
    pub handover: mpsc::Receiver<Committed>,
    /// The last position that this node committed, for the doorbell and the hub.
    pub head: watch::Receiver<Position>,
}

impl<C: ScribeCommand> Scribe<C> {
    /// A scribe for this database, a handle to it, and what it publishes about its commits.
    #[must_use]
    pub fn new(store: Store, clock: Clock, metrics: Arc<Metrics>) -> (Self, ScribeHandle<C>, Commits) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let (handover, committed) = mpsc::channel(HANDOVERS);
        let (head, heads) = watch::channel(Position::default());
        let scribe = Self { store, clock, metrics, queue, handover, head };
        (scribe, ScribeHandle { queue: sender }, Commits { handover: committed, head: heads })
    }

    /// Writes until cancelled. Commands that were queued by then are still written.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        loop {
            let taken = tokio::select! {
                taken = self.queue.recv_many(&mut batch, MAX_BATCH) => taken,
                () = stop.cancelled(), if !self.queue.is_closed() => {
                    self.queue.close();
                    continue;
                }
            };
            if taken == 0 {
                return;
            }
            self.write(std::mem::take(&mut batch)).await;
        }
    }

    /// Writes the batch as one transaction. If a command's statements fail, each command is tried alone, so that only
    /// that one fails; if a transaction can't begin or commit, or the database is away in the midst of it, all that remain
    /// fail: tried one by one they would wait for it one after the other.
    async fn write(&self, mut batch: Vec<C>) {
        match self.transact(&mut batch).await {
            Ok(()) => batch.into_iter().for_each(C::settle),
            Err(Failure::Command(_)) if batch.len() > 1 => {
                let mut alone = batch.into_iter();
                while let Some(command) = alone.next() {
                    let mut command = vec![command];
                    match self.transact(&mut command).await {
                        Ok(()) => command.into_iter().for_each(C::settle),
                        Err(Failure::Command(error)) => fail(command, &error),
                        Err(Failure::Database(error)) => return fail(command.into_iter().chain(alone), &error),
                    }
                }
            }
            Err(Failure::Command(error) | Failure::Database(error)) => fail(batch, &error),
        }
    }

    async fn transact(&self, batch: &mut [C]) -> Result<(), Failure> {
        let started = Instant::now();
        let mut append = Append::begin(&self.store, &self.clock).await.map_err(Failure::database)?;
        C::apply_all(batch, &mut append).await.map_err(Failure::of)?;
        let committed = append.commit().await.map_err(Failure::database)?;
        self.metrics.append_batch.observe(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
        self.metrics.append_seconds.observe(started.elapsed().as_secs_f64());
        self.announce(committed);
        Ok(())
    }

    fn announce(&self, committed: Committed) {
        let Some(last) = committed.events.last() else { return };
        let head = last.position;
        // A full channel loses nothing: the tail reads from the log what it was not handed.
        let _ = self.handover.try_send(committed);
        self.head.send_replace(head);
    }
}

enum Failure {
    /// A command's own statements failed.
    Command(Arc<DbErr>),
    /// The transaction could not begin or commit, or the database is away.
    Database(Arc<DbErr>),
}

impl Failure {
    fn of(error: Arc<DbErr>) -> Self {
        match outage::failure(&error) {
            crate::failure::Failure::Outage => Self::Database(error),
            crate::failure::Failure::Server | crate::failure::Failure::Client => Self::Command(error),
        }
    }

    fn database(error: DbErr) -> Self {
        Self::Database(Arc::new(error))
    }
}

fn fail<C: ScribeCommand>(commands: impl IntoIterator<Item = C>, error: &Arc<DbErr>) {
    commands.into_iter().for_each(|command| command.fail(Arc::clone(error)));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sea_orm::ConnAcquireErr;

    use super::*;

    /// A command that fails as it is told, and counts how often it was applied and how it ended.
    struct Failing {
        error: fn() -> DbErr,
        applied: Arc<AtomicUsize>,
        failed: Arc<AtomicUsize>,
    }

    impl ScribeCommand for Failing {
        async fn apply_all(commands: &mut [Self], _: &mut Append) -> Result<(), Arc<DbErr>> {
            commands[0].applied.fetch_add(1, Ordering::Relaxed);
            Err(Arc::new((commands[0].error)()))
        }

        fn settle(self) {
            panic!("it can't succeed");
        }

        fn fail(self, _: Arc<DbErr>) {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many transactions were begun for three commands that fail together, all of which are answered.
    async fn transactions(error: fn() -> DbErr) -> usize {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::connect(&Store::sqlite_url(dir.path()), 1, Arc::new(|| {})).await.expect("a database");
        store.migrate().await.expect("the schema");
        let (scribe, handle, _commits) = Scribe::new(store, Clock::default(), Arc::new(Metrics::new()));
        let (applied, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..3 {
            let command = Failing { error, applied: applied.clone(), failed: failed.clone() };
            handle.submit(command).await.expect("the scribe takes it");
        }
        let stop = CancellationToken::new();
        stop.cancel();
        scribe.run(stop).await;
        assert_eq!(failed.load(Ordering::Relaxed), 3);
        applied.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_defect_is_tried_command_by_command_and_an_outage_is_not() {
        assert_eq!(transactions(|| DbErr::Custom("a constraint".to_owned())).await, 1 + 3);
        assert_eq!(transactions(|| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)).await, 1);
    }
}
