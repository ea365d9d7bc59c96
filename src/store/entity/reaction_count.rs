//! How many users have reacted to which message in which way.

use sea_orm::entity::prelude::*;

use crate::ids::MessageId;

/// The reactions of one kind to one message that stand: at least one.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reaction_count")]
pub struct Model {
    /// To which message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: MessageId,
    /// Of which kind.
    #[sea_orm(primary_key, auto_increment = false)]
    pub emoji: String,
    /// How many.
    pub count: i32,
    /// When the first of them was made since there were none.
    pub first_at: ChronoDateTimeUtc,
}

/// Joins that start at a count: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
