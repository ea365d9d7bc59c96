//! What a client supplies of a message: its text, and the client's own name for it.

use sha2::{Digest, Sha256};

use crate::chat::{Argument, Error};
use crate::text::visible::is_visible;

/// Message text, in which something can be seen: 1 to [`Body::MAX_BYTES`] bytes of UTF-8, without control characters
/// (Unicode's category Cc) but line feed and tab. Marks of direction, joiners and line separators are none of them, and are
/// kept. Blank lines before and after it are cut, as are blanks behind the last line; those before the first are its
/// indentation.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(pub(super) String);

impl Body {
    /// The most bytes of UTF-8 in a message.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Takes text as it came in. Lines that end in CR LF end in LF afterwards.
    ///
    /// # Errors
    /// [`Error::Invalid`] when nothing of it can be seen, it is too long, or it holds control characters.
    pub fn parse(text: String) -> Result<Self, Error> {
        let text = if text.contains('\r') { text.replace("\r\n", "\n") } else { text };
        let trimmed = without_blank_lines(&text);
        if trimmed.is_empty() {
            return Err(Error::invalid(Argument::Body, "must not be empty"));
        }
        if !is_visible(trimmed) {
            return Err(Error::invalid(Argument::Body, "must have something that can be seen"));
        }
        if trimmed.len() > Self::MAX_BYTES {
            let problem = format!("is {} bytes long; at most {} are allowed", trimmed.len(), Self::MAX_BYTES);
            return Err(Error::invalid(Argument::Body, problem));
        }
        if trimmed.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err(Error::invalid(
                Argument::Body,
                "must not hold control characters other than newlines and tabs",
            ));
        }
        Ok(Self(if trimmed.len() == text.len() { text } else { trimmed.to_owned() }))
    }

    /// As [`Self::parse`], of a message with files, which may say nothing.
    ///
    /// # Errors
    /// As [`Self::parse`], but for a blank text.
    pub fn parse_beside_files(text: String) -> Result<Self, Error> {
        if text.trim().is_empty() { Ok(Self(String::new())) } else { Self::parse(text) }
    }

    /// The first eight bytes of the SHA-256 of the text without the indentation of its first line, which was cut once:
    /// what was posted then and is posted again is the same text.
    pub(super) fn digest(&self) -> i64 {
        let digest = Sha256::digest(self.0.trim_start().as_bytes());
        i64::from_be_bytes(std::array::from_fn(|n| digest[n]))
    }
}

fn without_blank_lines(text: &str) -> &str {
    let text = text.trim_end();
    let indented = text.len() - text.trim_start().len();
    let first_line = text[..indented].rfind('\n').map_or(0, |end| end + 1);
    &text[first_line..]
}

/// The author's own name for a message: 1 to [`ClientId::MAX_BYTES`] bytes. Posting again under the same name in the
/// same room returns the first message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(pub(super) String);

impl ClientId {
    /// The most bytes of UTF-8 in a client id.
    pub const MAX_BYTES: usize = 64;

    /// Takes text as it came in.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is empty, too long, or holds control characters.
    pub fn parse(text: String) -> Result<Self, Error> {
        if text.is_empty() || text.len() > Self::MAX_BYTES || text.chars().any(char::is_control) {
            let problem = format!("must be 1 to {} bytes without control characters", Self::MAX_BYTES);
            return Err(Error::invalid(Argument::ClientId, problem));
        }
        Ok(Self(text))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_loses_blank_lines_around_it_and_no_indentation() {
        for (given, kept) in [
            (" hello ", " hello"),
            ("    code\n  more", "    code\n  more"),
            ("\n \t\r\n\tcode\n\n  more \n \n", "\tcode\n\n  more"),
            ("\u{3000}段落", "\u{3000}段落"),
        ] {
            assert!(Body::parse(given.to_owned()).is_ok_and(|body| body.0 == kept), "{given:?}");
        }
    }

    #[test]
    fn a_body_is_measured_and_shows_something() {
        for wrong in ["", " \n ", "a\0b", "\u{200b}\n\u{3164}", "\u{ffff}", &"x".repeat(Body::MAX_BYTES + 1)] {
            assert!(matches!(Body::parse(wrong.to_owned()), Err(Error::Invalid { argument: Argument::Body, .. })));
        }
        assert!(Body::parse("x".repeat(Body::MAX_BYTES)).is_ok());
    }

    #[test]
    fn a_body_holds_no_control_characters_but_newlines_and_tabs() {
        for control in (0..=0x9f).filter_map(char::from_u32).filter(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            let refused = Body::parse(format!("a{control}b"));
            assert!(matches!(refused, Err(Error::Invalid { argument: Argument::Body, .. })), "{control:?}");
        }
        for kept in ["a\n\tb", "a\u{2028}b", "\u{202b}שלום\u{202c}", "👩\u{200d}🚀", "a\u{ad}b", "a\u{feff}b"] {
            assert!(Body::parse(kept.to_owned()).is_ok_and(|body| body.0 == kept), "{kept:?}");
        }
        assert!(Body::parse("👩\u{200d}🚀\u{fe0f}".to_owned()).is_ok());
        assert!(Body::parse("a\r\nb\r\n".to_owned()).is_ok_and(|body| body.0 == "a\nb"));
    }
}
