//! Read marks: every step of every member's reading, from which the receipts of a message are made.

use sea_orm::entity::prelude::*;

use crate::ids::{RoomId, UserId};
use crate::position::Position;

/// "This user had read up to `seq` at this moment."
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "read_mark")]
pub struct Model {
    /// Which room.
    #[sea_orm(primary_key, auto_increment = false)]
    pub room_id: RoomId,
    /// Which member.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Up to which message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i32,
    /// When.
    pub at: ChronoDateTimeUtc,
    /// The position of the event that announced it.
    pub position: Position,
}

/// Joins that start at a mark: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
