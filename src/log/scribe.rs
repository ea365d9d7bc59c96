//! The one writer of the log on a node, with group commit.
//!
//! While one transaction is under way, commands queue; the next transaction takes all that wait. No timer is involved:
//! a lone command is written immediately, and commands that queue together share one sync to disk. What comes while a
//! transaction waits for its turn, as nodes that share a database do, is taken too: so a node that had to wait longer
//! writes more at once, and several nodes write no less than one.

use std::sync::Arc;
use std::time::Instant;

use sea_orm::DbErr;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::append::{Append, Committed};
use super::pulse::Pulse;
use crate::clock::Clock;
use crate::position::Position;
use crate::store::Store;
use crate::store::outage::{self, APPEND_DEADLINE, COMMIT_DEADLINE};
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

    /// Sends the caller that the outcome isn't known: the transaction may be committed.
    fn lose(self, error: Arc<DbErr>);
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
    pulse: Arc<Pulse>,
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
    /// Where the scribe notes how its appends end, and the tail that it reads.
    pub pulse: Arc<Pulse>,
}

impl<C: ScribeCommand> Scribe<C> {
    /// A scribe for this database, a handle to it, and what it publishes about its commits.
    #[must_use]
    pub fn new(store: Store, clock: Clock, metrics: Arc<Metrics>) -> (Self, ScribeHandle<C>, Commits) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let (handover, committed) = mpsc::channel(HANDOVERS);
        let (head, heads) = watch::channel(Position::default());
        let pulse = Arc::<Pulse>::default();
        let scribe = Self { store, clock, metrics, pulse: pulse.clone(), queue, handover, head };
        (scribe, ScribeHandle { queue: sender }, Commits { handover: committed, head: heads, pulse })
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
    /// that one fails; if a transaction can't begin or commit, or the database is away or silent in the midst of it, all
    /// that remain fail: tried one by one they would wait for it one after the other. What may be committed is never
    /// tried again.
    async fn write(&mut self, mut batch: Vec<C>) {
        match self.transact(&mut batch, MAX_BATCH).await {
            Ok(()) => batch.into_iter().for_each(C::settle),
            Err(Failure::Command(_)) if batch.len() > 1 => {
                let mut alone = batch.into_iter();
                while let Some(command) = alone.next() {
                    let mut command = vec![command];
                    match self.transact(&mut command, 1).await {
                        Ok(()) => command.into_iter().for_each(C::settle),
                        Err(Failure::Command(error)) => fail(command, &error),
                        Err(Failure::Database(error)) => return fail(command.into_iter().chain(alone), &error),
                        Err(Failure::Unknown(error)) => {
                            lose(command, &error);
                            return fail(alone, &error);
                        }
                    }
                }
            }
            Err(Failure::Command(error) | Failure::Database(error)) => fail(batch, &error),
            Err(Failure::Unknown(error)) => lose(batch, &error),
        }
    }

    /// Writes the batch, and what is queued by the time that its transaction has begun, up to so many commands.
    async fn transact(&mut self, batch: &mut Vec<C>, most: usize) -> Result<(), Failure> {
        let outcome = self.append(batch, most).await;
        self.pulse.appended(!matches!(outcome, Err(Failure::Database(_) | Failure::Unknown(_))));
        outcome
    }

    async fn append(&mut self, batch: &mut Vec<C>, most: usize) -> Result<(), Failure> {
        let started = Instant::now();
        let (store, clock, queue) = (&self.store, &self.clock, &mut self.queue);
        let writing = async {
            let mut append = Append::begin(store, clock).await.map_err(Failure::database)?;
            while batch.len() < most
                && let Ok(command) = queue.try_recv()
            {
                batch.push(command);
            }
            C::apply_all(batch, &mut append).await.map_err(Failure::of)?;
            append.write().await.map_err(Failure::database)?;
            Ok(append)
        };
        let append = timeout(APPEND_DEADLINE, writing).await.unwrap_or_else(|_| {
            self.store.note_silence();
            Err(Failure::database(outage::no_answer(APPEND_DEADLINE)))
        })?;
        let committed = timeout(COMMIT_DEADLINE, append.commit()).await.unwrap_or_else(|_| {
            self.store.note_silence();
            Err(outage::no_answer(COMMIT_DEADLINE))
        });
        let committed = committed.map_err(Failure::of_commit)?;
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
    /// The database gave no answer to the COMMIT.
    Unknown(Arc<DbErr>),
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

    fn of_commit(error: DbErr) -> Self {
        if outage::leaves_open(&error) { Self::Unknown(Arc::new(error)) } else { Self::database(error) }
    }
}

fn fail<C: ScribeCommand>(commands: impl IntoIterator<Item = C>, error: &Arc<DbErr>) {
    commands.into_iter().for_each(|command| command.fail(Arc::clone(error)));
}

fn lose<C: ScribeCommand>(commands: impl IntoIterator<Item = C>, error: &Arc<DbErr>) {
    commands.into_iter().for_each(|command| command.lose(Arc::clone(error)));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sea_orm::ConnAcquireErr;

    use super::*;

    /// A command that fails as it is told, or never ends, and counts how often it was applied and how it ended.
    struct Failing {
        error: Option<fn() -> DbErr>,
        applied: Arc<AtomicUsize>,
        failed: Arc<AtomicUsize>,
    }

    impl ScribeCommand for Failing {
        async fn apply_all(commands: &mut [Self], _: &mut Append) -> Result<(), Arc<DbErr>> {
            commands[0].applied.fetch_add(1, Ordering::Relaxed);
            match commands[0].error {
                Some(error) => Err(Arc::new(error())),
                None => std::future::pending().await,
            }
        }

        fn settle(self) {
            panic!("it can't succeed");
        }

        fn fail(self, _: Arc<DbErr>) {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }

        fn lose(self, _: Arc<DbErr>) {
            panic!("it never commits");
        }
    }

    /// A command that tells how many were written together with it.
    struct Counting(Arc<std::sync::Mutex<Vec<usize>>>);

    impl ScribeCommand for Counting {
        async fn apply_all(commands: &mut [Self], _: &mut Append) -> Result<(), Arc<DbErr>> {
            commands[0].0.lock().expect("no panic").push(commands.len());
            Ok(())
        }

        fn settle(self) {}

        fn fail(self, error: Arc<DbErr>) {
            panic!("{error}");
        }

        fn lose(self, error: Arc<DbErr>) {
            panic!("{error}");
        }
    }

    #[tokio::test]
    async fn what_comes_while_a_transaction_waits_for_its_turn_is_part_of_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::connect(&Store::sqlite_url(dir.path()), 1, Arc::new(|_| {})).await.expect("a database");
        store.migrate().await.expect("the schema");
        let (scribe, handle, _commits) = Scribe::new(store.clone(), Clock::default(), Arc::new(Metrics::new()));
        let together = Arc::<std::sync::Mutex<Vec<usize>>>::default();
        let submit = async |count: usize| {
            for _ in 0..count {
                handle.submit(Counting(together.clone())).await.expect("the scribe takes it");
            }
        };
        submit(1).await;
        let turn = store.begin_write().await.expect("a transaction");
        let stop = CancellationToken::new();
        let mut running = std::pin::pin!(scribe.run(stop.clone()));
        assert!(futures_util::poll!(&mut running).is_pending(), "it has taken the first, and waits");
        submit(MAX_BATCH).await;
        drop(turn);
        stop.cancel();
        running.await;
        assert_eq!(*together.lock().expect("no panic"), [MAX_BATCH, 1]);
    }

    /// How many transactions were begun for three commands that fail together, all of which are answered.
    async fn transactions(error: Option<fn() -> DbErr>) -> usize {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::connect(&Store::sqlite_url(dir.path()), 1, Arc::new(|_| {})).await.expect("a database");
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
        assert_eq!(transactions(Some(|| DbErr::Custom("a constraint".to_owned()))).await, 1 + 3);
        assert_eq!(transactions(Some(|| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))).await, 1);
    }

    #[tokio::test]
    async fn a_statement_without_an_answer_is_given_up_once_for_the_whole_batch() {
        let started = Instant::now();
        assert_eq!(transactions(None).await, 1);
        assert!(started.elapsed() < 2 * APPEND_DEADLINE, "given up after {:?}", started.elapsed());
    }
}
