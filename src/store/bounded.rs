//! Connections and transactions on which no statement waits for an answer without an end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, ExecResult, FromQueryResult, QueryResult, QueryTrait, Select,
    Statement, StreamTrait, TryIntoModel,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::direct::{Direct, Forbidden, FromValues};
use super::file::DatabaseFile;
use super::outage::{self, STATEMENT_DEADLINE};
use super::pools::{Connections, Lease};
use super::silence::Silence;

/// The answer, or an outage if it doesn't come in time. What is given up is rolled back; a connection to PostgreSQL is
/// closed for that.
pub(crate) async fn answered<T>(
    within: Duration,
    answer: impl Future<Output = Result<T, DbErr>> + Send,
) -> Result<T, DbErr> {
    tokio::time::timeout(within, answer).await.unwrap_or_else(|_| Err(outage::no_answer(within)))
}

/// Connections for statements that only read.
#[derive(Clone)]
pub struct Reader {
    connections: Connections,
    /// How long a statement may take, with the wait for a connection.
    deadline: Duration,
    /// Set where a deadline that has passed shows that the connection is silent.
    silence: Option<Arc<Silence>>,
}

impl Reader {
    pub(super) fn new(connections: Connections, deadline: Duration, silence: Option<Arc<Silence>>) -> Self {
        Self { connections, deadline, silence }
    }

    /// Takes one of the connections, for tests that keep it from others.
    ///
    /// # Errors
    /// When none is free in time.
    pub async fn hold(&self) -> Result<Held, DbErr> {
        let lease = self.connections.lease().await?;
        Ok(Held(lease, self.connections.direct().map(Direct::forbid)))
    }

    /// What is asked for: at most a page's worth of rows, found by an index.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn models<E>(&self, asked: Select<E>) -> Result<Vec<E::Model>, DbErr>
    where
        E: EntityTrait,
        E::ActiveModel: TryIntoModel<E::Model>,
    {
        self.models_by::<E>(asked.build(self.connections.backend())).await
    }

    /// The only one that is asked for.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn model<E>(&self, asked: Select<E>) -> Result<Option<E::Model>, DbErr>
    where
        E: EntityTrait,
        E::ActiveModel: TryIntoModel<E::Model>,
    {
        Ok(self.models(asked).await?.into_iter().next())
    }

    /// As [`Self::models`], by a statement whose columns have the names of the entity's.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn models_by<E>(&self, statement: Statement) -> Result<Vec<E::Model>, DbErr>
    where
        E: EntityTrait,
        E::ActiveModel: TryIntoModel<E::Model>,
    {
        match self.models_at_once::<E>(&statement) {
            Some(models) => Ok(models),
            None => E::find().from_raw_sql(statement).all(self).await,
        }
    }

    /// As [`Self::models_by`], of rows that are no entity's.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn rows_by<R: FromValues + FromQueryResult + Send + Sync>(
        &self,
        statement: Statement,
    ) -> Result<Vec<R>, DbErr> {
        match self.rows_at_once(&statement) {
            Some(rows) => Ok(rows),
            None => R::find_by_statement(statement).all(self).await,
        }
    }

    /// As [`Self::models_by`], if it can be had without waiting, and is no more than one would hold in memory.
    pub(crate) fn models_at_once<E>(&self, statement: &Statement) -> Option<Vec<E::Model>>
    where
        E: EntityTrait,
        E::ActiveModel: TryIntoModel<E::Model>,
    {
        self.connections.direct()?.models::<E>(statement)
    }

    /// As [`Self::models_at_once`], of rows that are no entity's.
    pub(crate) fn rows_at_once<R: FromValues>(&self, statement: &Statement) -> Option<Vec<R>> {
        self.connections.direct()?.rows(statement)
    }

    pub(super) async fn close(self) -> Result<(), DbErr> {
        self.connections.close().await
    }

    async fn answered<T: Send>(&self, answer: impl Future<Output = Result<T, DbErr>> + Send) -> Result<T, DbErr> {
        if let Ok(answer) = tokio::time::timeout(self.deadline, answer).await {
            return answer;
        }
        if let Some(silence) = &self.silence {
            silence.note();
        }
        Err(outage::no_answer(self.deadline))
    }
}

#[async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.connections.backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.answered(async { self.connections.lease().await?.execute(&statement).await }).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.answered(async { self.connections.lease().await?.execute_unprepared(sql).await }).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.answered(async { self.connections.lease().await?.query_one(&statement).await }).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.answered(async { self.connections.lease().await?.query_all(&statement).await }).await
    }
}

impl StreamTrait for Reader {
    type Stream<'a> = BoxStream<'a, Result<QueryResult, DbErr>>;

    fn get_database_backend(&self) -> DbBackend {
        self.connections.backend()
    }

    /// The deadline is for all rows together: whoever reads them slowly keeps a connection from others.
    fn stream_raw(&self, statement: Statement) -> BoxFuture<'_, Result<Self::Stream<'_>, DbErr>> {
        let ends = Instant::now() + self.deadline;
        async move {
            let rows = self.connections.stream(statement);
            let rows = stream::unfold(Some(rows), move |rows| async move {
                let mut rows = rows?;
                match timeout_at(ends, rows.next()).await {
                    Ok(row) => Some((row?, Some(rows))),
                    Err(_) => Some((Err(outage::no_answer(self.deadline)), None)),
                }
            });
            Ok(rows.boxed())
        }
        .boxed()
    }
}

/// A connection that is kept from others until this is dropped.
pub struct Held(#[expect(dead_code, reason = "held")] Lease, #[expect(dead_code, reason = "held")] Option<Forbidden>);

/// A transaction that may write. It is rolled back when it is dropped.
pub struct Transaction {
    backend: DbBackend,
    lease: Mutex<Lease>,
    /// That of an SQLite database.
    file: Option<Arc<DatabaseFile>>,
}

impl Transaction {
    /// Begins one: `BEGIN IMMEDIATE` on SQLite, so that it can't fail halfway for want of the lock; READ COMMITTED on
    /// PostgreSQL. `file`: that of an SQLite database.
    pub(super) async fn begin(connections: &Connections, file: Option<Arc<DatabaseFile>>) -> Result<Self, DbErr> {
        let mut lease = connections.lease().await?;
        lease.begin_transaction().await?;
        Ok(Self { backend: lease.backend(), lease: Mutex::new(lease), file })
    }

    /// Begins one in which nobody else appends to the log, which this lock stands for on PostgreSQL, and there runs `query`,
    /// which has no parameters and returns at most one row: all in one message, there and back.
    pub(super) async fn begin_alone(
        connections: &Connections,
        file: Option<Arc<DatabaseFile>>,
        lock: i64,
        query: &Statement,
    ) -> Result<(Self, Option<QueryResult>), DbErr> {
        let mut lease = connections.lease().await?;
        let row = lease.begin_alone(lock, query).await?;
        Ok((Self { backend: lease.backend(), lease: Mutex::new(lease), file }, row))
    }

    /// Commits.
    ///
    /// # Errors
    /// When the database fails, or its file is not in its place any more. Where no answer came, it is unknown whether the transaction is committed.
    pub async fn commit(self) -> Result<(), DbErr> {
        let Self { lease, file, .. } = self;
        let in_place = || file.as_ref().map_or(Ok(()), |file| file.in_place());
        in_place()?;
        answered(STATEMENT_DEADLINE, async { lease.into_inner().commit().await }).await?;
        in_place()
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        answered(STATEMENT_DEADLINE, async { self.lease.lock().await.execute(&statement).await }).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        answered(STATEMENT_DEADLINE, async { self.lease.lock().await.execute_unprepared(sql).await }).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        answered(STATEMENT_DEADLINE, async { self.lease.lock().await.query_one(&statement).await }).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        answered(STATEMENT_DEADLINE, async { self.lease.lock().await.query_all(&statement).await }).await
    }
}
