//! The scan of the raw text that makes it safe to hand to the recursive parser.
//!
//! Tokens are separated as async-graphql's grammar (`graphql.pest`) does, which is laxer than the specification: it
//! requires no boundary after `true`, `false` and `null` or after a leading zero, so `[null00]` is a list of three.
//! Where the two readings differ, the scan may count too much, never too little. Brackets that do not match are left to
//! the parser: it cannot get past the first of them, and up to there the count is exact.

use async_graphql::Pos;

use super::{Limits, Refusal};

/// What a scan counts in a document.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Number of tokens.
    pub tokens: usize,
    /// The most brackets that are open together.
    pub nesting: usize,
}

/// Counts tokens and open brackets in one pass, without recursion or allocation.
///
/// # Errors
/// [`Refusal::TooManyTokens`] and [`Refusal::NestedTooDeep`] as soon as the limit is passed; [`Refusal::Syntax`] for a
/// string without an end. Such a string must not be left to the parser, which takes an unterminated `"""` for an empty
/// string and goes on to read as brackets what the scan takes for text.
pub fn prescan(text: &str, limits: &Limits) -> Result<Scan, Refusal> {
    let mut scan = Scan::default();
    let mut open = 0_usize;
    let mut rest = text.as_bytes();

    while let Some((&first, after)) = rest.split_first() {
        let token_end = match first {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                rest = after;
                continue;
            }
            b'#' => {
                let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
                rest = &after[after.iter().position(is_line_end).unwrap_or(after.len())..];
                continue;
            }
            0xEF if after.starts_with(&[0xBB, 0xBF]) => {
                rest = &after[2..];
                continue;
            }
            b'"' => {
                let end = match after.strip_prefix(b"\"\"") {
                    Some(block) => block_string_end(block),
                    None => string_end(after),
                };
                end.ok_or_else(|| unterminated(text, text.len() - rest.len()))?
            }
            b'{' | b'[' | b'(' => {
                open += 1;
                scan.nesting = scan.nesting.max(open);
                after
            }
            b'}' | b']' | b')' => {
                open = open.saturating_sub(1);
                after
            }
            b'.' => after.strip_prefix(b"..").unwrap_or(after),
            b'1'..=b'9' => skip_while(after, |byte| byte.is_ascii_digit()),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => name_end(rest),
            _ => after,
        };

        scan.tokens += 1;
        if scan.tokens > limits.max_tokens {
            return Err(Refusal::TooManyTokens { max: limits.max_tokens });
        }
        if open > limits.max_nesting {
            return Err(Refusal::NestedTooDeep { max: limits.max_nesting });
        }
        rest = token_end;
    }
    Ok(scan)
}

fn name_end(rest: &[u8]) -> &[u8] {
    [&b"null"[..], b"true", b"false"]
        .into_iter()
        .find_map(|literal| rest.strip_prefix(literal))
        .unwrap_or_else(|| skip_while(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

fn skip_while(rest: &[u8], belongs: impl Fn(u8) -> bool) -> &[u8] {
    &rest[rest.iter().position(|&byte| !belongs(byte)).unwrap_or(rest.len())..]
}

fn string_end(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (first, after) = rest.split_first()?;
        rest = match first {
            b'"' => return Some(after),
            b'\\' => after.get(1..)?,
            b'\r' | b'\n' => return None,
            _ => after,
        };
    }
}

fn block_string_end(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        if let Some(after) = rest.strip_prefix(b"\"\"\"") {
            return Some(after);
        }
        rest = rest.strip_prefix(b"\\\"\"\"").or_else(|| rest.get(1..))?;
    }
}

fn unterminated(text: &str, offset: usize) -> Refusal {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Refusal::Syntax {
        message: "unterminated string".to_owned(),
        position: Some(Pos {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }),
    }
}
