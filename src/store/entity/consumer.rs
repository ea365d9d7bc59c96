//! Durable readers of the log, and how far each has read.

use sea_orm::entity::prelude::*;

use crate::position::{Cursor, Position, Tag};

/// How far one consumer has read.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "consumer")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The last event that it has dealt with.
    pub position: Position,
    /// That event's tag; 0 where there was no event to read it from.
    pub tag: Tag,
    /// When it last moved, by the clock of the node on which it ran.
    pub updated_at: ChronoDateTimeUtc,
}

/// Joins that start at a consumer: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Where it stands.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { position: self.position, tag: self.tag }
    }
}
