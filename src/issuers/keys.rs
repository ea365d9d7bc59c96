//! The keys that an issuer publishes: a JSON Web Key Set
//! ([RFC 7517, section 5](https://www.rfc-editor.org/rfc/rfc7517#section-5)).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The most keys of a set.
const MAX_KEYS: usize = 64;

/// The most keys that a token is tried with that names none.
const MAX_TRIED: usize = 4;

/// The sizes of RSA keys that can be used, in bytes of the modulus: 2,048 to 8,192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The keys of an issuer that can verify signatures.
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// How many more there are that can't, for example because they are for something else.
    pub unusable: usize,
}

struct Key {
    id: Option<String>,
    /// The algorithm that it is for, if it says so.
    algorithm: Option<Algorithm>,
    kind: Kind,
    decoding: Arc<DecodingKey>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl KeySet {
    /// Reads a key set. What can't be used is left out.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(json).map_err(|_| "is not a JSON Web Key Set".to_owned())?;
        let all = document.keys.len();
        if all > MAX_KEYS {
            return Err(format!("holds {all} keys, more than {MAX_KEYS}"));
        }
        let keys: Vec<Key> = document.keys.into_iter().filter_map(Key::read).collect();
        Ok(Self { unusable: all - keys.len(), keys })
    }

    /// The keys that this token may have been signed with. Without an id they are the first that fit.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Vec<Arc<DecodingKey>> {
        let fits = |key: &&Key| key.fits(algorithm) && (id.is_none() || key.id.as_deref() == id);
        self.keys.iter().filter(fits).take(MAX_TRIED).map(|key| key.decoding.clone()).collect()
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

impl Key {
    /// `None`: it can't verify signatures by any of the algorithms that are known here.
    fn read(json: Value) -> Option<Self> {
        let named = json.get("alg").is_some();
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        let common = &jwk.common;
        let is_for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|may| may.contains(&KeyOperations::Verify));
        let algorithm = common.key_algorithm.and_then(|name| Algorithm::try_from(name).ok());
        if !is_for_signatures || (named && algorithm.is_none()) {
            return None;
        }
        let (kind, key) = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) => (Kind::Rsa, rsa_key(&rsa.n, &rsa.e)?),
            AlgorithmParameters::EllipticCurve(curve) => {
                let kind = match curve.curve {
                    EllipticCurve::P256 => Kind::P256,
                    EllipticCurve::P384 => Kind::P384,
                    _ => return None,
                };
                (kind, DecodingKey::from_ec_components(&curve.x, &curve.y).ok()?)
            }
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                (Kind::Ed25519, DecodingKey::from_ed_components(&pair.x).ok()?)
            }
            _ => return None,
        };
        Some(Self { id: jwk.common.key_id, algorithm, kind, decoding: Arc::new(key) })
    }

    /// Whether it is of the type that the algorithm needs, and for no other algorithm.
    fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match (algorithm, algorithm.family()) {
            (_, AlgorithmFamily::Rsa) => Kind::Rsa,
            (Algorithm::ES256, _) => Kind::P256,
            (Algorithm::ES384, _) => Kind::P384,
            (Algorithm::EdDSA, _) => Kind::Ed25519,
            _ => return false,
        };
        self.kind == kind && self.algorithm.is_none_or(|only| only == algorithm)
    }
}

/// Some write zeros before the modulus, which mean nothing and which ring doesn't take.
fn rsa_key(modulus: &str, exponent: &str) -> Option<DecodingKey> {
    let number = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(bytes[zeros..].to_vec())
    };
    let (n, e) = (number(modulus)?, number(exponent)?);
    RSA_BYTES.contains(&n.len()).then(|| DecodingKey::from_rsa_raw_components(&n, &e))
}
