//! Sessions: a signed-in device, its refresh tokens, and who an access token stands for.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use super::change::{Alone, Change};
use super::{Argument, Chat, Error, Viewer, device};
use crate::ids::{SessionId, UserId};
use crate::log::{Append, NewEvent};
use crate::store::entity::{session, user};

mod host;
mod issued;
mod own;
mod refresh;
mod successor;
pub mod token;
mod token_cache;
mod uses;

pub(super) use issued::end_all;
pub use issued::{LIFETIME_SECS, RevokeAll};
pub use own::RevokeOthers;
pub(super) use refresh::NewSession;
use refresh::{Exchange, RefreshToken};
use token::ACCESS_LIFETIME;
pub use token_cache::TokenCache;
pub(super) use uses::Uses;

/// How long a session lasts after it was last refreshed.
pub const LIFETIME: TimeDelta = TimeDelta::days(90);

/// How long a refresh token that was replaced still answers its successor, unless that is exchanged before.
pub const GRACE: TimeDelta = TimeDelta::seconds(60);

/// The most characters in what a client calls its device.
pub const MAX_CLIENT_CHARS: usize = 200;

/// The most sessions that one more session ends: a user may have had more before the number was lowered.
const MAX_ENDED_TOGETHER: u64 = 20;

/// A session and its tokens, for the client to keep. `Debug` doesn't show the tokens.
#[derive(Clone)]
pub struct SignedIn {
    /// The user who has signed in.
    pub user: user::Model,
    /// The session.
    pub session: SessionId,
    /// Shown with every request and on every socket.
    pub access_token: String,
    /// From this moment on it is refused.
    pub access_token_expires_at: DateTime<Utc>,
    /// Exchanged for the next pair of tokens.
    pub refresh_token: String,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("user", &self.user.id).field("session", &self.session).finish_non_exhaustive()
    }
}

impl Chat {
    /// Exchanges a refresh token for new tokens, and extends the session to [`LIFETIME`] from now.
    ///
    /// A token that was exchanged is answered the same refresh token again for [`GRACE`], as long as that was not
    /// exchanged itself: the answer may have been lost, or two tabs share the token. A client that shows it later may
    /// have stolen it, or it was stolen from that client, so the session ends
    /// ([RFC 9700, section 4.14.2](https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2)).
    ///
    /// # Errors
    /// [`Error::SessionEnded`] when the token is unknown or was exchanged before, or the session has expired or was
    /// ended; and when the token secret has changed since the token was exchanged a moment ago, which doesn't end the
    /// session.
    pub async fn refresh_session(&self, refresh_token: &str) -> Result<SignedIn, Error> {
        let shown = RefreshToken::parse(refresh_token).ok_or(Error::SessionEnded)?;
        let next = shown.successor(self.tokens.successors());
        let now = self.clock.now();
        match self.exchange(&shown, &next, now).await? {
            Exchange::Done(user) => Ok(self.signed_in(*user, &next, now)),
            Exchange::Refused => Err(Error::SessionEnded),
            Exchange::Reused(user) => {
                tracing::warn!(%user, session = %shown.session(), "replaced refresh token used; ending the session");
                self.end_sessions(user, Revoke { user, session: shown.session() }).await?;
                Err(Error::SessionEnded)
            }
        }
    }

    /// Ends the sessions of a user that are more than a user may have: those that were unused for longest.
    pub(super) async fn end_excess_sessions(&self, user: UserId, now: DateTime<Utc>) -> Result<(), Error> {
        if self.quotas.sessions == 0 {
            return Ok(());
        }
        let excess: Vec<SessionId> = session::Entity::live_of(user, now)
            .select_only()
            .column(session::Column::Id)
            .order_by_desc(session::Column::LastUsedAt)
            .order_by_desc(session::Column::Id)
            .offset(u64::from(self.quotas.sessions))
            .limit(MAX_ENDED_TOGETHER)
            .into_tuple()
            .all(self.store.read())
            .await?;
        for session in excess {
            self.end_sessions(user, Revoke { user, session }).await?;
        }
        Ok(())
    }

    /// Ends the viewer's session: its tokens are refused from now on and its sockets close.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when the viewer's token was minted without a session.
    pub async fn sign_out(&self, viewer: &Viewer) -> Result<(), Error> {
        let session = viewer.session.ok_or(Error::Forbidden("this token has no session to end"))?;
        self.end_sessions(viewer.user, Revoke { user: viewer.user, session }).await.map(drop)
    }

    /// The viewer that the access token stands for, if it is valid, its session is live and its user still exists. Each
    /// token is looked up in the database once a minute at most; see [`TokenCache`].
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] if not, whatever the reason; [`Error::IssuerUnavailable`]; or when the database fails.
    pub async fn authenticate(&self, access_token: &str) -> Result<Viewer, Error> {
        let now = self.clock.now();
        if let Some(viewer) = self.token_cache.get(access_token, now) {
            return Ok(viewer);
        }
        let asked = self.token_cache.generation();
        if let Some(issuer) = self.issuers.named_by(access_token) {
            return self.authenticate_hosted(issuer, access_token, asked, now).await;
        }
        let claims = self.tokens.verify(access_token, now).map_err(|_| Error::Unauthenticated)?;
        if let Some(key) = claims.issued_by
            && !self.is_key_good(key).await?
        {
            return Err(Error::Unauthenticated);
        }
        let found = if let Some(session) = claims.session {
            let live = session::Entity::live(session, now).one(self.store.read()).await?;
            live.and_then(|(session, user)| Some((user?, session.expires_at)))
                .filter(|(user, _)| user.id == claims.user)
        } else {
            let user = user::Entity::find_by_id(claims.user).one(self.store.read()).await?;
            user.map(|user| (user, claims.expires_at))
        };
        match found {
            Some((user, until)) if user.may_enter() && claims.issued_at >= user.tokens_valid_after => {
                let (session, issued_by) = (claims.session, claims.issued_by);
                let valid_after = user.tokens_valid_after;
                let viewer = Viewer { user: user.id, session, issued_by, acted_for: false, valid_after, until };
                self.token_cache.keep(asked, access_token, viewer, now, claims.expires_at);
                self.uses.note(&viewer, now);
                Ok(viewer)
            }
            _ => Err(Error::Unauthenticated),
        }
    }

    /// Whether a viewer who was authenticated some time ago still is one: on this node it is known as soon as the
    /// session has ended. Costs a statement only if a session of the user has ended within the last minute.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the session has ended or the token was taken back, or the user was deleted or
    /// switched off.
    pub async fn expect_signed_in(&self, viewer: &Viewer) -> Result<(), Error> {
        if !self.token_cache.has_ended_lately(viewer.user) {
            return Ok(());
        }
        let user = if let Some(session) = viewer.session {
            let live = session::Entity::live(session, self.clock.now()).one(self.store.read()).await?;
            live.and_then(|(_, user)| user)
        } else {
            let user = user::Entity::find_by_id(viewer.user).one(self.store.read()).await?;
            user.filter(|user| user.tokens_valid_after <= viewer.valid_after)
        };
        user.filter(user::Model::may_enter).map(drop).ok_or(Error::Unauthenticated)
    }

    /// The tokens that were verified a moment ago. The cache must observe the log, to learn of sessions that ended on
    /// other nodes.
    #[must_use]
    pub fn token_cache(&self) -> &Arc<TokenCache> {
        &self.token_cache
    }

    /// An access token without a session for the user of this name, valid for `ttl`. It can't be refreshed, and only
    /// deleting the user ends it before its time. For the operator.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `ttl` is less than a second; [`Error::NotFound`] when there is no such user.
    pub async fn mint_token(&self, username: &str, ttl: TimeDelta) -> Result<String, Error> {
        if ttl < TimeDelta::seconds(1) {
            return Err(Error::invalid(Argument::Ttl, "must be at least one second"));
        }
        let user = self.user_named(username).await?.ok_or(Error::USER_NOT_FOUND)?;
        let now = self.clock.now().max(user.tokens_valid_after);
        Ok(self.tokens.issue(user.id, None, now, ttl).0)
    }

    /// The tokens of a session that has just been opened or refreshed.
    pub(super) fn signed_in(&self, user: user::Model, refresh: &RefreshToken, now: DateTime<Utc>) -> SignedIn {
        let session = refresh.session();
        // Tokens may have been taken back by a node whose clock is ahead.
        let now = now.max(user.tokens_valid_after);
        let (access_token, access_token_expires_at) = self.tokens.issue(user.id, Some(session), now, ACCESS_LIFETIME);
        SignedIn { user, session, access_token, access_token_expires_at, refresh_token: refresh.to_string() }
    }

    /// Replaces `shown` by `next`, in a transaction that has ended when this returns.
    async fn exchange(&self, shown: &RefreshToken, next: &RefreshToken, now: DateTime<Utc>) -> Result<Exchange, Error> {
        let tx = self.store.begin_write().await?;
        let exchange = shown.exchange(next, now, &tx).await?;
        tx.commit().await?;
        Ok(exchange)
    }
}

/// Ends a session, and with it its sockets on every node. The outcome is whether there was one: of this user, and live.
pub struct Revoke {
    /// The user whose session it is.
    pub user: UserId,
    /// The session to end.
    pub session: SessionId,
}

impl Change for Revoke {
    type Outcome = bool;
}

impl Alone for Revoke {
    async fn apply(&self, append: &mut Append) -> Result<bool, Error> {
        let revoked = session::Entity::update_many()
            .set(session::ActiveModel { revoked_at: Set(Some(append.now())), client: Set(None), ..Default::default() })
            .filter(session::Column::Id.eq(self.session))
            .filter(session::Column::UserId.eq(self.user))
            .filter(session::Column::RevokedAt.is_null())
            .filter(session::Column::ExpiresAt.gt(append.now()))
            .exec(append.tx())
            .await?;
        let was_live = revoked.rows_affected == 1;
        if was_live {
            device::forget_sessions(append, &[self.session]).await?;
            append.record(NewEvent::session_revoked(self.user, self.session));
        }
        Ok(was_live)
    }
}
