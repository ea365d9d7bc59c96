//! What can go wrong, as outcomes that a caller can act on.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// Why a rule refused, or could not be carried out. Its text is safe to show: it never holds a database's own words.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no viewer, or the token is not valid (any more).
    #[error("sign in first")]
    Unauthenticated,
    /// The name, the password or both are wrong: which, is not told.
    #[error("wrong username or password")]
    WrongCredentials,
    /// The refresh token is unknown, expired, replaced or revoked.
    #[error("the session has ended; sign in again")]
    SessionEnded,
    /// The viewer may see this but not do that.
    #[error("{0}")]
    Forbidden(&'static str),
    /// An argument is not acceptable.
    #[error("{problem}")]
    Invalid {
        /// Name of the argument or input field.
        field: &'static str,
        /// What is wrong with it and what would be right.
        problem: String,
    },
    /// There is no such thing, or it is not the viewer's to see: the two look alike.
    #[error("{what} not found")]
    NotFound {
        /// `room`, `message` or `user`.
        what: &'static str,
        /// Name of the argument that named it.
        field: &'static str,
    },
    /// What is asked contradicts what is there.
    #[error("{problem}")]
    Conflict {
        /// Name of the argument.
        field: &'static str,
        /// The contradiction.
        problem: &'static str,
    },
    /// Too many requests.
    #[error("too many requests")]
    RateLimited {
        /// How long to wait before the next.
        retry_after: Duration,
    },
    /// The server is stopping; another node may answer.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The database failed. Whether it is an outage or a defect, [`Error::is_outage`] tells.
    #[error("internal error")]
    Database(#[source] Arc<DbErr>),
    /// Something else failed that should not: a defect.
    #[error("internal error")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An argument is not acceptable.
    pub fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { field, problem: problem.into() }
    }

    /// No such room, as far as the viewer can see.
    pub const ROOM_NOT_FOUND: Self = Self::NotFound { what: "room", field: "roomId" };

    /// No user of that name.
    pub const USER_NOT_FOUND: Self = Self::NotFound { what: "user", field: "username" };

    /// No such message, as far as the viewer can see.
    pub const MESSAGE_NOT_FOUND: Self = Self::NotFound { what: "message", field: "messageId" };

    /// Whether the database could not be reached or written at all: trying again later may help.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::ShuttingDown => true,
            Self::Database(error) => is_outage(error),
            _ => false,
        }
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Database(Arc::new(error))
    }
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
