//! Who owns a group after its last owner: no group that has had one is left without.

use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect,
};

use crate::ids::{RoomId, UserId};
use crate::log::{Append, NewEvent};
use crate::store::entity::member::{self, RoomRole, When};
use crate::store::entity::user;
use crate::store::list::{ROWS_PER_STATEMENT, Rows, one_of};

/// The groups that these users own. To be asked for before they leave them.
pub(in crate::chat) async fn owned_by(append: &Append, users: &[UserId]) -> Result<Vec<RoomId>, DbErr> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    member::Entity::find()
        .filter(one_of(append.store().backend(), member::Column::UserId, users.iter().copied()))
        .filter(When::Now.condition())
        .filter(member::Column::Role.eq(RoomRole::Owner))
        .select_only()
        .column(member::Column::RoomId)
        .distinct()
        .into_tuple()
        .all(append.tx())
        .await
}

/// Gives an owner to those of these groups in which none is left who may enter: among those who may, the member of the
/// highest role who has been there for longest. A program inherits nothing. The members are notified.
pub(in crate::chat) async fn appoint(append: &mut Append, rooms: &[RoomId]) -> Result<(), DbErr> {
    for rooms in rooms.chunks(ROWS_PER_STATEMENT) {
        let rows = Rows::new(append.store().backend(), rooms.iter().map(|room| [(*room).into()]));
        let sql = format!(
            "WITH asked (room_id) AS ({rows}), heir AS (SELECT member.room_id, member.user_id, \
               row_number() OVER (PARTITION BY member.room_id \
                 ORDER BY member.role, member.joined_position, member.user_id) AS place \
               FROM asked JOIN member ON member.room_id = asked.room_id AND {is_present} \
               JOIN \"user\" ON \"user\".id = member.user_id AND \"user\".deactivated_at IS NULL AND NOT \"user\".bot) \
             UPDATE member SET role = {owner} FROM heir WHERE heir.place = 1 AND member.role <> {owner} \
               AND member.room_id = heir.room_id AND member.user_id = heir.user_id \
             RETURNING member.room_id AS room_id, member.user_id AS user_id",
            rows = rows.sql,
            is_present = member::is_present("member"),
            owner = RoomRole::Owner.to_value(),
        );
        let appointed = append.tx().query_all_raw(append.store().statement(&sql, rows.values)).await?;
        let mut appointed: Vec<(RoomId, UserId)> = appointed
            .iter()
            .map(|row| Ok((row.try_get("", "room_id")?, row.try_get("", "user_id")?)))
            .collect::<Result<_, DbErr>>()?;
        appointed.sort_unstable();
        for (room, user) in appointed {
            append.record(NewEvent::member_changed(room, user));
        }
    }
    Ok(())
}

/// Who would own this group if this owner no longer did: another owner, or whom [`appoint`] would choose among the others.
pub(super) async fn after(append: &Append, room: RoomId, owner: UserId) -> Result<Option<member::Model>, DbErr> {
    member::Entity::present()
        .inner_join(user::Entity)
        .filter(member::Column::RoomId.eq(room))
        .filter(member::Column::UserId.ne(owner))
        .filter(user::Column::DeactivatedAt.is_null())
        .filter(user::Column::Bot.eq(false))
        .order_by_asc(member::Column::Role)
        .order_by_asc(member::Column::JoinedPosition)
        .order_by_asc(member::Column::UserId)
        .one(append.tx())
        .await
}

/// Makes this member an owner, unless it is one.
pub(super) async fn promote(append: &mut Append, heir: member::Model) -> Result<(), DbErr> {
    if heir.role == RoomRole::Owner {
        return Ok(());
    }
    let (room, user) = (heir.room_id, heir.user_id);
    member::ActiveModel { role: Set(RoomRole::Owner), ..heir.into_active_model() }.update(append.tx()).await?;
    append.record(NewEvent::member_changed(room, user));
    Ok(())
}
