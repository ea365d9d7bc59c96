//! Keys of an issuer, with which tests sign tokens as it would, and as it wouldn't.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};

/// A key pair, or a secret.
pub(crate) enum TestKey {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Secret(Vec<u8>),
}

impl TestKey {
    /// One of two RSA keys of 2,048 bits, which ring can't make.
    pub(crate) fn rsa(number: usize) -> Self {
        let pem = [include_str!("rsa-1.pem"), include_str!("rsa-2.pem")][number];
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(base64).expect("base64");
        Self::Rsa(RsaKeyPair::from_pkcs8(&der).expect("an RSA key"))
    }

    /// A new key for ES256.
    pub(crate) fn p256() -> Self {
        Self::P256(ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING))
    }

    /// A new key for ES384.
    pub(crate) fn p384() -> Self {
        Self::P384(ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING))
    }

    /// A new key for `EdDSA`.
    pub(crate) fn ed25519() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("random bytes");
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key"))
    }

    /// These bytes as a secret for HS256.
    pub(crate) fn secret(bytes: &[u8]) -> Self {
        Self::Secret(bytes.to_vec())
    }

    /// The public key as a JSON Web Key.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let curve = |pair: &EcdsaKeyPair, name: &str| {
            let point = &pair.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            json!({ "kty": "EC", "kid": id, "crv": name, "x": text(x), "y": text(y) })
        };
        match self {
            Self::Rsa(pair) => {
                let PublicKeyComponents::<Vec<u8>> { n, e } = PublicKeyComponents::from(pair.public());
                json!({ "kty": "RSA", "kid": id, "n": text(&n), "e": text(&e) })
            }
            Self::P256(pair) => curve(pair, "P-256"),
            Self::P384(pair) => curve(pair, "P-384"),
            Self::Ed25519(pair) => {
                json!({ "kty": "OKP", "kid": id, "crv": "Ed25519", "x": text(pair.public_key().as_ref()) })
            }
            Self::Secret(bytes) => json!({ "kty": "oct", "kid": id, "k": text(bytes) }),
        }
    }

    /// The public key in DER, as it is found in certificates.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => pair.public().as_ref().to_vec(),
            Self::P256(pair) | Self::P384(pair) => pair.public_key().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Self::Secret(bytes) => bytes.clone(),
        }
    }

    /// The public key in PEM.
    pub(crate) fn public_pem(&self) -> String {
        let lines = STANDARD.encode(self.public_der());
        let lines: Vec<&str> = lines.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        format!("-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// A token with this header and these claims, signed by what the header names as `alg`.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.signature(header["alg"].as_str().unwrap_or_default(), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match algorithm {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    other => panic!("an RSA key doesn't sign by {other}"),
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message, &mut signature).expect("signs");
                signature
            }
            Self::P256(pair) | Self::P384(pair) => pair.sign(&random, message).expect("signs").as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Secret(bytes) => {
                let algorithm = match algorithm {
                    "HS384" => hmac::HMAC_SHA384,
                    "HS512" => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                hmac::sign(&hmac::Key::new(algorithm, bytes), message).as_ref().to_vec()
            }
        }
    }
}

fn ecdsa(algorithm: &'static signature::EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("random bytes");
    EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("a key")
}
