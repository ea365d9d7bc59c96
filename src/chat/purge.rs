//! What the deletion of a room leaves behind: its messages, and who has read them. Nobody can see them any more.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use crate::chat::Chat;
use crate::chat::attachment::attach;
use crate::chat::message::index;
use crate::ids::RoomId;
use crate::log::{Begin, Event, Handler, HandlerError, Kind};
use crate::store::entity::{message, read_mark, room};
use crate::store::list::one_of;

/// The most messages that one step deletes.
const STEP: u64 = 500;

/// Deletes what deleted rooms leave behind, as the log tells of them.
pub(crate) struct Purge(pub(crate) Chat);

impl Handler for Purge {
    fn name(&self) -> &'static str {
        "purge"
    }

    fn begin(&self) -> Begin {
        Begin::Oldest
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind == Kind::RoomDeleted
    }

    async fn handle(&self, events: &[Event]) -> Result<(), HandlerError> {
        for room in events.iter().filter_map(|event| event.room_id) {
            self.0.purge_room(room).await?;
        }
        Ok(())
    }

    /// The rooms themselves say what is left to do.
    async fn missed(&self) -> Result<(), HandlerError> {
        while let Some(room) = self.0.next_to_purge().await? {
            self.0.purge_room(room).await?;
        }
        Ok(())
    }
}

impl Chat {
    async fn next_to_purge(&self) -> Result<Option<RoomId>, DbErr> {
        // Word for word the predicate of the partial index `room_to_purge`: with a parameter in it, a plan for all
        // values of the parameter can't use the index.
        room::Entity::find()
            .select_only()
            .column(room::Column::Id)
            .filter(Expr::cust("deleted_at IS NOT NULL AND last_seq > 0"))
            .into_tuple()
            .one(self.store.read())
            .await
    }

    /// Deletes what this deleted room has left, in steps, each a short transaction of its own, so that no writer waits
    /// long. Again, or on several nodes at once, it finds less to do.
    async fn purge_room(&self, room: RoomId) -> Result<(), DbErr> {
        let mut purged = 0;
        loop {
            let step = self.purge_step(room).await?;
            purged += step;
            if step < STEP {
                break;
            }
        }
        if purged > 0 {
            tracing::info!(%room, messages = purged, "deleted what a deleted room has left");
        }
        Ok(())
    }

    /// Deletes at most [`STEP`] messages of a deleted room, and with the last of them the room's read marks. Returns how
    /// many.
    async fn purge_step(&self, room: RoomId) -> Result<u64, DbErr> {
        let tx = self.store.begin_write().await?;
        let is_left = room::Entity::find_by_id(room)
            .filter(room::Column::DeletedAt.is_not_null())
            .filter(room::Column::LastSeq.gt(0))
            .select_only()
            .column(room::Column::Id)
            .into_tuple::<RoomId>()
            .one(&tx)
            .await?;
        if is_left.is_none() {
            return Ok(0);
        }
        let some = message::Entity::find().filter(message::Column::RoomId.eq(room)).limit(STEP).all(&tx).await?;
        index::forget(&self.store, &tx, &some.iter().collect::<Vec<_>>()).await?;
        let with_files: Vec<_> = some.iter().filter(|it| it.attachment_count > 0).map(|it| it.id).collect();
        attach::forget(&self.store, &tx, &with_files, self.clock.now()).await?;
        let last = (some.len() as u64) < STEP;
        let some = one_of(self.store.backend(), message::Column::Id, some.iter().map(|it| it.id));
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
        Ok(if last { deleted.min(STEP - 1) } else { STEP })
    }
}
