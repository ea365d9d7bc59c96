//! Membership: who is, or was, in which room, and how far each has read.

use sea_orm::entity::prelude::*;
use sea_orm::{Condition, JoinType, QuerySelect, RelationTrait};

use crate::ids::{RoomId, UserId};
use crate::position::Position;
use crate::store::list::one_of;

/// One user's place in one room. Kept when the user leaves.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member")]
pub struct Model {
    /// Which room.
    #[sea_orm(primary_key, auto_increment = false)]
    pub room_id: RoomId,
    /// Which user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Where in the log the user joined, the last time.
    pub joined_position: Position,
    /// Where in the log the user left; none: is a member now.
    pub left_position: Option<Position>,
    /// `seq` up to which the user has read.
    pub read_seq: i32,
    /// The user wants no `messagePosted` of all rooms from this one.
    pub muted: bool,
    /// When the user joined, the last time.
    pub joined_at: ChronoDateTimeUtc,
}

/// Joins that start at a member.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The room.
    #[sea_orm(belongs_to = "super::room::Entity", from = "Column::RoomId", to = "super::room::Column::Id")]
    Room,
    /// The user.
    #[sea_orm(belongs_to = "super::user::Entity", from = "Column::UserId", to = "super::user::Column::Id")]
    User,
}

impl Related<super::room::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Room.def()
    }
}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Those who are in the room now.
    #[must_use]
    pub fn current() -> Select<Self> {
        Self::find().filter(Column::LeftPosition.is_null())
    }

    /// The memberships that `user` had when the log stood at `base`.
    #[must_use]
    pub fn of_user_as_of(user: UserId, base: Position) -> Select<Self> {
        Self::find()
            .filter(Column::UserId.eq(user))
            .filter(Column::JoinedPosition.lte(base))
            .filter(Condition::any().add(Column::LeftPosition.is_null()).add(Column::LeftPosition.gt(base)))
    }
}

/// What the hub needs of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sea_orm::FromQueryResult)]
pub struct Membership {
    /// Which room.
    pub room_id: RoomId,
    /// Whether its user has muted it.
    pub muted: bool,
}

impl Membership {
    /// The memberships that `user` had when the log stood at `base`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_user_as_of(db: &impl ConnectionTrait, user: UserId, base: Position) -> Result<Vec<Self>, DbErr> {
        Entity::of_user_as_of(user, base)
            .select_only()
            .columns([Column::RoomId, Column::Muted])
            .into_model()
            .all(db)
            .await
    }
    /// The present rooms of each of these users that have at most `max_members`: one statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn small_rooms(
        db: &impl ConnectionTrait,
        users: &[UserId],
        max_members: u32,
    ) -> Result<Vec<(UserId, RoomId)>, DbErr> {
        Entity::current()
            .join(JoinType::InnerJoin, Relation::Room.def())
            .filter(one_of(db.get_database_backend(), Column::UserId, users.iter().copied()))
            .filter(super::room::Column::MemberCount.lte(max_members))
            .select_only()
            .columns([Column::UserId, Column::RoomId])
            .into_tuple()
            .all(db)
            .await
    }
}
