//! The database: connections, transactions, and one file per table under [`entity`].
//!
//! SQLite and PostgreSQL behave alike above this module. What differs (how a write transaction begins, how a list is
//! bound) is decided here.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use migration::{Migrator, MigratorTrait};
use sea_orm::sqlx::Connection;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, SqlxError, Statement, TransactionOptions, TransactionTrait, Value,
};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use outage::{ACQUIRE_TIMEOUT, IDLE_IN_TRANSACTION_TIMEOUT, LOCK_TIMEOUT, PROBE_TIMEOUT, STATEMENT_TIMEOUT};

pub(crate) mod check;
pub mod entity;
pub mod kinds;
pub(crate) mod list;
pub(crate) mod outage;

/// Key of the PostgreSQL advisory lock that lets one node migrate at a time.
const MIGRATION_LOCK: i64 = 0x5041_524c_4f52_0001;

/// Pages of 4 KiB in SQLite's write-ahead log before they are moved to the database. At the default of 1,000 a busy
/// server moves the same pages several times a second.
const CHECKPOINT_PAGES: &str = "8000";

/// How much of an SQLite file each reading connection may keep in memory: KiB, as a negative number. A list of rooms
/// touches about 700 pages of 4 KiB, and at the default of 2,000 KiB has to fetch most of them anew each time.
const READER_CACHE: &str = "-8192";

/// Called after each statement that the database has run, for counting.
pub type OnStatement = Arc<dyn Fn() + Send + Sync>;

/// The pools of one database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    read: DatabaseConnection,
    write: DatabaseConnection,
    /// Set by the first call of [`Self::watch`].
    watcher: Arc<OnceLock<UnboundedSender<Statement>>>,
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
        let (read, write) = if url.starts_with("sqlite:") {
            let reader =
                |sqlite: SqliteConnectOptions| sqlite.pragma("query_only", "on").pragma("cache_size", READER_CACHE);
            (sqlite(url, read_connections, reader), sqlite(url, 1, |sqlite| sqlite))
        } else {
            (postgres(url, read_connections), postgres_writer(url))
        };
        let mut write = Database::connect(write).await?;
        let mut read = Database::connect(read).await?;
        let watcher: Arc<OnceLock<UnboundedSender<Statement>>> = Arc::default();
        for pool in [&mut write, &mut read] {
            let (on_statement, watcher) = (on_statement.clone(), watcher.clone());
            pool.set_metric_callback(move |ran| {
                on_statement();
                if let Some(watcher) = watcher.get() {
                    // The watcher may have gone away.
                    let _ = watcher.send(ran.statement.clone());
                }
            });
        }
        Ok(Self { read, write, watcher })
    }

    /// Every statement that is run from now on, with its parameters, in the order in which they end. For tests that
    /// look at plans; nothing is kept until it is called. `None`: there is a watcher already.
    #[must_use]
    pub fn watch(&self) -> Option<UnboundedReceiver<Statement>> {
        let (sender, statements) = mpsc::unbounded_channel();
        self.watcher.set(sender).ok().map(|()| statements)
    }

    /// The URL of the SQLite file that is used when no other database is configured.
    #[must_use]
    pub fn sqlite_url(data_dir: &Path) -> String {
        format!("sqlite:{}?mode=rwc", data_dir.join("parlor.db").display())
    }

    /// The pool for statements that only read. Not to be used while holding a transaction of [`Self::begin_write`].
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// Whether the database answers within [`PROBE_TIMEOUT`].
    pub async fn is_reachable(&self) -> bool {
        let answer = tokio::time::timeout(PROBE_TIMEOUT, self.read.execute_unprepared("SELECT 1")).await;
        matches!(answer, Ok(Ok(_)))
    }

    /// Which database this is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// Begins a transaction that may write: `BEGIN IMMEDIATE` on SQLite, so that it can't fail halfway for want of the
    /// lock; READ COMMITTED on PostgreSQL.
    ///
    /// # Errors
    /// When no connection, or on SQLite no lock, is free in time.
    pub async fn begin_write(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.write.begin_with_options(options).await
    }

    /// Brings the schema up to date. On PostgreSQL, nodes that start together migrate one after the other.
    ///
    /// # Errors
    /// When a migration fails; the ones before it stay applied.
    pub async fn migrate(&self) -> Result<(), DbErr> {
        if self.backend() == DbBackend::Postgres {
            let turn = self.begin_write().await?;
            turn.execute_raw(self.statement("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK.into()])).await?;
            Migrator::up(&turn, None).await?;
            turn.commit().await
        } else {
            Migrator::up(&self.write, None).await
        }
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
        self.read.close().await?;
        self.write.close().await
    }
}

fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).min_connections(1).acquire_timeout(ACQUIRE_TIMEOUT).sqlx_logging(false);
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
    options.idle_timeout(None).max_lifetime(None).test_before_acquire(false).map_sqlx_sqlite_opts(move |sqlite| {
        own(sqlite)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(ACQUIRE_TIMEOUT)
            // By default SQLite keeps what it needs to undo one statement of many rows in a temporary file. Recovery
            // from a crash doesn't need that file.
            .pragma("temp_store", "memory")
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
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

fn postgres(url: &str, connections: u32) -> ConnectOptions {
    let mut options = options(url, connections);
    options
        .connect_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire_if_idle_for(Duration::from_secs(1))
        .map_sqlx_postgres_opts(|postgres| postgres.options([("statement_timeout", STATEMENT_TIMEOUT)]));
    options
}

fn postgres_writer(url: &str) -> ConnectOptions {
    let mut options = postgres(url, 4);
    options.map_sqlx_postgres_opts(|postgres| {
        postgres.options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("lock_timeout", LOCK_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
        ])
    });
    options
}
