//! Which notifications are to be taken away, or to be those of an older message again.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use super::due::{MAX_MEMBERS, TOGETHER};
use crate::ids::{MessageId, RoomId, UserId};
use crate::store::Store;
use crate::store::entity::{block, member, user};
use crate::store::list::Rows;

/// How many messages before one that was deleted are looked at for one that is still unread.
const LOOKED_AT: i32 = 100;

/// A notification that may be on a user's devices, and has no reason to be any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub(super) struct Over {
    /// Whose.
    pub user_id: UserId,
    /// Of which room.
    pub room_id: RoomId,
    /// Up to which message.
    pub seq: i32,
    /// When the user was notified.
    pub at: DateTime<Utc>,
    /// If nothing but that message is gone: the newest before it of which the user would have been notified too, and hasn't
    /// read. A device shows one of a room, so that it was hidden by the later one.
    pub older: Option<MessageId>,
}

/// The notifications of these rooms whose message was read or deleted, whose room its user has left or muted, or whose user is
/// switched off.
pub(super) async fn over(store: &Store, rooms: &BTreeSet<RoomId>) -> Result<Vec<Over>, DbErr> {
    let mut over = Vec::new();
    let rooms: Vec<RoomId> = rooms.iter().copied().collect();
    for rooms in rooms.chunks(TOGETHER) {
        let mut rows = Rows::new(store.backend(), rooms.iter().map(|room| [(*room).into()]));
        rows.values.extend([LOOKED_AT.into(), MAX_MEMBERS.into()]);
        let sql = format!(
            "WITH asked (id) AS ({rows}) \
             SELECT pushed.user_id AS user_id, pushed.room_id AS room_id, pushed.seq AS seq, pushed.at AS at, \
               CASE WHEN NOT member.muted AND member.read_seq < pushed.seq AND room.deleted_at IS NULL AND {may_enter} THEN \
                 (SELECT older.id FROM message AS older WHERE older.room_id = pushed.room_id \
                   AND older.seq < pushed.seq AND older.seq >= pushed.seq - ${looked_at} AND older.seq > member.read_seq \
                   AND older.author_id <> member.user_id AND older.deleted_at IS NULL \
                   AND (room.member_count <= ${max} AND NOT member.mentions_only OR older.mentions_room \
                     OR EXISTS (SELECT 1 FROM mention WHERE mention.user_id = member.user_id \
                       AND mention.room_id = older.room_id AND mention.seq = older.seq)) \
                   AND NOT {blocked} ORDER BY older.seq DESC LIMIT 1) END AS older \
             FROM asked JOIN pushed ON pushed.room_id = asked.id JOIN room ON room.id = asked.id \
             JOIN \"user\" AS reader ON reader.id = pushed.user_id \
             LEFT JOIN member ON member.room_id = pushed.room_id AND member.user_id = pushed.user_id AND {is_present} \
             LEFT JOIN message ON message.room_id = pushed.room_id AND message.seq = pushed.seq \
             WHERE member.user_id IS NULL OR member.muted OR member.read_seq >= pushed.seq OR room.deleted_at IS NOT NULL \
               OR message.id IS NULL OR message.deleted_at IS NOT NULL OR NOT ({may_enter})",
            rows = rows.sql,
            looked_at = rows.values.len() - 1,
            max = rows.values.len(),
            blocked = block::blocks("member.user_id", "older.author_id"),
            is_present = member::is_present("member"),
            may_enter = user::may_enter("reader"),
        );
        over.extend(Over::find_by_statement(store.statement(&sql, rows.values)).all(store.read()).await?);
    }
    Ok(over)
}

/// A room of which somebody may be shown a notification.
#[derive(FromQueryResult)]
struct Shown {
    room_id: RoomId,
}

/// The rooms of which those of these users were notified who are switched off.
pub(super) async fn of_switched_off(store: &Store, users: &BTreeSet<UserId>) -> Result<BTreeSet<RoomId>, DbErr> {
    let mut rooms = BTreeSet::new();
    let users: Vec<UserId> = users.iter().copied().collect();
    for users in users.chunks(TOGETHER) {
        let rows = Rows::new(store.backend(), users.iter().map(|user| [(*user).into()]));
        let sql = format!(
            "WITH asked (id) AS ({rows}) SELECT DISTINCT pushed.room_id AS room_id \
             FROM asked JOIN \"user\" AS reader ON reader.id = asked.id AND NOT ({may_enter}) \
             JOIN pushed ON pushed.user_id = reader.id",
            rows = rows.sql,
            may_enter = user::may_enter("reader"),
        );
        let shown = Shown::find_by_statement(store.statement(&sql, rows.values)).all(store.read()).await?;
        rooms.extend(shown.into_iter().map(|shown| shown.room_id));
    }
    Ok(rooms)
}

/// Forgets these notifications, unless there was a later one meanwhile.
pub(super) async fn forget(store: &Store, over: &[Over]) -> Result<(), DbErr> {
    for over in over.chunks(TOGETHER) {
        let rows = over.iter().map(|over| [over.user_id.into(), over.room_id.into(), over.seq.into()]);
        let rows = Rows::new(store.backend(), rows);
        let sql = format!(
            "WITH gone (user_id, room_id, seq) AS ({rows}) DELETE FROM pushed WHERE EXISTS (SELECT 1 FROM gone \
             WHERE gone.user_id = pushed.user_id AND gone.room_id = pushed.room_id AND gone.seq >= pushed.seq)",
            rows = rows.sql,
        );
        let tx = store.begin_write().await?;
        tx.execute_raw(store.statement(&sql, rows.values)).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Writes of these notifications that they are of older messages now, by their `seq`, unless there was a later one meanwhile.
pub(super) async fn go_back(store: &Store, to: &[(Over, i32)]) -> Result<(), DbErr> {
    for to in to.chunks(TOGETHER) {
        let rows =
            to.iter().map(|(over, seq)| [over.user_id.into(), over.room_id.into(), over.seq.into(), (*seq).into()]);
        let rows = Rows::new(store.backend(), rows);
        let sql = format!(
            "WITH back (user_id, room_id, gone, seq) AS ({rows}) UPDATE pushed SET seq = back.seq FROM back \
             WHERE back.user_id = pushed.user_id AND back.room_id = pushed.room_id AND back.gone = pushed.seq",
            rows = rows.sql,
        );
        let tx = store.begin_write().await?;
        tx.execute_raw(store.statement(&sql, rows.values)).await?;
        tx.commit().await?;
    }
    Ok(())
}
