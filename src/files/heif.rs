//! What a HEIC or an AVIF is made of ([ISO/IEC 23008-12](https://www.iso.org/standard/83650.html)): boxes, as a film, of which one
//! says what items there are and where in the file each is. What is Exif data, XMP or the like is blanked where it stands.

use std::collections::HashSet;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::boxes::{Boxes, NOTHING};

/// The most places that data about a picture stand at.
const MAX_PLACES: usize = 1024;

/// The fewest bytes of a box: its length and its name. Fewer are left over.
const HEAD: usize = 8;

/// The kinds of items that are data about a picture.
const ABOUT: [&[u8; 4]; 3] = [b"Exif", b"mime", b"uri "];

/// The same picture, as many bytes as there were, without what tells of its maker. `None`: its parts can't be told.
pub(super) fn without_metadata(picture: &Bytes) -> Option<Bytes> {
    let mut kept = BytesMut::with_capacity(picture.len());
    Boxes::new(picture.len() as u64, true).pass(picture, &mut kept);
    let mut places = Places { left: kept.len(), found: Vec::new() };
    let mut names = Vec::new();
    let mut rest = 0..kept.len();
    while rest.len() >= HEAD {
        let (name, contents) = next(&kept, &mut rest)?;
        if name == b"meta" {
            items(&kept, contents, &mut places, &mut names)?;
        }
    }
    for name in names {
        kept[name..name + 4].copy_from_slice(NOTHING);
    }
    for place in places.found {
        kept[place].fill(0);
    }
    (kept.len() == picture.len()).then(|| kept.freeze())
}

/// What is to be blanked.
struct Places {
    /// How many bytes may still be: no more than the file has.
    left: usize,
    found: Vec<Range<usize>>,
}

impl Places {
    fn add(&mut self, place: Range<usize>) -> Option<()> {
        self.left = self.left.checked_sub(place.len())?;
        self.found.push(place);
        (self.found.len() <= MAX_PLACES).then_some(())
    }
}

/// Adds where data about the picture are, and where boxes of such data are called something else from here on.
fn items(file: &[u8], within: Range<usize>, places: &mut Places, names: &mut Vec<usize>) -> Option<()> {
    // Behind a version and flags.
    let mut rest = within.start.checked_add(4)?..within.end;
    let (mut about, mut located, mut own) = (HashSet::new(), None, 0..0);
    while rest.len() >= HEAD {
        let (name, contents) = next(file, &mut rest)?;
        match name {
            b"iinf" => about.extend(described(file, contents)?),
            b"iloc" => located = Some(contents),
            b"idat" => own = contents,
            b"xml " | b"bxml" | b"uuid" | b"udta" | b"free" | b"skip" => {
                names.push(contents.start - 4);
                places.add(contents)?;
            }
            _ => {}
        }
    }
    located.map_or(Some(()), |located| locate(file.get(located)?, file.len(), &own, &about, places))
}

/// The ids of the items that are data about the picture.
fn described(file: &[u8], within: Range<usize>) -> Option<Vec<u32>> {
    let count = if *file.get(within.start)? == 0 { 2 } else { 4 };
    let mut rest = within.start + 4 + count..within.end;
    let mut about = Vec::new();
    while rest.len() >= HEAD {
        let (name, contents) = next(file, &mut rest)?;
        if name != b"infe" {
            continue;
        }
        let mut entry = Rest(file.get(contents)?);
        let version = entry.number(1)?;
        entry.number(3)?;
        let id = entry.number(if version < 3 { 2 } else { 4 })?;
        entry.number(2)?;
        // Before its second version, only what isn't a picture was described so.
        if version < 2 || ABOUT.iter().any(|kind| entry.0.starts_with(*kind)) {
            about.push(u32::try_from(id).ok()?);
        }
    }
    Some(about)
}

/// Adds where these items are.
fn locate(located: &[u8], length: usize, own: &Range<usize>, about: &HashSet<u32>, places: &mut Places) -> Option<()> {
    let mut rest = Rest(located);
    let version = rest.number(1)?;
    rest.number(3)?;
    let sizes = rest.number(2)?;
    let size = |nth: u32| usize::try_from((sizes >> (12 - 4 * nth)) & 15).ok().filter(|size| [0, 4, 8].contains(size));
    let (offsets, lengths, bases) = (size(0)?, size(1)?, size(2)?);
    let indexes = if version == 0 { 0 } else { size(3)? };
    let wide = if version < 2 { 2 } else { 4 };
    for _ in 0..rest.number(wide)? {
        let id = u32::try_from(rest.number(wide)?).ok()?;
        let how = if version == 0 { 0 } else { rest.number(2)? & 15 };
        let is_elsewhere = rest.number(2)? != 0;
        let base = rest.number(bases)?;
        let mut extents = Rest(rest.take(usize::try_from(rest.peek(2)?).ok()? * (indexes + offsets + lengths) + 2)?);
        extents.number(2)?;
        if !about.contains(&id) || is_elsewhere {
            continue;
        }
        let within = match how {
            0 => 0..length,
            1 => own.clone(),
            // In other items: no camera writes it so.
            _ => return None,
        };
        while !extents.0.is_empty() {
            extents.number(indexes)?;
            let begin = within.start.checked_add(usize::try_from(base.checked_add(extents.number(offsets)?)?).ok()?)?;
            let end = begin.checked_add(usize::try_from(extents.number(lengths)?).ok()?)?;
            if begin < end.min(within.end) {
                places.add(begin..end.min(within.end))?;
            }
        }
    }
    Some(())
}

/// The next box's name and what is in it. `None`: it can't be told.
fn next<'f>(file: &'f [u8], rest: &mut Range<usize>) -> Option<(&'f [u8; 4], Range<usize>)> {
    let mut bytes = Rest(file.get(rest.clone())?);
    let length = bytes.number(4)?;
    let name = bytes.take(4)?.first_chunk()?;
    let (own, total) = match length {
        0 => (8, rest.len()),
        1 => (16, usize::try_from(bytes.number(8)?).ok()?),
        length => (8, usize::try_from(length).ok()?),
    };
    let total = total.min(rest.len());
    let contents = rest.start + own..rest.start + total;
    rest.start += total;
    (total >= own).then_some((name, contents))
}

/// What wasn't read yet.
struct Rest<'f>(&'f [u8]);

impl<'f> Rest<'f> {
    fn take(&mut self, count: usize) -> Option<&'f [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of so many bytes; of none, 0.
    fn number(&mut self, bytes: usize) -> Option<u64> {
        let taken = self.take(bytes)?;
        Some(taken.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn peek(&self, bytes: usize) -> Option<u64> {
        Rest(self.0).number(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::boxes::tests::named;
    use super::*;

    /// An item: its id, and what it is.
    fn described(version: u8, id: u8, kind: [u8; 4]) -> Vec<u8> {
        let id: &[u8] = if version == 3 { &[0, 0, 0, id] } else { &[0, id] };
        named(*b"infe", &[&[version, 0, 0, 0], id, &[0, 0], &kind, b"\0"])
    }

    /// A picture with Exif data and XMP behind it, and text within its descriptions.
    fn picture(version: u8) -> Vec<u8> {
        let items = [described(2, 1, *b"hvc1"), described(version, 2, *b"Exif"), described(2, 3, *b"mime")].concat();
        let build = |begin: u32| {
            let place = |id: u8, how: u8, offset: u32, length: u32| {
                let [offset, length] = [offset, length].map(u32::to_be_bytes);
                [&[0, id, 0, how, 0, 0, 0, 1][..], &offset, &length].concat()
            };
            let places = [place(1, 0, begin, 60), place(2, 0, begin + 60, 10), place(3, 1, 2, 9)].concat();
            let iloc = named(*b"iloc", &[&[1, 0, 0, 0, 0x44, 0, 0, 3], &places]);
            let meta = [
                named(*b"hdlr", &[b"\0\0\0\0\0\0\0\0pict"]),
                named(*b"iinf", &[&[0, 0, 0, 0, 0, 3], &items]),
                iloc,
                named(*b"idat", &[b"##by Ann xm##"]),
                named(*b"xml ", &[b"\0\0\0\0by Ann"]),
            ];
            [named(*b"ftyp", &[b"heic\0\0\0\0mif1heic"]), named(*b"meta", &[&[0; 4], &meta.concat()])].concat()
        };
        let begin = u32::try_from(build(0).len() + 8).expect("it is small");
        [build(begin), named(*b"mdat", &[&[9; 60], b"GPS,by Ann"]), named(*b"mpvd", &[b"by Ann moves"])].concat()
    }

    #[test]
    fn what_is_about_a_picture_is_blanked_and_the_picture_stays_where_it_is() {
        for version in [2, 3] {
            let picture = picture(version);
            let kept = without_metadata(&picture.clone().into()).expect("a picture");
            assert_eq!(kept.len(), picture.len());
            assert!(!kept.windows(6).any(|at| at == b"by Ann"));
            let at = |bytes: &[u8]| bytes.windows(60).position(|at| at == [9; 60]);
            assert_eq!(at(&kept), at(&picture));
            assert!(kept.windows(4).any(|at| at == b"##\0\0") && kept.windows(3).any(|at| at == b"\0##"));
            assert_eq!(without_metadata(&kept), Some(kept.clone()), "there is nothing more to blank");
        }
    }

    #[test]
    fn what_lies_about_places_and_lengths_is_refused_or_blanked_and_nothing_panics() {
        let picture = picture(2);
        for at in 0..picture.len() - 4 {
            let _ = without_metadata(&picture[..at].to_vec().into());
            for lie in [0, 1, 2, 7, 8, 0xffff, u32::MAX, 0x8000_0000, 0x0088_0888] {
                let mut lying = picture.clone();
                lying[at..at + 4].copy_from_slice(&u32::to_be_bytes(lie));
                let kept = without_metadata(&lying.into());
                assert!(kept.is_none_or(|kept| kept.len() == picture.len()), "{at} {lie}");
            }
        }
    }

    #[test]
    fn places_without_number_cost_no_more_than_the_file_is_long() {
        // Items without number of 65,535 places each that have no bytes, and one item that is everywhere.
        let items = named(*b"iinf", &[&[0, 0, 0, 0, 0, 1], &described(2, 2, *b"Exif")]);
        let endless = [0, 2, 0, 0, 0, 0, 0xff, 0xff].repeat(60_000);
        let everywhere =
            [&[0, 2, 0, 0, 0, 0, 0xff, 0xff][..], &[0, 0, 0, 0, 0, 0xff, 0xff, 0xff].repeat(65_535)].concat();
        for (sizes, places) in [(0_u8, endless), (0x44, everywhere)] {
            let iloc = named(*b"iloc", &[&[1, 0, 0, 0, sizes, 0, 0xea, 0x60], &places]);
            let meta = named(*b"meta", &[&[0; 4], &items, &iloc]);
            let file = [named(*b"ftyp", &[b"heic\0\0\0\0heic"]), meta].concat();
            let kept = without_metadata(&file.clone().into());
            assert!(kept.is_none_or(|kept| kept.len() == file.len()));
        }
    }
}
