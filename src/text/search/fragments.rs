//! What is shown of a text that was found.

use std::ops::Range;

use super::{Part, Query, Sort, parts, pieces, place_of};

/// The most characters of a text that are shown.
const SHOWN: usize = 200;

/// How many of them stand before the first match at most.
const BEFORE: usize = 50;

/// Stands for what isn't shown.
const MORE: &str = "…";

/// A piece of a text that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fragment {
    /// As it stands in the text.
    pub text: String,
    /// Whether it is what was searched for.
    pub is_match: bool,
}

impl Query {
    /// The text around what this query finds in it, cut into pieces. What isn't shown is an ellipsis.
    #[must_use]
    pub fn fragments(&self, text: &str) -> Vec<Fragment> {
        let matches = self.places_in(&parts(text));
        let shown = shown(text, matches.first().map_or(0, |first| first.start));
        let mut fragments = Vec::new();
        let mut push = |text: &str, is_match: bool| {
            if !text.is_empty() {
                fragments.push(Fragment { text: text.to_owned(), is_match });
            }
        };
        let mut at = shown.start;
        if at > 0 {
            push(MORE, false);
        }
        for place in matches {
            let place = place.start.max(at)..place.end.min(shown.end);
            if place.start < place.end {
                push(&text[at..place.start], false);
                push(&text[place.clone()], true);
                at = place.end;
            }
        }
        push(&text[at..shown.end], false);
        if shown.end < text.len() {
            push(MORE, false);
        }
        fragments
    }

    /// Where in the text its matches are: in order, none touching another.
    fn places_in(&self, parts: &[Part]) -> Vec<Range<usize>> {
        let mut places = Vec::new();
        for part in parts {
            match part.sort {
                Sort::Word => {
                    let begins = self.words.iter().filter(|word| part.form.starts_with(word));
                    places.extend(begins.map(|word| part.shown(0, word.len())));
                }
                Sort::Run => {
                    for run in &self.runs {
                        let mut from = 0;
                        while let Some(place) = place_of(run, &part.form[from..]) {
                            places.push(part.shown(from + place, run.len()));
                            from += place + run.len();
                        }
                    }
                }
                Sort::Symbol if self.symbols.contains(&part.form) => {
                    places.push(part.shown(0, part.form.len()));
                }
                Sort::Symbol => {}
            }
        }
        places.sort_by_key(|place| (place.start, place.end));
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(places.len());
        for place in places {
            match apart.last_mut() {
                Some(last) if place.start <= last.end => last.end = last.end.max(place.end),
                _ => apart.push(place),
            }
        }
        apart
    }
}

impl Part {
    /// The bytes of the text that so many characters are shown as.
    fn shown(&self, from: usize, count: usize) -> Range<usize> {
        self.shown_as[from].start..self.shown_as[from + count - 1].end
    }
}

/// Which bytes of a text are shown, given where the first match begins. Pieces stay whole, but for those that have more marks
/// than anybody can read.
fn shown(text: &str, first: usize) -> Range<usize> {
    let mut start = first;
    for (n, (at, c)) in text[..first].char_indices().rev().enumerate() {
        if n >= BEFORE {
            break;
        }
        // Better from the beginning of a word on.
        if at == 0 || n < BEFORE && text[..at].ends_with(char::is_whitespace) && !c.is_whitespace() {
            start = at;
        }
    }
    let mut end = start;
    let mut chars = 0;
    for piece in pieces(&text[start..]) {
        chars += text[start..][piece.clone()].chars().count();
        if chars > SHOWN {
            break;
        }
        end = start + piece.end;
    }
    start..end
}
