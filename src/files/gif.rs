//! What a GIF is made of ([its specification](https://www.w3.org/Graphics/GIF/spec-gif89a.txt)), for cutting what isn't shown.

use bytes::{BufMut, Bytes, BytesMut};

const IMAGE: u8 = 0x2c;
const EXTENSION: u8 = 0x21;
const TRAILER: u8 = 0x3b;

/// How long a picture is shown, and what shines through.
const GRAPHIC_CONTROL: u8 = 0xf9;
/// What some program has written.
const APPLICATION: u8 = 0xff;

/// The programs whose blocks say how often an animation begins again, by the same form.
const LOOPS: [&[u8]; 2] = [b"NETSCAPE2.0", b"ANIMEXTS1.0"];

/// The same GIF with its pictures, their times and how often they are shown: without comments, other programs' data such as
/// XMP, text, and what follows its end. `None`: its parts can't be told.
pub(super) fn without_metadata(gif: &Bytes) -> Option<Bytes> {
    let mut rest = Rest(gif);
    let mut kept = BytesMut::with_capacity(gif.len());
    let head = rest.take(13)?;
    kept.put_slice(head);
    kept.put_slice(rest.take(table(head[10]))?);
    loop {
        match rest.take(1) {
            Some([IMAGE]) => {
                let descriptor = rest.take(9)?;
                kept.put_u8(IMAGE);
                kept.put_slice(descriptor);
                kept.put_slice(rest.take(table(descriptor[8]))?);
                // The size of the codes, then the codes.
                kept.put_slice(rest.take(1)?);
                for codes in rest.parts()? {
                    put_part(&mut kept, codes);
                }
                kept.put_u8(0);
            }
            Some([EXTENSION]) => {
                let label = rest.take(1)?[0];
                put_extension(&mut kept, label, &rest.parts()?);
            }
            // Many programs leave out the end, and some write an end of parts too many.
            Some([0]) => {}
            None | Some([TRAILER]) => break,
            Some(_) => return None,
        }
    }
    kept.put_u8(TRAILER);
    Some(kept.freeze())
}

/// Puts what there is to keep of an extension.
fn put_extension(kept: &mut BytesMut, label: u8, parts: &[&[u8]]) {
    let parts: Vec<&[u8]> = match (label, parts) {
        (GRAPHIC_CONTROL, [control, ..]) if control.len() == 4 => vec![control],
        (APPLICATION, [program, data @ ..]) if LOOPS.contains(program) => {
            let Some(times) = data.iter().find(|part| part.len() == 3 && part[0] == 1) else { return };
            vec![program, times]
        }
        _ => return,
    };
    kept.put_slice(&[EXTENSION, label]);
    for part in parts {
        put_part(kept, part);
    }
    kept.put_u8(0);
}

fn put_part(kept: &mut BytesMut, part: &[u8]) {
    kept.put_u8(u8::try_from(part.len()).unwrap_or(u8::MAX));
    kept.put_slice(part);
}

/// How many bytes the table of colours has that these flags speak of.
fn table(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// What wasn't looked at yet.
struct Rest<'g>(&'g [u8]);

impl<'g> Rest<'g> {
    fn take(&mut self, count: usize) -> Option<&'g [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next part of a block's data, 1 to 255 bytes; none at its end.
    fn part(&mut self) -> Option<&'g [u8]> {
        let length = usize::from(self.take(1)?[0]);
        self.take(length)
    }

    fn parts(&mut self) -> Option<Vec<&'g [u8]>> {
        let mut parts = Vec::new();
        loop {
            match self.part()? {
                [] => return Some(parts),
                part => parts.push(part),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use image::codecs::gif::{GifDecoder, GifEncoder, Repeat};
    use image::{AnimationDecoder, Delay, Frame, Rgba, RgbaImage};

    use super::*;

    /// Three pictures of different colours, shown again and again.
    fn animation() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        encoder.set_repeat(Repeat::Infinite).expect("it repeats");
        for shade in [0, 100, 200] {
            let picture = RgbaImage::from_pixel(5, 4, Rgba([shade, 9, 9, 255]));
            let frame = Frame::from_parts(picture, 0, 0, Delay::from_numer_denom_ms(70, 1));
            encoder.encode_frame(frame).expect("it is encoded");
        }
        drop(encoder);
        bytes
    }

    /// What is shown, and for how long.
    fn shown(gif: &[u8]) -> Vec<(Vec<u8>, (u32, u32))> {
        let decoder = GifDecoder::new(std::io::Cursor::new(gif)).expect("a GIF");
        let frames = decoder.into_frames().collect_frames().expect("pictures");
        frames.iter().map(|frame| (frame.buffer().as_raw().clone(), frame.delay().numer_denom_ms())).collect()
    }

    #[test]
    fn what_is_shown_stays_and_nothing_else() {
        let plain = animation();
        assert_eq!(without_metadata(&plain.clone().into()).expect("a GIF"), plain);
        let at = 13 + table(plain[10]);
        let comment = b"\x21\xfe\x06by Ann\x03too\x00";
        let xmp = b"\x21\xff\x0bXMP DataXMP\x06by Ann\x00";
        let text = b"\x21\x01\x0c0123456789ab\x06by Ann\x00";
        let hidden = b"\x21\xff\x0bNETSCAPE2.0\x06by Ann\x03\x01\x00\x00\x00";
        for added in [&comment[..], xmp, text, &[&comment[..], &[0], xmp].concat()] {
            let gif = [&plain[..at], added, &plain[at..], b"by Ann, after the end"].concat();
            let kept = without_metadata(&gif.into()).expect("a GIF");
            assert_eq!(kept, plain);
        }
        let gif = [&plain[..at], hidden, &plain[at..plain.len() - 1]].concat();
        let kept = without_metadata(&gif.into()).expect("a GIF");
        assert!(!kept.windows(6).any(|text| text == b"by Ann"));
        assert_eq!(shown(&kept), shown(&plain));
        assert!(kept.windows(11).any(|program| program == b"NETSCAPE2.0"));
    }

    #[test]
    fn one_that_is_cut_within_a_part_is_refused_and_nothing_panics() {
        let plain = animation();
        for length in 0..plain.len() {
            let cut = without_metadata(&plain[..length].to_vec().into());
            assert!(cut.is_none_or(|kept| kept.len() <= length + 1), "{length}");
        }
        assert_eq!(without_metadata(&plain[..plain.len() - 4].to_vec().into()), None);
    }
}
