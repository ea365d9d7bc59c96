//! Pictures: what of them tells of their maker is cut, and smaller ones are made.

use std::io::Cursor;

use bytes::{BufMut, Bytes};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use img_parts::png::Png;

use super::{gif, heif, jpeg, webp};

/// The most pixels of a picture.
const MAX_PIXELS: u64 = 50_000_000;

/// The most bytes that decoding a picture takes.
const MAX_ALLOC: u64 = 256 * 1024 * 1024;

/// The largest picture, in pixels on either side, that a thumbhash is made of.
const HASHED: u32 = 100;

/// How good smaller pictures are, of 100.
const QUALITY: u8 = 80;

/// Which smaller pictures there are of a picture, as its row has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thumbnails(pub i16);

impl Thumbnails {
    /// Their sizes: so many pixels at most on either side.
    pub const SIDES: [u32; 2] = [320, 1_280];
    /// They are PNG, because something shines through, and else JPEG.
    const IS_PNG: i16 = 4;

    /// The smallest that has so many pixels. `None`: only the picture itself does.
    #[must_use]
    pub fn of_at_least(self, pixels: u32) -> Option<u32> {
        Self::SIDES.iter().zip([1, 2]).find(|(side, bit)| **side >= pixels && self.0 & bit != 0).map(|(side, _)| *side)
    }

    /// Their media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        if self.0 & Self::IS_PNG == 0 { "image/jpeg" } else { "image/png" }
    }
}

/// A picture as it is kept.
#[derive(Default)]
pub(super) struct Picture {
    /// Its bytes, without metadata.
    pub(super) bytes: Bytes,
    /// Its size as it is to be shown, in pixels.
    pub(super) size: Option<(u32, u32)>,
    pub(super) thumbhash: Option<Vec<u8>>,
    pub(super) thumbnails: Thumbnails,
    /// The smaller pictures, by their size.
    pub(super) smaller: Vec<(u32, Bytes)>,
}

/// Why a picture isn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// It has too many pixels.
    #[error("a picture may have at most 50,000,000 pixels")]
    TooManyPixels,
    /// It isn't whole.
    #[error("this begins like a picture, and is none that can be read")]
    Unreadable,
}

impl Picture {
    /// Looks into these bytes. Takes as long as decoding does, and memory within [`MAX_ALLOC`].
    ///
    /// # Errors
    /// When it isn't taken.
    pub(super) fn read(bytes: Bytes, format: ImageFormat) -> Result<Self, PictureError> {
        let mut reader = ImageReader::with_format(Cursor::new(bytes.clone()), format);
        let mut limits = Limits::default();
        limits.max_alloc = Some(MAX_ALLOC);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(|error| refusal(&error))?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(PictureError::TooManyPixels);
        }
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let kept = without_metadata(bytes, format, orientation).ok_or(PictureError::Unreadable)?;
        let turned = matches!(
            orientation,
            Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
        );
        let size = Some(if turned { (height, width) } else { (width, height) });
        let picture = Self { bytes: kept, size, ..Self::default() };
        // What is well-formed and still can't be decoded, or only with more memory, has no smaller pictures.
        match DynamicImage::from_decoder(decoder) {
            Ok(whole) => Ok(picture.with_smaller(whole, orientation)),
            Err(_) => Ok(picture),
        }
    }

    /// Looks into a picture made of boxes, and no further than at these.
    ///
    /// # Errors
    /// When it isn't taken.
    pub(super) fn read_boxes(bytes: &Bytes) -> Result<Self, PictureError> {
        let bytes = heif::without_metadata(bytes).ok_or(PictureError::Unreadable)?;
        Ok(Self { bytes, ..Self::default() })
    }

    /// Of the whole picture no other is made in its size: two of the largest fill the memory that there is for them.
    fn with_smaller(mut self, whole: DynamicImage, orientation: Orientation) -> Self {
        let longer = whole.width().max(whole.height());
        let [.., largest] = Thumbnails::SIDES;
        let mut decoded = within(whole, largest);
        decoded.apply_orientation(orientation);
        let is_png = decoded.color().has_alpha() && decoded.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX);
        for (side, bit) in Thumbnails::SIDES.into_iter().zip([1, 2]).rev() {
            if longer <= side {
                continue;
            }
            decoded = within(decoded, side);
            if let Some(bytes) = encoded(&decoded, is_png) {
                self.thumbnails.0 |= bit | if is_png { Thumbnails::IS_PNG } else { 0 };
                self.smaller.push((side, bytes));
            }
        }
        let small = decoded.thumbnail(HASHED.min(decoded.width()), HASHED.min(decoded.height())).to_rgba8();
        let (width, height) = (small.width() as usize, small.height() as usize);
        self.thumbhash = Some(thumbhash::rgba_to_thumb_hash(width, height, small.as_raw()));
        self
    }
}

/// The picture with so many pixels at most on either side.
fn within(picture: DynamicImage, side: u32) -> DynamicImage {
    if picture.width().max(picture.height()) <= side { picture } else { picture.thumbnail(side, side) }
}

fn refusal(error: &ImageError) -> PictureError {
    if matches!(error, ImageError::Limits(_)) { PictureError::TooManyPixels } else { PictureError::Unreadable }
}

fn encoded(picture: &DynamicImage, is_png: bool) -> Option<Bytes> {
    let mut bytes = Cursor::new(Vec::new());
    let written = if is_png {
        picture.to_rgba8().write_to(&mut bytes, ImageFormat::Png)
    } else {
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, QUALITY);
        picture.to_rgb8().write_with_encoder(encoder)
    };
    written.ok().map(|()| bytes.into_inner().into())
}

/// The same picture, with nothing in it but what it takes to show it: without the place and time, the camera, the text and
/// smaller copies of it. How it is to be turned stays. `None`: its parts can't be told.
fn without_metadata(bytes: Bytes, format: ImageFormat, orientation: Orientation) -> Option<Bytes> {
    match format {
        ImageFormat::Jpeg => jpeg::without_metadata(&bytes, exif(orientation).as_deref()),
        ImageFormat::Png => {
            let mut png = Png::from_bytes(bytes).ok()?;
            png.chunks_mut().retain(|chunk| PNG_CHUNKS.contains(&&chunk.kind()));
            if let Some(turn) = exif(orientation) {
                // After the first chunk, which says how large it is.
                png.chunks_mut().insert(1, img_parts::png::PngChunk::new(*b"eXIf", turn.into()));
            }
            Some(png.encoder().bytes())
        }
        ImageFormat::WebP => webp::without_metadata(&bytes, exif(orientation).as_deref()),
        ImageFormat::Gif => gif::without_metadata(&bytes),
        _ => None,
    }
}

/// Chunks of a PNG without which it would be shown otherwise.
const PNG_CHUNKS: [&[u8; 4]; 17] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"bKGD",
    b"hIST", b"pHYs", b"acTL", b"fcTL", b"fdAT",
];

/// Exif data that says nothing but how a picture is to be turned. `None`: not at all.
fn exif(orientation: Orientation) -> Option<Vec<u8>> {
    if orientation == Orientation::NoTransforms {
        return None;
    }
    let mut tiff = Vec::new();
    tiff.put_slice(b"II*\0");
    tiff.put_u32_le(8);
    tiff.put_u16_le(1);
    // Tag 0x112 is the orientation, one number of two bytes.
    tiff.put_u16_le(0x112);
    tiff.put_u16_le(3);
    tiff.put_u32_le(1);
    tiff.put_u16_le(orientation.to_exif().into());
    tiff.put_u16_le(0);
    tiff.put_u32_le(0);
    Some(tiff)
}

#[cfg(test)]
mod tests {
    use img_parts::jpeg::{Jpeg, JpegSegment, markers};
    use img_parts::riff::{RiffChunk, RiffContent};
    use img_parts::webp::WebP;

    use super::*;

    fn low(number: u32) -> u8 {
        number.to_le_bytes()[0]
    }

    fn encode(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([low(x), low(y), 7]));
        DynamicImage::ImageRgb8(picture).write_to(&mut bytes, format).expect("it is encoded");
        bytes.into_inner()
    }

    /// A camera's metadata: how the picture is to be turned, and who made it.
    fn camera() -> Vec<u8> {
        let mut tiff = exif(Orientation::Rotate90).expect("a turn");
        tiff.extend_from_slice(b"GPS 52.5 13.4, by Ann");
        tiff
    }

    #[test]
    fn the_metadata_of_each_format_goes_and_the_picture_stays_turned() {
        let jpeg = encode(1_400, 700, ImageFormat::Jpeg);
        let mut jpeg = Jpeg::from_bytes(jpeg.into()).expect("a JPEG");
        let app1 = [&b"Exif\0\0"[..], &camera()].concat();
        jpeg.segments_mut().insert(0, JpegSegment::new_with_contents(markers::APP1, app1.into()));
        jpeg.segments_mut().insert(1, JpegSegment::new_with_contents(markers::COM, Bytes::from_static(b"by Ann")));
        jpeg.segments_mut().insert(2, JpegSegment::new_with_contents(markers::APP13, Bytes::from_static(b"by Ann")));
        let mut png = Png::from_bytes(encode(1_400, 700, ImageFormat::Png).into()).expect("a PNG");
        png.chunks_mut().insert(1, img_parts::png::PngChunk::new(*b"eXIf", camera().into()));
        png.chunks_mut().insert(1, img_parts::png::PngChunk::new(*b"tEXt", Bytes::from_static(b"Author\0by Ann")));
        for (format, bytes) in [(ImageFormat::Jpeg, jpeg.encoder().bytes()), (ImageFormat::Png, png.encoder().bytes())]
        {
            assert!(bytes.windows(6).any(|text| text == b"by Ann"));
            let picture = Picture::read(bytes, format).expect("a picture");
            assert!(!picture.bytes.windows(6).any(|text| text == b"by Ann"), "{format:?}");
            assert_eq!(picture.size, Some((700, 1_400)), "{format:?}");
            let again = Picture::read(picture.bytes.clone(), format).expect("still a picture");
            assert_eq!((again.size, again.bytes), (picture.size, picture.bytes), "{format:?}");
            assert_eq!(picture.thumbnails, Thumbnails(3));
            let sides: Vec<u32> = picture.smaller.iter().map(|(side, _)| *side).collect();
            assert_eq!(sides, [1_280, 320]);
            assert!(picture.thumbhash.is_some_and(|hash| hash.len() < 40));
        }
    }

    #[test]
    fn metadata_of_a_webp_goes_and_its_flags_say_so() {
        let webp = encode(20, 10, ImageFormat::WebP);
        let mut webp = WebP::from_bytes(webp.into()).expect("a WebP");
        let flags = [0b1100, 0, 0, 0, 19, 0, 0, 9, 0, 0];
        let data = |bytes: &[u8]| RiffContent::Data(Bytes::copy_from_slice(bytes));
        webp.chunks_mut().insert(0, RiffChunk::new(*b"VP8X", data(&flags)));
        webp.chunks_mut().push(RiffChunk::new(*b"XMP ", data(b"by Ann")));
        webp.chunks_mut().push(RiffChunk::new(*b"EXIF", data(&camera())));
        let picture = Picture::read(webp.encoder().bytes(), ImageFormat::WebP).expect("a picture");
        assert!(!picture.bytes.windows(6).any(|text| text == b"by Ann"));
        let kept = WebP::from_bytes(picture.bytes).expect("a WebP");
        let flags = kept.chunk_by_id(*b"VP8X").and_then(|chunk| chunk.content().data()).expect("flags");
        assert_eq!(flags[0] & 0b0100, 0);
        assert_eq!(flags[0] & 0b1000 != 0, kept.has_chunk(*b"EXIF"));
        assert_eq!(picture.thumbnails, Thumbnails(0));
    }

    #[test]
    fn what_would_take_too_much_memory_is_refused_before_it_is_decoded() {
        let mut bomb = encode(1, 1, ImageFormat::Png);
        // The size stands behind the signature, a length and a name; a checksum follows.
        bomb[16..20].copy_from_slice(&50_000_u32.to_be_bytes());
        bomb[20..24].copy_from_slice(&50_000_u32.to_be_bytes());
        let mut sum = flate2::Crc::new();
        sum.update(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&sum.sum().to_be_bytes());
        let refused = Picture::read(bomb.into(), ImageFormat::Png).err();
        assert_eq!(refused, Some(PictureError::TooManyPixels));
        let cut = encode(100, 100, ImageFormat::Jpeg)[..20].to_vec();
        assert_eq!(Picture::read(cut.into(), ImageFormat::Jpeg).err(), Some(PictureError::Unreadable));
    }
}
