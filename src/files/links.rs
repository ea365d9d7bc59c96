//! Links that let their holder send or fetch one file. What they say is signed with a key from the token secret.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use hkdf::Hkdf;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use sha2::Sha256;

use super::Variant;
use crate::ids::AttachmentId;
use crate::secret::Secret;

/// What the key is for, so that the token secret may serve other purposes as well.
const PURPOSE: &[u8] = b"parlor links to files, form 1\n";

/// Bytes of a signature that a link has.
const SIGNATURE: usize = 16;

const HOUR: i64 = 3_600;

/// For how long a file that was announced may be sent.
const TO_SEND: TimeDelta = TimeDelta::minutes(15);

/// Signs links. Has no `Debug`.
pub struct Links(hmac::Key);

/// What a link lets its holder do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Send a file of so many bytes.
    Send {
        /// How many.
        size: i64,
    },
    /// Fetch it.
    Fetch(Variant),
}

impl Links {
    /// The links of a deployment with this token secret.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, secret.bytes()).expand(PURPOSE, &mut key).expect("one hash is fewer than 255");
        Self(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }

    /// Where a file of so many bytes is sent to, and until when.
    #[must_use]
    pub fn to_send(&self, id: AttachmentId, size: i64, now: DateTime<Utc>) -> (String, DateTime<Utc>) {
        let until = now + TO_SEND;
        let exp = until.timestamp();
        let signature = self.sign(id, Right::Send { size }, exp);
        (format!("/files/{id}?size={size}&exp={exp}&sig={signature}"), until)
    }

    /// Where a file of this name is fetched: the same for everybody and all of an hour, so that it is cached, and good for one to
    /// two hours.
    #[must_use]
    pub fn to_fetch(&self, id: AttachmentId, name: &str, variant: Variant, now: DateTime<Utc>) -> String {
        let exp = (now.timestamp().div_euclid(HOUR) + 2) * HOUR;
        let signature = self.sign(id, Right::Fetch(variant), exp);
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        match variant {
            Variant::Whole => format!("/files/{id}/{name}?exp={exp}&sig={signature}"),
            Variant::Thumbnail(side) => format!("/files/{id}/{name}?side={side}&exp={exp}&sig={signature}"),
        }
    }

    /// Whether a link with this signature gives its holder this right now.
    #[must_use]
    pub fn are_good(&self, id: AttachmentId, right: Right, exp: i64, signature: &str, now: DateTime<Utc>) -> bool {
        let expected = self.sign(id, right, exp);
        let same = expected.len() == signature.len()
            && expected.bytes().zip(signature.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0;
        same && now.timestamp() < exp
    }

    fn sign(&self, id: AttachmentId, right: Right, exp: i64) -> String {
        let (kind, number) = match right {
            Right::Send { size } => (1_u8, size),
            Right::Fetch(Variant::Whole) => (2, 0),
            Right::Fetch(Variant::Thumbnail(side)) => (2, i64::from(side)),
        };
        let mut signed = hmac::Context::with_key(&self.0);
        signed.update(&[kind]);
        signed.update(id.0.as_bytes());
        signed.update(&number.to_be_bytes());
        signed.update(&exp.to_be_bytes());
        URL_SAFE_NO_PAD.encode(&signed.sign().as_ref()[..SIGNATURE])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter<'l>(link: &'l str, name: &str) -> &'l str {
        let (_, after) = link.split_once(&format!("{name}=")).expect("the parameter");
        after.split('&').next().expect("its value")
    }

    #[test]
    fn a_link_gives_one_right_to_one_file_for_one_to_two_hours() {
        let links = Links::new(&Secret::new("the secret of one deployment, 32 bytes").expect("it is long enough"));
        let other = Links::new(&Secret::new("the secret of another, also 32 bytes").expect("it is long enough"));
        let now = DateTime::from_timestamp(1_800_000_000 + 1_799, 0).expect("a time");
        let id = AttachmentId::generate();
        let link = links.to_fetch(id, "ä b.png", Variant::Whole, now);
        assert_eq!(link, links.to_fetch(id, "ä b.png", Variant::Whole, now + TimeDelta::minutes(30)));
        assert!(link.starts_with(&format!("/files/{id}/%C3%A4%20b%2Epng?exp=")), "{link}");
        let (exp, sig): (i64, _) = (parameter(&link, "exp").parse().expect("a number"), parameter(&link, "sig"));
        let fetch = Right::Fetch(Variant::Whole);
        assert!(links.are_good(id, fetch, exp, sig, now));
        assert!(links.are_good(id, fetch, exp, sig, now + TimeDelta::minutes(60)));
        assert!(!links.are_good(id, fetch, exp, sig, now + TimeDelta::minutes(120)));
        assert!(!links.are_good(id, fetch, exp + HOUR, sig, now));
        assert!(!links.are_good(id, Right::Fetch(Variant::Thumbnail(320)), exp, sig, now));
        assert!(!links.are_good(id, Right::Send { size: 0 }, exp, sig, now));
        assert!(!links.are_good(AttachmentId::generate(), fetch, exp, sig, now));
        assert!(!links.are_good(id, fetch, exp, "", now));
        assert!(!other.are_good(id, fetch, exp, sig, now));
    }
}
