//! Poolers before PostgreSQL that share one session between several connections.
//!
//! Parlor sets time limits on its connections and prepares statements on them. A pooler that gives each transaction
//! whatever session is free mixes them up with those of others, in silence.

use sea_orm::sqlx::{Connection, Executor, PgConnection, Row, raw_sql};
use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// How often it is looked for; a pooler may happen to give the same session twice.
const ROUNDS: usize = 3;

const REFUSAL: &str = "a pooler gives each transaction another session, which drops the time limits that Parlor sets and \
                       the statements that it prepares; set its pool_mode to session for this database, or connect to \
                       PostgreSQL itself";

/// Fails when these two connections don't keep a session each. Nothing is set or prepared on them, because it would stay
/// with the sessions of others.
pub(super) async fn refuse_shared_sessions(one: PgConnection, two: PgConnection) -> Result<(), DbErr> {
    let shared =
        are_sessions_shared(one, two).await.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?;
    if shared { Err(DbErr::Conn(RuntimeErr::Internal(REFUSAL.to_owned()))) } else { Ok(()) }
}

async fn are_sessions_shared(mut one: PgConnection, mut two: PgConnection) -> Result<bool, SqlxError> {
    for _ in 0..ROUNDS {
        let first = session_of(&mut one).await?;
        // A session is taken for a transaction at least, or transactions are refused.
        match two.execute(raw_sql("BEGIN")).await {
            Err(SqlxError::Database(_)) => return Ok(true),
            begun => begun?,
        };
        let second = session_of(&mut two).await?;
        let again = session_of(&mut one).await?;
        two.execute(raw_sql("ROLLBACK")).await?;
        if first == second || first != again {
            return Ok(true);
        }
    }
    one.close().await?;
    two.close().await?;
    Ok(false)
}

async fn session_of(connection: &mut PgConnection) -> Result<i32, SqlxError> {
    connection.fetch_one(raw_sql("SELECT pg_backend_pid()")).await?.try_get(0)
}
