//! Measuring gaps: the first message that each of them touches.

use std::collections::HashMap;

use sea_orm::{DbErr, FromQueryResult};

use super::Gap;
use crate::ids::RoomId;
use crate::log::event::{Class, Kind};
use crate::position::Position;
use crate::store::Store;
use crate::store::list::Rows;

/// The most alterations that are examined to find where a gap begins; with more, the gap is the whole room.
const MAX_ALTERED: u64 = 20_000;

/// Rooms that one statement reads one row of: well below SQLite's 32,766 parameters.
pub(super) const AT_ONCE: usize = 4_096;

/// A gap whose beginning is not known yet.
pub(super) struct OpenGap {
    pub(super) gap: Gap,
    /// The gap covers what happened after this position.
    pub(super) after: Position,
    /// The first message that was posted in it, if a read event has shown that.
    pub(super) posted: Option<i32>,
}

/// What the events of a gap touch.
#[derive(FromQueryResult)]
struct Touched {
    room_id: RoomId,
    /// The first message that was posted.
    posted: Option<i32>,
    /// The oldest message that was changed.
    altered: Option<i32>,
}

/// Sets the beginning of each gap: the lowest `seq` that any event of it touches, or one past the newest message if
/// none does.
pub(super) async fn measure(gaps: &mut [OpenGap], base: Position, store: &Store) -> Result<(), DbErr> {
    for gaps in gaps.chunks_mut(AT_ONCE) {
        let mut rows = Rows::new(
            store.backend(),
            gaps.iter().map(|OpenGap { gap, after, posted }| [gap.room.into(), (*after).into(), (*posted).into()]),
        );
        rows.values.push(base.into());
        // The list of alterations must be literally that of the partial index `event_altered`, or SQLite doesn't use
        // the index.
        let sql = format!(
            "WITH asked (room_id, after, posted) AS ({rows}) SELECT asked.room_id AS room_id, \
             COALESCE(asked.posted, (SELECT event.seq FROM event WHERE event.room_id = asked.room_id \
               AND event.position > asked.after AND event.position <= ${base} AND event.kind IN ({posts}) \
               ORDER BY event.position LIMIT 1)) AS posted, \
             (SELECT CASE WHEN count(*) > {MAX_ALTERED} THEN 1 ELSE min(altered.seq) END \
              FROM (SELECT event.seq AS seq FROM event WHERE event.room_id = asked.room_id \
                AND event.position > asked.after AND event.position <= ${base} AND event.kind IN ({alterations}) \
                LIMIT {MAX_ALTERED} + 1) AS altered) AS altered \
             FROM asked",
            rows = rows.sql,
            base = rows.values.len(),
            posts = Kind::sql_list(|row| row.class == Class::Post),
            alterations = Kind::sql_list(|row| row.class == Class::Alteration),
        );
        let statement = store.statement(&sql, rows.values);
        let touched = Touched::find_by_statement(statement).all(store.read()).await?;
        let touched: HashMap<RoomId, Touched> = touched.into_iter().map(|touched| (touched.room_id, touched)).collect();
        for OpenGap { gap, .. } in gaps {
            let first = touched.get(&gap.room).and_then(|room| room.posted.into_iter().chain(room.altered).min());
            gap.from_seq = first.unwrap_or(gap.to_seq + 1);
        }
    }
    Ok(())
}
