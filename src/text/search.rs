//! What it is that a search finds in a text: one function decides, [`Query::matches`]. An index of [`tokens`] only proposes.
//!
//! A text is cut into pieces, each a character with the marks on it, and each piece is brought into the form of
//! [`fold`](super::fold), without the marks of the scripts in which people leave them out. What the pieces make up is
//! a *word* in scripts with blanks between words, a *run* in those without, or a symbol such as an emoji or a flag. All else separates
//! them. A query matches a text if each of its words begins a word of the text, each of its runs stands in a run of the text,
//! and each of its symbols is in it. There are no languages: nothing is stemmed, and no word is left out.

use std::collections::BTreeSet;
use std::ops::Range;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{
    DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, HangulSyllableType, Script,
};
use icu_properties::{CodePointMapData, CodePointSetData};

use super::fold::fold;

mod fragments;

pub use fragments::Fragment;

/// The most characters of a word that the index holds. Longer ones are compared by the function.
const MAX_TOKEN_CHARS: usize = 64;

/// The most words, runs and symbols of a query.
const MAX_PARTS: usize = 8;

/// Words of so many characters are asked of the index only if nothing else is.
const SHORT: usize = 2;

/// The longest query, in bytes.
const MAX_QUERY_BYTES: usize = 256;

/// Which form the index has. Raised whenever what it has of a message changes, with [`tokens`] of a text, also by another version of Unicode: all indexes are
/// made anew then, because what they hold can only be deleted by the very tokens.
pub const FORM: i32 = 3;

/// Arabic's filler, which lengthens a word and means nothing.
const TATWEEL: char = '\u{640}';

/// The sign that lengthens a vowel in both kana, which belongs to neither.
const KANA_LONG: char = '\u{30fc}';

/// What pieces make up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sort {
    /// A word of a script with blanks.
    Word,
    /// A run of a script without.
    Run,
    /// One symbol.
    Symbol,
}

/// A part of a text: a word, a run or a symbol.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Part {
    sort: Sort,
    /// In the form that is compared.
    form: Vec<char>,
    /// For each character of it, which bytes of the text it is shown as.
    shown_as: Vec<Range<usize>>,
}

/// What is searched for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    words: Vec<Vec<char>>,
    runs: Vec<Vec<char>>,
    symbols: Vec<Vec<char>>,
}

/// Why a text can't be searched for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QueryProblem {
    /// It is too long.
    #[error("must have at most {MAX_QUERY_BYTES} bytes")]
    TooLong,
    /// It has too many parts.
    #[error("must have at most {MAX_PARTS} words")]
    TooManyParts,
}

/// What the index is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Of a token, or of its beginning.
    pub token: String,
    /// Whether every token that begins so will do.
    pub begins: bool,
}

impl Query {
    /// Reads it. `None`: there is nothing in it that could be found.
    ///
    /// # Errors
    /// When it is longer than is allowed.
    pub fn parse(text: &str) -> Result<Option<Self>, QueryProblem> {
        if text.len() > MAX_QUERY_BYTES {
            return Err(QueryProblem::TooLong);
        }
        let mut query = Self { words: Vec::new(), runs: Vec::new(), symbols: Vec::new() };
        for part in parts(text) {
            match part.sort {
                Sort::Word => query.words.push(part.form),
                Sort::Run => query.runs.push(part.form),
                Sort::Symbol => query.symbols.push(part.form),
            }
        }
        for list in [&mut query.words, &mut query.runs] {
            let all = list.clone();
            list.retain(|it| !all.iter().any(|other| other.len() > it.len() && other.starts_with(it)));
            list.sort_unstable();
            list.dedup();
        }
        query.symbols.sort_unstable();
        query.symbols.dedup();
        match query.words.len() + query.runs.len() + query.symbols.len() {
            0 => Ok(None),
            1..=MAX_PARTS => Ok(Some(query)),
            _ => Err(QueryProblem::TooManyParts),
        }
    }

    /// Whether a search for it finds this text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.is_in(&parts(text))
    }

    fn is_in(&self, parts: &[Part]) -> bool {
        let of = |sort| parts.iter().filter(move |part| part.sort == sort);
        self.words.iter().all(|word| of(Sort::Word).any(|part| part.form.starts_with(word)))
            && self.runs.iter().all(|run| of(Sort::Run).any(|part| place_of(run, &part.form).is_some()))
            && self.symbols.iter().all(|symbol| of(Sort::Symbol).any(|part| part.form == *symbol))
    }

    /// What every text that it matches has among its [`tokens`]. Beginnings that say little are left out: going through all
    /// that begins with one letter costs more than looking at the newest messages.
    #[must_use]
    pub fn wanted(&self) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        let longest = self.words.iter().map(Vec::len).max().unwrap_or(0);
        let others = !self.runs.is_empty() || !self.symbols.is_empty() || longest > SHORT;
        for word in self.words.iter().filter(|word| word.len() > if others { SHORT } else { 1 }) {
            let begins = word.len() <= MAX_TOKEN_CHARS;
            wanted.push(Wanted { token: word.iter().take(MAX_TOKEN_CHARS).collect(), begins });
        }
        for run in &self.runs {
            match &run[..] {
                [alone] => wanted.push(Wanted { token: alone.to_string(), begins: true }),
                run => wanted.extend(run.windows(2).map(|two| Wanted { token: two.iter().collect(), begins: false })),
            }
        }
        wanted.extend(self.symbols.iter().map(|symbol| Wanted { token: symbol.iter().collect(), begins: false }));
        wanted.sort_by(|a, b| a.token.cmp(&b.token));
        wanted.dedup();
        wanted
    }
}

/// Where one run stands in another.
fn place_of(run: &[char], within: &[char]) -> Option<usize> {
    within.windows(run.len()).position(|window| window == run)
}

/// What an index holds of a text: its words, of its runs every two characters that follow one another and the last one, and
/// its symbols; each once, in byte order. None of them has a character that separates words.
#[must_use]
pub fn tokens(text: &str) -> BTreeSet<String> {
    let mut tokens = BTreeSet::new();
    for Part { sort, form, .. } in parts(text) {
        match sort {
            Sort::Word => {
                tokens.insert(form.iter().take(MAX_TOKEN_CHARS).collect());
            }
            Sort::Run => {
                tokens.extend(form.windows(2).map(|two| two.iter().collect::<String>()));
                tokens.extend(form.last().map(char::to_string));
            }
            Sort::Symbol => {
                tokens.insert(form.into_iter().collect());
            }
        }
    }
    tokens
}

/// The parts of a text, in order.
fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut before = None;
    for piece in pieces(text) {
        // One piece may be several characters: `㎏` is `kg`, and `㍻` is two of Han.
        for c in form(&text[piece.clone()]) {
            let sort = sort_of(c, before);
            if let Some(sort) = sort {
                let goes_on = before == Some(sort);
                match parts.last_mut() {
                    // Two letters of a flag are one symbol.
                    Some(part) if goes_on && (sort != Sort::Symbol || is_half_flag(&part.form) && is_of_flag(c)) => {
                        part.form.push(c);
                        part.shown_as.push(piece.clone());
                    }
                    _ => parts.push(Part { sort, form: vec![c], shown_as: vec![piece.clone()] }),
                }
            }
            before = sort;
        }
    }
    parts
}

/// Where the pieces of a text are: a character, with the marks on it and whatever else composes with it.
fn pieces(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, first) = chars.next()?;
        let mut before = first;
        let mut end = start + first.len_utf8();
        while let Some((at, c)) = chars.next_if(|(_, c)| joins(before, *c)) {
            before = c;
            end = at + c.len_utf8();
        }
        Some(start..end)
    })
}

/// Whether this character belongs to the piece of the one before it.
fn joins(before: char, c: char) -> bool {
    if c.is_ascii() {
        return false;
    }
    is_mark(c)
        || is_ignorable(c)
        || matches!(c, '\u{ff9e}' | '\u{ff9f}')
        // Letters of Hangul, which make up a syllable.
        || is_hangul_rest(c) && CodePointMapData::<Script>::new().get(before) == Script::Hangul
}

/// Whether two of these make a flag.
fn is_of_flag(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

fn is_half_flag(symbol: &[char]) -> bool {
    matches!(symbol, [alone] if is_of_flag(*alone))
}

/// Whether this is a letter of Hangul that stands behind another one of its syllable.
fn is_hangul_rest(c: char) -> bool {
    let r#type = CodePointMapData::<HangulSyllableType>::new().get(c);
    r#type == HangulSyllableType::VowelJamo || r#type == HangulSyllableType::TrailingJamo
}

fn is_mark(c: char) -> bool {
    GeneralCategoryGroup::Mark.contains(CodePointMapData::<GeneralCategory>::new().get(c))
}

fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// The form of a piece that is compared.
fn form(piece: &str) -> Vec<char> {
    let mut chars = piece.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        match c {
            _ if c.is_ascii() => return vec![c.to_ascii_lowercase()],
            // Han and the syllables of Hangul are their own form.
            '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => return vec![c],
            _ => {}
        }
    }
    let folded = fold(piece);
    let mut bare = String::with_capacity(folded.len());
    let mut loses_marks = false;
    for c in DecomposingNormalizerBorrowed::new_nfkd().normalize(&folded).chars() {
        let mark = is_mark(c);
        if !mark {
            loses_marks = marks_are_left_out(c);
        }
        let is_left_out = mark && loses_marks || c == TATWEEL || matches!(c, '\u{1f3fb}'..='\u{1f3ff}');
        if !is_left_out {
            bare.push(c);
        }
    }
    ComposingNormalizerBorrowed::new_nfkc().normalize(&bare).chars().collect()
}

/// Whether people leave out the marks on this character when they write in haste.
fn marks_are_left_out(c: char) -> bool {
    let script = CodePointMapData::<Script>::new().get(c);
    [Script::Latin, Script::Greek, Script::Cyrillic, Script::Hebrew, Script::Arabic].contains(&script)
}

/// What this character makes up, behind one that makes up `before`. `None`: it separates.
fn sort_of(c: char, before: Option<Sort>) -> Option<Sort> {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric().then_some(Sort::Word);
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    if GeneralCategoryGroup::Mark.contains(category) {
        // A mark belongs to whatever it stands on.
        return match before {
            Some(Sort::Symbol) => None,
            before => before,
        };
    }
    if [GeneralCategory::OtherSymbol, GeneralCategory::ModifierSymbol].contains(&category) {
        return Some(Sort::Symbol);
    }
    if !c.is_alphanumeric() {
        return None;
    }
    Some(if c == KANA_LONG || has_no_blanks(c) { Sort::Run } else { Sort::Word })
}

/// Whether this letter is of a script in which words aren't separated by blanks, or hold endings that nobody searches for.
fn has_no_blanks(c: char) -> bool {
    let script = CodePointMapData::<Script>::new().get(c);
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
        Script::Javanese,
    ]
    .contains(&script)
}

#[cfg(test)]
mod tests;
