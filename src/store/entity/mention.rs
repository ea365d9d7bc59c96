//! Whom messages mention: what each user's mentions are counted and listed by.

use sea_orm::entity::prelude::*;

use crate::ids::{RoomId, UserId};
use crate::position::Position;

/// A message, not deleted, that mentions a user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mention")]
pub struct Model {
    /// Whom.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Where.
    #[sea_orm(primary_key, auto_increment = false)]
    pub room_id: RoomId,
    /// By which message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i32,
    /// Who wrote that.
    pub author_id: UserId,
    /// The position of the event of its posting.
    pub position: Position,
}

/// Joins that start at a mention: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
