//! JSON as clients write it: any escape, any number, texts that are no Unicode.
//!
//! A JSON text may hold half of a surrogate pair ([RFC 8259, section
//! 8.2](https://www.rfc-editor.org/rfc/rfc8259#section-8.2)), numbers that fit nowhere, and brackets without end. None of
//! these makes it anything else than JSON, so what can't be read of it is told of the value that holds it, not of the
//! whole.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON string: a text, or, with half of a surrogate pair in it, none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonText(pub(crate) Result<String, LoneSurrogate>);

/// The text holds half of a surrogate pair, such as one half of an emoji.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("holds half of a surrogate pair, which is no Unicode text")]
pub(crate) struct LoneSurrogate;

impl JsonText {
    /// The text.
    pub(crate) fn get(self) -> Result<String, LoneSurrogate> {
        self.0
    }

    /// Whether it is this text.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0.as_deref() == Ok(text)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = JsonText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<JsonText, E> {
                Ok(JsonText(Ok(text.to_owned())))
            }

            // As bytes, `serde_json` gives halves of surrogate pairs in an encoding that isn't UTF-8.
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<JsonText, E> {
                Ok(JsonText(std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| LoneSurrogate)))
            }
        }

        deserializer.deserialize_bytes(Text)
    }
}

/// The members of a JSON object in the order in which they stand, each with the text of its value.
#[derive(Debug, Default)]
pub(crate) struct Members<'m>(pub(crate) Vec<(JsonText, &'m RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = object.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl<'m> Members<'m> {
    /// The members of this object; `None` if the JSON is no object.
    pub(crate) fn of(json: &'m RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok()
    }

    /// The value of a member that must not come twice: `None` when it is absent or null.
    ///
    /// # Errors
    /// When it comes twice.
    pub(crate) fn single(&self, name: &str) -> Result<Option<&'m RawValue>, Doubled> {
        let mut found = self.0.iter().filter(|(key, _)| key.is(name)).map(|(_, value)| *value);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(Doubled),
            (first, None) => Ok(first.filter(|value| !is_null(value))),
        }
    }
}

/// A member of an object that comes twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Doubled;

/// Whether the JSON is `null`.
pub(crate) fn is_null(json: &RawValue) -> bool {
    json.get() == "null"
}

/// The JSON as a string; `None` if it is none.
pub(crate) fn text(json: &RawValue) -> Option<JsonText> {
    // Arrays of bytes could be taken for strings.
    json.get().starts_with('"').then(|| serde_json::from_str(json.get()).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_escape_is_read_and_half_a_pair_is_told_from_a_text() {
        let read = |json: &str| text(serde_json::from_str(json).expect("JSON")).map(JsonText::get);
        assert_eq!(read(r#""a\u0062\n\/""#), Some(Ok("ab\n/".to_owned())));
        assert_eq!(read(r#""\ud83d\ude00 😀""#), Some(Ok("😀 😀".to_owned())));
        for half in [r#""\ud83d""#, r#""\ude00""#, r#""\ud83dx""#, r#""\ude00\ud83d""#, r#""\ud83d\ud83d\ude00""#] {
            assert_eq!(read(half), Some(Err(LoneSurrogate)), "{half}");
        }
        for other in ["1", "null", "[97]", "{}", "true"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn members_are_found_whatever_else_there_is() {
        let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        let json = format!(r#"{{"\ud83d":1,"n":1e999,"deep":{deep},"\u0061":"x","b":null,"c":1,"c":2}}"#);
        let json: &RawValue = serde_json::from_str(&json).expect("JSON");
        let members = Members::of(json).expect("an object");
        assert_eq!(members.single("a").map(|value| value.map(RawValue::get)), Ok(Some(r#""x""#)));
        assert_eq!(members.single("n").map(|value| value.map(RawValue::get)), Ok(Some("1e999")));
        assert_eq!(members.single("b").map(|value| value.is_some()), Ok(false));
        assert_eq!(members.single("d").map(|value| value.is_some()), Ok(false));
        assert_eq!(members.single("c").map(|value| value.is_some()), Err(Doubled));
        assert!(Members::of(serde_json::from_str("[1]").expect("JSON")).is_none());
    }
}
