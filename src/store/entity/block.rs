//! Who blocks whom.

use std::collections::HashSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ActiveEnum, Condition, ConnectionTrait, Statement};

use super::room::RoomKind;
use super::user;
use crate::ids::{RoomId, UserId};
use crate::store::Store;
use crate::store::list::Rows;

/// One user blocks another.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "block")]
pub struct Model {
    /// Who.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Whom.
    #[sea_orm(primary_key, auto_increment = false)]
    pub blocked_id: UserId,
    /// Since when.
    pub at: ChronoDateTimeUtc,
}

/// Joins that start at a block.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The user who is blocked.
    #[sea_orm(belongs_to = "user::Entity", from = "Column::BlockedId", to = "user::Column::Id")]
    Blocked,
}

impl Related<user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Blocked.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// Whether there is a block between the two for whom this room is, as SQL for statements that call the row of the room
/// `room` and one of the two `user`. It is a room of two if it is direct and was opened for two, whoever of them is in it now, and none
/// of them answers for the operator.
#[must_use]
pub fn between_two(room: &str, user: &str) -> String {
    // The rows of a large room are not gone through: of more than two it is enough to see three.
    format!(
        "CASE WHEN {room}.kind = {direct} AND {room}.type = 'consumer_to_consumer' AND {room}.member_count <= 2 \
           AND (SELECT count(*) FROM (SELECT 1 FROM member AS few WHERE few.room_id = {room}.id LIMIT 3) AS counted) = 2 \
         THEN EXISTS (SELECT 1 FROM member AS partner WHERE partner.room_id = {room}.id AND partner.user_id <> {user} \
           AND (EXISTS (SELECT 1 FROM block WHERE block.user_id = {user} AND block.blocked_id = partner.user_id) \
             OR EXISTS (SELECT 1 FROM block WHERE block.user_id = partner.user_id AND block.blocked_id = {user}))) \
         ELSE FALSE END",
        direct = RoomKind::Direct.into_value(),
    )
}

/// Whether the first user blocks the second: SQL, for raw statements that have both in these columns.
#[must_use]
pub fn blocks(user: &str, other: &str) -> String {
    format!("EXISTS (SELECT 1 FROM block WHERE block.user_id = {user} AND block.blocked_id = {other})")
}

impl Entity {
    /// Whether one of these pairs is one of who blocks whom. No pair is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn any(
        db: &impl ConnectionTrait,
        pairs: impl IntoIterator<Item = (UserId, UserId)>,
    ) -> Result<bool, DbErr> {
        Ok(!find(db, pairs).await?.is_empty())
    }

    /// The blocks among these pairs of who might block whom.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_pairs(
        db: &impl ConnectionTrait,
        pairs: impl IntoIterator<Item = (UserId, UserId)>,
    ) -> Result<Vec<Model>, DbErr> {
        find(db, pairs).await
    }

    /// Those of these pairs that are who blocks whom.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn among(
        store: &Store,
        pairs: impl IntoIterator<Item = (UserId, UserId)>,
    ) -> Result<HashSet<(UserId, UserId)>, DbErr> {
        Ok(find(store.read(), pairs).await?.into_iter().map(|block| (block.user_id, block.blocked_id)).collect())
    }

    /// Whether this user may say nothing in this room, because it is one of two and one of them blocks the other.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_between_two(db: &impl ConnectionTrait, room: RoomId, user: UserId) -> Result<bool, DbErr> {
        let sql = format!(
            "WITH asked (room_id, user_id) AS ({rows}) SELECT 1 FROM asked JOIN room ON room.id = asked.room_id \
             WHERE {blocked}",
            rows = "SELECT CAST($1 AS {uuid}), CAST($2 AS {uuid})".replace("{uuid}", uuid_type(db)),
            blocked = between_two("room", "asked.user_id"),
        );
        let statement =
            Statement::from_sql_and_values(db.get_database_backend(), sql, [Value::from(room), Value::from(user)]);
        Ok(db.query_one_raw(statement).await?.is_some())
    }

    /// Those of these places, a room and a user in it, where the user may say nothing because the room is one of two and one of
    /// them blocks the other. One statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn between_two_of(
        db: &impl ConnectionTrait,
        store: &Store,
        places: impl IntoIterator<Item = (RoomId, UserId)>,
    ) -> Result<HashSet<(RoomId, UserId)>, DbErr> {
        let places: Vec<_> = places.into_iter().collect();
        if places.is_empty() {
            return Ok(HashSet::new());
        }
        let rows = Rows::new(store.backend(), places.into_iter().map(|(room, user)| [room.into(), user.into()]));
        let sql = format!(
            "WITH asked (room_id, user_id) AS ({rows}) SELECT asked.room_id AS room_id, asked.user_id AS user_id \
             FROM asked JOIN room ON room.id = asked.room_id WHERE {blocked}",
            rows = rows.sql,
            blocked = between_two("room", "asked.user_id"),
        );
        let found = db.query_all_raw(store.statement(&sql, rows.values)).await?;
        found.iter().map(|row| Ok((row.try_get("", "room_id")?, row.try_get("", "user_id")?))).collect()
    }

    /// Whether this user, of whose row a statement speaks, is blocked by that one.
    #[must_use]
    pub fn blocks(user: UserId) -> Condition {
        let mut own = Query::select();
        own.expr(Expr::value(1))
            .from(Self)
            .and_where(Column::UserId.eq(user))
            .and_where(Expr::col((Self, Column::BlockedId)).equals((user::Entity, user::Column::Id)));
        Condition::all().add(Expr::exists(own))
    }
}

fn uuid_type(db: &impl ConnectionTrait) -> &'static str {
    if db.get_database_backend() == sea_orm::DbBackend::Postgres { "uuid" } else { "BLOB" }
}

async fn find(
    db: &impl ConnectionTrait,
    pairs: impl IntoIterator<Item = (UserId, UserId)>,
) -> Result<Vec<Model>, DbErr> {
    let pairs: Vec<_> = pairs.into_iter().collect();
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let backend = db.get_database_backend();
    let mut found = Vec::new();
    for pairs in pairs.chunks(crate::store::list::ROWS_PER_STATEMENT) {
        let rows = Rows::new(backend, pairs.iter().map(|(user, blocked)| [(*user).into(), (*blocked).into()]));
        let sql = format!(
            "WITH asked (user_id, blocked_id) AS ({}) SELECT {} FROM asked JOIN block \
             ON block.user_id = asked.user_id AND block.blocked_id = asked.blocked_id",
            rows.sql,
            crate::store::list::columns::<Entity>(),
        );
        let statement = Statement::from_sql_and_values(backend, sql, rows.values);
        found.extend(Entity::find().from_raw_sql(statement).all(db).await?);
    }
    Ok(found)
}
