//! Events that a webhook's receiver has refused, while it took others.

use sea_orm::entity::prelude::*;

use crate::ids::WebhookId;
use crate::position::{Cursor, Position, Tag};

/// One event that was refused.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_failure")]
pub struct Model {
    /// By the receiver of this webhook.
    #[sea_orm(primary_key, auto_increment = false)]
    pub webhook_id: WebhookId,
    /// The event's position.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: Position,
    /// The event's tag.
    pub tag: Tag,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next. `None`: only when somebody asks for it.
    pub next_at: Option<ChronoDateTimeUtc>,
    /// What the receiver answered last.
    pub status: Option<i16>,
    /// How it failed last.
    pub error: String,
}

/// Joins that start at a failure: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The event.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { position: self.position, tag: self.tag }
    }
}
