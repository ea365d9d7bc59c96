//! Issuers: who, beside Parlor itself, issues tokens for its users, and how those are verified.
//!
//! An issuer is the app's own backend, with a secret that both know, or an identity provider, whose public keys are
//! fetched. Who they are is configuration and nothing else: whoever could add one could be anybody.
//!
//! | File | Holds |
//! |---|---|
//! | `settings` | what an issuer is configured by, and what can't be right |
//! | `claims` | what a token must say |
//! | `keys` | the keys that an issuer publishes, and which of them fit a token |
//! | `cache` | how long keys are kept, and when they are fetched again |
//! | `fetch` | the requests by which they are fetched |

use std::fs;
use std::io;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::secret::Secret;
use crate::signatures;

mod cache;
mod claims;
mod fetch;
mod keys;
mod settings;
#[cfg(test)]
mod tests;

pub use claims::{HostToken, LEEWAY, MAX_LIFETIME};
pub use settings::{IssuerSettings, problem};

use cache::KeyCache;
use fetch::Source;
use settings::Keys;

/// A longer token is refused without being parsed.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// All issuers that are configured.
pub struct Issuers(Vec<Issuer>);

/// Who issues tokens for some of the users.
pub struct Issuer {
    settings: IssuerSettings,
    algorithms: Vec<Algorithm>,
    keys: IssuerKeys,
}

enum IssuerKeys {
    /// One secret, known to the issuer and to Parlor.
    Secret(DecodingKey),
    /// What the issuer publishes.
    Published(Arc<KeyCache>),
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not the issuer's, or says what it must not. Which, the error doesn't say.
    #[error("not a valid token of its issuer")]
    Invalid,
    /// The issuer's keys can't be fetched, so it can't be known.
    #[error("the keys of the token's issuer can't be fetched")]
    Unavailable,
}

/// An issuer that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// Its secret can't be read from its file.
    #[error("the secret of the issuer `{issuer}` can't be read from its file: {source}")]
    Secret {
        /// Which.
        issuer: String,
        /// Why.
        source: io::Error,
    },
    /// Its keys can't be fetched, whoever it is.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
}

impl Issuers {
    /// These issuers. Nothing is fetched until [`Self::keep_fresh`] or a token asks for it, on `tasks`.
    ///
    /// # Errors
    /// When a secret can't be read, or TLS can't be set up.
    pub fn open(settings: &[IssuerSettings], clock: &Clock, tasks: &TaskTracker) -> Result<Self, IssuerError> {
        signatures::install();
        let open = |settings: &IssuerSettings| {
            let keys = match settings.keys() {
                Keys::Secret => IssuerKeys::Secret(secret(settings)?),
                Keys::Published(source) => IssuerKeys::Published(published(settings, source, clock, tasks)?),
            };
            Ok(Issuer { settings: settings.clone(), algorithms: settings.algorithms(), keys })
        };
        Ok(Self(settings.iter().map(open).collect::<Result<_, _>>()?))
    }

    /// No issuers.
    #[must_use]
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// The issuer that this token claims to be of, which isn't proven. `None`: none that is configured.
    #[must_use]
    pub fn named_by(&self, token: &str) -> Option<&Issuer> {
        #[derive(Deserialize)]
        struct Claim {
            iss: String,
        }
        if self.0.is_empty() || token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let claim: Claim = dangerous::insecure_decode_claims(token).ok()?;
        self.0.iter().find(|issuer| issuer.settings.issuer == claim.iss)
    }

    /// Fetches the keys of all issuers that publish some, and again before they are out of date, until `stop`. Without
    /// it they would be fetched only when a token asks for them, which then waits.
    pub async fn keep_fresh(&self, stop: CancellationToken) {
        let published = self.0.iter().filter_map(|issuer| match &issuer.keys {
            IssuerKeys::Published(cache) => Some(cache.keep_fresh()),
            IssuerKeys::Secret(_) => None,
        });
        tokio::select! {
            _ = futures_util::future::join_all(published) => stop.cancelled().await,
            () = stop.cancelled() => {}
        }
    }
}

impl Issuer {
    /// What the token says, if it is of this issuer and valid at `now`.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<HostToken, Refused> {
        let claims = self.signed_claims(token).await?;
        claims::check(&self.settings, &claims, now).ok_or(Refused::Invalid)
    }

    /// Whether users are made when they are first seen.
    #[must_use]
    pub fn provisions(&self) -> bool {
        self.settings.provision
    }

    /// The token's claims, if its signature is the issuer's. Where the token says to find keys (`jku`, `x5u`, `jwk`)
    /// isn't looked at.
    async fn signed_claims(&self, token: &str) -> Result<Map<String, Value>, Refused> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refused::Invalid);
        }
        let header = decode_header(token).map_err(|_| Refused::Invalid)?;
        // Extensions that must be understood, of which none are (RFC 7515, section 4.1.11).
        if header.crit.is_some() || !self.algorithms.contains(&header.alg) {
            return Err(Refused::Invalid);
        }
        let validation = signature_alone(header.alg);
        let read = |key: &DecodingKey| decode(token, key, &validation).ok().map(|token| token.claims);
        let claims = match &self.keys {
            IssuerKeys::Secret(key) => read(key),
            IssuerKeys::Published(cache) => {
                let keys = cache.find(header.kid.as_deref(), header.alg).await.map_err(|_| Refused::Unavailable)?;
                keys.iter().find_map(|key| read(key))
            }
        };
        claims.ok_or(Refused::Invalid)
    }
}

/// `jsonwebtoken` compares the algorithm and the signature; the claims are read in `claims`, by the clock of the server.
fn signature_alone(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn secret(settings: &IssuerSettings) -> Result<DecodingKey, IssuerError> {
    let failed = |source| IssuerError::Secret { issuer: settings.issuer.clone(), source };
    let text = match (&settings.secret, &settings.secret_file) {
        (Some(secret), _) => secret.clone(),
        (None, Some(path)) => fs::read_to_string(path).map_err(failed)?.trim_end_matches(['\r', '\n']).to_owned(),
        (None, None) => String::new(),
    };
    let secret =
        Secret::new(text).map_err(|too_short| failed(io::Error::new(io::ErrorKind::InvalidData, too_short)))?;
    Ok(DecodingKey::from_secret(secret.bytes()))
}

fn published(
    settings: &IssuerSettings,
    source: Source,
    clock: &Clock,
    tasks: &TaskTracker,
) -> Result<Arc<KeyCache>, IssuerError> {
    let fetch = fetch::from(source).map_err(IssuerError::Tls)?;
    Ok(KeyCache::new(&settings.issuer, fetch, clock.clone(), tasks.clone()))
}
