//! Whom edits have messages mention who weren't mentioned before.

use sea_orm::entity::prelude::*;

use crate::ids::UserId;
use crate::position::Position;

/// Stands for everybody in the room.
pub const EVERYBODY: UserId = UserId(Uuid::nil());

/// A user whom an edit has its message mention. Whether the message still does, it says itself.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mention_added")]
pub struct Model {
    /// The position of the event of the edit.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: Position,
    /// Whom, or [`EVERYBODY`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
}

/// Joins that start here: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
