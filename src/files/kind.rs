//! What a file is, by its bytes. What its owner says of it isn't asked.

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A picture that is looked into.
    Picture(image::ImageFormat),
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
            Some(found) => Self::Other(found),
            None if is_text(beginning) => Self::Other("text/plain"),
            None => Self::Other(UNKNOWN),
        }
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Picture(format) => format.to_mime_type(),
            Self::Other(media_type) => media_type,
        }
    }

    /// As what a file of this media type is served: only what can hold no script keeps its name, and whether browsers show it.
    #[must_use]
    pub fn served(media_type: &str) -> (&'static str, bool) {
        SHOWN.iter().find(|shown| **shown == media_type).map_or((UNKNOWN, false), |shown| (*shown, true))
    }
}

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
        assert_eq!(Kind::served(Kind::of(b"\x89PNG\r\n\x1a\n").media_type()), ("image/png", true));
    }
}
