//! The pools of connections, and what is set on each connection when it opens.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{ConnectOptions as _, Connection};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, QueryResult, RuntimeErr,
    SqlxError, Statement,
};

use super::bounded::answered;
use super::outage::{
    ACQUIRE_TIMEOUT, FOLLOW_ACQUIRE_TIMEOUT, IDLE_IN_TRANSACTION_TIMEOUT, LOCK_TIMEOUT, STATEMENT_TIMEOUT,
};
use super::pooler::refuse_shared_sessions;
use super::postgres;
use super::ran::Ran;
use super::silence::Silence;

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

/// How long opening two connections on PostgreSQL and looking at their sessions may take at the start.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(12);

/// Connections on PostgreSQL for what is written beside the log, such as sessions.
const WRITERS: u32 = 3;

/// Connections to one database.
#[derive(Clone)]
pub(super) enum Connections {
    /// To SQLite.
    Sqlite(DatabaseConnection),
    /// To PostgreSQL.
    Postgres(postgres::Pool),
}

/// The pools of one database. What follows or writes the log has connections of its own, so that it never waits for
/// requests.
pub(super) struct Pools {
    /// For requests that read.
    pub read: Connections,
    /// For those who follow the log.
    pub follow: Connections,
    /// For the scribe. On SQLite, which has one writer, the same as `write`.
    pub append: Connections,
    /// For what is written beside the log.
    pub write: Connections,
    /// For asking whether a writer may write, where that needs a connection of its own.
    pub probe: Option<Connections>,
}

impl Connections {
    /// Which database this is.
    pub(super) fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }

    /// The first row of a statement's result.
    pub(super) async fn query_one(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Sqlite(connections) => connections.query_one_raw(statement).await,
            Self::Postgres(connections) => connections.lease().await?.query_one(&statement).await,
        }
    }

    /// Closes all connections.
    pub(super) async fn close(self) -> Result<(), DbErr> {
        match self {
            Self::Sqlite(connections) => connections.close().await?,
            Self::Postgres(connections) => connections.close().await,
        }
        Ok(())
    }
}

impl Pools {
    pub(super) async fn sqlite(url: &str, read_connections: u32, ran: &Ran) -> Result<Self, DbErr> {
        let query_only = |sqlite: SqliteConnectOptions| sqlite.pragma("query_only", "on");
        let noted = |mut connections: DatabaseConnection| {
            ran.note_all_of(&mut connections);
            Connections::Sqlite(connections)
        };
        // Opened first, because it makes the file.
        let write = noted(Database::connect(sqlite(url, 1, |sqlite| sqlite)).await?);
        let reader = move |sqlite| query_only(sqlite).pragma("cache_size", READER_CACHE);
        let read = noted(Database::connect(sqlite(url, read_connections, reader)).await?);
        let follow = noted(Database::connect(sqlite(url, FOLLOWERS, query_only)).await?);
        Ok(Self { read, follow, append: write.clone(), write, probe: None })
    }

    pub(super) async fn postgres(
        url: &str,
        read_connections: u32,
        silence: &Arc<Silence>,
        ran: &Ran,
    ) -> Result<Self, DbErr> {
        let unreachable = |error: SqlxError| DbErr::Conn(RuntimeErr::SqlxError(error.into()));
        let options = PgConnectOptions::from_str(url).map_err(unreachable)?;
        let options = options.extra_float_digits(None).disable_statement_logging();
        let trial = async {
            let one = postgres::open(&options, ACQUIRE_TIMEOUT).await.map_err(unreachable)?;
            let two = postgres::open(&options, ACQUIRE_TIMEOUT).await.map_err(unreachable)?;
            refuse_shared_sessions(one, two).await
        };
        answered(TRIAL_TIMEOUT, trial).await?;
        let read = format!("SET statement_timeout = '{STATEMENT_TIMEOUT}'");
        let write = format!(
            "{read}; SET lock_timeout = '{LOCK_TIMEOUT}'; \
             SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_TIMEOUT}'"
        );
        let pool = |connections, set: &str, acquire| {
            postgres::Pool::new(&options, connections, set, acquire, silence, ran).map(Connections::Postgres)
        };
        Ok(Self {
            write: pool(WRITERS, &write, ACQUIRE_TIMEOUT)?,
            read: pool(read_connections, &read, ACQUIRE_TIMEOUT)?,
            follow: pool(FOLLOWERS, &read, FOLLOW_ACQUIRE_TIMEOUT)?,
            append: pool(APPENDERS, &write, FOLLOW_ACQUIRE_TIMEOUT)?,
            probe: Some(pool(1, &write, ACQUIRE_TIMEOUT)?),
        })
    }
}

/// `own`: options of these connections alone. They are passed in because a second `map_sqlx_sqlite_opts` would replace
/// the first.
fn sqlite(
    url: &str,
    connections: u32,
    own: impl Fn(SqliteConnectOptions) -> SqliteConnectOptions + Send + Sync + 'static,
) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).min_connections(1).acquire_timeout(ACQUIRE_TIMEOUT).sqlx_logging(false);
    options.test_before_acquire(false);
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
            // What is deleted or replaced is overwritten, so that no text stays in the file that nobody is shown.
            .pragma("secure_delete", "on")
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
