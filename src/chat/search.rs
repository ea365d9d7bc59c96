//! Searching by the beginnings of names and of their words.

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, Select, Value};

use super::{Argument, Error};
use crate::text::fold::{fold, words};

/// The most characters of a search.
const MAX_SEARCH_CHARS: usize = 64;

/// In the order of a name, and of `tie` among equal names, from behind a place on.
pub(super) fn in_order<E: EntityTrait, V: Into<Value>>(
    found: Select<E>,
    name: impl ColumnTrait,
    tie: impl ColumnTrait,
    after: Option<(&str, V)>,
) -> Select<E> {
    let found = found.order_by_asc(name).order_by_asc(tie);
    let Some((by, last)) = after else { return found };
    // The first condition says again what the second implies: by it the index is entered.
    found.filter(name.gte(by)).filter(Condition::any().add(name.gt(by)).add(tie.gt(last)))
}

/// What is searched for.
pub(super) struct Search {
    /// All of it.
    pub whole: Prefix,
    /// Its words, the longest first, without those that another one begins with. Filled up with the last one to a power of
    /// two, so that searches of any number of words are a few statements.
    pub words: Vec<Prefix>,
}

impl Search {
    /// `None`: for nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `search` when it is longer than [`MAX_SEARCH_CHARS`] or holds control characters.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, Error> {
        let text = text.trim();
        if text.chars().count() > MAX_SEARCH_CHARS {
            return Err(Error::invalid(Argument::Search, format!("must have at most {MAX_SEARCH_CHARS} characters")));
        }
        if text.contains(char::is_control) {
            return Err(Error::invalid(Argument::Search, "must not hold control characters"));
        }
        let folded = fold(text);
        if folded.is_empty() {
            return Ok(None);
        }
        let mut words = words(&folded);
        let all = words.clone();
        words.retain(|word| !all.iter().any(|other| other != word && other.starts_with(&**word)));
        words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        if let Some(last) = words.last().cloned() {
            words.resize(words.len().next_power_of_two(), last);
        }
        Ok(Some(Self { whole: Prefix::new(folded), words: words.into_iter().map(Prefix::new).collect() }))
    }
}

/// The texts that begin with one, as a range, so that an index serves it, and `%` and `_` stand for themselves.
pub(super) struct Prefix {
    pub first: String,
    pub end: String,
}

impl Prefix {
    fn new(first: String) -> Self {
        Self { end: format!("{first}{}", char::MAX), first }
    }

    /// Whether a text in this column is one of them.
    pub(super) fn begins(&self, column: impl ColumnTrait) -> Condition {
        Condition::all().add(column.gte(&*self.first)).add(column.lt(&*self.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_search_are_those_that_say_most() {
        let words = |text| {
            let search = Search::parse(text).expect("is a search").expect("of something");
            search.words.into_iter().map(|word| word.first).collect::<Vec<_>>()
        };
        assert_eq!(words("an Maria ann"), ["maria", "ann"]);
        assert_eq!(words("a b c"), ["a", "b", "c", "c"]);
        assert_eq!(words("%"), [""; 0]);
    }
}
