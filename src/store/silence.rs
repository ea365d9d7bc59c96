//! Connections that have fallen silent: no byte comes, and nothing says that they are broken.
//!
//! A firewall that forgets a connection, a machine that loses its power, a frozen proxy: the kernel waits for many
//! minutes, new connections work at once. What falls silent usually does so together, so one connection that gave no
//! answer in time makes all the others suspect that were there already. They are closed instead of being used.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::SqlxError;
use sea_orm::sqlx::pool::PoolConnectionMetadata;
use sea_orm::sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::outage::{PING_DEADLINE, PING_IDLE};

/// When a connection was last found silent.
#[derive(Default)]
pub(super) struct Silence(Mutex<Option<Instant>>);

impl Silence {
    /// A connection gave no answer in time.
    pub(super) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection of this age was there when another one was found silent.
    fn suspects(&self, age: Duration) -> bool {
        let noted = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.is_some_and(|at| at.elapsed() <= age)
    }

    /// Whether an idle connection may be used. An error closes it hard, without a word to the other side, which might
    /// not take it; the pool then opens another one.
    pub(super) async fn may_be_used(
        &self,
        connection: &mut PgConnection,
        metadata: PoolConnectionMetadata,
    ) -> Result<bool, SqlxError> {
        if self.suspects(metadata.age) {
            return Err(silent());
        }
        if metadata.idle_for >= PING_IDLE {
            let Ok(answer) = timeout(PING_DEADLINE, connection.ping()).await else {
                self.note();
                return Err(silent());
            };
            answer?;
        }
        Ok(true)
    }
}

/// Whether a connection that was given back may stay in the pool. The pool itself would wait for an answer without an
/// end, and meanwhile have one connection less. A statement that was given up may still be under way: that is no silence
/// of the others.
pub(super) async fn may_be_kept(connection: &mut PgConnection) -> Result<bool, SqlxError> {
    timeout(PING_DEADLINE, connection.ping()).await.map_err(|_| silent())??;
    Ok(true)
}

fn silent() -> SqlxError {
    SqlxError::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the connection is silent"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_that_were_there_before_the_silence_are_suspect() {
        let silence = Silence::default();
        assert!(!silence.suspects(Duration::MAX));
        silence.note();
        assert!(silence.suspects(Duration::from_secs(1)));
        assert!(!silence.suspects(Duration::ZERO));
    }
}
