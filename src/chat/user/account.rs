//! Accounts: signing up, signing in, and deleting the account.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, Set, SqlErr};

use super::deletion::{DeleteUser, OwnMessages};
use super::password::{Password, Verdict};
use crate::chat::session::{NewSession, SignedIn};
use crate::chat::{Argument, Chat, Error, Reason, Viewer};
use crate::ids::UserId;
use crate::store::Transaction;
use crate::store::entity::user::{self, UserType};
use crate::store::entity::user_word;
use crate::text::fold::{fold, words};
use crate::text::visible;

/// A name to sign in with: 2 to 32 of `a`–`z`, `0`–`9`, `.`, `_` and `-`, the first a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// Parses a username: lower-cased, and without the space around it.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `username`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let name = text.trim().to_ascii_lowercase();
        let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-');
        if !(2..=32).contains(&name.len()) || !name.chars().all(allowed) || name.starts_with(['.', '_', '-']) {
            let problem = "must be 2 to 32 letters a-z, digits, `.`, `_` or `-`, and begin with a letter or digit";
            return Err(Error::invalid(Argument::Username, problem));
        }
        Ok(Self(name))
    }

    /// The name itself.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// An account to be created.
#[derive(Debug)]
pub struct NewAccount {
    username: Username,
    password: Option<Password>,
    display_name: String,
}

impl NewAccount {
    /// The most characters of a display name.
    pub const MAX_DISPLAY_NAME_CHARS: usize = 64;

    /// Parses a requested account. Without a display name it shows the username; without a password nobody can sign in
    /// to it, but the operator can mint tokens for it.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `username`, `password` or `displayName`.
    pub fn parse(username: &str, password: Option<&str>, display_name: Option<&str>) -> Result<Self, Error> {
        let username = Username::parse(username)?;
        let password = password.map(|text| Password::parse(text, Argument::Password)).transpose()?;
        let display_name = self::display_name(display_name.unwrap_or(&username.0))?;
        Ok(Self { username, password, display_name })
    }
}

/// A name to show: without the space around it.
///
/// # Errors
/// [`Error::Invalid`] of `displayName`.
pub(super) fn display_name(name: &str) -> Result<String, Error> {
    let (name, max) = (name.trim(), NewAccount::MAX_DISPLAY_NAME_CHARS);
    if !(1..=max).contains(&name.chars().count()) {
        return Err(Error::invalid(Argument::DisplayName, format!("must have 1 to {max} characters")));
    }
    if let Some(problem) = visible::problem_of_name(name) {
        return Err(Error::invalid(Argument::DisplayName, problem));
    }
    Ok(name.to_owned())
}

impl Chat {
    /// Creates a consumer's account and signs in to it. `client`: what the client calls its device.
    ///
    /// # Errors
    /// [`Error::Conflict`] of `username` when it is taken, or held for a deleted user; [`Error::Invalid`] of `client`; [`Reason::AccountsOff`].
    pub async fn sign_up(&self, account: NewAccount, client: Option<&str>) -> Result<SignedIn, Error> {
        self.expect_accounts()?;
        let session = NewSession::prepare(client)?;
        let user = self.new_user(account, UserType::Consumer).await?;
        let tx = self.store.begin_write().await?;
        self.enter(&user, &tx).await?;
        session.open(&tx, user.id, user.created_at).await?;
        tx.commit().await?;
        let now = user.created_at;
        Ok(self.signed_in(user, &session.refresh, now))
    }

    /// Opens a session for a user, by username and password. `client`: what the client calls its device.
    ///
    /// # Errors
    /// [`Error::WrongCredentials`] when there is no such user, it was deleted, it has no password or another. Neither
    /// the answer nor the time that it takes reveals which. [`Reason::Deactivated`] when the app has switched the account
    /// off: only who has the password learns so. [`Error::Invalid`] of `client`;
    /// [`Reason::AccountsOff`].
    pub async fn sign_in(&self, username: &str, password: &str, client: Option<&str>) -> Result<SignedIn, Error> {
        self.expect_accounts()?;
        let session = NewSession::prepare(client)?;
        let mut user = self.user_named(username).await?;
        // Once more if the hash is replaced while the password is compared to it.
        for _ in 0..2 {
            let hash = user.as_ref().and_then(|user| user.password_hash.clone());
            let verdict = self.passwords.verify(password.to_owned(), hash.clone()).await?;
            let known = user.as_ref().map(|user| user.id);
            let (Some(id), Verdict::Right { rehashed }) = (known, verdict) else {
                // Never the name as it was given: it may be a password that was typed into the wrong field.
                if let Some(user) = known {
                    tracing::warn!(%user, "signing in failed: wrong password");
                } else {
                    tracing::warn!("signing in failed: no such user");
                }
                return Err(Error::WrongCredentials);
            };
            if user.as_ref().is_some_and(|user| user.deactivated_at.is_some()) {
                return Err(Error::Refused(Reason::Deactivated));
            }

            let now = self.clock.now();
            let tx = self.store.begin_write().await?;
            // The user may have been deleted, or have another password, meanwhile. From here on a deletion or a change
            // has to wait, and then ends this session as well.
            let present = user::Entity::present().filter(user::Column::Id.eq(id)).lock_shared().one(&tx).await?;
            let present = present.filter(user::Model::may_enter).ok_or(Error::WrongCredentials)?;
            if present.password_hash != hash {
                user = Some(present);
                continue;
            }
            session.open(&tx, id, now).await?;
            tx.commit().await?;
            self.tidy_after_sign_in(id, hash, rehashed, now).await;
            return Ok(self.signed_in(present, &session.refresh, now));
        }
        Err(Error::WrongCredentials)
    }

    /// What signing in brings with it and doesn't depend on: the hash of the password's present form instead of one of
    /// an earlier form, and the end of sessions that are too many.
    async fn tidy_after_sign_in(
        &self,
        user: UserId,
        hash: Option<String>,
        rehashed: Option<String>,
        now: DateTime<Utc>,
    ) {
        if let Some(rehashed) = rehashed
            && let Err(error) = self.replace_hash(user, hash, rehashed).await
        {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, %user, "the password's hash could not be replaced");
        }
        if let Err(error) = self.end_excess_sessions(user, now).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, %user, "the sessions that are too many could not be ended");
        }
    }

    /// Replaces the hash of a password by another of the same password, unless it was changed.
    async fn replace_hash(&self, user: UserId, old: Option<String>, new: String) -> Result<(), Error> {
        let tx = self.store.begin_write().await?;
        user::Entity::update_many()
            .set(user::ActiveModel { password_hash: Set(Some(new)), ..Default::default() })
            .filter(user::Column::Id.eq(user))
            .filter(user::Column::PasswordHash.eq(old))
            .exec(&tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Deletes the viewer's own account, as [`DeleteUser`] does.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when it is deleted already.
    pub async fn delete_account(&self, viewer: &Viewer, messages: OwnMessages) -> Result<(), Error> {
        match self.delete(viewer.user, messages).await {
            Err(Error::NotFound { .. }) => Err(Error::Unauthenticated),
            outcome => outcome,
        }
    }

    /// Creates an account of either type without signing in. For the operator.
    ///
    /// # Errors
    /// [`Error::Conflict`] of `username` when it is taken, or held for a deleted user.
    pub async fn add_user(&self, account: NewAccount, r#type: UserType) -> Result<user::Model, Error> {
        let user = self.new_user(account, r#type).await?;
        let tx = self.store.begin_write().await?;
        self.enter(&user, &tx).await?;
        tx.commit().await?;
        Ok(user)
    }

    /// Deletes the user of this name, as [`DeleteUser`] does. For the operator.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such user.
    pub async fn delete_user(&self, username: &str) -> Result<(), Error> {
        let user = self.user_named(username).await?.ok_or(Error::USER_NOT_FOUND)?;
        self.delete(user.id, OwnMessages::Keep).await
    }

    async fn delete(&self, user: UserId, messages: OwnMessages) -> Result<(), Error> {
        self.end_sessions(user, DeleteUser { user, messages, names: self.held_names.clone() }).await?;
        if messages == OwnMessages::Delete {
            self.erasure.notify_one();
        }
        Ok(())
    }

    /// Refuses what needs accounts of this server, if it has none.
    fn expect_accounts(&self) -> Result<(), Error> {
        if self.policy.accounts { Ok(()) } else { Err(Error::Refused(Reason::AccountsOff)) }
    }

    /// The user of this name, unless it was deleted.
    pub(in crate::chat) async fn user_named(&self, username: &str) -> Result<Option<user::Model>, Error> {
        let Ok(Username(name)) = Username::parse(username) else { return Ok(None) };
        Ok(user::Entity::present().filter(user::Column::Username.eq(name)).one(self.store.read()).await?)
    }

    /// Writes the row of an account, and refuses a name that is taken or held: the two look alike.
    async fn enter(&self, user: &user::Model, tx: &Transaction) -> Result<(), Error> {
        insert(user, tx).await?;
        match &self.held_names {
            Some(names) if names.holds(&user.username, tx, user.created_at).await? => Err(NAME_TAKEN),
            _ => Ok(()),
        }
    }

    /// The row of an account, with the password hashed; not written yet.
    async fn new_user(&self, account: NewAccount, r#type: UserType) -> Result<user::Model, Error> {
        let NewAccount { username, password, display_name } = account;
        let password_hash = match password {
            Some(password) => Some(self.passwords.hash(password).await?),
            None => None,
        };
        Ok(user::Model {
            id: UserId::generate(),
            username: username.0,
            search_name: fold(&display_name),
            display_name,
            r#type,
            password_hash,
            // Nobody holds a token of a new user, so none need be refused, whatever another node's clock says.
            tokens_valid_after: DateTime::<Utc>::UNIX_EPOCH,
            created_at: self.clock.now(),
            last_seen_at: None,
            external_id: None,
            external_hash: None,
            avatar_url: None,
            custom: None,
            bot: false,
            deactivated_at: None,
            deleted_at: None,
            name_digest: None,
            erases_messages: false,
        })
    }
}

pub(super) const NAME_TAKEN: Error =
    Error::Conflict { argument: Argument::Username, problem: "this username is taken" };

async fn insert(user: &user::Model, tx: &Transaction) -> Result<(), Error> {
    let inserted = user.clone().into_active_model().insert(tx).await;
    inserted.map_err(|error| match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => NAME_TAKEN,
        _ => error.into(),
    })?;
    user_word::Entity::replace(tx, &[(user.id, words(&user.search_name))]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(account: Result<NewAccount, Error>) -> Argument {
        match account {
            Err(Error::Invalid { argument, .. }) => argument,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[test]
    fn a_username_is_taken_in_lower_case_and_without_the_space_around_it() {
        assert_eq!(Username::parse(" Ann.Lee-9_ ").expect("is one"), Username("ann.lee-9_".into()));
    }

    #[test]
    fn any_other_username_is_refused() {
        for name in ["", "a", ".ann", "_ann", "-ann", "~ann", "an n", "änn", "\u{212a}im", "ann\0", &"a".repeat(33)] {
            assert_eq!(refused(NewAccount::parse(name, None, None)), Argument::Username, "{name:?}");
        }
    }

    #[test]
    fn a_display_name_is_trimmed_and_is_the_username_when_not_given() {
        let shown = |name| NewAccount::parse("Ann", None, name).expect("is an account").display_name;
        assert_eq!(shown(None), "ann");
        assert_eq!(shown(Some("  Ann Lee 🌻 ")), "Ann Lee 🌻");
        assert_eq!(shown(Some(&"ä".repeat(64))).chars().count(), 64);
    }

    #[test]
    fn any_other_display_name_is_refused() {
        for name in ["", "  ", "a\nb", "a\0", "\u{3164}", "a\u{202e}b", &"ä".repeat(65)] {
            assert_eq!(refused(NewAccount::parse("ann", None, Some(name))), Argument::DisplayName, "{name:?}");
        }
    }

    #[test]
    fn a_short_password_is_refused_by_name() {
        assert_eq!(refused(NewAccount::parse("ann", Some("1234567"), None)), Argument::Password);
    }
}
