//! Verifies a database, and reports row by row what is wrong with it.
//!
//! Everything is read from one snapshot, so a check is correct while servers go on writing. It writes nothing, creates
//! no file and migrates nothing.

use std::fmt;

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    FromQueryResult, IsolationLevel, Statement, TransactionOptions, TransactionTrait,
};
use uuid::Uuid;

use crate::ids::{MessageId, ObjectId, RoomId, UserId};
use crate::position::Position;
use crate::store::outage::ACQUIRE_TIMEOUT;
use crate::store::search::broken as segments_broken;

mod attachments;
mod beside;
mod rule;
mod rules;
mod search;
mod ways_in;
mod webhooks;

use attachments::ATTACHMENTS;
use beside::BESIDE;
use rule::{Breach, Rule};
use rules::RULES;
use search::SEARCH;
use ways_in::WAYS_IN;
use webhooks::WEBHOOKS;

/// The most findings of one rule that are reported one by one.
pub(crate) const MAX_TOLD: usize = 20;

/// The position of the oldest event that was not trimmed.
const FIRST_KEPT: &str = "(SELECT min(position) FROM event)";

/// An hour past the oldest kept event: no trimmed event is later. Each node reads its own clock under the log's lock,
/// and the clocks differ, so the times of neighbouring events may be out of order by that much, and not by more.
const SETTLED_SQLITE: &str =
    "(SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', at, '+1 hour') FROM event ORDER BY position LIMIT 1)";
const SETTLED_POSTGRES: &str = "(SELECT at + interval '1 hour' FROM event ORDER BY position LIMIT 1)";

/// Why a database can't be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It is not there, or can't be read.
    #[error("the database can't be read: {0}")]
    Database(#[from] DbErr),
    /// It has no history of migrations.
    #[error("this is no database of Parlor: it has no `seaql_migrations`")]
    Foreign,
    /// It is older than this program.
    #[error("the database is older than this program; bring it up to date with `parlor migrate`")]
    Older,
    /// The storage of files can't be read.
    #[error("the files can't be read: {0}")]
    Files(String),
    /// It is newer than this program.
    #[error("the database is newer than this program: it has {0}")]
    Newer(String),
}

/// What a check has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many rules were checked.
    pub rules: usize,
    /// Those that are broken.
    pub broken: Vec<Broken>,
}

/// A rule that doesn't hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The rule's name.
    pub rule: &'static str,
    /// How many rows break it.
    pub total: u64,
    /// What is wrong with them, one line each; at most [`MAX_TOLD`] lines.
    pub findings: Vec<String>,
}

/// Checks every rule on the database at this URL.
///
/// # Errors
/// When the database is not there, can't be read, or is of another version than this program.
pub(crate) async fn run(url: &str) -> Result<Report, CheckError> {
    let database = connect(url).await?;
    let report = check(&database).await;
    database.close().await?;
    report
}

/// Every object that may be in the storage of files, and whether a file that wasn't deleted is in it.
///
/// # Errors
/// When the database is not there, can't be read, or is of another version than this program.
pub(crate) async fn objects(url: &str) -> Result<Vec<(ObjectId, bool)>, CheckError> {
    let database = connect(url).await?;
    let snapshot = begin(&database).await?;
    check_version(&snapshot).await?;
    let sql = "SELECT upload.object_id AS object_id, attachment.id IS NOT NULL AS is_kept FROM upload \
               LEFT JOIN attachment ON attachment.object_id = upload.object_id AND attachment.deleted_at IS NULL";
    let rows = snapshot.query_all_raw(Statement::from_string(snapshot.get_database_backend(), sql)).await?;
    let objects: Result<_, DbErr> =
        rows.iter().map(|row| Ok((row.try_get("", "object_id")?, row.try_get("", "is_kept")?))).collect();
    snapshot.rollback().await?;
    database.close().await?;
    Ok(objects?)
}

async fn check(database: &DatabaseConnection) -> Result<Report, CheckError> {
    let snapshot = begin(database).await?;
    check_version(&snapshot).await?;
    let mut report = Report::default();
    let backend = snapshot.get_database_backend();
    let rules = RULES.iter().chain(BESIDE).chain(WAYS_IN).chain(WEBHOOKS).chain(SEARCH).chain(ATTACHMENTS);
    for rule in rules.filter(|rule| rule.only_on.is_none_or(|only| only == backend)) {
        report.rules += 1;
        match rule.broken(&snapshot).await {
            Ok(broken) => report.broken.extend(broken),
            Err(error) => {
                // Reading a damaged file fails here; the findings of the rules before say where the damage is.
                let findings = vec![format!("can't be checked, nor what follows it: {error}")];
                report.broken.push(Broken { rule: rule.name, total: 1, findings });
                break;
            }
        }
    }
    // Its pages can't be read by SQL.
    if backend == DbBackend::Postgres {
        match segments_broken(&snapshot).await {
            Ok(findings) => report.add("search_index", findings),
            Err(error) => report.add("search_index", vec![format!("can't be checked: {error}")]),
        }
    }
    snapshot.rollback().await?;
    Ok(report)
}

/// One connection, whose statements may take as long as they need.
async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite.create_if_missing(false).busy_timeout(ACQUIRE_TIMEOUT).pragma("query_only", "on")
        })
        .map_sqlx_postgres_opts(|postgres| postgres.options([("statement_timeout", "0")]));
    Database::connect(options).await
}

/// Begins a transaction in which everything is read as of one moment.
async fn begin(database: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let mut options = TransactionOptions::default();
    if database.get_database_backend() == DbBackend::Postgres {
        options.isolation_level = Some(IsolationLevel::RepeatableRead);
        options.access_mode = Some(AccessMode::ReadOnly);
    }
    database.begin_with_options(options).await
}

/// Refuses a database of another version, because the rules are about the tables as this program knows them.
async fn check_version(snapshot: &DatabaseTransaction) -> Result<(), CheckError> {
    let catalogue = match snapshot.get_database_backend() {
        DbBackend::Postgres => "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()",
        _ => "SELECT name FROM sqlite_schema",
    };
    let tables = texts(snapshot, catalogue).await?;
    if !tables.iter().any(|table| table == "seaql_migrations") {
        return Err(CheckError::Foreign);
    }
    let applied = texts(snapshot, "SELECT version FROM seaql_migrations ORDER BY version").await?;
    let known: Vec<String> = Migrator::get_migration_files().iter().map(|known| known.name().to_owned()).collect();
    if known.iter().any(|known| !applied.contains(known)) {
        return Err(CheckError::Older);
    }
    match applied.into_iter().find(|applied| !known.contains(applied)) {
        Some(unknown) => Err(CheckError::Newer(unknown)),
        None => Ok(()),
    }
}

async fn texts(snapshot: &DatabaseTransaction, sql: &str) -> Result<Vec<String>, DbErr> {
    let rows = snapshot.query_all_raw(Statement::from_string(snapshot.get_database_backend(), sql)).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// A row that breaks a rule. Which columns it has depends on what the rule is about.
#[derive(FromQueryResult)]
struct Finding {
    what: String,
    total: i64,
    position: Option<Position>,
    id: Option<Uuid>,
    room_id: Option<RoomId>,
    user_id: Option<UserId>,
}

impl Rule {
    async fn broken(&self, snapshot: &DatabaseTransaction) -> Result<Option<Broken>, DbErr> {
        let backend = snapshot.get_database_backend();
        let settled = if backend == DbBackend::Postgres { SETTLED_POSTGRES } else { SETTLED_SQLITE };
        let rule = self.statement().replace("{first_kept}", FIRST_KEPT).replace("{settled}", settled);
        let sql =
            format!("WITH found AS ({rule}) SELECT found.*, count(*) OVER () AS total FROM found LIMIT {MAX_TOLD}");
        let rows = Finding::find_by_statement(Statement::from_string(backend, sql)).all(snapshot).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let total = u64::try_from(first.total).unwrap_or_default();
        Ok(Some(Broken { rule: self.name, total, findings: rows.iter().map(|row| row.finding(self.breach)).collect() }))
    }
}

impl Finding {
    fn finding(&self, breach: Breach) -> String {
        let (id, what) = (self.id.unwrap_or_default(), &self.what);
        match breach {
            Breach::Database => what.clone(),
            Breach::Event => format!("event {} {what}", self.position.unwrap_or_default().0),
            Breach::Room => format!("{} {what}", RoomId(id)),
            Breach::Message => format!("{} {what}", MessageId(id)),
            Breach::User => format!("{} {what}", UserId(id)),
            Breach::Row => format!("{id} {what}"),
            Breach::Member => {
                let (room, user) = (self.room_id.unwrap_or(RoomId(id)), self.user_id.unwrap_or(UserId(id)));
                format!("{user} in {room} {what}")
            }
        }
    }
}

impl Report {
    /// Adds a rule, with what breaks it.
    pub(crate) fn add(&mut self, rule: &'static str, mut findings: Vec<String>) {
        self.rules += 1;
        let total = u64::try_from(findings.len()).unwrap_or(u64::MAX);
        findings.truncate(MAX_TOLD);
        if total > 0 {
            self.broken.push(Broken { rule, total, findings });
        }
    }

    /// Nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.broken.is_empty()
    }
}

/// A line for each finding, and one that sums up.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Broken { rule, total, findings } in &self.broken {
            for finding in findings {
                writeln!(f, "{rule}: {finding}")?;
            }
            let told = u64::try_from(findings.len()).unwrap_or(u64::MAX);
            if *total > told {
                writeln!(f, "{rule}: and {} more", total - told)?;
            }
        }
        if self.is_whole() {
            return write!(f, "whole: all {} rules hold", self.rules);
        }
        let findings: u64 = self.broken.iter().map(|broken| broken.total).sum();
        write!(f, "not whole: {} of {} rules are broken, in {findings} places", self.broken.len(), self.rules)
    }
}
