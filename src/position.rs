//! Places in the log, and the enciphered text by which clients name them.

use std::fmt;

use sea_orm::DeriveValueType;

mod codec;

pub use codec::{CursorCodec, CursorText, InvalidCursor, Resume, ShownCursor};

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

impl fmt::LowerHex for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a client stands in the log: it has seen everything up to `position`, which carried `tag`. Clients only see it
/// as [`CursorText`], because a position counts what happened to everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The last event that the client has seen.
    pub position: Position,
    /// That event's tag; 0 at position 0.
    pub tag: Tag,
}
