//! What a file is, by its bytes. What its owner says of it isn't asked.

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A picture that is looked into.
    Picture(image::ImageFormat),
    /// A picture made of boxes, by its media type, of which nothing but the boxes is looked at: HEIC, AVIF and the like.
    Boxed(&'static str),
    /// A film or a sound made of boxes, by its media type: MP4, `QuickTime` and the like.
    Film(&'static str),
    /// Anything else, by its media type.
    Other(&'static str),
}

/// How much of a file is looked at.
pub(super) const LOOKED_AT: usize = 8 * 1024;

/// What is known of a file of which nothing is known.
const UNKNOWN: &str = "application/octet-stream";

/// What a browser may show by itself: it can hold no script.
const SHOWN: [&str; 13] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "video/mp4",
    "video/webm",
    "audio/mpeg",
    "audio/ogg",
    "audio/opus",
    "audio/x-wav",
    "audio/m4a",
    "audio/aac",
    "audio/x-flac",
];

impl Kind {
    /// What a file is that begins so.
    #[must_use]
    pub fn of(beginning: &[u8]) -> Self {
        use image::ImageFormat::{Gif, Jpeg, Png, WebP};
        let found = infer::get(beginning).map(|found| found.mime_type());
        match found {
            Some("image/png") => Self::Picture(Png),
            Some("image/jpeg") => Self::Picture(Jpeg),
            Some("image/gif") => Self::Picture(Gif),
            Some("image/webp") => Self::Picture(WebP),
            Some(found) if has_boxes(beginning) && found.starts_with("image/") => Self::Boxed(found),
            // Some begin with other boxes, or with the film.
            Some(found) if has_boxes(beginning) || found == "video/quicktime" => Self::Film(found),
            Some(found) => Self::Other(found),
            None if has_boxes(beginning) && is_called_picture(beginning) => Self::Boxed(UNKNOWN),
            None if has_boxes(beginning) => Self::Film(UNKNOWN),
            None if is_text(beginning) => Self::Other("text/plain"),
            None => Self::Other(UNKNOWN),
        }
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Picture(format) => format.to_mime_type(),
            Self::Boxed(media_type) | Self::Film(media_type) | Self::Other(media_type) => media_type,
        }
    }

    /// As what a file of this media type is served: only what can hold no script keeps its name, and whether browsers show it.
    #[must_use]
    pub fn served(media_type: &str) -> (&'static str, bool) {
        SHOWN.iter().find(|shown| **shown == media_type).map_or((UNKNOWN, false), |shown| (*shown, true))
    }
}

/// Whether it begins with a box of those that say what a file is.
fn has_boxes(beginning: &[u8]) -> bool {
    beginning.get(4..8).is_some_and(|name| [&b"ftyp"[..], b"JXL ", b"jP  "].contains(&name))
}

/// Whether a file that begins with such a box calls itself a picture, by a name that `infer` doesn't know.
fn is_called_picture(beginning: &[u8]) -> bool {
    let names = beginning.get(8..64).unwrap_or(beginning.get(8..).unwrap_or_default()).chunks(4);
    names.into_iter().any(|name| PICTURES.iter().any(|picture| name == *picture))
}

/// What pictures made of boxes call themselves.
const PICTURES: [&[u8; 4]; 10] =
    [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"];

/// Whether it is UTF-8, perhaps cut in the middle of a character, without control characters.
fn is_text(beginning: &[u8]) -> bool {
    let text = match std::str::from_utf8(beginning) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&beginning[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.contains(|c: char| c.is_control() && !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_hold_no_script_is_shown_by_browsers() {
        for (bytes, media_type) in [
            (&b"<!DOCTYPE html><script>alert(1)</script>"[..], "text/html"),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>", "text/plain"),
            (b"<?xml version=\"1.0\"?><svg/>", "text/xml"),
            (b"%PDF-1.7\n", "application/pdf"),
            (b"hello", "text/plain"),
            (b"\x00\x01\x02", UNKNOWN),
            (b"", UNKNOWN),
        ] {
            let kind = Kind::of(bytes);
            assert_eq!(kind.media_type(), media_type);
            assert_eq!(Kind::served(kind.media_type()), (UNKNOWN, false), "{media_type}");
        }
        for (bytes, kind, is_shown) in [
            (&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], Kind::Boxed("image/heif"), false),
            (b"\0\0\0\x18ftypmif1\0\0\0\0avifmif1", Kind::Boxed("image/avif"), false),
            (b"\0\0\0\x18ftypheis\0\0\0\0heismif1", Kind::Boxed(UNKNOWN), false),
            (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", Kind::Film("video/mp4"), true),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", Kind::Film("video/quicktime"), false),
            (b"\0\0\0\x08wide\0\0\x10\0mdat....", Kind::Film("video/quicktime"), false),
            (b"\0\0\0\x18ftyp3gp4\0\0\0\x003gp43gp6", Kind::Film(UNKNOWN), false),
        ] {
            assert_eq!((Kind::of(bytes), Kind::served(kind.media_type()).1), (kind, is_shown));
        }
        assert_eq!(Kind::served(Kind::of(b"\x89PNG\r\n\x1a\n").media_type()), ("image/png", true));
    }
}
