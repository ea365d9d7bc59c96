//! What a client supplies of a message: its text, and the client's own name for it.

use sha2::{Digest, Sha256};

use crate::chat::{Argument, Error};

/// Message text: trimmed, 1 to [`Body::MAX_BYTES`] bytes of UTF-8.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(pub(super) String);

impl Body {
    /// The most bytes of UTF-8 in a message.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Takes text as it came in.
    ///
    /// # Errors
    /// [`Error::Invalid`] when nothing is left after trimming, it is too long, or it holds a NUL, which PostgreSQL
    /// can't keep.
    pub fn parse(text: String) -> Result<Self, Error> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(Error::invalid(Argument::Body, "must not be empty"));
        }
        if trimmed.len() > Self::MAX_BYTES {
            let problem = format!("is {} bytes long; at most {} are allowed", trimmed.len(), Self::MAX_BYTES);
            return Err(Error::invalid(Argument::Body, problem));
        }
        if trimmed.contains('\0') {
            return Err(Error::invalid(Argument::Body, "must not contain a NUL character"));
        }
        Ok(Self(if trimmed.len() == text.len() { text } else { trimmed.to_owned() }))
    }

    /// The first eight bytes of the text's SHA-256.
    pub(super) fn digest(&self) -> i64 {
        let digest = Sha256::digest(self.0.as_bytes());
        i64::from_be_bytes(std::array::from_fn(|n| digest[n]))
    }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_trimmed_and_measured() {
        assert!(Body::parse(" hello ".to_owned()).is_ok_and(|body| body.0 == "hello"));
        for wrong in ["", " \n ", "a\0b", &"x".repeat(Body::MAX_BYTES + 1)] {
            assert!(matches!(Body::parse(wrong.to_owned()), Err(Error::Invalid { argument: Argument::Body, .. })));
        }
        assert!(Body::parse("x".repeat(Body::MAX_BYTES)).is_ok());
    }
}
