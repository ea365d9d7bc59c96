//! Sessions: one per signed-in device.

use sea_orm::SelectTwo;
use sea_orm::entity::prelude::*;

use crate::ids::{SessionId, UserId};
use crate::store::Store;
use crate::store::list::Rows;

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
    /// What the client calls its device, shown to the user only. Forgotten when the session is ended.
    pub client: Option<String>,
    /// When the user signed in.
    pub created_at: ChronoDateTimeUtc,
    /// When the session was last refreshed, or some minutes before it was last used: see [`Entity::write_last_used`].
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

    /// This user's sessions that have neither ended nor been revoked; the only way callers outside `store` find sessions
    /// of a user.
    #[must_use]
    pub fn live_of(user: UserId, now: ChronoDateTimeUtc) -> Select<Self> {
        Self::find()
            .filter(Column::UserId.eq(user))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(now))
    }

    /// Writes when these sessions were last used, in a transaction of its own: for each the session, the moment, and the
    /// moment before which the time that is written must be for it to be written. Takes at most 10,000 sessions. A
    /// session that was ended meanwhile is written to as well, where nobody sees it.
    ///
    /// # Errors
    /// When the database fails; nothing is written then.
    pub async fn write_last_used(
        store: &Store,
        used: &[(SessionId, ChronoDateTimeUtc, ChronoDateTimeUtc)],
    ) -> Result<(), DbErr> {
        if used.is_empty() {
            return Ok(());
        }
        let rows = used.iter().map(|(session, at, stale)| [(*session).into(), (*at).into(), (*stale).into()]);
        let rows = Rows::new(store.backend(), rows);
        let sql = format!(
            "WITH used (id, at, stale) AS ({}) UPDATE session SET last_used_at = used.at FROM used \
             WHERE session.id = used.id AND session.last_used_at < used.stale",
            rows.sql
        );
        let tx = store.begin_write().await?;
        tx.execute_raw(store.statement(&sql, rows.values)).await?;
        tx.commit().await
    }
}
