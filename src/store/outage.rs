//! What counts as an outage of the database, and how long to wait for the database. Nothing else defines either.

use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr, SqlxError};

use crate::failure::Failure;

/// How long a statement waits for a connection of the pool, and an SQLite writer for the file's lock.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the tail and the scribe wait for a connection to PostgreSQL. They share theirs with nobody, so this is the
/// time to open one; less than their deadlines, which are to mean that an open connection is silent.
pub(crate) const FOLLOW_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long PostgreSQL may work on one statement.
pub(crate) const STATEMENT_TIMEOUT: &str = "10s";

/// How long a writer on PostgreSQL waits for a lock.
pub(crate) const LOCK_TIMEOUT: &str = "5s";

/// How long a writer on PostgreSQL may leave a transaction idle: a frozen node must not hold the log's lock against all
/// others for longer.
pub(crate) const IDLE_IN_TRANSACTION_TIMEOUT: &str = "2s";

/// How long any statement waits for its answer: longer than the database's own limit, which comes first while the
/// connection is well.
pub(crate) const STATEMENT_DEADLINE: Duration = Duration::from_secs(11);

/// How long whoever follows the log waits for the answer to one statement.
pub(crate) const FOLLOW_DEADLINE: Duration = Duration::from_secs(5);

/// How long an append may take until it commits: the wait for the lock, and a second.
pub(crate) const APPEND_DEADLINE: Duration = Duration::from_secs(6);

/// How long an append waits for the answer to its COMMIT. Together with [`APPEND_DEADLINE`] and a connection that opens
/// anew this stays below the 15 s within which posts succeed again after connections have fallen silent.
pub(crate) const COMMIT_DEADLINE: Duration = Duration::from_secs(4);

/// A connection that was idle for so long is asked whether it still answers before it is used.
pub(crate) const PING_IDLE: Duration = Duration::from_secs(1);

/// How long a connection with nothing else to do may take to answer.
pub(crate) const PING_DEADLINE: Duration = Duration::from_secs(1);

/// A database that takes longer than this to say whether it may be written to is not reachable.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// No answer came within this time.
pub(crate) fn no_answer(within: Duration) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(format!("the database did not answer within {} s", within.as_secs())))
}

/// Whether this error of a COMMIT leaves open if the transaction is committed: it is not the database's own answer. Of
/// SQLite's answers, a failed write to the disk leaves it open as well: recovery may find all of it written.
#[must_use]
pub(crate) fn leaves_open(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error else {
        return true;
    };
    match &**error {
        SqlxError::Database(error) if is_postgres(&**error) => false,
        SqlxError::Database(error) => {
            error.code().and_then(|code| code.parse::<u32>().ok()).is_some_and(|c| c & 0xff == 10)
        }
        _ => true,
    }
}

fn is_postgres(error: &dyn sea_orm::sqlx::error::DatabaseError) -> bool {
    error.try_downcast_ref::<sea_orm::sqlx::postgres::PgDatabaseError>().is_some()
}

/// Whether a connection was refused only for the moment: nobody listens, as while a server starts anew; there are too
/// many connections (53300); or the server isn't ready yet (57P03).
#[must_use]
pub(crate) fn refuses_for_now(error: &SqlxError) -> bool {
    match error {
        SqlxError::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        SqlxError::Database(error) => matches!(error.code().as_deref(), Some("53300" | "57P03")),
        _ => false,
    }
}

/// Whether the failure is an outage, after which trying again may help, or a defect.
#[must_use]
pub(crate) fn failure(error: &DbErr) -> Failure {
    if is_outage(error) { Failure::Outage } else { Failure::Server }
}

/// A connection that could not be had, whatever the reason, or one that broke; or one of the codes below.
fn is_outage(error: &DbErr) -> bool {
    let sqlx = match error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => error,
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => return true,
        _ => return false,
    };
    match &**sqlx {
        SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed | SqlxError::WorkerCrashed => true,
        SqlxError::Database(error) => {
            let code = error.code().unwrap_or_default();
            if is_postgres(&**error) { is_outage_of_postgres(&code) } else { is_outage_of_sqlite(&code) }
        }
        _ => false,
    }
}

/// Busy 5, locked 6, read-only 8, I/O error 10, full 13, can't open 14, by their primary codes
/// (<https://sqlite.org/rescode.html>).
fn is_outage_of_sqlite(code: &str) -> bool {
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14))
}

/// The classes of lost connections 08, resources 53, operator intervention 57 and system errors 58; 25006 a standby that
/// only reads, 25P03 idle in transaction, 40001 and 40P01 a transaction that gave way to another, 55P03 lock not available
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn is_outage_of_postgres(code: &str) -> bool {
    let class = code.get(..2).filter(|_| code.len() == 5);
    matches!(class, Some("08" | "53" | "57" | "58")) || matches!(code, "25006" | "25P03" | "40001" | "40P01" | "55P03")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_could_not_be_had_is_an_outage_whatever_the_reason() {
        let refused = SqlxError::Protocol("the server closed the connection in the handshake".to_owned());
        assert_eq!(failure(&DbErr::Conn(RuntimeErr::SqlxError(refused.into()))), Failure::Outage);
        assert_eq!(failure(&DbErr::Custom("no such table".to_owned())), Failure::Server);
    }

    #[test]
    fn codes_of_outages_are_told_from_codes_of_defects() {
        for code in ["08006", "25006", "25P03", "40001", "40P01", "53300", "55P03", "57P01", "57P03", "58030"] {
            assert!(is_outage_of_postgres(code), "{code}");
        }
        for code in ["", "08", "22021", "23505", "42P01", "42703", "XX000", "25001"] {
            assert!(!is_outage_of_postgres(code), "{code}");
        }
        for (code, expected) in [("5", true), ("517", true), ("8", true), ("13", true), ("1", false), ("19", false)] {
            assert_eq!(is_outage_of_sqlite(code), expected, "{code}");
        }
    }
}
