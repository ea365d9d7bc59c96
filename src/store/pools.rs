//! The pools of connections, and what is set on each connection when it opens.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{Connection, Executor};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, SqlxError};

use super::outage::{
    ACQUIRE_TIMEOUT, FOLLOW_ACQUIRE_TIMEOUT, IDLE_IN_TRANSACTION_TIMEOUT, LOCK_TIMEOUT, STATEMENT_TIMEOUT,
};
use super::pooler::{refuse_shared_sessions, why_unreachable};
use super::silence::{Silence, may_be_kept};

/// Pages of 4 KiB in SQLite's write-ahead log before they are moved to the database. At the default of 1,000 a busy
/// server moves the same pages several times a second.
const CHECKPOINT_PAGES: &str = "8000";

/// Bytes of the write-ahead log that stay on the disk when all of it was moved: as much as it grows to again.
const WAL_KEPT: &str = "33554432";

/// How much of an SQLite file each reading connection may keep in memory: KiB, as a negative number. A list of rooms
/// touches about 700 pages of 4 KiB, and at the default of 2,000 KiB has to fetch most of them anew each time.
const READER_CACHE: &str = "-8192";

/// Connections by which the log is followed: one that reads, and one to go on with while the other is being closed.
pub(super) const FOLLOWERS: u32 = 2;

/// Connections of the scribe on PostgreSQL, likewise.
const APPENDERS: u32 = 2;

/// Connections on PostgreSQL for what is written beside the log, such as sessions.
const WRITERS: u32 = 3;

/// The pools of one database. What follows or writes the log has connections of its own, so that it never waits for
/// requests.
pub(super) struct Pools {
    /// For requests that read.
    pub read: DatabaseConnection,
    /// For those who follow the log.
    pub follow: DatabaseConnection,
    /// For the scribe. On SQLite, which has one writer, the same as `write`.
    pub append: DatabaseConnection,
    /// For what is written beside the log.
    pub write: DatabaseConnection,
    /// For asking whether a writer may write, where that needs a connection of its own.
    pub probe: Option<DatabaseConnection>,
}

impl Pools {
    pub(super) async fn sqlite(url: &str, read_connections: u32) -> Result<Self, DbErr> {
        let query_only = |sqlite: SqliteConnectOptions| sqlite.pragma("query_only", "on");
        // Opened first, because it makes the file.
        let write = Database::connect(sqlite(url, 1, |sqlite| sqlite)).await?;
        let reader = move |sqlite| query_only(sqlite).pragma("cache_size", READER_CACHE);
        let read = Database::connect(sqlite(url, read_connections, reader)).await?;
        let follow = Database::connect(sqlite(url, FOLLOWERS, query_only)).await?;
        Ok(Self { read, follow, append: write.clone(), write, probe: None })
    }

    pub(super) async fn postgres(url: &str, read_connections: u32, silence: &Arc<Silence>) -> Result<Self, DbErr> {
        let read = format!("SET statement_timeout = '{STATEMENT_TIMEOUT}'");
        let write = format!(
            "{read}; SET lock_timeout = '{LOCK_TIMEOUT}'; \
             SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_TIMEOUT}'"
        );
        let pool = |connections, set: &str| postgres(url, connections, set.to_owned(), silence.clone());
        let mut follow = pool(FOLLOWERS, &read);
        follow.acquire_timeout(FOLLOW_ACQUIRE_TIMEOUT);
        let mut append = pool(APPENDERS, &write);
        append.acquire_timeout(FOLLOW_ACQUIRE_TIMEOUT);
        let trial = match Database::connect(pool(2, "")).await {
            Ok(trial) => trial,
            Err(error) => return Err(why_unreachable(url).await.unwrap_or(error)),
        };
        refuse_shared_sessions(trial.get_postgres_connection_pool()).await?;
        trial.close().await?;
        Ok(Self {
            write: Database::connect(pool(WRITERS, &write)).await?,
            read: Database::connect(pool(read_connections, &read)).await?,
            follow: Database::connect(follow).await?,
            append: Database::connect(append).await?,
            probe: Some(Database::connect(pool(1, &write)).await?),
        })
    }

    /// Each pool once.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut DatabaseConnection> {
        [&mut self.read, &mut self.follow, &mut self.append, &mut self.write].into_iter().chain(&mut self.probe)
    }
}

fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).min_connections(1).acquire_timeout(ACQUIRE_TIMEOUT).sqlx_logging(false);
    options.test_before_acquire(false);
    options
}

/// `own`: options of these connections alone. They are passed in because a second `map_sqlx_sqlite_opts` would replace
/// the first.
fn sqlite(
    url: &str,
    connections: u32,
    own: impl Fn(SqliteConnectOptions) -> SqliteConnectOptions + Send + Sync + 'static,
) -> ConnectOptions {
    let mut options = options(url, connections);
    options.map_sqlx_sqlite_pool_opts(|pool| pool.after_release(|connection, _| Box::pin(is_clean(connection))));
    options.idle_timeout(None).max_lifetime(None).map_sqlx_sqlite_opts(move |sqlite| {
        own(sqlite)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(ACQUIRE_TIMEOUT)
            // By default SQLite keeps what it needs to undo one statement of many rows in a temporary file. Recovery
            // from a crash doesn't need that file.
            .pragma("temp_store", "memory")
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .pragma("journal_size_limit", WAL_KEPT)
            .statement_cache_capacity(200)
    });
    options
}

/// Whether the connection may be used again.
///
/// When the disk is full or fails, SQLite ends the transaction by itself. The driver then takes it for still open and
/// begins the next transactions as savepoints within it, which may never be committed although the driver reports that
/// they are.
async fn is_clean(connection: &mut SqliteConnection) -> Result<bool, SqlxError> {
    if connection.is_in_transaction() {
        // First lets the connection finish what is queued, such as a rollback.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

/// `set`: what is set on each connection after it has opened. Poolers refuse a connection that asks for it in its first
/// message.
fn postgres(url: &str, connections: u32, set: String, silence: Arc<Silence>) -> ConnectOptions {
    let mut options = options(url, connections);
    let set: Arc<str> = set.into();
    options
        .connect_timeout(ACQUIRE_TIMEOUT)
        .map_sqlx_postgres_opts(|postgres| postgres.extra_float_digits(None))
        .map_sqlx_postgres_pool_opts(move |pool| {
            let (set, silence) = (set.clone(), silence.clone());
            pool.after_connect(move |connection, _| {
                let set = set.clone();
                Box::pin(async move { connection.execute(sea_orm::sqlx::AssertSqlSafe(&*set)).await.map(drop) })
            })
            .before_acquire(move |connection, metadata| {
                let silence = silence.clone();
                Box::pin(async move { silence.may_be_used(connection, metadata).await })
            })
            .after_release(|connection, _| Box::pin(may_be_kept(connection)))
            .max_lifetime(Duration::from_mins(30))
        });
    options
}
