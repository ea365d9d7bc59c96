//! Pruning: what is deleted from time to time, so that the database holds no more than it must.

use chrono::TimeDelta;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

use super::{Chat, Error};
use crate::log::trim;
use crate::store::entity::session;

/// How many rows were pruned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events that were too old.
    pub events: u64,
    /// Sessions that ended long ago.
    pub sessions: u64,
    /// Digests of names of deleted users that are free by now.
    pub names: u64,
}

impl Chat {
    /// Prunes events older than `keep`, sessions that ended longer than `keep` ago, and what is kept of names that are free
    /// again. Events are deleted in steps, each a short transaction of its own, so that no writer waits long; the rest by
    /// one statement each. It may run on several nodes at the same time.
    ///
    /// # Errors
    /// When the database fails. What was pruned by then stays pruned.
    pub async fn prune(&self, keep: TimeDelta) -> Result<Pruned, Error> {
        let cutoff = trim::cutoff(&self.store, &self.clock, keep).await?;
        let mut done = Pruned::default();
        loop {
            let events = trim::step(&self.store, cutoff, self.receipts_max_members).await?;
            done.events += events;
            if events < trim::STEP {
                break;
            }
        }
        let ended =
            Condition::any().add(session::Column::ExpiresAt.lt(cutoff)).add(session::Column::RevokedAt.lt(cutoff));
        let tx = self.store.begin_write().await?;
        done.sessions = session::Entity::delete_many().filter(ended).exec(&tx).await?.rows_affected;
        tx.commit().await?;
        done.names = self.free_names().await?;
        Ok(done)
    }
}
