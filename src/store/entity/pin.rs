//! The pinned messages of rooms.

use sea_orm::entity::prelude::*;

use crate::ids::{RoomId, UserId};

/// A message, not deleted, that is pinned in its room.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pin")]
pub struct Model {
    /// In which room.
    #[sea_orm(primary_key, auto_increment = false)]
    pub room_id: RoomId,
    /// Which message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i32,
    /// Who pinned it.
    pub by_id: UserId,
    /// When.
    pub at: ChronoDateTimeUtc,
}

/// Joins that start at a pin: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
