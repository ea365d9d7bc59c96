//! Texts in the form in which words are looked for, and where each part of that form comes from.

use std::ops::Range;

use icu_properties::props::{
    ExtendedPictographic, GeneralCategory, GeneralCategoryGroup, GraphemeClusterBreak, Script,
};
use icu_properties::{CodePointMapData, CodePointSetData};

use crate::text::fold::fold;

/// A text in the form of [`fold`], character by character as readers count them, without marks that fit any letter.
pub(super) struct FoldedText {
    /// The form.
    pub text: String,
    /// Where the characters stand in the text that was given.
    characters: Vec<Range<usize>>,
    /// For each byte of the form, the character that it comes from.
    sources: Vec<usize>,
}

impl FoldedText {
    pub(super) fn of(text: &str) -> Self {
        let mut folded = Self { text: String::with_capacity(text.len()), characters: Vec::new(), sources: Vec::new() };
        for range in characters(text) {
            let character = folded.characters.len();
            let form = form(&text[range.clone()]);
            // One blank for a run of them.
            if form != " " || !folded.text.ends_with(' ') {
                folded.text.push_str(&form);
                folded.sources.resize(folded.text.len(), character);
            }
            folded.characters.push(range);
        }
        folded
    }

    /// Whether what stands there is a word: it is part of no longer one. A prefix may go on.
    pub(super) fn is_word(&self, found: Range<usize>, is_prefix: bool) -> bool {
        let (before, inside) = (self.text[..found.start].chars(), &self.text[found.clone()]);
        let goes_on =
            |left: Option<char>, right: Option<char>| left.zip(right).is_some_and(|(l, r)| are_one_word(l, r));
        let begins = !goes_on(before.last(), inside.chars().next());
        begins && (is_prefix || !goes_on(inside.chars().last(), self.text[found.end..].chars().next()))
    }

    /// The characters that this part of the form comes from.
    pub(super) fn characters(&self, part: Range<usize>) -> Range<usize> {
        let of = |byte: usize| self.sources.get(byte).copied();
        let (first, last) = (of(part.start), part.end.checked_sub(1).and_then(of));
        first.zip(last).map_or(0..0, |(first, last)| first..last + 1)
    }

    /// The text that was given, with a `mask` in the place of each of these characters that shows something.
    pub(super) fn masked(&self, text: &str, masked: &[Range<usize>], mask: char) -> String {
        let mut is_masked = vec![false; self.characters.len()];
        for range in masked {
            if let Some(places) = is_masked.get_mut(range.clone()) {
                places.fill(true);
            }
        }
        let mut shown = String::with_capacity(text.len());
        for (range, is_masked) in self.characters.iter().zip(is_masked) {
            let character = &text[range.clone()];
            match form(character).as_str() {
                _ if !is_masked => shown.push_str(character),
                " " => shown.push_str(character),
                "" => {}
                _ => shown.push(mask),
            }
        }
        shown
    }
}

/// The form of a word of the list.
pub(super) fn fold_word(word: &str) -> String {
    FoldedText::of(word).text.trim().to_owned()
}

/// The form of one character.
fn form(character: &str) -> String {
    if let [byte] = character.as_bytes() {
        let is_blank = byte.is_ascii_whitespace() || *byte == 0x0b;
        return if is_blank { " ".to_owned() } else { char::from(byte.to_ascii_lowercase()).to_string() };
    }
    let form: String = fold(character).chars().filter(|c| !fits_any_letter(*c)).collect();
    if form.is_empty() && character.contains(char::is_whitespace) { " ".to_owned() } else { form }
}

/// Marks that no letter needs and that any can be crossed out or adorned with. Those that have a letter of their own with
/// one, such as `é`, are part of it by now.
fn fits_any_letter(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}')
}

fn are_one_word(left: char, right: char) -> bool {
    is_of_word(left) && is_of_word(right) && !(stands_alone(left) || stands_alone(right))
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || GeneralCategoryGroup::Mark.contains(CodePointMapData::<GeneralCategory>::new().get(c))
}

/// Letters of scripts without blanks between words, and of Korean, whose words take endings.
fn stands_alone(c: char) -> bool {
    [
        Script::Han,
        Script::Hiragana,
        Script::Katakana,
        Script::Bopomofo,
        Script::Hangul,
        Script::Thai,
        Script::Lao,
        Script::Khmer,
        Script::Myanmar,
        Script::Tibetan,
        Script::Javanese,
    ]
    .contains(&CodePointMapData::<Script>::new().get(c))
}

/// Where the characters of a text stand, as readers count them: extended grapheme clusters
/// (<https://www.unicode.org/reports/tr29/>).
fn characters(text: &str) -> Vec<Range<usize>> {
    let breaks = CodePointMapData::<GraphemeClusterBreak>::new();
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut before, mut flags) = (None, 0_usize);
    for (at, c) in text.char_indices() {
        let class = breaks.get(c);
        let end = at + c.len_utf8();
        let goes_on = before.is_some_and(|before| goes_on(before, class, c, flags));
        flags = if class == GraphemeClusterBreak::RegionalIndicator { flags + 1 } else { 0 };
        match found.last_mut() {
            Some(last) if goes_on => last.end = end,
            _ => found.push(at..end),
        }
        before = Some(class);
    }
    found
}

/// Whether a character of this class belongs to the one before it. `flags`: how many letters of flags stand before it.
fn goes_on(before: GraphemeClusterBreak, class: GraphemeClusterBreak, c: char, flags: usize) -> bool {
    use GraphemeClusterBreak as Break;
    let controls = [Break::Control, Break::CR, Break::LF];
    match (before, class) {
        (Break::CR, Break::LF) => true,
        _ if controls.contains(&before) || controls.contains(&class) => false,
        (Break::L, Break::L | Break::V | Break::LV | Break::LVT)
        | (Break::LV | Break::V, Break::V | Break::T)
        | (Break::LVT | Break::T, Break::T)
        | (_, Break::Extend | Break::ZWJ | Break::SpacingMark)
        | (Break::Prepend, _) => true,
        (Break::ZWJ, _) => CodePointSetData::new::<ExtendedPictographic>().contains(c),
        (Break::RegionalIndicator, Break::RegionalIndicator) => flags % 2 == 1,
        _ => false,
    }
}
