//! How long an operation takes, and what the database does for it.

use std::io;
use std::time::{Duration, Instant};

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use super::operations::{Operation, Reader};
use crate::databases::{Database, Kind};
use crate::seed;
use crate::seed::chat::{Chat, Written};
use crate::server::{self, SECRET, Server, sibling};
use crate::stats::Spread;

/// The tail's polls must not be counted.
const QUIET: (&str, &str) = ("PARLOR_POLL_MS", "60000");

/// With one connection for reading, what it has counted is told before the next statement.
const ONE_CONNECTION: (&str, &str) = ("PARLOR_DATABASE_CONNECTIONS", "1");

/// Times that an operation is done before it is measured, at most.
const WARM_UP: usize = 30;

/// Times that statements and rows are counted: the server does other things as well now and then, so the least holds.
const COUNTED: usize = 3;

/// Operations between two looks at the rows.
const BETWEEN: u64 = 5;

/// A session of PostgreSQL tells what it has counted when a transaction ends, and not twice in a second
/// (`PGSTAT_MIN_INTERVAL`).
const STATISTICS_INTERVAL: Duration = Duration::from_millis(1_100);

/// What one operation costs.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// From the request to the end of the answer.
    pub latency: Spread,
    /// The server's CPU time, in ms; PostgreSQL's is not in it.
    pub cpu: f64,
    /// SQL statements.
    pub statements: u64,
    /// Rows that PostgreSQL has fetched.
    pub rows: Option<u64>,
}

/// Writes a chat into a new database and measures these operations there.
pub async fn all(kind: Kind<'_>, chat: Chat, operations: &[Operation], repetitions: usize) -> io::Result<Vec<Figures>> {
    let database = kind.create().await?;
    let store = database.open().await?;
    let written = chat.write_as_consumed(&store).await?;
    store.close().await.map_err(io::Error::other)?;
    database.settle().await?;

    let mut figures = Vec::with_capacity(operations.len());
    let server = start(&database, &[QUIET]).await?;
    for operation in operations {
        let mut reader = reader(&server, &written).await?;
        let (latency, cpu) = latency(&server, &mut reader, *operation, repetitions).await?;
        let statements = statements(&server, &mut reader, *operation).await?;
        figures.push(Figures { latency, cpu, statements, rows: None });
    }
    server.stop().await?;
    if let Some(url) = &database.url {
        let server = start(&database, &[QUIET, ONE_CONNECTION]).await?;
        let counters = Counters::connect(url).await?;
        for (operation, figures) in operations.iter().zip(&mut figures) {
            let mut reader = reader(&server, &written).await?;
            figures.rows = Some(counters.rows(&mut reader, *operation).await?);
        }
        counters.0.close().await.map_err(io::Error::other)?;
        server.stop().await?;
    }
    Ok(figures)
}

async fn start(database: &Database, settings: &[(&str, &str)]) -> io::Result<Server> {
    let program = sibling("parlor");
    Server::start(server::parlor(&program, database.dir.path(), database.url.as_deref(), settings)).await
}

async fn reader<'w>(server: &Server, written: &'w Written) -> io::Result<Reader<'w>> {
    Reader::connect(server.addr, seed::token(SECRET, written.reader), written).await
}

async fn latency(
    server: &Server,
    reader: &mut Reader<'_>,
    operation: Operation,
    repetitions: usize,
) -> io::Result<(Spread, f64)> {
    for _ in 0..repetitions.min(WARM_UP) {
        reader.ask(operation).await?;
    }
    let (mut times, before) = (Vec::with_capacity(repetitions), server.cpu()?);
    for _ in 0..repetitions {
        let begun = Instant::now();
        reader.ask(operation).await?;
        times.push(begun.elapsed());
    }
    let cpu = server.cpu()?.saturating_sub(before).as_secs_f64() * 1e3 / repetitions as f64;
    Ok((Spread::of_millis(&mut times), cpu))
}

async fn statements(server: &Server, reader: &mut Reader<'_>, operation: Operation) -> io::Result<u64> {
    let mut least = u64::MAX;
    for _ in 0..COUNTED {
        let before = ran(server).await?;
        reader.ask(operation).await?;
        least = least.min(ran(server).await? - before);
    }
    Ok(least)
}

/// Statements so far.
async fn ran(server: &Server) -> io::Result<u64> {
    let samples = server.metric("parlor_sql_statements_total").await?;
    Ok(samples.iter().map(|(_, value)| *value as u64).sum())
}

/// A connection that asks PostgreSQL what it has counted.
struct Counters(DatabaseConnection);

impl Counters {
    async fn connect(url: &str) -> io::Result<Self> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        sea_orm::Database::connect(options).await.map(Self).map_err(io::Error::other)
    }

    /// Rows fetched so far, as far as that has been told.
    async fn fetched(&self) -> io::Result<u64> {
        let sql = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables";
        let row = self.0.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
        let row = row.map_err(io::Error::other)?.ok_or(io::ErrorKind::NotFound)?;
        let fetched: i64 = row.try_get_by_index(0).map_err(io::Error::other)?;
        u64::try_from(fetched).map_err(io::Error::other)
    }

    /// Rows that one operation fetches.
    async fn rows(&self, reader: &mut Reader<'_>, operation: Operation) -> io::Result<u64> {
        let mut least = u64::MAX;
        let mut before = self.settled(reader, operation).await?;
        for _ in 0..COUNTED {
            for _ in 1..BETWEEN {
                reader.ask(operation).await?;
            }
            let after = self.settled(reader, operation).await?;
            least = least.min((after - before) / BETWEEN);
            before = after;
        }
        Ok(least)
    }

    /// Rows fetched up to the same point of an operation, which is done once for it.
    async fn settled(&self, reader: &mut Reader<'_>, operation: Operation) -> io::Result<u64> {
        tokio::time::sleep(STATISTICS_INTERVAL).await;
        reader.ask(operation).await?;
        self.fetched().await
    }
}
