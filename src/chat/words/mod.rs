//! The operator's list of words: what may not be said, what is masked, and what is reported.

use std::path::{Path, PathBuf};
use std::{fs, io};

use aho_corasick::{AhoCorasick, BuildError};

use super::{Error, Reason};

mod text;

use text::{FoldedText, fold_word};

/// The most lines of a list.
const MAX_LINES: usize = 10_000;

/// What stands for a character of a masked word.
const MASK: char = '*';

/// Why a list of words can't be used.
#[derive(Debug, thiserror::Error)]
pub enum WordsError {
    /// The file can't be read.
    #[error("the list of words {} can't be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line can't be used.
    #[error("the list of words {} can't be used: line {line} {problem}", path.display())]
    Line {
        /// Which.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The words are more than can be searched for.
    #[error("the list of words {} can't be used: {source}", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// Why.
        source: BuildError,
    },
}

/// What becomes of a message with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Refuse,
    Mask,
    Report,
}

/// A word of the list.
#[derive(Clone, Debug)]
struct Entry {
    action: Action,
    /// In the form in which texts are searched.
    word: String,
    /// It may go on, as in `word*`.
    is_prefix: bool,
}

/// A list of words.
#[derive(Debug)]
pub struct WordList {
    entries: Vec<Entry>,
    /// Finds the words, by their places among the entries.
    finder: AhoCorasick,
}

/// What a list says of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::chat) struct Verdict {
    /// It may not be said.
    pub refused: bool,
    /// What is said in its place.
    pub masked: Option<String>,
    /// It is reported.
    pub reported: bool,
}

impl WordList {
    /// Reads a list: a line for each word, `action<TAB>word`, in which the action is `refuse`, `mask` or `report`. Blank
    /// lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// When the file can't be read, or a line of it can't be used.
    pub fn read(path: &Path) -> Result<Self, WordsError> {
        let text =
            fs::read_to_string(path).map_err(|source| WordsError::Unreadable { path: path.to_owned(), source })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut entries = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let refuse = |problem| WordsError::Line { path: path.to_owned(), line: number, problem };
            if number > MAX_LINES {
                return Err(refuse("is one too many: there may be 10,000"));
            }
            if !line.trim().is_empty() && !line.starts_with('#') {
                entries.push(Entry::parse(line).map_err(refuse)?);
            }
        }
        let finder = AhoCorasick::new(entries.iter().map(|entry| &entry.word));
        let finder = finder.map_err(|source| WordsError::TooLarge { path: path.to_owned(), source })?;
        Ok(Self { entries, finder })
    }

    /// What the list says of this text.
    pub(in crate::chat) fn judge(&self, text: &str) -> Verdict {
        let folded = FoldedText::of(text);
        let mut verdict = Verdict::default();
        let mut masked = Vec::new();
        for found in self.finder.find_overlapping_iter(&folded.text) {
            let Some(entry) = self.entries.get(found.pattern().as_usize()) else { continue };
            if !folded.is_word(found.range(), entry.is_prefix) {
                continue;
            }
            match entry.action {
                Action::Refuse => verdict.refused = true,
                Action::Report => verdict.reported = true,
                Action::Mask => masked.push(folded.characters(found.range())),
            }
        }
        if !masked.is_empty() {
            verdict.masked = Some(folded.masked(text, &masked, MASK));
        }
        verdict
    }
}

impl Verdict {
    /// Refuses the text if it may not be said.
    ///
    /// # Errors
    /// [`Reason::RefusedWord`].
    pub(in crate::chat) fn expect_not_refused(&self) -> Result<(), Error> {
        if self.refused { Err(Error::Refused(Reason::RefusedWord)) } else { Ok(()) }
    }
}

impl Entry {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let (action, word) = line.split_once('\t').ok_or("has no tab between an action and a word")?;
        let action = match action.trim() {
            "refuse" => Action::Refuse,
            "mask" => Action::Mask,
            "report" => Action::Report,
            _ => return Err("begins with none of the actions `refuse`, `mask` and `report`"),
        };
        let word = word.trim();
        let (word, is_prefix) = word.strip_suffix('*').map_or((word, false), |word| (word, true));
        if word.contains('*') {
            return Err("has a `*` elsewhere than at its end");
        }
        let word = fold_word(word);
        if word.is_empty() {
            return Err("has a word of which nothing can be seen");
        }
        Ok(Self { action, word, is_prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lines: &str) -> Result<WordList, String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), lines).expect("it can be written");
        WordList::read(file.path()).map_err(|error| error.to_string())
    }

    fn mask(word: &str, text: &str) -> Option<String> {
        list(&format!("mask\t{word}")).expect("a list").judge(text).masked
    }

    #[test]
    fn a_word_is_found_however_it_is_written() {
        for (word, text, masked) in [
            ("bad", "BAD, ｂａｄ bad's", Some("***, *** ***'s")),
            ("bad", "b\u{200b}a\u{ad}d\u{200d}!", Some("***!")),
            ("bad", "b\u{336}a\u{336}d\u{336}", Some("***")),
            ("bad", "badge abad", None),
            ("bad*", "badge abad", Some("***ge abad")),
            ("straße", "STRASSE", Some("*******")),
            ("fin", "ﬁn", Some("**")),
            ("e\u{301}t", "\u{e9}t", Some("**")),
            ("very bad", "very\n  BAD things", Some("****\n  *** things")),
            ("可能", "不可能的", Some("不**的")),
            ("👍🏽", "a 👍🏽 b", Some("a * b")),
            ("bad", "b a d", None),
            // Another script's letter that looks the same is another letter.
            ("bad", "b\u{430}d", None),
        ] {
            assert_eq!(mask(word, text).as_deref(), masked, "{word:?} in {text:?}");
        }
    }

    #[test]
    fn what_is_masked_keeps_whole_characters() {
        assert_eq!(mask("a", "👩\u{200d}🚀 a\u{301} a नि").as_deref(), Some("👩\u{200d}🚀 a\u{301} * नि"));
        assert_eq!(mask("नि", "नि").as_deref(), Some("*"));
        assert_eq!(mask("i", "ﬁ").as_deref(), None, "it is within a word");
        assert_eq!(mask("한", "\u{1112}\u{1161}\u{11ab}").as_deref(), Some("*"));
    }

    #[test]
    fn each_action_is_told() {
        let list = list("# ours\n\nrefuse\tnever\nmask\tdarn\nreport\tbuy now*\nreport\tdarn").expect("a list");
        assert_eq!(list.judge("fine"), Verdict::default());
        assert!(list.judge("Never!").refused);
        let darn = list.judge("darn it");
        assert_eq!((darn.masked.as_deref(), darn.reported, darn.refused), (Some("**** it"), true, false));
        assert!(list.judge("buy  nowhere").reported);
    }

    #[test]
    fn a_list_that_can_t_be_used_is_told_by_its_line() {
        for (lines, told) in [
            ("mask\tgood\nmask bad", "line 2 has no tab"),
            ("\nbleep\tbad", "line 2 begins with none"),
            ("mask\t\u{200b}", "line 1 has a word of which nothing"),
            ("mask\t*", "line 1 has a word of which nothing"),
            ("mask\ta*b", "line 1 has a `*` elsewhere"),
            (&*"mask\tx\n".repeat(MAX_LINES + 1), "line 10001 is one too many"),
        ] {
            assert!(list(lines).is_err_and(|error| error.contains(told)), "{told}");
        }
        let missing = WordList::read(Path::new("/nowhere/words")).map_err(|error| error.to_string());
        assert!(missing.is_err_and(|error| error.starts_with("the list of words /nowhere/words can't be read")));
        assert_eq!(list("").expect("an empty list").judge("anything"), Verdict::default());
    }
}
