//! Server keys: with them, the app's own backend calls.

use sea_orm::entity::prelude::*;

use crate::ids::KeyId;

/// One server key.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "server_key")]
pub struct Model {
    /// Which key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: KeyId,
    /// What the operator calls it; no two keys that are good have one name.
    pub name: String,
    /// SHA-256 of the key's text, which is stored nowhere.
    pub hash: Vec<u8>,
    /// When it was made.
    pub created_at: ChronoDateTimeUtc,
    /// Since when it is refused.
    pub revoked_at: Option<ChronoDateTimeUtc>,
}

/// Joins that start at a key: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Keys that were not revoked.
    #[must_use]
    pub fn live() -> Select<Self> {
        Self::find().filter(Column::RevokedAt.is_null())
    }
}
