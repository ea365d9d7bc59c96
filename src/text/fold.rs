//! The form in which names are compared, and the words of a text in it.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};

/// The text in normal form NFKC, case-folded, without what is ignored by default (marks of direction, joiners, variation
/// selectors), and with one blank for each run of blanks, none at the ends. Texts that differ only in these have the same
/// form, whichever keyboard or case they were written with. It is its own form.
///
/// As `toNFKC_Casefold` of the Unicode Standard, section 3.13, but for Turkish: there `İ` becomes `i` and a dot, and `ı`
/// stays, so that `İpek` would not begin with `ip`. Here all four are `i`.
#[must_use]
pub fn fold(text: &str) -> String {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let kept: String = text.chars().filter(|c| !ignorable.contains(*c)).collect();
    let mut folded = String::with_capacity(kept.len());
    for c in nfkc.normalize(&kept).chars().flat_map(fold_case) {
        if c != DOT_ABOVE || !folded.ends_with('i') {
            folded.push(c);
        }
    }
    nfkc.normalize(&folded).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of a text in the form of [`fold`], each once, in byte order. A word is a run of letters, digits and marks, or
/// one of symbols such as emoji; all else separates words. Scripts without blanks are not cut into words.
#[must_use]
pub fn words(folded: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut part_before = None;
    for c in folded.chars() {
        let part = Part::of(c, part_before);
        match part {
            Some(_) if part == part_before => words.last_mut().expect("it was begun").push(c),
            Some(_) => words.push(c.to_string()),
            None => {}
        }
        part_before = part;
    }
    words.sort_unstable();
    words.dedup();
    words
}

/// A combining dot, which `İ` leaves behind its `i`.
const DOT_ABOVE: char = '\u{307}';

/// Full case folding by what the standard library knows: the lower case of the upper case, character by character, so
/// that `ß` is `ss` and a final `ς` is `σ`. The upper case of `ẞ` is itself, so the lower case goes before.
fn fold_case(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// What a word is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Letters,
    Symbols,
}

impl Part {
    /// That of this character after another. A mark belongs to whatever it stands on.
    fn of(c: char, before: Option<Self>) -> Option<Self> {
        let category = CodePointMapData::<GeneralCategory>::new().get(c);
        if GeneralCategoryGroup::Mark.contains(category) {
            Some(before.unwrap_or(Self::Letters))
        } else if c.is_alphanumeric() {
            Some(Self::Letters)
        } else if [GeneralCategory::OtherSymbol, GeneralCategory::ModifierSymbol].contains(&category) {
            Some(Self::Symbols)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_differ_in_how_they_are_written_have_one_form() {
        for (written, form) in [
            ("ΑΝΑΣΤΑΣΙΟΣ", "αναστασιοσ"),
            ("αναστασιος", "αναστασιοσ"),
            ("Straße STRASSE STRAẞE", "strasse strasse strasse"),
            ("İpek I\u{307}pek ılgın ILGIN", "ipek ipek ilgin ilgin"),
            ("Nguye\u{302}\u{303}n", "nguyễn"),
            ("\u{915}\u{93c} \u{958}", "\u{915}\u{93c} \u{915}\u{93c}"),
            ("\u{200f}\u{2067}דנה\u{2069}\u{feff}", "דנה"),
            ("e\u{200d}\u{301}", "é"),
            ("ＡＮＮ ﬁ ㎏ K", "ann fi kg k"),
            ("👩\u{200d}🚀 ❤\u{fe0f}", "👩🚀 ❤"),
            ("  a \u{3000}\t b\u{2028}", "a b"),
            ("\u{3164}\u{115f}\u{ffa0}", ""),
        ] {
            assert_eq!(fold(written), form, "{written:?}");
        }
    }

    #[test]
    fn no_character_has_one_form_in_upper_and_another_in_lower_case() {
        for c in char::MIN..=char::MAX {
            let form = fold(&c.to_string());
            for other in [c.to_uppercase().to_string(), c.to_lowercase().to_string(), form.clone()] {
                assert_eq!(fold(&other), form, "{c:?} {other:?}");
            }
        }
    }

    #[test]
    fn words_are_separated_by_blanks_and_punctuation() {
        for (text, expected) in [
            ("maria lopez", &["lopez", "maria"][..]),
            ("田中 太郎", &["太郎", "田中"]),
            ("o'brien-smith, o.", &["brien", "o", "smith"]),
            ("ann🌻🌻 lee", &["ann", "lee", "🌻🌻"]),
            ("100% _real_", &["100", "real"]),
            ("हिन्दी कुमार", &["कुमार", "हिन्दी"]),
            ("👍🏽!", &["👍🏽"]),
            ("%-_", &[]),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_form_is_its_own_form(text in "\\PC{0,20}|[\\u{300}-\\u{345}ıİiIͅß ]{0,8}") {
            let form = fold(&text);
            prop_assert_eq!(fold(&form), form);
        }
    }
}
