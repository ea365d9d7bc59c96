//! Cursors of pages: the key of an item in a list, such as a name or a number, as text that only servers can read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use sha2::Sha256;

use super::SEALED;

const TAG_BYTES: usize = 16;

/// Enciphers keys of any length, always into the same text: a tag that depends on the whole key, and the key in a stream
/// that depends on the tag, as in SIV mode (<https://www.rfc-editor.org/rfc/rfc5297>) with HMAC-SHA256 for both. A text
/// that was made up or changed doesn't have its tag.
#[derive(Clone)]
pub(super) struct ListKeys(Hkdf<Sha256>);

impl ListKeys {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self(Hkdf::from_prk(secret).expect("as long as a hash"))
    }

    pub(super) fn seal(&self, key: &str) -> String {
        let tag = self.tag(key.as_bytes());
        let mut bytes = [&[SEALED][..], &tag, key.as_bytes()].concat();
        // Keys are far shorter than what can be enciphered: 8,160 bytes.
        self.apply(&tag, &mut bytes[1 + TAG_BYTES..]).expect("a key of a list is short");
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The key in this text. The form before this one was the key itself, which is still read.
    pub(super) fn open(&self, text: &str) -> Option<String> {
        let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        if bytes.first() != Some(&SEALED) {
            return String::from_utf8(bytes).ok();
        }
        let mut key = bytes.split_off(bytes.len().min(1 + TAG_BYTES));
        let tag = bytes[1..].try_into().ok()?;
        self.apply(&tag, &mut key)?;
        if self.tag(&key) == tag { String::from_utf8(key).ok() } else { None }
    }

    fn tag(&self, key: &[u8]) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        self.0.expand_multi_info(&[b"tag", key], &mut tag).expect("shorter than a hash");
        tag
    }

    fn apply(&self, tag: &[u8; TAG_BYTES], key: &mut [u8]) -> Option<()> {
        let mut stream = vec![0; key.len()];
        self.0.expand_multi_info(&[b"stream", tag], &mut stream).ok()?;
        key.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> ListKeys {
        ListKeys::new(&[7; 32])
    }

    proptest! {
        #[test]
        fn a_key_survives_its_text(key in ".{0,80}") {
            let text = keys().seal(&key);
            prop_assert_eq!(&text, &keys().seal(&key));
            prop_assert_eq!(keys().open(&text), Some(key));
        }

        #[test]
        fn no_text_survives_a_change(key in ".{0,80}", byte: prop::sample::Index, change in 1u8..) {
            let mut bytes = URL_SAFE_NO_PAD.decode(keys().seal(&key)).expect("base64url");
            let byte = 1 + byte.index(bytes.len() - 1);
            bytes[byte] ^= change;
            prop_assert_eq!(keys().open(&URL_SAFE_NO_PAD.encode(bytes)), None);
        }
    }

    #[test]
    fn a_text_of_another_secret_or_of_none_is_not_read() {
        let text = keys().seal("anne");
        assert_eq!(ListKeys::new(&[8; 32]).open(&text), None);
        for text in ["!", "Ag", &text[..20], &format!("{text}A"), &URL_SAFE_NO_PAD.encode([SEALED; 9_000])] {
            assert_eq!(keys().open(text), None, "{text}");
        }
    }

    #[test]
    fn neighbours_look_nothing_alike_and_the_first_form_is_still_read() {
        let (one, next) = (keys().seal("1000"), keys().seal("1001"));
        assert_ne!(one[2..8], next[2..8]);
        assert!(!one.contains(&URL_SAFE_NO_PAD.encode("1000")));
        assert_eq!(keys().open(&URL_SAFE_NO_PAD.encode("1000")).as_deref(), Some("1000"));
    }
}
