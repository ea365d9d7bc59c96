//! Access tokens: short-lived JWTs, signed with one secret by one algorithm.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::successor::Successors;
use crate::ids::{KeyId, SessionId, UserId};
use crate::secret::Secret;
use crate::signatures;

#[cfg(test)]
mod tests;

/// How long an access token of a session is valid.
pub const ACCESS_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Issuer and audience of every token.
const PARLOR: &str = "parlor";

/// A longer text is refused without being parsed.
const MAX_TOKEN_BYTES: usize = 4096;

/// How far the clock of the node that issued a token may be ahead of this one's.
const MAX_SKEW: TimeDelta = TimeDelta::seconds(60);

/// Issues and verifies access tokens, and derives refresh tokens.
pub struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    successors: Successors,
}

/// What a valid token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The user that it stands for.
    pub user: UserId,
    /// The session that it belongs to; `None` if it was minted without one.
    pub session: Option<SessionId>,
    /// The server key that had it issued, if one did.
    pub issued_by: Option<KeyId>,
    /// When it was issued, to the microsecond.
    pub issued_at: DateTime<Utc>,
    /// From this moment on it is refused.
    pub expires_at: DateTime<Utc>,
}

/// The token is not one of this server's, or is not valid at this time. The error doesn't say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid access token")]
pub struct Invalid;

/// The JSON inside a token; the names are those of [RFC 7519](https://www.rfc-editor.org/rfc/rfc7519#section-4.1).
#[derive(Serialize, Deserialize)]
struct Payload {
    iss: String,
    aud: String,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    /// No registered name: the server key that had it issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    jti: String,
    /// Seconds, with a fraction, so that it can be compared with the moment before which a user's tokens are refused.
    iat: f64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

impl Tokens {
    /// Tokens signed with this secret.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        signatures::install();
        let successors = Successors::new(secret);
        let secret = secret.bytes();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.set_issuer(&[PARLOR]);
        validation.set_audience(&[PARLOR]);
        validation.set_required_spec_claims(&["exp", "sub", "iss", "aud"]);
        // The library asks the system for the time; `verify` asks the clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let (signing, verifying) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Self { signing, verifying, validation, successors }
    }

    /// What derives refresh tokens, which are not signed, from the same secret.
    pub(super) fn successors(&self) -> &Successors {
        &self.successors
    }

    /// A token for this user, and when it expires: the whole second at or before `now + ttl`.
    #[must_use]
    pub fn issue(
        &self,
        user: UserId,
        session: Option<SessionId>,
        now: DateTime<Utc>,
        ttl: TimeDelta,
    ) -> (String, DateTime<Utc>) {
        self.sign(user, session, None, now, ttl)
    }

    /// As [`Self::issue`], without a session: a token that is good for as long as this server key is.
    #[must_use]
    pub fn issue_by(&self, key: KeyId, user: UserId, now: DateTime<Utc>, ttl: TimeDelta) -> (String, DateTime<Utc>) {
        self.sign(user, None, Some(key), now, ttl)
    }

    fn sign(
        &self,
        user: UserId,
        session: Option<SessionId>,
        issued_by: Option<KeyId>,
        now: DateTime<Utc>,
        ttl: TimeDelta,
    ) -> (String, DateTime<Utc>) {
        let expires_at = now.checked_add_signed(ttl).unwrap_or(DateTime::<Utc>::MAX_UTC).trunc_subsecs(0);
        let payload = Payload {
            iss: PARLOR.into(),
            aud: PARLOR.into(),
            sub: user.to_string(),
            sid: session.map(|session| session.to_string()),
            key: issued_by.map(|key| key.to_string()),
            jti: Uuid::now_v7().simple().to_string(),
            iat: to_numeric_date(now),
            exp: expires_at.timestamp(),
            nbf: None,
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &payload, &self.signing)
            .expect("plain claims are JSON, and HMAC takes a key of any size");
        (token, expires_at)
    }

    /// The token's claims, if it is one of this server's and valid at `now`.
    ///
    /// # Errors
    /// [`Invalid`] in all other cases.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, Invalid> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Invalid);
        }
        let token = jsonwebtoken::decode::<Payload>(token, &self.verifying, &self.validation).map_err(|_| Invalid)?;
        // Whoever names extensions there wants a token refused by those who don't know them, and none are known here
        // (RFC 7515, section 4.1.11). The library doesn't look.
        if token.header.crit.is_some() {
            return Err(Invalid);
        }
        let payload = token.claims;
        let claims = Claims {
            user: payload.sub.parse().map_err(|_| Invalid)?,
            session: payload.sid.map(|session| session.parse()).transpose().map_err(|_| Invalid)?,
            issued_by: payload.key.map(|key| key.parse()).transpose().map_err(|_| Invalid)?,
            issued_at: from_numeric_date(payload.iat).ok_or(Invalid)?,
            expires_at: DateTime::from_timestamp(payload.exp, 0).ok_or(Invalid)?,
        };
        let timely = now < claims.expires_at
            && claims.issued_at <= now + MAX_SKEW
            && payload.nbf.is_none_or(|not_before| not_before <= now.timestamp());
        if timely { Ok(claims) } else { Err(Invalid) }
    }
}

/// Seconds since 1970 with a fraction, which [RFC 7519, section 2](https://www.rfc-editor.org/rfc/rfc7519#section-2)
/// allows.
#[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 stay below 2^53 until the year 2255")]
fn to_numeric_date(at: DateTime<Utc>) -> f64 {
    at.timestamp_micros() as f64 / 1e6
}

#[expect(clippy::cast_possible_truncation, reason = "rounded; what is too large saturates and is no date")]
fn from_numeric_date(seconds: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
}
