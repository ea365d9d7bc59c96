//! Connections to PostgreSQL: a pool that never waits for one without a deadline, and the statements on them.
//!
//! sqlx's own pool asks each connection that is given back whether it still answers, and waits for that without an end:
//! a connection that falls silent in this moment is lost to the pool, and with the last one everything that uses it.
//! Here a connection is given back without a word. One that a statement was given up on is closed instead, and one that
//! was idle is asked before it is used again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_stream::try_stream;
use deadpool::managed::{self, Manager, Metrics, Object, PoolError, RecycleError, RecycleResult};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use sea_orm::sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Postgres};
use sea_orm::{
    ConnAcquireErr, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError,
    SqlxPostgresConnector, Statement,
};
use tokio::time::timeout;

use super::arguments::arguments;
use super::outage::{self, PING_DEADLINE, PING_IDLE};
use super::ran::Ran;
use super::silence::Silence;

/// How old a connection may become.
const MAX_AGE: Duration = Duration::from_mins(30);

/// The pause before a connection is tried again that was refused for the moment; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest of these pauses.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// A pool of connections. Clones share it.
#[derive(Clone)]
pub(super) struct Pool {
    connections: managed::Pool<Connector>,
    /// How long the wait for a connection may take, with opening it.
    acquire: Duration,
    ran: Ran,
}

/// Opens connections, and says which may be used again.
struct Connector {
    options: PgConnectOptions,
    /// What is set on each connection after it has opened. Poolers refuse a connection that asks for it in its first
    /// message.
    set: Arc<str>,
    /// How long opening one may take.
    within: Duration,
    silence: Arc<Silence>,
}

/// An open connection.
struct Session {
    connection: PgConnection,
    /// A statement is under way, or was given up.
    is_busy: bool,
    /// A transaction is begun, and neither committed nor rolled back.
    is_in_transaction: bool,
    idle_since: Instant,
}

/// A connection of the pool, given back when this is dropped.
pub(super) struct Lease {
    /// `None` only while it is being dropped.
    session: Option<Object<Connector>>,
    ran: Ran,
}

impl Pool {
    /// A pool of at most so many connections, none of which is opened yet.
    ///
    /// # Errors
    /// When the pool can't be built, which no setting leads to.
    pub(super) fn new(
        options: &PgConnectOptions,
        connections: u32,
        set: &str,
        acquire: Duration,
        silence: &Arc<Silence>,
        ran: &Ran,
    ) -> Result<Self, DbErr> {
        let connector =
            Connector { options: options.clone(), set: set.into(), within: acquire, silence: silence.clone() };
        let pool = managed::Pool::builder(connector).max_size(usize::try_from(connections).unwrap_or(usize::MAX));
        // The connection that was used last comes first: it is the least likely to have to be asked.
        let pool = pool.queue_mode(managed::QueueMode::Lifo).build();
        let connections = pool.map_err(|error| DbErr::Conn(RuntimeErr::Internal(error.to_string())))?;
        Ok(Self { connections, acquire, ran: ran.clone() })
    }

    /// A connection, as soon as one is free.
    pub(super) async fn lease(&self) -> Result<Lease, DbErr> {
        let acquired = timeout(self.acquire, self.connections.get()).await;
        match acquired.unwrap_or(Err(PoolError::Timeout(managed::TimeoutType::Wait))) {
            Ok(session) => Ok(Lease { session: Some(session), ran: self.ran.clone() }),
            Err(PoolError::Backend(error)) => Err(DbErr::Conn(RuntimeErr::SqlxError(error.into()))),
            Err(PoolError::Closed) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
            Err(PoolError::Timeout(_) | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_)) => {
                Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))
            }
        }
    }

    /// The rows of a statement as they come. The connection is given back after the last one.
    pub(super) fn stream(self, statement: Statement) -> BoxStream<'static, Result<QueryResult, DbErr>> {
        let rows = try_stream! {
            let query = query(&statement)?;
            let mut lease = self.lease().await?;
            let ran = lease.ran.clone();
            let session = lease.session();
            session.is_busy = true;
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
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(self.acquire).connect_lazy_with(options);
        SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
    }

    /// A connection of its own, beside the pool, whose session lasts for as long as its owner keeps it.
    pub(super) async fn open_alone(&self, within: Duration) -> Result<PgConnection, SqlxError> {
        open(&self.connections.manager().options, within).await
    }

    /// Closes every connection that is idle, and every other one when it is given back.
    pub(super) async fn close(&self) {
        let idle = self.connections.retain(|_, _| false).removed;
        self.connections.close();
        for session in idle {
            // The server ends what doesn't hear of it.
            let _ = session.connection.close().await;
        }
    }
}

/// Opens a connection. As long as the database refuses it only for the moment, it is tried again, for so long.
pub(super) async fn open(options: &PgConnectOptions, within: Duration) -> Result<PgConnection, SqlxError> {
    let (started, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        match options.connect().await {
            Err(error) if outage::refuses_for_now(&error) && started.elapsed() + pause < within => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
            opened => return opened,
        }
    }
}

impl Manager for Connector {
    type Type = Session;
    type Error = SqlxError;

    async fn create(&self) -> Result<Session, SqlxError> {
        // Boxed, because every lease would be as large otherwise, and few open a connection.
        let mut connection = Box::pin(open(&self.options, self.within)).await?;
        if !self.set.is_empty() {
            connection.execute(AssertSqlSafe(&*self.set)).await?;
        }
        Ok(Session { connection, is_busy: false, is_in_transaction: false, idle_since: Instant::now() })
    }

    /// Says whether an idle connection may be used. One that may not is closed hard, without a word to the other side,
    /// which might not take it.
    async fn recycle(&self, session: &mut Session, metrics: &Metrics) -> RecycleResult<SqlxError> {
        let refused = |why: &'static str| Err(RecycleError::message(why));
        if session.is_busy || session.is_in_transaction {
            return refused("something was left on it");
        }
        if metrics.age() > MAX_AGE {
            return refused("it is old");
        }
        if self.silence.suspects(metrics.age()) {
            return refused("it was there when another one fell silent");
        }
        if session.idle_since.elapsed() >= PING_IDLE {
            let Ok(answer) = timeout(PING_DEADLINE, session.connection.ping()).await else {
                self.silence.note();
                return refused("it is silent");
            };
            answer.map_err(RecycleError::Backend)?;
        }
        Ok(())
    }
}

impl Lease {
    /// Runs a statement that returns no rows.
    pub(super) async fn execute(&mut self, statement: &Statement) -> Result<ExecResult, DbErr> {
        let query = query(statement)?;
        let session = self.begin();
        let ended = query.execute(&mut session.connection).await;
        self.ran.note(statement);
        self.end(ended).map(ExecResult::from).map_err(exec_error)
    }

    /// Runs statements as they are, without parameters.
    pub(super) async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        let session = self.begin();
        let ended = session.connection.execute(AssertSqlSafe(sql.to_owned())).await;
        self.end(ended).map(ExecResult::from).map_err(exec_error)
    }

    /// The first row of a statement's result.
    pub(super) async fn query_one(&mut self, statement: &Statement) -> Result<Option<QueryResult>, DbErr> {
        let query = query(statement)?;
        let session = self.begin();
        let ended = query.fetch_optional(&mut session.connection).await;
        self.ran.note(statement);
        self.end(ended).map(|row| row.map(QueryResult::from)).map_err(query_error)
    }

    /// The rows of a statement's result.
    pub(super) async fn query_all(&mut self, statement: &Statement) -> Result<Vec<QueryResult>, DbErr> {
        let query = query(statement)?;
        let session = self.begin();
        let ended = query.fetch_all(&mut session.connection).await;
        self.ran.note(statement);
        self.end(ended).map(|rows| rows.into_iter().map(QueryResult::from).collect()).map_err(query_error)
    }

    /// Begins a transaction. It is rolled back when the lease is dropped before [`Self::commit`].
    pub(super) async fn begin_transaction(&mut self) -> Result<(), DbErr> {
        self.session().is_in_transaction = true;
        self.execute_unprepared("BEGIN").await.map(drop)
    }

    /// As [`Self::begin_transaction`], then waits for this advisory lock, and under it runs `query`, which has no
    /// parameters and returns at most one row. One message there and one back.
    pub(super) async fn begin_under(&mut self, lock: i64, query: &str) -> Result<Option<QueryResult>, DbErr> {
        // In a transaction as these are, each statement sees what was committed when it began.
        let sql = format!("BEGIN; SELECT pg_advisory_xact_lock({lock}); {query}");
        self.session().is_in_transaction = true;
        let session = self.begin();
        let ended = session.connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await;
        self.ran.note(&Statement::from_string(DbBackend::Postgres, query));
        let rows = self.end(ended).map_err(query_error)?;
        // The first is the lock's.
        Ok(rows.into_iter().nth(1).map(QueryResult::from))
    }

    /// Commits the transaction.
    pub(super) async fn commit(&mut self) -> Result<(), DbErr> {
        self.execute_unprepared("COMMIT").await?;
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

    /// Notes that a statement has ended. After an error that isn't the database's own answer, nobody knows what the
    /// connection will hear next.
    fn end<T>(&mut self, ended: Result<T, SqlxError>) -> Result<T, SqlxError> {
        self.session().is_busy = !matches!(ended, Ok(_) | Err(SqlxError::Database(_)));
        ended
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else { return };
        session.idle_since = Instant::now();
        if session.is_busy {
            // Closed: the server rolls back what was under way.
            drop(Object::take(session));
        } else if session.is_in_transaction {
            roll_back(session);
        }
    }
}

/// Rolls back in the background, in bounded time. A connection that doesn't answer is closed.
fn roll_back(mut session: Object<Connector>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return drop(Object::take(session)) };
    runtime.spawn(async move {
        session.is_busy = true;
        match timeout(PING_DEADLINE, session.connection.execute(sqlx::raw_sql("ROLLBACK"))).await {
            Ok(Ok(_)) => (session.is_busy, session.is_in_transaction) = (false, false),
            Ok(Err(_)) | Err(_) => drop(Object::take(session)),
        }
    });
}

fn query(statement: &Statement) -> Result<Query<'_, Postgres, PgArguments>, DbErr> {
    let values = statement.values.as_ref().map_or(&[][..], |values| &values.0);
    Ok(sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), arguments(values)?))
}

fn query_error(error: SqlxError) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn exec_error(error: SqlxError) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}
