//! Who may not come back into which room.

use sea_orm::Condition;
use sea_orm::entity::prelude::*;

use super::user;
use crate::ids::{RoomId, UserId};

/// One user is kept out of one room. A ban that has run out may still have its row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ban")]
pub struct Model {
    /// Which room.
    #[sea_orm(primary_key, auto_increment = false)]
    pub room_id: RoomId,
    /// Who is kept out.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Who said so. `None`: the app's own backend.
    pub by_id: Option<UserId>,
    /// Why.
    pub reason: Option<String>,
    /// Until when; `None`: for good.
    pub until: Option<ChronoDateTimeUtc>,
    /// Since when.
    pub at: ChronoDateTimeUtc,
}

/// Joins that start at a ban.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The user who is kept out.
    #[sea_orm(belongs_to = "user::Entity", from = "Column::UserId", to = "user::Column::Id")]
    User,
}

impl Related<user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// Whether a ban holds at this moment.
#[must_use]
pub fn holds_at(now: ChronoDateTimeUtc) -> Condition {
    Condition::any().add(Column::Until.is_null()).add(Column::Until.gt(now))
}
