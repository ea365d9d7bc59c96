//! The right to do what one node at a time does, under a name.
//!
//! On PostgreSQL it is an advisory lock of a session that has no other purpose: it goes with the connection, so with the
//! process. An SQLite database belongs to one process, which has every such right.

use std::time::Duration;

use sea_orm::sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, query};
use sea_orm::{DbErr, RuntimeErr, SqlxError};
use sha2::{Digest, Sha256};
use tokio::time::{sleep, timeout};

use super::Store;
use super::bounded::answered;
use super::outage::{self, ACQUIRE_TIMEOUT, PING_DEADLINE, STATEMENT_TIMEOUT};
use super::pools::Connections;

/// How often whoever has a claim looks whether its connection lives. Together with [`PING_DEADLINE`] this is how long
/// work may go on whose claim is lost.
const LOOK: Duration = Duration::from_secs(2);

/// PostgreSQL ends a session from which it hears nothing for so long, as from a node that is frozen or cut off. Longer
/// than its node needs to notice that it isn't heard.
const IDLE_SESSION_TIMEOUT: &str = "10s";

/// A claim to a name, which may be held by one node at a time. It ends when it is dropped.
pub(crate) struct Claim {
    key: i64,
    /// `None` on SQLite.
    session: Option<PgConnection>,
}

impl Store {
    /// Opens a claim to this name, which isn't held yet.
    ///
    /// # Errors
    /// When no connection can be opened in time.
    pub(crate) async fn claim(&self, name: &str) -> Result<Claim, DbErr> {
        let key = key(name);
        let Connections::Postgres(connections) = &self.write else { return Ok(Claim { key, session: None }) };
        let opening = async {
            let mut session = connections.open_alone(ACQUIRE_TIMEOUT).await?;
            let set = format!(
                "SET statement_timeout = '{STATEMENT_TIMEOUT}'; SET idle_session_timeout = '{IDLE_SESSION_TIMEOUT}'"
            );
            session.execute(AssertSqlSafe(set)).await?;
            Ok(session)
        };
        let session = answered(ACQUIRE_TIMEOUT, async { opening.await.map_err(broken) }).await?;
        Ok(Claim { key, session: Some(session) })
    }
}

impl Claim {
    /// Whether it is held from now on: nobody else holds it.
    ///
    /// # Errors
    /// When the connection is broken, and the claim with it.
    pub(crate) async fn take(&mut self) -> Result<bool, DbErr> {
        let Some(session) = &mut self.session else { return Ok(true) };
        let asked = query("SELECT pg_try_advisory_lock($1)").bind(self.key);
        answered(PING_DEADLINE, async {
            let row = asked.fetch_one(session).await.map_err(broken)?;
            row.try_get(0).map_err(broken)
        })
        .await
    }

    /// Resolves when it is lost, with the reason.
    pub(crate) async fn lost(&mut self) -> DbErr {
        let Some(session) = &mut self.session else { return std::future::pending().await };
        loop {
            sleep(LOOK).await;
            match timeout(PING_DEADLINE, session.ping()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return broken(error),
                Err(_) => return outage::no_answer(PING_DEADLINE),
            }
        }
    }

    /// Gives it up, so that another node has it immediately.
    pub(crate) async fn give_up(self) {
        if let Some(session) = self.session {
            // The server ends what doesn't hear of it.
            let _ = timeout(PING_DEADLINE, session.close()).await;
        }
    }
}

fn broken(error: SqlxError) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

/// The key of the advisory lock, the same on every node.
fn key(name: &str) -> i64 {
    let digest = Sha256::new().chain_update("parlor claim\n").chain_update(name).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_all_versions_agree_on_the_key_of_a_name() {
        assert_eq!(key("purge"), -7_397_909_829_055_085_965);
        assert_ne!(key("purge"), key("timers"));
    }
}
