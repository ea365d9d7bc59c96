//! Tokens that others issue: of the app's own users, who are made when they are first seen.

use chrono::{DateTime, Utc};

use super::token_cache::Generation;
use crate::chat::{Chat, Error, Viewer};
use crate::issuers::{Issuer, Refused};

impl Chat {
    /// The viewer that this issuer's token stands for. What the token says of a user is taken when it is first seen and
    /// never again: the profile may have been changed since.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the token is refused, or its user is unknown and isn't to be made, was deleted or
    /// is deactivated; [`Error::IssuerUnavailable`] when its keys can't be had; or when the database fails.
    pub(super) async fn authenticate_hosted(
        &self,
        issuer: &Issuer,
        access_token: &str,
        asked: Generation,
        now: DateTime<Utc>,
    ) -> Result<Viewer, Error> {
        let token = issuer.verify(access_token, now).await.map_err(|refused| match refused {
            Refused::Invalid => Error::Unauthenticated,
            Refused::Unavailable => Error::IssuerUnavailable,
        })?;
        let user = match self.hosted(&token.external_id).await? {
            None if issuer.provisions() => self.provision(&token.external_id, token.name.as_deref()).await?,
            found => found,
        };
        let is_welcome = user.filter(|user| user.may_enter() && !token.is_revoked(user.tokens_valid_after, now));
        let user = is_welcome.ok_or(Error::Unauthenticated)?;
        let viewer = Viewer {
            user: user.id,
            session: None,
            issued_by: None,
            acted_for: false,
            valid_after: user.tokens_valid_after,
            until: token.until,
        };
        self.token_cache.keep(asked, access_token, viewer, now, token.expires_at);
        Ok(viewer)
    }
}
