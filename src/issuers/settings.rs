//! What an issuer is configured by.

use std::path::PathBuf;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde::{Deserialize, Deserializer};

use super::fetch::{Location, Source};
use crate::secret::Secret;

/// The issuer of Parlor's own tokens.
const PARLOR: &str = "parlor";

/// The longest prefix, in bytes.
const MAX_PREFIX_BYTES: usize = 64;

/// The longest `socket_ttl_secs`: a day.
const MAX_SOCKET_TTL_SECS: u32 = 86_400;

/// One table `[[issuer]]` of the settings. Has no `Debug`, because it may hold a secret.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// What its tokens have as `iss`, to the letter.
    pub issuer: String,
    /// What it signs with by HS256, at least 32 bytes of text.
    #[serde(default)]
    pub secret: Option<String>,
    /// The file that holds the secret; a line break at its end doesn't count.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Where its public keys are, as a JSON Web Key Set.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// Whether `{issuer}/.well-known/openid-configuration` says where its keys are.
    #[serde(default)]
    pub discover: bool,
    /// The algorithms that its tokens may be signed by. Default: RS256, or HS256 with a secret.
    #[serde(default)]
    pub algorithms: Option<Vec<Algorithm>>,
    /// The values of `audience_claim`, of which its tokens must have one.
    #[serde(deserialize_with = "one_or_more")]
    pub audience: Vec<String>,
    /// The claim that says whom a token is for. Default: `aud`.
    #[serde(default = "aud")]
    pub audience_claim: String,
    /// Stands before `sub` in the external ids of its users.
    #[serde(default)]
    pub prefix: String,
    /// Whether users are made when they are first seen. Default: yes.
    #[serde(default = "yes")]
    pub provision: bool,
    /// For how many seconds a socket may last, if that is longer than its token is valid. Default: 0.
    #[serde(default)]
    pub socket_ttl_secs: u32,
}

/// Where an issuer's keys come from.
pub(super) enum Keys {
    /// From the settings.
    Secret,
    /// From the issuer.
    Published(Source),
}

impl IssuerSettings {
    /// The algorithms that its tokens may be signed by.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let default = if self.has_secret() { Algorithm::HS256 } else { Algorithm::RS256 };
        self.algorithms.clone().unwrap_or_else(|| vec![default])
    }

    /// Where its keys come from.
    pub(super) fn keys(&self) -> Keys {
        match &self.jwks_url {
            Some(url) => Keys::Published(Source::KeySet(url.clone())),
            None if self.discover => Keys::Published(Source::Discovery { issuer: self.issuer.clone() }),
            None => Keys::Secret,
        }
    }

    fn has_secret(&self) -> bool {
        self.secret.is_some() || self.secret_file.is_some()
    }

    /// What is wrong with it, beside others or without any.
    fn problem(&self) -> Option<String> {
        let Self { issuer, audience, prefix, .. } = self;
        let says = |problem: &str| Some(format!("the issuer `{issuer}` {problem}"));
        if issuer.is_empty() || issuer == PARLOR {
            return Some(format!("`issuer` must be what its tokens have as `iss`, and not `{PARLOR}`"));
        }
        let sources = [self.secret.is_some(), self.secret_file.is_some(), self.jwks_url.is_some(), self.discover];
        if sources.into_iter().filter(|given| *given).count() != 1 {
            return says("must have one of `secret`, `secret_file`, `jwks_url` and `discover = true`");
        }
        if let Some(Err(too_short)) = self.secret.as_deref().map(Secret::new) {
            return says(&format!("has a secret that {too_short}"));
        }
        if let Some(url) = &self.jwks_url
            && let Err(problem) = Location::parse(url)
        {
            return says(&format!("has a `jwks_url` that {problem}"));
        }
        if self.discover
            && let Err(problem) = Location::parse(issuer)
        {
            return says(&format!("can't be discovered, because it {problem}"));
        }
        let algorithms = self.algorithms();
        let fits = |algorithm: &Algorithm| match algorithm.family() {
            AlgorithmFamily::Hmac => self.has_secret() && *algorithm == Algorithm::HS256,
            _ => !self.has_secret(),
        };
        if algorithms.is_empty() || !algorithms.iter().all(fits) {
            return says(
                "must have `algorithms` that fit its keys: HS256 for a secret; else RS256, RS384, RS512, PS256, \
                 PS384, PS512, ES256, ES384 or EdDSA",
            );
        }
        if audience.is_empty() || audience.iter().any(String::is_empty) {
            return says("must have an `audience`: what its tokens for Parlor have as `aud`");
        }
        if self.audience_claim.is_empty() || ["iss", "sub"].contains(&self.audience_claim.as_str()) {
            return says("must have an `audience_claim` that says whom a token is for, such as `aud` or `azp`");
        }
        if prefix.len() > MAX_PREFIX_BYTES || prefix.contains(char::is_control) {
            return says(&format!("must have a `prefix` of at most {MAX_PREFIX_BYTES} bytes"));
        }
        if self.socket_ttl_secs > MAX_SOCKET_TTL_SECS {
            return says("must have a `socket_ttl_secs` of at most 86,400");
        }
        None
    }
}

/// What is wrong with these issuers, if anything is.
///
/// A user of one issuer must never be taken for another's. The external id is the prefix and `sub`, and whoever chooses
/// `sub` could choose one that begins with what another's prefix goes on with. So no prefix may be the beginning of
/// another, and the empty one, which is the beginning of all, stands alone.
#[must_use]
pub fn problem(issuers: &[IssuerSettings]) -> Option<String> {
    if let Some(problem) = issuers.iter().find_map(IssuerSettings::problem) {
        return Some(problem);
    }
    let pairs = issuers.iter().enumerate().flat_map(|(n, one)| issuers[n + 1..].iter().map(move |other| (one, other)));
    for (one, other) in pairs {
        if one.issuer == other.issuer {
            return Some(format!("the issuer `{}` is there twice", one.issuer));
        }
        if one.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&one.prefix) {
            return Some(format!(
                "the issuers `{}` and `{}` must have prefixes of which none is the beginning of the other; they are \
                 `{}` and `{}`",
                one.issuer, other.issuer, one.prefix, other.prefix
            ));
        }
    }
    None
}

fn aud() -> String {
    "aud".to_owned()
}

fn yes() -> bool {
    true
}

/// One text, or a list of them.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(String),
        More(Vec<String>),
    }
    Ok(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(text) => vec![text],
        OneOrMore::More(texts) => texts,
    })
}
