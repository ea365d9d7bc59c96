//! What a JPEG is made of ([T.81, annex B](https://www.w3.org/Graphics/JPEG/itu-t81.pdf)), for cutting what isn't shown.

use bytes::{BufMut, Bytes, BytesMut};

const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP2: u8 = 0xe2;
const APP14: u8 = 0xee;

/// The same JPEG without what isn't needed to show it, before, between and after its scans; with this Exif data. `None`: its
/// parts can't be told.
pub(super) fn without_metadata(jpeg: &Bytes, exif: Option<&[u8]>) -> Option<Bytes> {
    let mut rest = jpeg.strip_prefix(&[0xff, START])?;
    let mut kept = BytesMut::with_capacity(jpeg.len());
    kept.put_slice(&[0xff, START]);
    if let Some(exif) = exif {
        put(&mut kept, APP1, &[&b"Exif\0\0"[..], exif])?;
    }
    let mut has_scan = false;
    while let Some(marker) = marker(&mut rest) {
        match marker {
            END => break,
            // These have no contents.
            0x01 | 0xd0..=START => continue,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
        let contents = rest.get(2..length)?;
        rest = rest.get(length..)?;
        match marker {
            // What follows is a smaller copy.
            APP0 if contents.starts_with(b"JFIF\0") => put(&mut kept, marker, &[contents.get(..12)?, &[0, 0]])?,
            APP2 if contents.starts_with(b"ICC_PROFILE\0") => put(&mut kept, marker, &[contents])?,
            APP14 if contents.starts_with(b"Adobe") => put(&mut kept, marker, &[contents.get(..12)?])?,
            SCAN => {
                put(&mut kept, marker, &[contents])?;
                let (codes, after) = rest.split_at(codes(rest));
                kept.put_slice(codes);
                (rest, has_scan) = (after, true);
            }
            // Frames, tables, and how often a scan can be entered.
            0xc0..=0xcf | 0xdb..=0xdf => put(&mut kept, marker, &[contents])?,
            _ => {}
        }
    }
    kept.put_slice(&[0xff, END]);
    has_scan.then(|| kept.freeze())
}

fn put(kept: &mut BytesMut, marker: u8, contents: &[&[u8]]) -> Option<()> {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    kept.put_slice(&[0xff, marker]);
    kept.put_u16(u16::try_from(length + 2).ok()?);
    for part in contents {
        kept.put_slice(part);
    }
    Some(())
}

/// The next marker, after bytes that mean nothing.
fn marker(rest: &mut &[u8]) -> Option<u8> {
    loop {
        let at = rest.iter().position(|byte| *byte == 0xff)?;
        let after = rest.get(at + 1..)?;
        let filled = after.iter().position(|byte| *byte != 0xff)?;
        let marker = after[filled];
        *rest = after.get(filled + 1..)?;
        if marker != 0 {
            return Some(marker);
        }
    }
}

/// How many bytes belong to a scan: up to the next marker that isn't within it.
fn codes(rest: &[u8]) -> usize {
    let is_end = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7);
    rest.windows(2).position(is_end).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageFormat, RgbImage};

    use super::*;

    fn plain() -> Bytes {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let picture = RgbImage::from_fn(70, 50, |x, y| image::Rgb([x.to_le_bytes()[0], y.to_le_bytes()[0], 7]));
        DynamicImage::ImageRgb8(picture).write_to(&mut bytes, ImageFormat::Jpeg).expect("it is encoded");
        bytes.into_inner().into()
    }

    fn pixels(jpeg: &[u8]) -> Vec<u8> {
        image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg).expect("a JPEG").to_rgb8().into_raw()
    }

    #[test]
    fn what_is_before_between_and_after_the_scans_goes_and_the_picture_stays() {
        let plain = plain();
        assert!(without_metadata(&plain, None).is_some_and(|kept| kept == plain));
        let comment = |marker: u8| [&[0xff, marker, 0, 8][..], b"by Ann"].concat();
        let (picture, end) = plain.split_at(plain.len() - 2);
        let second = [&b"\xff\xd8"[..], &comment(0xe1), b"\xff\xd9"].concat();
        for marker in [0xfe, 0xe0, 0xe1, 0xe2, 0xed, 0xee, 0xef, 0xf0, 0x02] {
            let before = [&picture[..2], &comment(marker), &picture[2..], end].concat();
            let between = [picture, &comment(marker), end].concat();
            let after = [picture, end, &comment(marker), &second].concat();
            for jpeg in [before, between, after] {
                let kept = without_metadata(&jpeg.into(), None).expect("a JPEG");
                assert!(!kept.windows(6).any(|text| text == b"by Ann"), "{marker:x}");
                assert_eq!(pixels(&kept), pixels(&plain), "{marker:x}");
            }
        }
    }

    #[test]
    fn a_smaller_copy_in_its_head_goes_and_nothing_panics_where_it_is_cut() {
        let plain = plain();
        let jfif = [&b"\xff\xe0\0\x19JFIF\0\x01\x02\0\0\x01\0\x01\x01\x03"[..], &[7; 9]].concat();
        let (head, tail) = plain.split_at(2);
        let kept = without_metadata(&[head, &jfif, tail].concat().into(), None).expect("a JPEG");
        assert!(!kept.windows(9).any(|copy| copy == [7; 9]));
        assert_eq!(pixels(&kept), pixels(&plain));
        for length in 0..plain.len() {
            let _ = without_metadata(&plain.slice(..length), Some(b"II*\0"));
        }
    }
}
