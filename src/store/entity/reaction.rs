//! Who has reacted to which message, and how.

use sea_orm::entity::prelude::*;

use crate::ids::{MessageId, UserId};
use crate::position::Position;

/// One user's reaction of one kind to one message.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reaction")]
pub struct Model {
    /// To which message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: MessageId,
    /// How.
    #[sea_orm(primary_key, auto_increment = false)]
    pub emoji: String,
    /// Who.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Whether it stands; it was taken back otherwise.
    pub is_on: bool,
    /// Since when it is so.
    pub at: ChronoDateTimeUtc,
    /// The position of the event that told of it.
    pub position: Position,
}

/// Joins that start at a reaction: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
