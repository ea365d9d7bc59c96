//! What the specification of [September 2025](https://spec.graphql.org/September2025/) added to the language, written as
//! the parser reads it: descriptions of operations, fragments and variables become spaces, and escapes of characters
//! beyond the basic plane become the characters themselves. And `-0` becomes `0`: the parser takes it for no integer.
//!
//! The text has been prescanned, so that every string has an end.

use std::borrow::Cow;

/// The text as the parser reads it.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    // Descriptions and escapes begin with a quote.
    if !text.contains('"') && !text.contains("-0") {
        return Cow::Borrowed(text);
    }
    let mut fold = Fold { text, written: 0, out: String::new() };
    let (mut open, mut before) = (Vec::new(), None);
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let start = text.len() - rest.len();
        let length = match first {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                rest = &rest[1..];
                continue;
            }
            b'#' => {
                rest = &rest[rest.find(['\r', '\n']).unwrap_or(rest.len())..];
                continue;
            }
            b'"' => {
                let length = string_length(rest);
                if is_description(&open, before, &rest[length..]) {
                    fold.blank(start, length);
                } else if !rest.starts_with("\"\"\"") {
                    fold.string(start, length);
                }
                length
            }
            b'-' if is_zero(&rest[1..]) => {
                fold.blank(start, 1);
                1
            }
            b'{' | b'[' | b'(' => {
                open.push(first);
                1
            }
            b'}' | b']' | b')' => {
                open.pop();
                1
            }
            _ if is_name(first) => rest.bytes().take_while(|byte| is_name(*byte)).count(),
            // What is not ASCII is no token, and refused by the parser.
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        before = Some(first);
        rest = &rest[length..];
    }
    fold.finish()
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether the text begins with a zero that is an integer.
fn is_zero(text: &str) -> bool {
    text.strip_prefix('0')
        .is_some_and(|rest| !rest.starts_with(|next: char| matches!(next, '.' | 'e' | 'E' | '0'..='9')))
}

/// Whether a string in this place, with this after it, describes what comes next.
fn is_description(open: &[u8], before: Option<u8>, after: &str) -> bool {
    let next = skip_ignored(after);
    match open {
        [] => {
            let length = next.bytes().take_while(|byte| is_name(*byte)).count();
            matches!(&next[..length], "query" | "mutation" | "subscription" | "fragment")
        }
        // Of a variable: a default value follows a `=`.
        [b'('] => next.starts_with('$') && before != Some(b'=') && before != Some(b':'),
        _ => false,
    }
}

/// The text from the next token on.
fn skip_ignored(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches([' ', '\t', '\r', '\n', ',', '\u{feff}']);
        let Some(comment) = text.strip_prefix('#') else { return text };
        text = &comment[comment.find(['\r', '\n']).unwrap_or(comment.len())..];
    }
}

/// The length of the string that the text begins with, with its quotes.
fn string_length(text: &str) -> usize {
    let is_block = text.starts_with("\"\"\"");
    let quotes = if is_block { "\"\"\"" } else { "\"" };
    let mut at = quotes.len();
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if rest.starts_with(quotes) {
            return at + quotes.len();
        }
        at += match first {
            '\\' if is_block && rest[1..].starts_with(quotes) => 1 + quotes.len(),
            // What follows may have several bytes; the parser refuses that.
            '\\' if !is_block => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            first => first.len_utf8(),
        };
    }
    text.len()
}

/// The text that is being written anew.
struct Fold<'t> {
    text: &'t str,
    /// How much of it has been written.
    written: usize,
    out: String,
}

impl<'t> Fold<'t> {
    /// Spaces in place of a description; its lines stay, so that positions after it do.
    fn blank(&mut self, start: usize, length: usize) {
        let blank =
            self.text[start..start + length].chars().map(|char| if matches!(char, '\r' | '\n') { char } else { ' ' });
        self.out.push_str(&self.text[self.written..start]);
        self.out.extend(blank);
        self.written = start + length;
    }

    /// A string without escapes that the parser doesn't know.
    fn string(&mut self, start: usize, length: usize) {
        let mut at = start;
        let end = start + length;
        while let Some(found) = self.text[at..end].find('\\') {
            let escape = &self.text[at + found..end];
            at += found;
            match character(escape) {
                Some((char, length)) => {
                    self.out.push_str(&self.text[self.written..at]);
                    push(&mut self.out, char);
                    at += length;
                    self.written = at;
                }
                None => at += 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
            }
        }
    }

    fn finish(mut self) -> Cow<'t, str> {
        if self.written == 0 {
            return Cow::Borrowed(self.text);
        }
        self.out.push_str(&self.text[self.written..]);
        Cow::Owned(self.out)
    }
}

/// The character that the text begins to escape in a way that the parser doesn't know, and the length of the escape.
fn character(escape: &str) -> Option<(char, usize)> {
    if let Some(digits) = escape.strip_prefix("\\u{") {
        let digits = &digits[..digits.find('}')?];
        let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        // More digits than eight can be zeros only.
        let char = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
        return is_hex.then_some((char, "\\u{}".len() + digits.len()));
    }
    let (high, low) = (unit(escape)?, unit(escape.get(6..)?)?);
    let char = char::decode_utf16([high, low]).next()?.ok().filter(|char| *char > '\u{ffff}')?;
    Some((char, 12))
}

/// The code unit of `\uXXXX`.
fn unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Writes a character, as an escape that the parser knows where it can't stand by itself.
fn push(out: &mut String, char: char) {
    use std::fmt::Write;
    match char {
        '"' | '\\' | '\0'..=' ' | '\u{7f}'..='\u{9f}' | '\u{feff}' => {
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        }
        char => out.push(char),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use async_graphql::parser::types::{OperationType, Selection};

    use super::*;

    /// The text in the argument of the only field.
    fn argument(literal: &str) -> Option<String> {
        let text = format!("{{a(b:\"{literal}\")}}");
        let document = parse_query(fold(&text)).ok()?;
        let (_, operation) = document.operations.iter().next()?;
        let Selection::Field(field) = &operation.node.selection_set.node.items[0].node else { return None };
        match field.node.arguments[0].1.node.clone().into_const()? {
            async_graphql::Value::String(text) => Some(text),
            _ => None,
        }
    }

    #[test]
    fn characters_beyond_the_basic_plane_may_be_escaped() {
        for (literal, text) in [
            (r"\ud83d\ude00", "😀"),
            (r"\uD83D\uDE00", "😀"),
            (r"\u{1F600}", "😀"),
            (r"a\u{1f600}b\ud83d\ude00c", "a😀b😀c"),
            (r"\u{41}\u{22}\u{5C}\u{a}\u{0}", "A\"\\\n\0"),
            (r"\u{00000000041}", "A"),
            (r"\\u{41}", r"\u{41}"),
            (r"\\ud83d\\ude00", r"\ud83d\ude00"),
            (r"\u0041\n\/", "A\n/"),
            ("😀#\\\"{", "😀#\"{"),
        ] {
            assert_eq!(argument(literal).as_deref(), Some(text), "{literal}");
        }
        for refused in [
            r"\ud83d",
            r"\ude00",
            r"\ude00\ud83d",
            r"\u{d83d}",
            r"\u{110000}",
            r"\u{}",
            r"\u{zz}",
            r"\u{41",
            r"\u{-1}",
            r"\u{+41}",
            r"\ud83d\u{de00}",
            r"\ud83dx",
            r"\u12",
            r"\x",
        ] {
            assert_eq!(argument(refused), None, "{refused}");
        }
    }

    #[test]
    fn operations_fragments_and_variables_may_be_described() {
        for described in [
            "\"A query\" query A { a }",
            "\"\"\"\nA \"query\"\n\"\"\"\nquery A { a }",
            "query A(\"which\" $a: Int = 1, \"\"\"other\"\"\" $b: String = \"d\" $c: [String] = [\"e\"] \"f\" $d: Int) { a }",
            "query A($a: String = \"x\" # \"no\"\n \"y\" $b: Int) { a }",
            "\"Q\" query A { ...F } \"F\" fragment F on T { a }",
            "\"S\" subscription { a }",
            "\"M\" # comment \"x\"\n mutation { a }",
        ] {
            assert!(parse_query(described).is_err(), "{described}");
            let folded = fold(described);
            assert!(parse_query(&folded).is_ok(), "{described} {folded}");
            assert_eq!(folded.lines().count(), described.lines().count());
        }
        let document = parse_query(fold("\"M\" mutation($a: String = \"x\" \"y\" $b: Int) { a }")).expect("a document");
        let (_, operation) = document.operations.iter().next().expect("an operation");
        assert_eq!(operation.node.ty, OperationType::Mutation);
        assert_eq!(
            operation.node.variable_definitions[0].node.default_value.as_ref().map(|it| it.node.clone()),
            Some("x".into())
        );
        for refused in ["\"A\" { a }", "{ \"A\" a }", "{ a(\"b\" c: 1) }", "query A { a } \"A\"", "query \"A\" A { a }"]
        {
            assert!(parse_query(fold(refused)).is_err(), "{refused}");
        }
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(fold("{ a(b: -0, c: [-0 -0], d: \"-0\") }"), "{ a(b:  0, c: [ 0  0], d: \"-0\") }");
        assert_eq!(fold("{ a(b: -0.5, c: -0e1, d: -00, e: -1) }"), "{ a(b: -0.5, c: -0e1, d: -00, e: -1) }");
    }

    #[test]
    fn what_needs_no_folding_is_not_copied() {
        for text in [
            "{ a }",
            r#"{ a(b: "c\n\u0041", d: """e \u{41}""") }"#,
            r#"query($a: [String] = ["x"], $b: I = {c: "d"}) { a }"#,
        ] {
            assert!(matches!(fold(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
