//! Sessions: one per signed-in device.

use sea_orm::SelectTwo;
use sea_orm::entity::prelude::*;

use crate::ids::{SessionId, UserId};

/// One signed-in device.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    /// Which session.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// SHA-256 of the part that all refresh tokens of this session share. A token with this part, but another secret
    /// than the present one, was already replaced.
    pub family_hash: Vec<u8>,
    /// SHA-256 of the present refresh token's own part.
    pub refresh_hash: Vec<u8>,
    /// SHA-256 of the own part of the refresh token before that. `None` until the session is refreshed.
    pub previous_hash: Option<Vec<u8>>,
    /// When that was replaced.
    pub replaced_at: Option<ChronoDateTimeUtc>,
    /// The client's own description of itself, shown to the user only.
    pub client: Option<String>,
    /// When the user signed in.
    pub created_at: ChronoDateTimeUtc,
    /// When the session was last refreshed.
    pub last_used_at: ChronoDateTimeUtc,
    /// When it ends unless refreshed.
    pub expires_at: ChronoDateTimeUtc,
    /// When it was ended before its time.
    pub revoked_at: Option<ChronoDateTimeUtc>,
}

/// Joins that start at a session.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// Whose session it is.
    #[sea_orm(belongs_to = "super::user::Entity", from = "Column::UserId", to = "super::user::Column::Id")]
    User,
}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// This session, if it has neither ended nor been revoked, and its user.
    #[must_use]
    pub fn live(id: SessionId, now: ChronoDateTimeUtc) -> SelectTwo<Self, super::user::Entity> {
        Self::find_by_id(id)
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(now))
            .find_also_related(super::user::Entity)
    }
}
