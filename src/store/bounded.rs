//! Connections and transactions on which no statement waits for an answer without an end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    StreamTrait,
};
use tokio::time::{Instant, timeout_at};

use super::file::DatabaseFile;
use super::outage::{self, STATEMENT_DEADLINE};
use super::silence::Silence;

/// The answer, or an outage if it doesn't come in time. What is given up is rolled back, and its connection is closed
/// unless it answers after all.
pub(crate) async fn answered<T>(
    within: Duration,
    answer: impl Future<Output = Result<T, DbErr>> + Send,
) -> Result<T, DbErr> {
    tokio::time::timeout(within, answer).await.unwrap_or_else(|_| Err(outage::no_answer(within)))
}

/// Connections for statements that only read.
#[derive(Clone)]
pub struct Reader {
    pool: DatabaseConnection,
    /// How long a statement may take, with the wait for a connection.
    deadline: Duration,
    /// Set where a deadline that has passed shows that the connection is silent.
    silence: Option<Arc<Silence>>,
}

impl Reader {
    pub(super) fn new(pool: DatabaseConnection, deadline: Duration, silence: Option<Arc<Silence>>) -> Self {
        Self { pool, deadline, silence }
    }

    /// The connections without the deadline, for tests that hold them.
    #[must_use]
    pub fn pool(&self) -> &DatabaseConnection {
        &self.pool
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
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.answered(self.pool.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.answered(self.pool.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.answered(self.pool.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.answered(self.pool.query_all_raw(statement)).await
    }
}

impl StreamTrait for Reader {
    type Stream<'a> = BoxStream<'a, Result<QueryResult, DbErr>>;

    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    /// The deadline is for all rows together: whoever reads them slowly keeps a connection from others.
    fn stream_raw(&self, statement: Statement) -> BoxFuture<'_, Result<Self::Stream<'_>, DbErr>> {
        let ends = Instant::now() + self.deadline;
        async move {
            let rows = Box::pin(self.answered(self.pool.stream_raw(statement)).await?);
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

/// A transaction that may write. It is rolled back when it is dropped.
pub struct Transaction(DatabaseTransaction, Option<Arc<DatabaseFile>>);

impl Transaction {
    /// `file`: that of an SQLite database.
    pub(super) fn new(transaction: DatabaseTransaction, file: Option<Arc<DatabaseFile>>) -> Self {
        Self(transaction, file)
    }

    /// Commits.
    ///
    /// # Errors
    /// When the database fails, or its file is not in its place any more. Where no answer came, it is unknown whether the transaction is committed.
    pub async fn commit(self) -> Result<(), DbErr> {
        let Self(transaction, file) = self;
        let in_place = || file.as_ref().map_or(Ok(()), |file| file.in_place());
        in_place()?;
        answered(STATEMENT_DEADLINE, transaction.commit()).await?;
        in_place()
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.0)
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        answered(STATEMENT_DEADLINE, self.0.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        answered(STATEMENT_DEADLINE, self.0.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        answered(STATEMENT_DEADLINE, self.0.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        answered(STATEMENT_DEADLINE, self.0.query_all_raw(statement)).await
    }
}
