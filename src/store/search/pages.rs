//! How a part of the index is written into pages on PostgreSQL: tokens in byte order, each with the positions of the messages
//! that have it.
//!
//! A page is the position that its others are counted from, then one entry after the other. An entry has a byte that says how
//! many bytes its token has in common with the one before it in the page, and how many follow; those; how many positions there
//! are; and the distance of each from the one before. Numbers are varints. What doesn't fit into a page goes on in the next.

use std::collections::BTreeMap;

/// Which messages have a token, in order.
pub(super) type Postings = BTreeMap<Vec<u8>, Vec<i64>>;

/// The most bytes of a page: four of them, with their keys, fill a block of PostgreSQL, and none is compressed or put elsewhere.
const PAGE_BYTES: usize = 1_940;

/// A list that has no room goes to the next page if it isn't longer; longer ones are cut.
const WHOLE_BYTES: usize = 256;

/// What half a byte says where a number follows that is added to it.
const MORE: usize = 15;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// Its first token.
    pub token: Vec<u8>,
    /// The first position that it has of that token.
    pub low: i64,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// Why a page can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a page of the index of messages is damaged")]
pub(super) struct Damaged;

/// Writes them, positions counted from `base`, which none is below.
pub(super) fn written(base: i64, postings: &Postings) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    let mut before: &[u8] = &[];
    let mut is_open = false;
    for (token, positions) in postings {
        let mut rest = &positions[..];
        while let Some(first) = rest.first() {
            if !is_open {
                pages.push(Page { token: token.clone(), low: *first, bytes: base.to_be_bytes().to_vec() });
                before = &[];
                is_open = true;
            }
            let Some(page) = pages.last_mut() else { break };
            let is_fresh = page.bytes.len() == size_of::<i64>();
            let mut head = Vec::with_capacity(token.len() + 4);
            put_token(&mut head, before, token);
            let room = PAGE_BYTES.saturating_sub(page.bytes.len() + head.len() + varint_len(rest.len() as u64));
            let mut list = Vec::new();
            let (fitting, all) = put_positions(&mut list, base, rest, room);
            let goes_next = fitting < rest.len() && (all <= WHOLE_BYTES || fitting == 0);
            if goes_next && !is_fresh {
                is_open = false;
                continue;
            }
            let fitting = fitting.max(1);
            page.bytes.extend(head);
            put_varint(&mut page.bytes, fitting as u64);
            page.bytes.extend(list);
            before = token;
            rest = &rest[fitting..];
            is_open = rest.is_empty();
        }
    }
    pages
}

/// Adds to the positions of `into` those of the page's tokens from `first` on that are below `past`.
pub(super) fn find(page: &[u8], first: &[u8], past: &[u8], into: &mut Vec<i64>) -> Result<(), Damaged> {
    each(page, |token, mut positions| {
        if token >= past {
            return Ok(false);
        }
        if token >= first {
            while let Some(position) = positions.next()? {
                into.push(position);
            }
        }
        Ok(true)
    })
}

/// Adds all that the page has.
pub(super) fn read(page: &[u8], into: &mut Postings) -> Result<(), Damaged> {
    each(page, |token, mut positions| {
        let list = into.entry(token.to_vec()).or_default();
        while let Some(position) = positions.next()? {
            list.push(position);
        }
        Ok(true)
    })
}

/// The positions of an entry that haven't been read.
struct Positions<'p, 'b> {
    bytes: &'b mut &'p [u8],
    left: u64,
    at: i64,
}

impl Positions<'_, '_> {
    fn next(&mut self) -> Result<Option<i64>, Damaged> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.at = self.at.wrapping_add_unsigned(varint(self.bytes)?);
        Ok(Some(self.at))
    }
}

/// Shows each entry, as long as that answers `true`.
fn each(page: &[u8], mut entry: impl FnMut(&[u8], Positions<'_, '_>) -> Result<bool, Damaged>) -> Result<(), Damaged> {
    let (base, mut bytes) = page.split_first_chunk().ok_or(Damaged)?;
    let base = i64::from_be_bytes(*base);
    let mut token = Vec::new();
    while let Some((lengths, rest)) = bytes.split_first() {
        bytes = rest;
        let [shared, own] = [usize::from(lengths >> 4), usize::from(lengths & 15)];
        let shared = more(&mut bytes, shared)?;
        let own = more(&mut bytes, own)?;
        if shared > token.len() || own > bytes.len() {
            return Err(Damaged);
        }
        token.truncate(shared);
        let (added, rest) = bytes.split_at(own);
        token.extend_from_slice(added);
        bytes = rest;
        let count = varint(&mut bytes)?;
        let mut after = bytes;
        if !entry(&token, Positions { bytes: &mut after, left: count, at: base })? {
            return Ok(());
        }
        // Whether it was read or not.
        for _ in 0..count {
            varint(&mut bytes)?;
        }
    }
    Ok(())
}

fn more(bytes: &mut &[u8], half: usize) -> Result<usize, Damaged> {
    if half < MORE {
        return Ok(half);
    }
    let more = usize::try_from(varint(bytes)?).map_err(|_| Damaged)?;
    MORE.checked_add(more).ok_or(Damaged)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Damaged> {
    let (mut number, mut shift) = (0_u64, 0);
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift).ok_or(Damaged)?;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
        shift += 7;
    }
    Err(Damaged)
}

fn put_varint(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    into.push(low_byte(number));
}

fn low_byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

fn varint_len(number: u64) -> usize {
    (u64::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}

fn put_token(into: &mut Vec<u8>, before: &[u8], token: &[u8]) {
    let shared = before.iter().zip(token).take_while(|(a, b)| a == b).count();
    let own = token.len() - shared;
    into.push(low_byte(((shared.min(MORE) << 4) | own.min(MORE)) as u64));
    for length in [shared, own] {
        if length >= MORE {
            put_varint(into, (length - MORE) as u64);
        }
    }
    into.extend_from_slice(&token[shared..]);
}

/// Writes as many of these as have room. Returns how many, and how many bytes all of them take, if not more than are of interest.
fn put_positions(into: &mut Vec<u8>, base: i64, positions: &[i64], room: usize) -> (usize, usize) {
    let (mut at, mut fitting, mut all) = (base, 0, 0);
    for position in positions {
        let distance = position.wrapping_sub(at).cast_unsigned();
        at = *position;
        all += varint_len(distance);
        if all <= room {
            put_varint(into, distance);
            fitting += 1;
        } else if all > WHOLE_BYTES {
            break;
        }
    }
    if fitting == 0
        && let [first, ..] = positions
    {
        put_varint(into, first.wrapping_sub(base).cast_unsigned());
    }
    (fitting, all)
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    fn read_all(pages: &[Page]) -> Postings {
        let mut all = Postings::new();
        for page in pages {
            read(&page.bytes, &mut all).expect("it was just written");
        }
        all
    }

    #[test]
    fn a_list_longer_than_a_page_is_found_whole() {
        let postings: Postings = [
            (b"a".to_vec(), (0..3_000).collect()),
            (b"ab".to_vec(), (0..30_000).map(|n| n * 1_000).collect()),
            (b"ac".to_vec(), vec![7]),
        ]
        .into();
        let pages = written(0, &postings);
        assert!(pages.len() > 30 && pages.iter().all(|page| page.bytes.len() <= PAGE_BYTES));
        assert_eq!(read_all(&pages), postings);
        let mut found = Vec::new();
        for page in &pages {
            find(&page.bytes, b"ab", b"ab\0", &mut found).expect("it was just written");
        }
        assert_eq!(found, postings[&b"ab"[..]]);
    }

    #[test]
    fn a_damaged_page_is_told_from_a_whole_one() {
        let page = written(5, &[(b"word".to_vec(), vec![5, 900])].into()).remove(0).bytes;
        for damaged in [&page[..4], &page[..page.len() - 1], &[0, 0, 0, 0, 0, 0, 0, 0, 0xf1, 3][..]] {
            assert_eq!(read(damaged, &mut Postings::new()), Err(Damaged), "{damaged:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            postings in btree_map(vec(any::<u8>(), 1..40), btree_set(-1_000_i64..1_000_000, 1..60), 0..300),
        ) {
            let postings: Postings =
                postings.into_iter().map(|(token, positions)| (token, positions.into_iter().collect())).collect();
            let pages = written(-1_000, &postings);
            prop_assert_eq!(read_all(&pages), postings);
            prop_assert!(pages.iter().all(|page| page.bytes.len() <= PAGE_BYTES));
            prop_assert!(pages.is_sorted_by_key(|page| (&page.token, page.low)));
        }

        #[test]
        fn no_bytes_are_too_strange(page in vec(any::<u8>(), 0..300)) {
            let _ = read(&page, &mut Postings::new());
        }
    }
}
