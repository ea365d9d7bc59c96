//! What a WebP is made of ([its specification](https://developers.google.com/speed/webp/docs/riff_container)), for cutting what
//! isn't shown.

use bytes::{BufMut, Bytes, BytesMut};

/// What else there is in the file, in its first byte; Exif data and XMP among it.
const FLAGS: &[u8; 4] = b"VP8X";
const HAS_EXIF: u8 = 0b1000;
const HAS_XMP: u8 = 0b0100;

/// One picture of an animation: where and for how long it is shown, then chunks of its own.
const FRAME: &[u8; 4] = b"ANMF";
const FRAME_HEAD: usize = 16;

/// The same WebP without what isn't needed to show it, and without what follows its end; with this Exif data, if it has a place
/// for it. `None`: its parts can't be told.
pub(super) fn without_metadata(webp: &Bytes, exif: Option<&[u8]>) -> Option<Bytes> {
    let size = u32::from_le_bytes(*webp.strip_prefix(b"RIFF")?.first_chunk()?);
    let within = webp.get(8..)?;
    let within = &within[..within.len().min(usize::try_from(size).ok()?)];
    let mut rest = within.strip_prefix(b"WEBP")?;
    let mut kept = BytesMut::with_capacity(webp.len());
    kept.put_slice(b"RIFF\0\0\0\0WEBP");
    let exif = exif.filter(|_| rest.starts_with(FLAGS));
    while !rest.is_empty() {
        let (name, contents) = chunk(&mut rest)?;
        match name {
            FLAGS => {
                let mut flags: [u8; 10] = *contents.first_chunk()?;
                flags[0] = flags[0] & !(HAS_EXIF | HAS_XMP) | if exif.is_some() { HAS_EXIF } else { 0 };
                put(&mut kept, *name, &flags)?;
            }
            // The colour behind the pictures, and how often they are shown.
            b"ANIM" => put(&mut kept, *name, contents.get(..6)?)?,
            FRAME => put(&mut kept, *name, &frame(contents)?)?,
            b"VP8 " | b"VP8L" | b"ALPH" | b"ICCP" => put(&mut kept, *name, contents)?,
            _ => {}
        }
    }
    if let Some(exif) = exif {
        put(&mut kept, *b"EXIF", exif)?;
    }
    let size = u32::try_from(kept.len() - 8).ok()?;
    kept[4..8].copy_from_slice(&size.to_le_bytes());
    Some(kept.freeze())
}

/// A picture of an animation, with nothing in it but the picture.
fn frame(contents: &[u8]) -> Option<BytesMut> {
    let (head, mut rest) = contents.split_at_checked(FRAME_HEAD)?;
    let mut kept = BytesMut::with_capacity(contents.len());
    kept.put_slice(head);
    while !rest.is_empty() {
        let (name, contents) = chunk(&mut rest)?;
        if matches!(name, b"VP8 " | b"VP8L" | b"ALPH") {
            put(&mut kept, *name, contents)?;
        }
    }
    Some(kept)
}

/// The next chunk's name and contents. `None`: it is cut.
fn chunk<'w>(rest: &mut &'w [u8]) -> Option<(&'w [u8; 4], &'w [u8])> {
    let (name, after) = rest.split_first_chunk::<4>()?;
    let (size, after) = after.split_first_chunk::<4>()?;
    let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
    let (contents, after) = after.split_at_checked(size)?;
    // A byte is between chunks where a size is odd; some programs leave it out at the end.
    *rest = after.get(size % 2..).unwrap_or_default();
    Some((name, contents))
}

fn put(kept: &mut BytesMut, name: [u8; 4], contents: &[u8]) -> Option<()> {
    kept.put_slice(&name);
    kept.put_u32_le(u32::try_from(contents.len()).ok()?);
    kept.put_slice(contents);
    if contents.len() % 2 == 1 {
        kept.put_u8(0);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use image::codecs::webp::WebPDecoder;
    use image::{AnimationDecoder, DynamicImage, ImageFormat, RgbaImage};

    use super::*;

    const SIDE: u8 = 9;

    /// The chunk of a picture of one colour.
    fn picture(shade: u8) -> BytesMut {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let picture = RgbaImage::from_pixel(SIDE.into(), SIDE.into(), image::Rgba([shade, 9, 9, 255]));
        DynamicImage::ImageRgba8(picture).write_to(&mut bytes, ImageFormat::WebP).expect("it is encoded");
        let whole = bytes.into_inner();
        let mut rest = &whole[12..];
        let mut kept = BytesMut::new();
        while !rest.is_empty() {
            let (name, contents) = chunk(&mut rest).expect("a chunk");
            if name == b"VP8L" {
                put(&mut kept, *name, contents).expect("it is small");
            }
        }
        kept
    }

    fn named(name: [u8; 4], contents: &[u8]) -> BytesMut {
        let mut kept = BytesMut::new();
        put(&mut kept, name, contents).expect("it is small");
        kept
    }

    fn whole(chunks: &[BytesMut]) -> Bytes {
        let chunks = [&b"WEBP"[..], &chunks.concat()].concat();
        named(*b"RIFF", &chunks).freeze()
    }

    fn flags(flags: u8) -> BytesMut {
        named(*FLAGS, &[flags, 0, 0, 0, SIDE - 1, 0, 0, SIDE - 1, 0, 0])
    }

    fn frame_of(chunks: &[BytesMut]) -> BytesMut {
        let head = [0, 0, 0, 0, 0, 0, SIDE - 1, 0, 0, SIDE - 1, 0, 0, 70, 0, 0, 0];
        named(*FRAME, &[&head[..], &chunks.concat()].concat())
    }

    /// What is shown, and for how long.
    fn shown(webp: &[u8]) -> Vec<(Vec<u8>, (u32, u32))> {
        let decoder = WebPDecoder::new(std::io::Cursor::new(webp)).expect("a WebP");
        let frames = decoder.into_frames().collect_frames().expect("pictures");
        frames.iter().map(|frame| (frame.buffer().as_raw().clone(), frame.delay().numer_denom_ms())).collect()
    }

    #[test]
    fn what_an_animation_shows_stays_and_nothing_else_in_it_or_in_its_pictures() {
        let loops = named(*b"ANIM", &[0; 6]);
        let plain = whole(&[flags(0b10), loops.clone(), frame_of(&[picture(3)]), frame_of(&[picture(200)])]);
        assert_eq!(without_metadata(&plain, None).expect("a WebP"), plain);
        let secret = || named(*b"mine", b"by Ann!");
        let more = [
            flags(0b1110),
            named(*b"ANIM", b"\0\0\0\0\0\0by Ann"),
            secret(),
            frame_of(&[secret(), picture(3), named(*b"EXIF", b"by Ann")]),
            frame_of(&[picture(200), secret()]),
            named(*b"XMP ", b"by Ann"),
            named(*b"EXIF", b"by Ann"),
        ];
        let more = [&whole(&more)[..], b"by Ann, behind it"].concat();
        let kept = without_metadata(&more.into(), None).expect("a WebP");
        assert_eq!(kept, plain);
        assert_eq!(shown(&kept).len(), 2);
        assert!(shown(&kept)[1].0[0] > 190, "as far as colours that shine through are exact");
        let turned = without_metadata(&plain, Some(b"II*\0")).expect("a WebP");
        assert!(turned.ends_with(b"EXIF\x04\0\0\0II*\0") && turned[20] == 0b1010);
        assert_eq!(shown(&turned), shown(&plain));
    }

    #[test]
    fn what_lies_about_its_lengths_is_refused_and_nothing_panics() {
        let webp = whole(&[flags(0b10), named(*b"ANIM", &[0; 6]), frame_of(&[picture(3)])]);
        for length in 0..webp.len() {
            let _ = without_metadata(&webp.slice(..length), Some(b"II*\0"));
            for at in [4, 16, 34, 48, 72].into_iter().filter(|at| at + 4 <= length) {
                for lie in [0, 1, u32::MAX, u32::MAX - 7, 0x8000_0000] {
                    let mut lying = BytesMut::from(&webp[..length]);
                    lying[at..at + 4].copy_from_slice(&lie.to_le_bytes());
                    let kept = without_metadata(&lying.freeze(), None);
                    assert!(kept.is_none_or(|kept| kept.len() <= length + 8), "{length} {at} {lie}");
                }
            }
        }
        let cut = webp[..webp.len() - 3].to_vec();
        assert_eq!(without_metadata(&cut.into(), None), None);
    }
}
