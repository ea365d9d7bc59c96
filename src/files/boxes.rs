//! What films, sounds and HEIC pictures are made of ([ISO/IEC 14496-12](https://www.iso.org/standard/83102.html), and
//! [`QuickTime`](https://developer.apple.com/documentation/quicktime-file-format)): boxes with a length and a name, some within
//! others. What tells of their maker is blanked where it stands, because the boxes say at which byte of the file others are.

use bytes::{BufMut, BytesMut};

/// What a box is called that holds nothing.
pub(super) const NOTHING: &[u8; 4] = b"free";

/// The boxes that a file is made of; all others are blanked, and what can't be told to be one.
const OUTERMOST: [&[u8; 4]; 16] = [
    b"ftyp", b"styp", b"pdin", b"moov", b"moof", b"mfra", b"sidx", b"ssix", b"mdat", b"imda",
    // Of JPEG XL and JPEG 2000.
    b"JXL ", b"jxlc", b"jxlp", b"jP  ", b"jp2h", b"jp2c",
];

/// Boxes that are looked into.
const LOOKED_INTO: [&[u8; 4]; 5] = [b"moov", b"trak", b"mdia", b"moof", b"traf"];

/// What is blanked within others: what users or programs have added, such as the place, and what nobody reads.
const BLANKED: [&[u8; 4]; 7] = [b"udta", b"meta", b"uuid", b"free", b"skip", b"prft", b"emsg"];

/// Boxes that begin with when what they speak of was made and altered.
const DATED: [&[u8; 4]; 3] = [b"mvhd", b"tkhd", b"mdhd"];

/// How many bytes of these are looked at: a version, flags, and two times of at most 8 bytes.
const DATES: usize = 20;

/// How deep boxes are looked into.
const DEPTH: usize = 6;

/// Passes a file on, as many bytes as there were, without what tells of its maker.
pub(super) struct Boxes {
    /// How many bytes are still to come of the file, of a box in it that is looked into, of one in that, and so on.
    within: Vec<u64>,
    /// The beginning of a box, as far as it has come.
    head: Vec<u8>,
    /// How many bytes of the present box are still to come.
    left: u64,
    /// Whether they are passed on.
    is_kept: bool,
    /// Whether the file is a picture, which [`super::heif`] looks into.
    is_picture: bool,
}

impl Boxes {
    /// A file of so many bytes.
    pub(super) fn new(size: u64, is_picture: bool) -> Self {
        Self { within: vec![size], head: Vec::new(), left: 0, is_kept: false, is_picture }
    }

    /// Passes on what comes next. The beginning of a box is held back until it is whole.
    pub(super) fn pass(&mut self, mut bytes: &[u8], kept: &mut BytesMut) {
        while !bytes.is_empty() {
            if self.left == 0 {
                bytes = self.begin(bytes, kept);
                continue;
            }
            let count = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (present, later) = bytes.split_at(count);
            if self.is_kept {
                kept.put_slice(present);
            } else {
                kept.put_bytes(0, count);
            }
            self.left -= count as u64;
            bytes = later;
        }
    }

    /// Reads the beginning of the next box, and puts it once it is whole. Returns what comes behind it.
    fn begin<'b>(&mut self, bytes: &'b [u8], kept: &mut BytesMut) -> &'b [u8] {
        let Some(outer) = self.within.last().copied() else {
            // Behind the file's end; no such bytes are taken.
            return &[];
        };
        if outer < 8 && self.head.is_empty() {
            // Too little for another box.
            self.within.pop();
            (self.left, self.is_kept) = (outer, false);
            return bytes;
        }
        let missing = self.needed(outer) - self.head.len();
        let (present, later) = bytes.split_at(missing.min(bytes.len()));
        self.head.extend_from_slice(present);
        if self.head.len() == self.needed(outer) {
            self.put(outer, kept);
        }
        later
    }

    /// How many bytes of the beginning of a box are needed, by those that are there.
    fn needed(&self, outer: u64) -> usize {
        let head = &self.head;
        let own = own(head, outer);
        let is_dated = head.len() >= own && DATED.iter().any(|dated| head[4..8] == **dated);
        match total(head, outer).filter(|_| is_dated) {
            Some(total) if total >= (own + DATES) as u64 => own + DATES,
            _ => own,
        }
    }

    /// Puts the beginning of a box.
    fn put(&mut self, outer: u64, kept: &mut BytesMut) {
        let mut head = std::mem::take(&mut self.head);
        let depth = self.within.len();
        let Some(total) = total(&head, outer) else {
            // What comes here can't be told: it becomes one box without anything.
            self.take(outer);
            kept.put_u32(u32::try_from(outer).unwrap_or(0));
            kept.put_slice(NOTHING);
            kept.put_bytes(0, head.len() - 8);
            (self.left, self.is_kept) = (outer - head.len() as u64, false);
            return;
        };
        self.take(total);
        let is = |name: &&[u8; 4]| head[4..8] == **name;
        let is_blanked = if depth > 1 {
            BLANKED.iter().any(is)
        } else {
            !(OUTERMOST.iter().any(is) || self.is_picture && is(&b"meta"))
        };
        let is_looked_into = !is_blanked && depth < DEPTH && LOOKED_INTO.iter().any(is);
        if is_blanked {
            head[4..8].copy_from_slice(NOTHING);
        }
        let own = own(&head, outer);
        if let Some(version) = head.get(own).copied() {
            head[own + 4..own + if version == 0 { 12 } else { DATES }].fill(0);
        }
        kept.put_slice(&head);
        let rest = total - head.len() as u64;
        if is_looked_into {
            self.within.push(rest);
        } else {
            (self.left, self.is_kept) = (rest, !is_blanked);
        }
    }

    /// So many bytes belong to a box of their own.
    fn take(&mut self, count: u64) {
        if let Some(outer) = self.within.last_mut() {
            *outer -= count;
        }
    }
}

/// How many bytes a box's length and name have, by those that are there.
fn own(head: &[u8], outer: u64) -> usize {
    if head.len() >= 8 && head.starts_with(&1_u32.to_be_bytes()) && outer >= 16 { 16 } else { 8 }
}

/// How many bytes the box has that begins so; no more than there are. `None`: it is none.
fn total(head: &[u8], outer: u64) -> Option<u64> {
    let (total, own) = match u32::from_be_bytes(*head.first_chunk()?) {
        0 => (outer, 8),
        1 => (u64::from_be_bytes(*head.get(8..)?.first_chunk()?), 16),
        length => (length.into(), 8),
    };
    (total >= own).then(|| total.min(outer))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A box of this name, with these in it.
    pub(in crate::files) fn named(name: [u8; 4], contents: &[&[u8]]) -> Vec<u8> {
        let contents = contents.concat();
        let length = u32::try_from(8 + contents.len()).expect("it is small");
        [&length.to_be_bytes()[..], &name, &contents].concat()
    }

    /// The same with a length of eight bytes.
    fn long(name: [u8; 4], contents: &[u8]) -> Vec<u8> {
        [&1_u32.to_be_bytes()[..], &name, &(16 + contents.len() as u64).to_be_bytes(), contents].concat()
    }

    /// What comes out where so many bytes come at a time.
    fn passed(file: &[u8], at_a_time: usize) -> BytesMut {
        let (mut boxes, mut kept) = (Boxes::new(file.len() as u64, false), BytesMut::new());
        for bytes in file.chunks(at_a_time) {
            boxes.pass(bytes, &mut kept);
        }
        kept
    }

    /// When something was made and altered, and what else is said of it.
    fn dated(name: [u8; 4], version: u8) -> Vec<u8> {
        let times = if version == 0 { 8 } else { 16 };
        named(name, &[&[version, 0, 0, 1], &vec![0xd7; times], &[3; 24]])
    }

    /// A film as telephones make them.
    fn film() -> Vec<u8> {
        let place = named(*b"udta", &[&named(*b"\xa9xyz", &[b"\0\x12\x15\xc7+52.5+013.4/by Ann"]), &[0; 4]]);
        let keys = named(*b"meta", &[b"\0\0\0\0 com.apple.quicktime.location.ISO6709 by Ann"]);
        let media = named(*b"mdia", &[&dated(*b"mdhd", 1), &named(*b"minf", &[&[5; 40]]), &keys]);
        let track = named(*b"trak", &[&dated(*b"tkhd", 0), &media, &place, &named(*b"uuid", &[b"by Ann"])]);
        let moov = named(*b"moov", &[&dated(*b"mvhd", 0), &track, &place, &keys, b"\0\0\0"]);
        let fragment = named(*b"moof", &[&named(*b"traf", &[&named(*b"tfhd", &[&[7; 9]]), &keys])]);
        [
            named(*b"ftyp", &[b"isom\0\0\0\0isom"]),
            named(*b"uuid", &[b"0123456789abcdef<x:xmpmeta>by Ann"]),
            named(*b"free", &[b"by Ann"]),
            long(*b"mdat", &[9; 50]),
            moov,
            fragment,
            long(*b"Xtra", b"by Ann"),
            named(*b"mdat", &[&[8; 50]]),
            b"by Ann, which is no box".to_vec(),
        ]
        .concat()
    }

    #[test]
    fn what_tells_of_the_maker_of_a_film_is_blanked_where_it_stands_however_it_comes() {
        let film = film();
        let kept = passed(&film, film.len());
        assert_eq!(kept.len(), film.len());
        for told in [&b"by Ann"[..], b"xmp", b"52.5", b"ISO6709", &[0xd7]] {
            assert!(!kept.windows(told.len()).any(|at| at == told), "{told:?}");
        }
        for shown in [&[9; 50][..], &[8; 50], &[5; 40], &[7; 9], &[3; 24], b"isom", b"moov", b"trak", b"mdhd"] {
            let count = |file: &[u8]| file.windows(shown.len()).filter(|at| *at == shown).count();
            assert_eq!((count(&kept), count(&kept) > 0), (count(&film), true), "{shown:?}");
        }
        for at_a_time in 1..40 {
            assert_eq!(passed(&film, at_a_time), kept, "{at_a_time} at a time");
        }
        assert_eq!(passed(&kept, 7), kept, "there is nothing more to blank");
    }

    #[test]
    fn what_lies_about_its_lengths_keeps_its_length_and_nothing_panics() {
        let film = film();
        for at in 0..film.len() - 4 {
            for lie in [0, 1, 2, 7, 8, 9, 27, 28, u32::MAX, 0x8000_0000] {
                let mut lying = film.clone();
                lying[at..at + 4].copy_from_slice(&u32::to_be_bytes(lie));
                assert_eq!(passed(&lying, 11).len(), film.len(), "{at} {lie}");
            }
        }
        // Boxes in boxes, deeper than anybody looks.
        let mut deep = named(*b"udta", &[b"by Ann"]);
        for _ in 0..2_000 {
            deep = named(*b"moov", &[&deep]);
        }
        assert_eq!(passed(&deep, 1_000).len(), deep.len());
    }
}
