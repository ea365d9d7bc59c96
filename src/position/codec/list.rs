//! Cursors of pages: the key of an item in a list, such as a name or a number, as text that only servers can read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use sha2::Sha256;

use super::SEALED;

/// The present form: the key of an item in one list.
const OF_LIST: u8 = 3;

const TAG_BYTES: usize = 16;

/// Enciphers keys of any length, always into the same text: a tag that depends on the list and the whole key, and the key
/// in a stream that depends on the tag, as in SIV mode (<https://www.rfc-editor.org/rfc/rfc5297>) with HMAC-SHA256 for
/// both. A text that was made up or changed, or is of another list, doesn't have its tag.
#[derive(Clone)]
pub(super) struct ListKeys(Hkdf<Sha256>);

impl ListKeys {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self(Hkdf::from_prk(secret).expect("as long as a hash"))
    }

    /// The text of a key in the list of this name, which holds no NUL.
    pub(super) fn seal(&self, list: &str, key: &str) -> String {
        let tag = self.tag(list, key.as_bytes());
        let mut bytes = [&[OF_LIST][..], &tag, key.as_bytes()].concat();
        // Keys are far shorter than what can be enciphered: 8,160 bytes.
        self.apply(&tag, &mut bytes[1 + TAG_BYTES..]).expect("a key of a list is short");
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The key in this text. Two earlier forms, which don't tell of which list they are, are still read: the key itself,
    /// and one whose tag depends on the key alone.
    pub(super) fn open(&self, list: &str, text: &str) -> Option<String> {
        let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let form = bytes.first().copied();
        if form != Some(OF_LIST) && form != Some(SEALED) {
            return String::from_utf8(bytes).ok();
        }
        let mut key = bytes.split_off(bytes.len().min(1 + TAG_BYTES));
        let tag = bytes[1..].try_into().ok()?;
        self.apply(&tag, &mut key)?;
        let expected = if form == Some(OF_LIST) { self.tag(list, &key) } else { self.derive(&[b"tag", &key]) };
        if expected == tag { String::from_utf8(key).ok() } else { None }
    }

    fn tag(&self, list: &str, key: &[u8]) -> [u8; TAG_BYTES] {
        self.derive(&[b"of list ", list.as_bytes(), b"\0", key])
    }

    fn derive(&self, info: &[&[u8]]) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        self.0.expand_multi_info(info, &mut tag).expect("shorter than a hash");
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
        fn a_key_survives_its_text(list in "[a-z ]{0,20}", key in ".{0,80}") {
            let text = keys().seal(&list, &key);
            prop_assert_eq!(&text, &keys().seal(&list, &key));
            prop_assert_eq!(keys().open(&list, &text), Some(key));
        }

        #[test]
        fn no_text_survives_a_change(key in ".{0,80}", byte: prop::sample::Index, change in 1u8..) {
            let mut bytes = URL_SAFE_NO_PAD.decode(keys().seal("users", &key)).expect("base64url");
            let byte = 1 + byte.index(bytes.len() - 1);
            bytes[byte] ^= change;
            prop_assert_eq!(keys().open("users", &URL_SAFE_NO_PAD.encode(bytes)), None);
        }

        #[test]
        fn no_text_is_of_two_lists(list in "[a-z]{0,9}", other in "[a-z]{0,9}", key in ".{0,80}") {
            prop_assume!(list != other);
            let text = keys().seal(&list, &key);
            prop_assert_eq!(keys().open(&other, &text), None);
            let mut bytes = URL_SAFE_NO_PAD.decode(text).expect("base64url");
            bytes[0] = SEALED;
            prop_assert_eq!(keys().open(&list, &URL_SAFE_NO_PAD.encode(bytes)), None);
        }
    }

    #[test]
    fn a_text_of_another_secret_or_of_none_is_not_read() {
        let text = keys().seal("users", "anne");
        assert_eq!(ListKeys::new(&[8; 32]).open("users", &text), None);
        for form in [SEALED, OF_LIST] {
            let long = URL_SAFE_NO_PAD.encode([form; 9_000]);
            for text in ["!", &URL_SAFE_NO_PAD.encode([form]), &text[..20], &format!("{text}A"), &long] {
                assert_eq!(keys().open("users", text), None, "{text}");
            }
        }
    }

    #[test]
    fn neighbours_look_nothing_alike_and_the_earlier_forms_are_still_read() {
        let (one, next) = (keys().seal("messages", "1000"), keys().seal("messages", "1001"));
        assert_ne!(one[2..8], next[2..8]);
        assert!(!one.contains(&URL_SAFE_NO_PAD.encode("1000")));
        assert_eq!(keys().open("messages", &URL_SAFE_NO_PAD.encode("1000")).as_deref(), Some("1000"));
        // Of the key 1000, sealed before cursors knew their list.
        assert_eq!(keys().open("messages", "AgRlHPLfl14uOyB_bTFWnM9W8tXb").as_deref(), Some("1000"));
    }
}
