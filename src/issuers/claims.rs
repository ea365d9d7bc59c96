//! What a host's token must say.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::IssuerSettings;

/// How far the clock of an issuer may be from this server's.
pub const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// The longest time from `iat` to `exp`: a token that doesn't end can't be taken back.
pub const MAX_LIFETIME: TimeDelta = TimeDelta::hours(24);

/// How far in the future a token may have been issued while it is in doubt whether that was before its user's tokens
/// were revoked.
const REVOKED_LEEWAY: TimeDelta = TimeDelta::seconds(5);

/// The most characters of an external id, prefix included: as many as the app's backend may give it.
const MAX_EXTERNAL_ID_CHARS: usize = 128;

/// What a valid token of an issuer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostToken {
    /// Who it stands for: the issuer's prefix and `sub`.
    pub external_id: String,
    /// What the user is called there.
    pub name: Option<String>,
    /// When it was issued, by the issuer's clock.
    pub issued_at: DateTime<Utc>,
    /// From this moment on it is refused: `exp` and the leeway.
    pub expires_at: DateTime<Utc>,
    /// How long a socket may last that is opened with it.
    pub until: DateTime<Utc>,
}

impl HostToken {
    /// Whether it was revoked, if its user's tokens from before this moment are.
    ///
    /// `iat` has whole seconds, so a token of the same second counts as issued after it: else the first new token would
    /// be refused. A host whose clock is ahead issues tokens that seem to be of later than they are. While such a token
    /// could be of before the revocation, it is refused as long as it seems to be of the future. One whose host's clock is
    /// ahead by less is not told apart: what surely locks somebody out is to deactivate the user.
    #[must_use]
    pub fn is_revoked(&self, valid_after: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let is_in_doubt = now < valid_after + LEEWAY;
        self.issued_at.timestamp() < valid_after.timestamp() || is_in_doubt && self.issued_at > now + REVOKED_LEEWAY
    }
}

/// What these claims of a token, whose signature is right, say. `None`: it is refused.
pub(super) fn check(issuer: &IssuerSettings, claims: &Map<String, Value>, now: DateTime<Utc>) -> Option<HostToken> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).map(numeric_date);
    if text("iss") != Some(&issuer.issuer) || !is_for(claims.get(&issuer.audience_claim)?, &issuer.audience) {
        return None;
    }
    let external_id = text("sub").filter(|sub| !sub.is_empty()).map(|sub| format!("{}{sub}", issuer.prefix))?;
    if external_id.trim() != external_id
        || external_id.chars().count() > MAX_EXTERNAL_ID_CHARS
        || external_id.contains(char::is_control)
    {
        return None;
    }
    let (issued_at, exp) = (time("iat")??, time("exp")??);
    let not_before = time("nbf").unwrap_or(Some(issued_at))?;
    let is_timely = now < exp + LEEWAY && issued_at <= now + LEEWAY && not_before <= now + LEEWAY;
    if !is_timely || exp - issued_at > MAX_LIFETIME || exp <= issued_at {
        return None;
    }
    let expires_at = exp + LEEWAY;
    let until = expires_at.max(now + TimeDelta::seconds(issuer.socket_ttl_secs.into()));
    Some(HostToken { external_id, name: text("name").map(str::to_owned), issued_at, expires_at, until })
}

/// Whether a claim names one of these, alone or in a list.
fn is_for(claim: &Value, audience: &[String]) -> bool {
    let names_one = |value: &Value| value.as_str().is_some_and(|text| audience.iter().any(|name| name == text));
    claim.as_array().map_or_else(|| names_one(claim), |values| values.iter().any(names_one))
}

/// Seconds since 1970, which may have a fraction
/// ([RFC 7519, section 2](https://www.rfc-editor.org/rfc/rfc7519#section-2)). Years beyond 9999 are no dates here, so
/// that a leeway can always be added.
#[expect(clippy::cast_possible_truncation, reason = "it was compared with what fits")]
fn numeric_date(value: &Value) -> Option<DateTime<Utc>> {
    const END: f64 = 253_402_300_800.0;
    let seconds = value.as_f64().filter(|seconds| (0.0..END).contains(seconds))?;
    DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
}
