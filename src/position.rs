//! Places in the log, and the opaque text by which clients name them.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::DeriveValueType;

/// An event's place in the log: 1, 2, 3, without holes. 0 is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
#[sea_orm(try_from_u64)]
pub struct Position(pub i64);

impl Position {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The place before this one.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0 - 1)
    }
}

/// A random number that each event carries. It shows whether two events at one position are the same event; they are
/// not when the database was restored from an older copy and went on from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, DeriveValueType)]
pub struct Tag(i64);

impl From<u32> for Tag {
    fn from(number: u32) -> Self {
        Self(i64::from(number))
    }
}

/// Where a client stands in the log: it has seen everything up to `position`, which carried `tag`.
///
/// As text it is opaque and begins with a version, so that a later form can be distinguished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The last event that the client has seen.
    pub position: Position,
    /// That event's tag; 0 at position 0.
    pub tag: Tag,
}

/// The text is not a cursor that this server gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this server")]
pub struct InvalidCursor;

const VERSION: u8 = 1;
const BYTES: usize = 1 + 8 + 4;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [VERSION; BYTES];
        bytes[1..9].copy_from_slice(&self.position.0.to_be_bytes());
        bytes[9..].copy_from_slice(&self.tag.0.to_be_bytes()[4..]);
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let mut bytes = [0; BYTES];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(BYTES) if bytes[0] == VERSION => {}
            _ => return Err(InvalidCursor),
        }
        let [_, p0, p1, p2, p3, p4, p5, p6, p7, tag @ ..] = bytes;
        let position = i64::from_be_bytes([p0, p1, p2, p3, p4, p5, p6, p7]);
        if position < 0 {
            return Err(InvalidCursor);
        }
        Ok(Self { position: Position(position), tag: u32::from_be_bytes(tag).into() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(position in 0..i64::MAX, tag: u32) {
            let cursor = Cursor { position: Position(position), tag: tag.into() };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn any_other_text_is_refused(text in ".{0,40}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }

    #[test]
    fn a_cursor_of_another_version_is_refused() {
        let text = URL_SAFE_NO_PAD.encode([2; BYTES]);
        assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor));
    }
}
