//! Pruning the oldest events, in small steps, so that appending never waits long.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::clock::Clock;
use crate::position::Position;
use crate::store::Store;
use crate::store::entity::{event, mention_added};

/// The most events that one step deletes.
pub(crate) const STEP: u64 = 1_000;

/// Up to which time events are pruned that are kept for so long.
///
/// No clock that is far ahead may prune everything: on PostgreSQL the database's clock counts, and not the node's. On
/// SQLite the node's is the only one, and counts up to the time of the last event at most.
///
/// # Errors
/// When the database fails.
pub(crate) async fn cutoff(store: &Store, clock: &Clock, keep: TimeDelta) -> Result<DateTime<Utc>, DbErr> {
    let now = store.now(clock).await?;
    if store.backend() == DbBackend::Postgres {
        return Ok(now - keep);
    }
    let last: Option<DateTime<Utc>> = event::Entity::find()
        .select_only()
        .column(event::Column::At)
        .order_by_desc(event::Column::Position)
        .into_tuple()
        .one(store.read())
        .await?;
    Ok(last.map_or(now, |at| at.min(now)) - keep)
}

/// Deletes the oldest events that happened before `cutoff`, at most [`STEP`], and the read marks that they announced in
/// rooms of more than `receipts_max_members`, except each member's latest. In smaller rooms the marks say when each
/// message was read. The last event of the log always stays, because the next position is counted from it. Returns how
/// many events were deleted.
///
/// A cursor into what was deleted is answered with `ResyncRequired` from then on.
///
/// # Errors
/// When the database fails; nothing is deleted then.
pub(crate) async fn step(store: &Store, cutoff: DateTime<Utc>, receipts_max_members: u32) -> Result<u64, DbErr> {
    let oldest: Vec<(Position, DateTime<Utc>)> = event::Entity::find()
        .select_only()
        .columns([event::Column::Position, event::Column::At])
        .order_by_asc(event::Column::Position)
        .limit(STEP + 1)
        .into_tuple()
        .all(store.read())
        .await?;
    let all_but_last = &oldest[..oldest.len().saturating_sub(1)];
    let Some((upto, _)) = all_but_last.iter().take_while(|(_, at)| *at < cutoff).last() else { return Ok(0) };

    let tx = store.begin_write().await?;
    let marks = "DELETE FROM read_mark WHERE position <= $1 AND EXISTS (SELECT 1 FROM room \
                 WHERE room.id = read_mark.room_id AND room.member_count > $2) AND EXISTS (SELECT 1 FROM read_mark AS later \
                 WHERE later.room_id = read_mark.room_id AND later.user_id = read_mark.user_id \
                 AND later.seq > read_mark.seq)";
    let bound = i32::try_from(receipts_max_members).unwrap_or(i32::MAX);
    tx.execute_raw(store.statement(marks, [(*upto).into(), bound.into()])).await?;
    mention_added::Entity::delete_many().filter(mention_added::Column::Position.lte(*upto)).exec(&tx).await?;
    let deleted = event::Entity::delete_many().filter(event::Column::Position.lte(*upto)).exec(&tx).await?;
    tx.commit().await?;
    Ok(deleted.rows_affected)
}
