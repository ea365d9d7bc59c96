//! Tokens that the app's own backend has issued, and takes back.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, Set};

use crate::chat::change::{Alone, Change};
use crate::chat::user::UserRef;
use crate::chat::{Argument, Chat, Error, Reason, ServerKey, device};
use crate::ids::UserId;
use crate::log::{Append, NewEvent};
use crate::store::entity::{session, user};
use crate::store::list::one_of;

/// The shortest and the longest time for which a token is issued, in seconds.
pub const LIFETIME_SECS: std::ops::RangeInclusive<i32> = 60..=86_400;

impl Chat {
    /// An access token for a user, without a session: it can't be refreshed. It ends before its time when the key is
    /// revoked, when [`Chat::revoke_tokens`] takes back the user's tokens, and with the user. Returns it with the moment
    /// from which it is refused.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `ttlSecs` outside of [`LIFETIME_SECS`]; [`Error::NotFound`] when there is no such user;
    /// [`Reason::Deactivated`] when the account is switched off.
    pub async fn issue_token(
        &self,
        key: &ServerKey,
        user: &UserRef,
        ttl_secs: i32,
    ) -> Result<(String, DateTime<Utc>), Error> {
        if !LIFETIME_SECS.contains(&ttl_secs) {
            let (min, max) = (LIFETIME_SECS.start(), LIFETIME_SECS.end());
            return Err(Error::invalid(Argument::TtlSecs, format!("must be {min} to {max} seconds")));
        }
        let user = self.user_of_key(key, user).await?;
        if user.deactivated_at.is_some() {
            return Err(Error::Refused(Reason::Deactivated));
        }
        // Tokens may have been taken back by a node whose clock is ahead.
        let now = self.clock.now().max(user.tokens_valid_after);
        Ok(self.tokens.issue_by(key.id, user.id, now, TimeDelta::seconds(ttl_secs.into())))
    }

    /// Ends all sessions of a user: every token issued until now is refused, by whomever it was issued, and the user's
    /// sockets end. Returns the user and the moment of the last token that is refused.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such user.
    pub async fn revoke_tokens(&self, key: &ServerKey, user: &UserRef) -> Result<(UserId, DateTime<Utc>), Error> {
        let user = self.user_of_key(key, user).await?.id;
        Ok((user, self.end_sessions(user, RevokeAll { user }).await?))
    }

    /// Any user, by its id or by the app's own, for a server key.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such user.
    async fn user_of_key(&self, _: &ServerKey, user: &UserRef) -> Result<user::Model, Error> {
        let user = user::Entity::present().filter(user.condition()).one(self.store.read()).await?;
        user.ok_or(Error::NotFound { what: "user", argument: Argument::UserId })
    }
}

/// Ends all sessions of a user, with all sockets on every node, and refuses all tokens so far.
pub struct RevokeAll {
    /// The user whose sessions end.
    pub user: UserId,
}

impl Change for RevokeAll {
    type Outcome = DateTime<Utc>;
}

impl Alone for RevokeAll {
    async fn apply(&self, append: &mut Append) -> Result<DateTime<Utc>, Error> {
        let present = user::Entity::present().filter(user::Column::Id.eq(self.user)).count(append.tx()).await?;
        if present == 0 {
            return Err(Error::NotFound { what: "user", argument: Argument::UserId });
        }
        end_all(&[self.user], append).await?;
        Ok(append.now())
    }
}

/// Ends all sessions of these users, refuses all their tokens so far, and has their sockets closed on every node.
///
/// # Errors
/// When the database fails.
pub(in crate::chat) async fn end_all(users: &[UserId], append: &mut Append) -> Result<(), Error> {
    if users.is_empty() {
        return Ok(());
    }
    for user in users {
        append.record(NewEvent::all_tokens_revoked(*user));
    }
    // Not before any of the events, by whose times sockets are told apart from those that are opened afterwards.
    user::Entity::update_many()
        .set(user::ActiveModel { tokens_valid_after: Set(append.now()), ..Default::default() })
        .filter(one_of(append.store().backend(), user::Column::Id, users.iter().copied()))
        .exec(append.tx())
        .await?;
    let theirs = one_of(append.store().backend(), session::Column::UserId, users.iter().copied());
    session::Entity::update_many()
        .set(session::ActiveModel { revoked_at: Set(Some(append.now())), client: Set(None), ..Default::default() })
        .filter(theirs)
        .filter(session::Column::RevokedAt.is_null())
        .exec(append.tx())
        .await?;
    device::forget_users(append, users).await?;
    Ok(())
}
