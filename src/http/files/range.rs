//! Parts of a file ([RFC 9110, section 14](https://www.rfc-editor.org/rfc/rfc9110#section-14)), which players of videos ask for.

use std::ops::Range;

/// What a request asks for of so many bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of it: no part is asked for, or several, or in a way that isn't understood.
    All,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that there aren't.
    None,
}

/// What this header asks for of so many bytes.
pub(super) fn asked(range: &str, size: u64) -> Asked {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Asked::All;
    };
    let part = match (bound(first), bound(last)) {
        (Some(Bound::Number(first)), Some(Bound::Number(last))) if first <= last => {
            first..last.saturating_add(1).min(size)
        }
        (Some(Bound::Number(first)), Some(Bound::Missing)) => first..size,
        (Some(Bound::Missing), Some(Bound::Number(count))) => size.saturating_sub(count)..size,
        _ => return Asked::All,
    };
    if part.start < part.end { Asked::Part(part) } else { Asked::None }
}

/// What stands on one side of the hyphen.
enum Bound {
    Number(u64),
    Missing,
}

/// A number, or none at all. `None`: it is neither.
fn bound(text: &str) -> Option<Bound> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Bound::Missing);
    }
    text.bytes().all(|digit| digit.is_ascii_digit()).then(|| Bound::Number(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_is_given_and_anything_else_is_all_of_it() {
        for (range, expected) in [
            ("bytes=0-", Asked::Part(0..10)),
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=2-5", Asked::Part(2..6)),
            ("bytes=2-99999999999999999999999", Asked::Part(2..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-30", Asked::Part(0..10)),
            ("bytes=-0", Asked::None),
            ("bytes=10-", Asked::None),
            ("bytes=5-2", Asked::All),
            ("bytes=0-1,3-4", Asked::All),
            ("bytes=-", Asked::All),
            ("bytes=x-1", Asked::All),
            ("lines=0-1", Asked::All),
            ("", Asked::All),
        ] {
            assert_eq!(asked(range, 10), expected, "{range}");
        }
    }
}
