//! The pools of connections, and what is set on each connection when it opens.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::BoxStream;
use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::{DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError, Statement};

use super::bounded::answered;
use super::direct::Direct;
use super::outage::{
    ACQUIRE_TIMEOUT, FOLLOW_ACQUIRE_TIMEOUT, IDLE_IN_TRANSACTION_TIMEOUT, LOCK_TIMEOUT, STATEMENT_TIMEOUT,
};
use super::pooler::refuse_shared_sessions;
use super::ran::Ran;
use super::silence::Silence;
use super::{file, postgres, sqlite};

/// How much of an SQLite file each reading connection may keep in memory: KiB, as a negative number. A list of rooms
/// touches about 700 pages of 4 KiB, and at the default of 2,000 KiB has to fetch most of them anew each time.
pub(super) const READER_CACHE: &str = "-8192";

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
    Sqlite(sqlite::Pool),
    /// To PostgreSQL.
    Postgres(postgres::Pool),
}

/// One of them, given back when this is dropped. A transaction that is begun on it and not committed is rolled back then.
pub(super) enum Lease {
    /// To SQLite.
    Sqlite(sqlite::Lease),
    /// To PostgreSQL.
    Postgres(postgres::Lease),
}

/// Does the same with either.
macro_rules! with {
    ($either:expr, $one:ident => $do:expr) => {
        match $either {
            Self::Sqlite($one) => $do,
            Self::Postgres($one) => $do,
        }
    };
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

    /// A connection, as soon as one is free.
    pub(super) async fn lease(&self) -> Result<Lease, DbErr> {
        match self {
            Self::Sqlite(connections) => Ok(Lease::Sqlite(connections.lease().await?)),
            Self::Postgres(connections) => Ok(Lease::Postgres(connections.lease().await?)),
        }
    }

    /// What reads without waiting for any of them, where there is such a way.
    pub(super) fn direct(&self) -> Option<&Arc<Direct>> {
        match self {
            Self::Sqlite(connections) => connections.direct(),
            Self::Postgres(_) => None,
        }
    }

    /// The rows of a statement as they come. The connection is given back after the last one.
    pub(super) fn stream(&self, statement: Statement) -> BoxStream<'static, Result<QueryResult, DbErr>> {
        with!(self, connections => connections.clone().stream(statement))
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

impl Lease {
    /// Which database this is.
    pub(super) fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }

    /// Runs a statement that returns no rows.
    pub(super) async fn execute(&mut self, statement: &Statement) -> Result<ExecResult, DbErr> {
        with!(self, lease => lease.execute(statement).await)
    }

    /// Runs statements as they are, without parameters.
    pub(super) async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        with!(self, lease => lease.execute_unprepared(sql).await)
    }

    /// The first row of a statement's result.
    pub(super) async fn query_one(&mut self, statement: &Statement) -> Result<Option<QueryResult>, DbErr> {
        with!(self, lease => lease.query_one(statement).await)
    }

    /// The rows of a statement's result.
    pub(super) async fn query_all(&mut self, statement: &Statement) -> Result<Vec<QueryResult>, DbErr> {
        with!(self, lease => lease.query_all(statement).await)
    }

    /// Begins a transaction.
    pub(super) async fn begin_transaction(&mut self) -> Result<(), DbErr> {
        with!(self, lease => lease.begin_transaction().await)
    }

    /// Begins one in which nobody else appends, and there runs `query`, which has no parameters and returns at most one row:
    /// all of it with one way there and back. On PostgreSQL it waits for this advisory lock in between, on SQLite only one
    /// connection may write.
    pub(super) async fn begin_alone(&mut self, lock: i64, query: &Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Sqlite(lease) => lease.begin_with(query).await,
            Self::Postgres(lease) => lease.begin_under(lock, &query.sql).await,
        }
    }

    /// Commits the transaction.
    pub(super) async fn commit(&mut self) -> Result<(), DbErr> {
        with!(self, lease => lease.commit().await)
    }
}

impl Pools {
    pub(super) async fn sqlite(url: &str, read_connections: u32, ran: &Ran) -> Result<Self, DbErr> {
        let options = sqlite::options(url)?;
        let query_only = options.clone().pragma("query_only", "on");
        let open = |options, connections, direct| async move {
            sqlite::Pool::open(options, connections, ran, direct).await.map(Connections::Sqlite)
        };
        // Opened first, because it makes the file.
        let write = open(options, 1, None).await?;
        let direct = file::path_of(url).map(|path| Direct::open(&path, ran));
        let read = query_only.clone().pragma("cache_size", READER_CACHE);
        let read = open(read, read_connections, direct.clone()).await?;
        let follow = open(query_only, FOLLOWERS, direct).await?;
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
