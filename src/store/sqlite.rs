//! Connections to an SQLite file: a pool of them, and the statements on them.
//!
//! sqlx's own pool asks each connection that is given back whether it still answers. On SQLite that is a task and two
//! more switches between threads for each statement, and nobody can be on the other side who doesn't answer. Here a
//! connection is given back without a word, unless something was left on it, and the one that was used last is used next,
//! because its cache has what was read last.

use std::future;
use std::str::FromStr;
use std::sync::Arc;

use async_stream::try_stream;
use deadpool::managed::{self, Manager, Metrics, Object, PoolError, RecycleError, RecycleResult};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions, Connection, Executor, Sqlite};
use sea_orm::{
    ConnAcquireErr, DatabaseConnection, DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError, SqlxSqliteConnector,
    Statement,
};
use tokio::time::{Instant, sleep, timeout};

use super::arguments::sqlite_arguments;
use super::direct::Direct;
use super::outage::ACQUIRE_TIMEOUT;
use super::ran::Ran;

/// Pages of 4 KiB in the write-ahead log before they are moved to the database. At the default of 1,000 a busy
/// server moves the same pages several times a second.
const CHECKPOINT_PAGES: &str = "8000";

/// Bytes of the write-ahead log that stay on the disk when all of it was moved: as much as it grows to again.
const WAL_KEPT: &str = "33554432";

/// Texts of statements that a connection keeps prepared.
const PREPARED: usize = 200;

/// How long closing waits between two looks at whether a connection that is in use was given back.
const CLOSING_PAUSE: std::time::Duration = std::time::Duration::from_millis(5);

/// What begins a transaction that can't fail halfway for want of the lock.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// What SQLite says when there is nothing to roll back
/// ([source](https://github.com/sqlite/sqlite/blob/version-3.51.1/src/vdbe.c)).
const NO_TRANSACTION: &str = "no transaction is active";

/// A pool of connections. Clones share it.
#[derive(Clone)]
pub(super) struct Pool {
    connections: managed::Pool<Opener>,
    /// Beside those that read.
    direct: Option<Arc<Direct>>,
    ran: Ran,
}

/// Opens connections.
struct Opener {
    options: SqliteConnectOptions,
}

/// An open connection.
struct Session {
    connection: SqliteConnection,
    /// A statement is under way, or was given up.
    is_busy: bool,
    /// A transaction is begun, and neither committed nor rolled back.
    is_in_transaction: bool,
}

/// A connection of the pool, given back when this is dropped.
pub(super) struct Lease {
    /// `None` only while it is being dropped.
    session: Option<Object<Opener>>,
    ran: Ran,
}

/// How connections to this URL are opened.
///
/// # Errors
/// When it is no URL of an SQLite database.
pub(super) fn options(url: &str) -> Result<SqliteConnectOptions, DbErr> {
    let options = SqliteConnectOptions::from_str(url).map_err(unreachable)?;
    let options = options
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
        .statement_cache_capacity(PREPARED);
    Ok(options.disable_statement_logging())
}

impl Pool {
    /// A pool of at most so many connections, one of which is opened, and what reads the same file beside it.
    ///
    /// # Errors
    /// When the file can't be opened.
    pub(super) async fn open(
        options: SqliteConnectOptions,
        connections: u32,
        ran: &Ran,
        direct: Option<Arc<Direct>>,
    ) -> Result<Self, DbErr> {
        let pool = managed::Pool::builder(Opener { options });
        let pool = pool.max_size(usize::try_from(connections).unwrap_or(usize::MAX));
        let pool = pool.queue_mode(managed::QueueMode::Lifo).build();
        let connections = pool.map_err(|error| DbErr::Conn(RuntimeErr::Internal(error.to_string())))?;
        let pool = Self { connections, direct, ran: ran.clone() };
        drop(pool.lease().await?);
        Ok(pool)
    }

    /// A connection, as soon as one is free.
    pub(super) async fn lease(&self) -> Result<Lease, DbErr> {
        let acquired = timeout(ACQUIRE_TIMEOUT, self.connections.get()).await;
        match acquired.unwrap_or(Err(PoolError::Timeout(managed::TimeoutType::Wait))) {
            Ok(session) => Ok(Lease { session: Some(session), ran: self.ran.clone() }),
            Err(PoolError::Backend(error)) => Err(unreachable(error)),
            Err(PoolError::Closed) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
            Err(PoolError::Timeout(_) | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_)) => {
                Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))
            }
        }
    }

    /// What reads the same file without waiting for a connection.
    pub(super) fn direct(&self) -> Option<&Arc<Direct>> {
        self.direct.as_ref()
    }

    /// The rows of a statement as they come. The connection is given back after the last one.
    pub(super) fn stream(self, statement: Statement) -> BoxStream<'static, Result<QueryResult, DbErr>> {
        let rows = try_stream! {
            let query = query(&statement)?;
            let mut lease = self.lease().await?;
            let ran = lease.ran.clone();
            let session = lease.begin();
            {
                let mut rows = query.fetch(&mut session.connection);
                while let Some(row) = rows.next().await {
                    yield QueryResult::from(row.map_err(query_error)?);
                }
            }
            session.is_busy = false;
            ran.note(&statement);
        };
        rows.boxed()
    }

    /// A connection of its own, beside the pool, for migrations.
    pub(super) fn lone(&self) -> DatabaseConnection {
        let options = self.connections.manager().options.clone();
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT);
        SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.connect_lazy_with(options))
    }

    /// Closes every connection that is idle, or about to be, and every other one when it is given back.
    pub(super) async fn close(&self) -> Result<(), DbErr> {
        if let Some(direct) = &self.direct {
            direct.close();
        }
        let mut closed = Ok(());
        let ends = Instant::now() + ACQUIRE_TIMEOUT;
        // Only what is open is taken: waiting for a connection would open one.
        while self.connections.status().size > 0 && Instant::now() < ends {
            let idle = self.connections.retain(|_, _| false).removed;
            if idle.is_empty() {
                sleep(CLOSING_PAUSE).await;
            }
            for session in idle {
                closed = closed.and(session.connection.close().await);
            }
        }
        self.connections.close();
        closed.map_err(unreachable)
    }
}

impl Manager for Opener {
    type Type = Session;
    type Error = SqlxError;

    async fn create(&self) -> Result<Session, SqlxError> {
        let connection = Box::pin(self.options.connect()).await?;
        Ok(Session { connection, is_busy: false, is_in_transaction: false })
    }

    fn recycle(&self, session: &mut Session, _: &Metrics) -> impl Future<Output = RecycleResult<SqlxError>> + Send {
        let is_clean = !session.is_busy && !session.is_in_transaction;
        future::ready(if is_clean { Ok(()) } else { Err(RecycleError::message("something was left on it")) })
    }
}

impl Lease {
    /// Runs a statement that returns no rows.
    pub(super) async fn execute(&mut self, statement: &Statement) -> Result<ExecResult, DbErr> {
        let query = query(statement)?;
        let ended = query.execute(&mut self.begin().connection).await;
        self.ran.note(statement);
        self.end(ended).map(ExecResult::from).map_err(exec_error)
    }

    /// Runs statements as they are, without parameters.
    pub(super) async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        let ended = self.begin().connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await;
        self.end(ended).map(ExecResult::from).map_err(exec_error)
    }

    /// The first row of a statement's result.
    pub(super) async fn query_one(&mut self, statement: &Statement) -> Result<Option<QueryResult>, DbErr> {
        let query = query(statement)?;
        // To its end: until then it reads, although its first row is there, and the write-ahead log can't begin anew.
        let ended = query.fetch_all(&mut self.begin().connection).await;
        self.ran.note(statement);
        self.end(ended).map(|rows| rows.into_iter().next().map(QueryResult::from)).map_err(query_error)
    }

    /// The rows of a statement's result.
    pub(super) async fn query_all(&mut self, statement: &Statement) -> Result<Vec<QueryResult>, DbErr> {
        let query = query(statement)?;
        let ended = query.fetch_all(&mut self.begin().connection).await;
        self.ran.note(statement);
        self.end(ended).map(|rows| rows.into_iter().map(QueryResult::from).collect()).map_err(query_error)
    }

    /// Begins a transaction that may write. It is rolled back when the lease is dropped before [`Self::commit`].
    pub(super) async fn begin_transaction(&mut self) -> Result<(), DbErr> {
        self.session().is_in_transaction = true;
        let ended = sqlx::query(BEGIN).execute(&mut self.begin().connection).await;
        self.end(ended).map(drop).map_err(exec_error)
    }

    /// As [`Self::begin_transaction`], and then runs `query`, which has no parameters and returns at most one row: both
    /// with one way to the connection's thread and back.
    pub(super) async fn begin_with(&mut self, query: &Statement) -> Result<Option<QueryResult>, DbErr> {
        self.session().is_in_transaction = true;
        let both = sqlx::query(AssertSqlSafe(format!("{BEGIN}; {}", query.sql)));
        let ended = both.fetch_all(&mut self.begin().connection).await;
        self.ran.note(query);
        let rows = self.end(ended).map_err(query_error)?;
        Ok(rows.into_iter().next().map(QueryResult::from))
    }

    /// Commits the transaction.
    pub(super) async fn commit(&mut self) -> Result<(), DbErr> {
        let ended = sqlx::query("COMMIT").execute(&mut self.begin().connection).await;
        self.end(ended).map_err(exec_error)?;
        self.session().is_in_transaction = false;
        Ok(())
    }

    fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("it is there until the lease is dropped")
    }

    fn begin(&mut self) -> &mut Session {
        let session = self.session();
        session.is_busy = true;
        session
    }

    fn end<T>(&mut self, ended: Result<T, SqlxError>) -> Result<T, SqlxError> {
        self.session().is_busy = !matches!(ended, Ok(_) | Err(SqlxError::Database(_)));
        ended
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(session) = self.session.take()
            && (session.is_busy || session.is_in_transaction)
        {
            clean(session);
        }
    }
}

/// Waits in the background for what was given up, and rolls back. A connection that can't do so in time is closed.
fn clean(mut session: Object<Opener>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return drop(Object::take(session)) };
    runtime.spawn(async move {
        let cleaned = timeout(ACQUIRE_TIMEOUT, async {
            session.connection.ping().await?;
            if session.is_in_transaction {
                match session.connection.execute(sqlx::raw_sql("ROLLBACK")).await {
                    Ok(_) => {}
                    // SQLite has ended it by itself, as it does when the disk is full, or it never began.
                    Err(SqlxError::Database(error)) if error.message().contains(NO_TRANSACTION) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
        match cleaned.await {
            Ok(Ok(())) => (session.is_busy, session.is_in_transaction) = (false, false),
            Ok(Err(_)) | Err(_) => drop(Object::take(session)),
        }
    });
}

fn query(statement: &Statement) -> Result<Query<'_, Sqlite, SqliteArguments>, DbErr> {
    let values = statement.values.as_ref().map_or(&[][..], |values| &values.0);
    Ok(sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), sqlite_arguments(values)?))
}

fn unreachable(error: SqlxError) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

fn query_error(error: SqlxError) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn exec_error(error: SqlxError) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}
