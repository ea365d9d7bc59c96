//! The database: connections, transactions, and one file per table under [`entity`].
//!
//! SQLite and PostgreSQL behave alike above this module. What differs (how a write transaction begins, how a list is
//! bound) is decided here.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, RuntimeErr, Statement, TransactionOptions, TransactionTrait, Value,
};
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use file::DatabaseFile;
use outage::{ACQUIRE_TIMEOUT, FOLLOW_DEADLINE, PROBE_TIMEOUT, STATEMENT_DEADLINE};
use pools::{Connections, Pools};
use ran::Ran;
use silence::Silence;

mod arguments;
mod bounded;
pub(crate) mod check;
pub(crate) mod claim;
pub(crate) mod direct;
pub mod entity;
mod file;
pub mod kinds;
pub(crate) mod list;
pub(crate) mod outage;
mod permissions;
mod pooler;
mod pools;
mod postgres;
mod ran;
pub(crate) mod search;
mod silence;
mod sqlite;

pub use bounded::{Held, Reader, Transaction};
pub use file::{ServerLock, ServerLockError};
pub use ran::Watched;
pub(crate) use ran::in_background;

/// Key of the PostgreSQL advisory lock that lets one node migrate at a time.
const MIGRATION_LOCK: i64 = 0x5041_524c_4f52_0001;

/// How often the file of an SQLite database is looked at, at least.
const LOOK_AFTER: Duration = Duration::from_millis(500);

/// How often a write-ahead log that has outgrown its bound is moved at most: writers wait for it.
const MOVE_AGAIN: Duration = Duration::from_mins(1);

/// Called after each statement that the database has run, for counting.
pub type OnStatement = Arc<dyn Fn(bool) + Send + Sync>;

/// The connections to one database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    read: Reader,
    follow: Reader,
    append: Connections,
    write: Connections,
    probe: Option<Connections>,
    /// When it was last asked, and the answer.
    may_write: Arc<Mutex<Option<(Instant, bool)>>>,
    silence: Arc<Silence>,
    /// That of an SQLite database.
    file: Option<Arc<DatabaseFile>>,
    ran: Ran,
}

impl Store {
    /// Opens `url` (`sqlite:…` or `postgres:…`) with at most `read_connections` readers.
    ///
    /// An SQLite file is created when missing; the directory is not. SQLite has one write connection, in WAL mode with
    /// a full sync at every commit.
    ///
    /// # Errors
    /// When the database can't be reached or opened, or the URL is of another kind.
    pub async fn connect(url: &str, read_connections: u32, on_statement: OnStatement) -> Result<Self, DbErr> {
        let (silence, ran) = (Arc::<Silence>::default(), Ran::new(on_statement));
        let path = url.starts_with("sqlite:").then(|| file::path_of(url)).flatten();
        let opened = if url.starts_with("sqlite:") {
            permissions::make_private(url);
            Pools::sqlite(url, read_connections, &ran).await
        } else {
            Pools::postgres(url, read_connections, &silence, &ran).await
        };
        let pools = opened.map_err(|error| match &path {
            Some(path) => DbErr::Conn(RuntimeErr::Internal(file::explain(path, &error))),
            None => error,
        })?;
        let gone = |error: io::Error| DbErr::Conn(RuntimeErr::Internal(format!("its file is gone: {error}")));
        let file = path.map(DatabaseFile::opened).transpose().map_err(gone)?.map(Arc::new);
        let Pools { read, follow, append, write, probe } = pools;
        Ok(Self {
            read: Reader::new(read, STATEMENT_DEADLINE, None),
            follow: Reader::new(follow, FOLLOW_DEADLINE, Some(silence.clone())),
            append,
            write,
            probe,
            may_write: Arc::default(),
            silence,
            file,
            ran,
        })
    }

    /// Every statement that is run from now on, with its parameters, in the order in which they end. For tests that
    /// look at plans; nothing is kept until it is called. `None`: there is a watcher already.
    #[must_use]
    pub fn watch(&self) -> Option<UnboundedReceiver<Watched>> {
        self.ran.watch()
    }

    /// The URL of the SQLite file that is used when no other database is configured.
    #[must_use]
    pub fn sqlite_url(data_dir: &Path) -> String {
        format!("sqlite:{}?mode=rwc", data_dir.join("parlor.db").display())
    }

    /// For statements that only read. Not to be used while holding a transaction of [`Self::begin_write`].
    #[must_use]
    pub fn read(&self) -> &Reader {
        &self.read
    }

    /// The same database for those who follow the log: they read on connections that requests can't occupy, and are
    /// answered within [`FOLLOW_DEADLINE`] or not at all.
    #[must_use]
    pub fn for_followers(&self) -> Self {
        Self { read: self.follow.clone(), ..self.clone() }
    }

    /// Whether the database may be written to, and says so within [`PROBE_TIMEOUT`]: not so on a standby, or while
    /// somebody else holds the lock of an SQLite file. Callers that ask within half a second share an answer.
    pub async fn may_write(&self) -> bool {
        let mut last = self.may_write.lock().await;
        if let Some((at, answer)) = *last
            && at.elapsed() < PROBE_TIMEOUT / 4
        {
            return answer;
        }
        let answer = bounded::answered(PROBE_TIMEOUT, self.probe()).await;
        let answer = answer.unwrap_or_else(|error| {
            tracing::debug!(%error, "the database doesn't say whether it may be written to");
            false
        });
        *last = Some((Instant::now(), answer));
        answer
    }

    async fn probe(&self) -> Result<bool, DbErr> {
        let Some(probe) = &self.probe else {
            // Dropping it rolls it back.
            return self.begin_write().await.map(|_| true);
        };
        let sql = "SELECT NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean";
        let row = probe.lease().await?.query_one(&self.statement(sql, [])).await?;
        row.map_or(Ok(false), |row| row.try_get_by_index(0))
    }

    /// A connection gave no answer in time: those that were open by now are closed instead of being used.
    pub(crate) fn note_silence(&self) {
        self.silence.note();
    }

    /// Which database this is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.write.backend()
    }

    /// Begins a transaction that may write: `BEGIN IMMEDIATE` on SQLite, so that it can't fail halfway for want of the
    /// lock; READ COMMITTED on PostgreSQL.
    ///
    /// # Errors
    /// When no connection, or on SQLite no lock, is free in time.
    pub async fn begin_write(&self) -> Result<Transaction, DbErr> {
        bounded::answered(STATEMENT_DEADLINE, self.begin(&self.write)).await
    }

    /// As [`Self::begin_write`], on a connection that only the scribe uses, where no other append can be open; and the
    /// row that `query` returns there. SQLite has one connection for all who write; PostgreSQL takes this advisory lock
    /// first, and is asked all of it at once.
    ///
    /// # Errors
    /// As [`Self::begin_write`].
    pub(crate) async fn begin_append(
        &self,
        lock: i64,
        query: &str,
    ) -> Result<(Transaction, Option<QueryResult>), DbErr> {
        self.make_room().await?;
        Transaction::begin_alone(&self.append, self.file.clone(), lock, &self.statement(query, [])).await
    }

    async fn begin(&self, connections: &Connections) -> Result<Transaction, DbErr> {
        self.make_room().await?;
        Transaction::begin(connections, self.file.clone()).await
    }

    /// Fails when the disk of an SQLite file is full, and stays so when the write-ahead log is moved.
    async fn make_room(&self) -> Result<(), DbErr> {
        if let Some(file) = &self.file
            && !file.has_room()
        {
            // The room that the write-ahead log takes may be all that is missing.
            self.move_wal().await?;
            if !file.has_room() {
                return Err(file.full());
            }
        }
        Ok(())
    }

    /// Moves SQLite's write-ahead log into the database, and empties it: `false` if somebody still reads from it after
    /// the time that a writer waits for the lock.
    async fn move_wal(&self) -> Result<bool, DbErr> {
        let mut lease = self.write.lease().await?;
        // A connection that has not read the schema yet does so within the PRAGMA, and then waits for itself to have read it.
        lease.query_one(&self.statement("SELECT name FROM sqlite_schema LIMIT 1", [])).await?;
        let row = lease.query_one(&self.statement("PRAGMA wal_checkpoint(TRUNCATE)", [])).await?;
        let busy: i32 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        Ok(busy == 0)
    }

    /// Fails when the file of an SQLite database was deleted or replaced since it was opened.
    ///
    /// # Errors
    /// Then.
    pub(crate) fn in_place(&self) -> Result<(), DbErr> {
        self.file.as_ref().map_or(Ok(()), |file| file.in_place())
    }

    /// Looks after the file of an SQLite database, twice a second until cancelled: notices if it is deleted or replaced,
    /// and empties a write-ahead log that readers have kept from beginning anew.
    pub(crate) async fn look_after_file(self, stop: CancellationToken) {
        let Some(file) = self.file.clone() else { return };
        let mut moved: Option<Instant> = None;
        let mut looks = tokio::time::interval(LOOK_AFTER);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => {}
            }
            // It is logged there.
            let in_place = file.in_place().is_ok();
            if in_place && file.has_outgrown() && moved.is_none_or(|at| at.elapsed() >= MOVE_AGAIN) {
                moved = Some(Instant::now());
                match bounded::answered(STATEMENT_DEADLINE, self.move_wal()).await {
                    Ok(true) => tracing::info!("the write-ahead log had outgrown its bound and was moved"),
                    Ok(false) => {
                        tracing::warn!("the write-ahead log has outgrown its bound, and somebody reads from it");
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the write-ahead log has outgrown its bound and can't be moved");
                    }
                }
            }
        }
    }

    /// Brings the schema up to date. On PostgreSQL, nodes that start together migrate one after the other.
    ///
    /// # Errors
    /// When a migration fails; the ones before it stay applied.
    pub async fn migrate(&self) -> Result<(), DbErr> {
        match &self.write {
            Connections::Postgres(connections) => {
                let connection = connections.lone();
                let turn = connection.begin_with_options(TransactionOptions::default()).await?;
                turn.execute_raw(self.statement("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK.into()])).await?;
                Migrator::up(&turn, None).await?;
                turn.commit().await?;
                connection.close().await
            }
            Connections::Sqlite(connections) => {
                let connection = connections.lone();
                Migrator::up(&connection, None).await?;
                connection.close().await
            }
        }
    }

    /// The present moment by the one clock that counts for all nodes: the database's on PostgreSQL, on SQLite the node's.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn now(&self, clock: &Clock) -> Result<DateTime<Utc>, DbErr> {
        if self.backend() != DbBackend::Postgres {
            return Ok(clock.now());
        }
        let row = self.read.query_one_raw(self.statement("SELECT clock_timestamp()", [])).await?;
        row.map_or(Ok(clock.now()), |row| row.try_get_by_index(0).map(|now| clock.moved(now)))
    }

    /// A statement in this database's own SQL, with `$1`-style parameters, which both databases understand.
    #[must_use]
    pub fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql, values)
    }

    /// Closes every connection; the write-ahead log of an SQLite file is moved into the file.
    ///
    /// # Errors
    /// When the database reports one on closing.
    pub async fn close(self) -> Result<(), DbErr> {
        let is_remote = self.backend() == DbBackend::Postgres;
        let closing = async {
            self.follow.close().await?;
            self.read.close().await?;
            for connections in [Some(self.append), self.probe].into_iter().flatten() {
                connections.close().await?;
            }
            self.write.close().await
        };
        // A file is closed however long moving its write-ahead log takes.
        if is_remote { bounded::answered(ACQUIRE_TIMEOUT, closing).await } else { closing.await }
    }
}
