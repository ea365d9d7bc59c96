//! Pruning: what is deleted from time to time, so that the database holds no more than it must.

use chrono::TimeDelta;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter, QuerySelect};

use super::{Chat, Error};
use crate::ids::{MessageId, RoomId};
use crate::log::trim;
use crate::store::entity::{message, read_mark, room, session};
use crate::store::list::one_of;

/// The most messages that one step deletes.
const STEP: u64 = 500;

/// How many rows were pruned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events that were too old.
    pub events: u64,
    /// Messages of deleted rooms.
    pub messages: u64,
    /// Sessions that ended long ago.
    pub sessions: u64,
    /// Digests of names of deleted users that are free by now.
    pub names: u64,
    /// Reports in which what was said was kept for long enough.
    pub reports: u64,
}

impl Chat {
    /// Prunes events older than `keep`, the messages of deleted rooms, sessions that ended longer than `keep` ago, what
    /// is kept of names that are free again, and what was said in reports that were resolved long ago.
    /// Events and messages are deleted in steps, each a short transaction of its own, so that no writer waits long;
    /// sessions by one statement. It may run on several nodes at the same time.
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
        loop {
            let messages = self.purge_step().await?;
            done.messages += messages;
            if messages == 0 {
                break;
            }
        }
        let ended =
            Condition::any().add(session::Column::ExpiresAt.lt(cutoff)).add(session::Column::RevokedAt.lt(cutoff));
        let tx = self.store.begin_write().await?;
        done.sessions = session::Entity::delete_many().filter(ended).exec(&tx).await?.rows_affected;
        tx.commit().await?;
        done.names = self.free_names().await?;
        done.reports = self.forget_reported().await?;
        Ok(done)
    }

    /// Deletes at most [`STEP`] messages of one deleted room, and with the last of them the room's read marks. Returns
    /// 0 when there is nothing left to delete.
    async fn purge_step(&self) -> Result<u64, DbErr> {
        let tx = self.store.begin_write().await?;
        // Word for word the predicate of the partial index `room_to_purge`: with a parameter in it, a plan for all
        // values of the parameter can't use the index.
        let room: Option<RoomId> = room::Entity::find()
            .select_only()
            .column(room::Column::Id)
            .filter(Expr::cust("deleted_at IS NOT NULL AND last_seq > 0"))
            .into_tuple()
            .one(&tx)
            .await?;
        let Some(room) = room else { return Ok(0) };
        let some: Vec<MessageId> = message::Entity::find()
            .select_only()
            .column(message::Column::Id)
            .filter(message::Column::RoomId.eq(room))
            .limit(STEP)
            .into_tuple()
            .all(&tx)
            .await?;
        let last = (some.len() as u64) < STEP;
        let some = one_of(self.store.backend(), message::Column::Id, some);
        let deleted = message::Entity::delete_many().filter(some).exec(&tx).await?.rows_affected;
        if last {
            // With `last_seq` 0, the room is no longer in the index.
            read_mark::Entity::delete_many().filter(read_mark::Column::RoomId.eq(room)).exec(&tx).await?;
            room::Entity::update_many()
                .col_expr(room::Column::LastSeq, Expr::value(0))
                .filter(room::Column::Id.eq(room))
                .exec(&tx)
                .await?;
        }
        tx.commit().await?;
        Ok(deleted.max(u64::from(last)))
    }
}
