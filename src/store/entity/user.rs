//! Users. A deleted user keeps its row, so that its messages keep an author id, but loses its names and password.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::entity::prelude::*;

use crate::ids::UserId;
use crate::store::Store;
use crate::store::list::{Rows, one_of};

/// One user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user")]
pub struct Model {
    /// Who this is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// In lower case. For a deleted user it is `~` and the id, which no username can be.
    pub username: String,
    /// Shown to others.
    pub display_name: String,
    /// The display name as `text::fold` has it, by which users are searched for. Its words are in `user_word`.
    pub search_name: String,
    /// Consumer or support.
    pub r#type: UserType,
    /// Argon2id in PHC form. `None`: this user can't sign in with a password.
    pub password_hash: Option<String>,
    /// Tokens issued before this moment are refused.
    pub tokens_valid_after: ChronoDateTimeUtc,
    /// When the account was made.
    pub created_at: ChronoDateTimeUtc,
    /// When the last connection of a device of this user ended. `None`: there was none yet. While a device is connected,
    /// when it connected or some minutes ago at most, in case its node is killed.
    pub last_seen_at: Option<ChronoDateTimeUtc>,
    /// The id that the app's own backend knows the user by, if it does.
    pub external_id: Option<String>,
    /// Of a deleted user: SHA-256 of `external_id`, so that the same id doesn't make the user anew by itself.
    pub external_hash: Option<Vec<u8>>,
    /// Where a picture of the user is.
    pub avatar_url: Option<String>,
    /// What the app keeps about the user: a JSON object. `None` is an empty one.
    pub custom: Option<String>,
    /// Whether a program acts as this user.
    pub bot: bool,
    /// Since when the app has switched the account off: it can't sign in, and nobody can open a room with it.
    pub deactivated_at: Option<ChronoDateTimeUtc>,
    /// When it was deleted.
    pub deleted_at: Option<ChronoDateTimeUtc>,
    /// Of a deleted user whose name nobody else may have yet: a digest of it under a secret key.
    pub name_digest: Option<Vec<u8>>,
    /// Of a deleted user: whether messages are left that are to be deleted as well.
    pub erases_messages: bool,
}

/// The kinds of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum UserType {
    /// A user who signed up, or whom the operator added as a consumer.
    #[sea_orm(string_value = "consumer")]
    Consumer,
    /// A user who answers for the operator; only the operator can add one.
    #[sea_orm(string_value = "support")]
    Support,
}

/// Joins that start at a user: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whether the account is there, and not switched off.
    #[must_use]
    pub fn may_enter(&self) -> bool {
        self.deleted_at.is_none() && self.deactivated_at.is_none()
    }
}

/// [`Model::may_enter`] as SQL, for raw statements that call the table `table`.
#[must_use]
pub fn may_enter(table: &str) -> String {
    format!("{table}.deleted_at IS NULL AND {table}.deactivated_at IS NULL")
}

impl Entity {
    /// Users whose account still exists.
    #[must_use]
    pub fn present() -> Select<Self> {
        Self::find().filter(Column::DeletedAt.is_null())
    }

    /// Those of these users whose account still exists.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn present_by_id(
        store: &Store,
        ids: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, Arc<Model>>, DbErr> {
        let users = store.read().models(Self::present().filter(one_of(store.backend(), Column::Id, ids))).await?;
        Ok(users.into_iter().map(|user| (user.id, Arc::new(user))).collect())
    }

    /// Writes when these users were last connected, in a transaction of its own. A later moment that is written already
    /// stays, so nodes that know of different connections may write in any order. Takes at most 16,000 users.
    ///
    /// # Errors
    /// When the database fails; nothing is written then.
    pub async fn write_last_seen(store: &Store, seen: &[(UserId, ChronoDateTimeUtc)]) -> Result<(), DbErr> {
        if seen.is_empty() {
            return Ok(());
        }
        let rows = Rows::new(store.backend(), seen.iter().map(|(user, at)| [(*user).into(), (*at).into()]));
        let sql = format!(
            "WITH seen (id, at) AS ({}) UPDATE \"user\" SET last_seen_at = seen.at FROM seen \
             WHERE \"user\".id = seen.id AND \"user\".deleted_at IS NULL \
             AND (\"user\".last_seen_at IS NULL OR \"user\".last_seen_at < seen.at)",
            rows.sql
        );
        let tx = store.begin_write().await?;
        tx.execute_raw(store.statement(&sql, rows.values)).await?;
        tx.commit().await
    }
}
