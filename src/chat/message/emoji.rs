//! With what somebody reacts to a message.

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::chat::{Argument, Error};
use crate::text::visible::problem_of_name;

/// How somebody reacts: an emoji, or any short text without white space, such as the name of an app's own emoji. In Unicode's
/// form NFC and without U+FE0F, which only says to show what comes before it as an emoji: ❤ with it and without are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Emoji(String);

impl Emoji {
    /// The most bytes.
    pub const MAX_BYTES: usize = 64;

    /// A reaction as it was stored.
    pub(super) fn stored(text: String) -> Self {
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// # Errors
    /// [`Error::Invalid`] of `emoji`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = |problem: &str| Err(Error::invalid(Argument::Emoji, problem));
        if text.len() > 4 * Self::MAX_BYTES {
            return invalid("must have 1 to 64 bytes");
        }
        let text = ComposingNormalizerBorrowed::new_nfc().normalize(&text.replace('\u{fe0f}', "")).into_owned();
        if !(1..=Self::MAX_BYTES).contains(&text.len()) {
            return invalid("must have 1 to 64 bytes");
        }
        if text.contains(char::is_whitespace) {
            return invalid("must not hold white space");
        }
        match problem_of_name(&text) {
            Some(problem) => invalid(problem),
            None => Ok(Self(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_the_same_is_one_reaction() {
        let emoji = |text| Emoji::parse(text).expect("a reaction").0;
        assert_eq!(emoji("❤️"), emoji("❤"));
        assert_eq!(emoji("e\u{301}"), emoji("é"));
        assert_eq!(emoji("e\u{fe0f}\u{301}"), emoji("é"));
        assert_ne!(emoji("👍"), emoji("👍🏽"));
        for text in [":party_parrot:", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "0️⃣", "+1", "はい"]
        {
            assert!(Emoji::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_shows_nothing_or_is_too_long_is_none() {
        for text in
            ["", " ", "a b", "\u{200b}", "\u{fe0f}", "\u{202e}x", "a\nb", "\u{2800}", &"x".repeat(65), &"é".repeat(33)]
        {
            assert!(Emoji::parse(text).is_err(), "{text:?}");
        }
        assert!(Emoji::parse(&"x".repeat(64)).is_ok());
    }
}
