//! Users of the app's own: known by the id that its backend gave them.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, SqlErr};

use super::NewAccount;
use super::upsert::{derived_username, external_hash};
use crate::chat::{Chat, Error};
use crate::ids::UserId;
use crate::store::entity::user::{self, UserType};
use crate::store::entity::user_word;
use crate::text::fold::{fold, words};
use crate::text::visible::made_name;

/// The user with this external id, not written yet: a consumer who can't sign in with a password. The username, which
/// nobody has chosen, is derived from the id.
pub(in crate::chat) fn hosted_user(external_id: &str, display_name: &str, now: DateTime<Utc>) -> user::Model {
    let id = UserId::generate();
    user::Model {
        id,
        username: derived_username(id),
        search_name: fold(display_name),
        display_name: display_name.to_owned(),
        r#type: UserType::Consumer,
        password_hash: None,
        // Nobody holds a token of a new user that has to be refused, whatever another node's clock says.
        tokens_valid_after: DateTime::<Utc>::UNIX_EPOCH,
        created_at: now,
        last_seen_at: None,
        external_id: Some(external_id.to_owned()),
        external_hash: None,
        avatar_url: None,
        custom: None,
        bot: false,
        deactivated_at: None,
        deleted_at: None,
        name_digest: None,
        erases_messages: false,
    }
}

/// A name that comes from elsewhere, as a display name: in one line, without what names may not hold, and cut where it is
/// too long. Without any, the external id.
pub(in crate::chat) fn acceptable_name(name: Option<&str>, external_id: &str) -> String {
    let made = |text: &str| made_name(text, NewAccount::MAX_DISPLAY_NAME_CHARS);
    name.and_then(made).or_else(|| made(external_id)).unwrap_or_else(|| "?".to_owned())
}

impl Chat {
    /// The user with this external id, unless it was deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::chat) async fn hosted(&self, external_id: &str) -> Result<Option<user::Model>, Error> {
        let user = user::Entity::present().filter(user::Column::ExternalId.eq(external_id));
        Ok(user.one(self.store.read()).await?)
    }

    /// Makes the user with this external id, or finds the one that was made in the meantime. `None`: there was one, who
    /// was deleted, and isn't made anew for a token that is still valid.
    pub(in crate::chat) async fn provision(
        &self,
        external_id: &str,
        name: Option<&str>,
    ) -> Result<Option<user::Model>, Error> {
        let deleted = user::Entity::find().filter(user::Column::ExternalHash.eq(external_hash(external_id)));
        if deleted.one(self.store.read()).await?.is_some() {
            return Ok(None);
        }
        let made = hosted_user(external_id, &acceptable_name(name, external_id), self.clock.now());
        let tx = self.store.begin_write().await?;
        match made.clone().into_active_model().insert(&tx).await {
            Ok(_) => {
                user_word::Entity::replace(&tx, &[(made.id, words(&made.search_name))]).await?;
                tx.commit().await?;
                Ok(Some(made))
            }
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                drop(tx);
                self.hosted(external_id).await
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::user::Username;

    #[test]
    fn a_derived_username_is_one_and_says_which_id_it_is_of() {
        for _ in 0..1_000 {
            let user = hosted_user("42", "Ann", DateTime::UNIX_EPOCH);
            assert!(Username::parse(&user.username).is_ok_and(|name| name.into_text() == user.username));
            assert_eq!(format!("user_{}", &user.username[2..]), user.id.to_string());
            assert_eq!(user.username.len(), 28);
        }
    }

    #[test]
    fn a_name_of_any_kind_becomes_one_that_is_acceptable() {
        for (name, expected) in [
            (Some("Ann Lee"), "Ann Lee"),
            (Some("  Ann\n\tLee\0 "), "Ann Lee"),
            (Some("Ann\u{2028}Lee\u{85}"), "Ann Lee"),
            (Some(""), "ext 42"),
            (Some(" \u{7}\n"), "ext 42"),
            (None, "ext 42"),
            (Some("\u{202e}Ann\u{2066}"), "Ann"),
            (Some("\u{200b}\u{3164}"), "ext 42"),
            (Some("Ann \u{e0041}\u{fdd0}Lee"), "Ann Lee"),
        ] {
            assert_eq!(acceptable_name(name, "ext\t42"), expected, "{name:?}");
        }
        let long = "ä ".repeat(64);
        let cut = acceptable_name(Some(&long), "42");
        assert_eq!((cut.chars().count(), cut.ends_with('ä')), (63, true));
        assert_eq!(acceptable_name(Some(&"👍".repeat(100)), "42").chars().count(), 64);
        assert_eq!(acceptable_name(Some(" "), " "), "?");
        for name in ["Ann", "ann\0\0", &long, "\u{200b}", "\u{2800}", "\u{202e}", "a\u{2067}b"] {
            assert!(NewAccount::parse("ann", None, Some(&acceptable_name(Some(name), "42"))).is_ok(), "{name:?}");
        }
    }
}
