//! Access tokens: short-lived JWTs, signed with one secret by one algorithm.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{SessionId, UserId};

#[cfg(test)]
mod tests;

/// How long an access token of a session is good for.
pub const ACCESS_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Issuer and audience of every token.
const PARLOR: &str = "parlor";

/// Bytes of the signing secret at least: the size of the hash, as
/// [RFC 7518, section 3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2) requires of HS256.
const MIN_SECRET_BYTES: usize = 32;

/// A longer text is refused unread.
const MAX_TOKEN_BYTES: usize = 4096;

/// How far the clock of the node that issued a token may be ahead of this one's.
const MAX_SKEW: TimeDelta = TimeDelta::seconds(60);

/// File in the data directory that holds the secret.
const SECRET_FILE: &str = "token-secret";

/// Issues and verifies access tokens.
pub struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

/// What a valid token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who shows it.
    pub user: UserId,
    /// The session that it belongs to; none: it was minted without.
    pub session: Option<SessionId>,
    /// When it was issued, to the microsecond.
    pub issued_at: DateTime<Utc>,
    /// From this moment on it is refused.
    pub expires_at: DateTime<Utc>,
}

/// The token is not one of this server's, or its time is over. Which, is not told.
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
    jti: String,
    /// Seconds, with a fraction, so that it can be compared with the moment from which a user's tokens are good.
    iat: f64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

impl Tokens {
    /// Tokens signed with this secret.
    ///
    /// # Panics
    /// When it is shorter than 32 bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        assert!(secret.len() >= MIN_SECRET_BYTES, "a token secret has at least {MIN_SECRET_BYTES} bytes");
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.set_issuer(&[PARLOR]);
        validation.set_audience(&[PARLOR]);
        validation.set_required_spec_claims(&["exp", "sub", "iss", "aud"]);
        // The library asks the system for the time; `verify` asks the clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self { signing: EncodingKey::from_secret(secret), verifying: DecodingKey::from_secret(secret), validation }
    }

    /// Tokens signed with the secret in the data directory: base64url text in the file `token-secret`, which only its
    /// owner may read. The first to come makes it, of 32 random bytes; all others find the same one.
    ///
    /// # Errors
    /// When the file can't be read or made, or holds no secret of at least 32 bytes.
    pub fn load_or_create(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join(SECRET_FILE);
        let text = match read(&path) {
            Ok(text) if !text.is_empty() => text,
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => create(&path)?,
        };
        match URL_SAFE_NO_PAD.decode(text.trim()) {
            Ok(secret) if secret.len() >= MIN_SECRET_BYTES => Ok(Self::new(&secret)),
            _ => Err(io::Error::new(
                ErrorKind::InvalidData,
                format!("{} must hold at least {MIN_SECRET_BYTES} bytes as base64url", path.display()),
            )),
        }
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
        let expires_at = now.checked_add_signed(ttl).unwrap_or(DateTime::<Utc>::MAX_UTC).trunc_subsecs(0);
        let payload = Payload {
            iss: PARLOR.into(),
            aud: PARLOR.into(),
            sub: user.to_string(),
            sid: session.map(|session| session.to_string()),
            jti: Uuid::now_v7().simple().to_string(),
            iat: to_numeric_date(now),
            exp: expires_at.timestamp(),
            nbf: None,
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &payload, &self.signing)
            .expect("plain claims are JSON, and HMAC takes a key of any size");
        (token, expires_at)
    }

    /// What the token says, if it is one of this server's and its time has come and isn't over.
    ///
    /// # Errors
    /// [`Invalid`] in all other cases.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, Invalid> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Invalid);
        }
        let payload: Payload =
            jsonwebtoken::decode(token, &self.verifying, &self.validation).map_err(|_| Invalid)?.claims;
        let claims = Claims {
            user: payload.sub.parse().map_err(|_| Invalid)?,
            session: payload.sid.map(|session| session.parse()).transpose().map_err(|_| Invalid)?,
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

// Whoever is about to write the file holds its lock, so nobody reads half of it.
fn read(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.lock_shared()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn create(path: &Path) -> io::Result<String> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    if text.is_empty() {
        let mut secret = [0; MIN_SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        text = URL_SAFE_NO_PAD.encode(secret);
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    Ok(text)
}
