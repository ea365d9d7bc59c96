//! The key by which this deployment tells push services who it is, the same on all nodes.

use sea_orm::entity::prelude::*;

/// The one key.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "push_key")]
pub struct Model {
    /// Always [`THE_ONE`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i16,
    /// The pair of keys of P-256, as PKCS #8.
    pub pkcs8: Vec<u8>,
    /// When it was made.
    pub created_at: ChronoDateTimeUtc,
}

/// `Debug` doesn't show the key.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("created_at", &self.created_at).finish_non_exhaustive()
    }
}

/// The id of the only row.
pub const THE_ONE: i16 = 1;

/// Starts no joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
