//! What counts as an outage of the database, and how long to wait for the database. Nothing else defines either.

use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr, SqlxError};

use crate::failure::Failure;

/// How long a statement waits for a connection of the pool, and an SQLite writer for the file's lock.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long PostgreSQL may work on one statement.
pub(crate) const STATEMENT_TIMEOUT: &str = "10s";

/// How long a writer on PostgreSQL waits for a lock.
pub(crate) const LOCK_TIMEOUT: &str = "5s";

/// How long a writer on PostgreSQL may leave a transaction idle: a frozen node must not hold the log's lock against all
/// others for longer.
pub(crate) const IDLE_IN_TRANSACTION_TIMEOUT: &str = "2s";

/// A database that takes longer than this to answer `SELECT 1` is not reachable.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether the failure is an outage, after which trying again may help, or a defect.
#[must_use]
pub(crate) fn failure(error: &DbErr) -> Failure {
    if is_outage(error) { Failure::Outage } else { Failure::Server }
}

/// SQLite: busy 5, locked 6, read-only 8, I/O error 10, full 13, can't open 14, by their primary codes
/// (<https://sqlite.org/rescode.html>). PostgreSQL: the classes of lost connections 08, resources 53, operator
/// intervention 57, system errors 58, and 55P03 lock not available, 25P03 idle in transaction
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn is_outage(error: &DbErr) -> bool {
    let sqlx = match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => error,
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => return true,
        _ => return false,
    };
    match &**sqlx {
        SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed | SqlxError::WorkerCrashed => true,
        SqlxError::Database(error) => {
            let code = error.code().unwrap_or_default();
            let sqlite = code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14));
            let postgres = code.len() == 5
                && (matches!(&code[..2], "08" | "53" | "57" | "58") || matches!(&*code, "55P03" | "25P03"));
            if error.try_downcast_ref::<sea_orm::sqlx::postgres::PgDatabaseError>().is_some() {
                postgres
            } else {
                sqlite
            }
        }
        _ => false,
    }
}
