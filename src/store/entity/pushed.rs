//! Up to which message of a room a user has been notified, as long as the notification may be on a device.

use sea_orm::entity::prelude::*;

use crate::ids::{RoomId, UserId};

/// One user's notification of one room.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pushed")]
pub struct Model {
    /// Who was notified.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Of which room.
    #[sea_orm(primary_key, auto_increment = false)]
    pub room_id: RoomId,
    /// `seq` of the message.
    pub seq: i32,
    /// When.
    pub at: ChronoDateTimeUtc,
}

/// Starts no joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
