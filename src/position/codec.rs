//! Cursors as clients see them: enciphered, because positions would tell everybody how much happens to others.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aes::Aes128;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use sha2::Sha256;

use super::{Cursor, Position, Tag};

mod list;

use list::ListKeys;

/// The first form: position and tag as they are. It is still read, see [`Resume::Unproven`], and no longer given out.
const PLAIN: u8 = 1;
const PLAIN_BYTES: usize = 1 + 8 + 4;

/// The present form: a salt, and one block that is enciphered under the salt.
const SEALED: u8 = 2;
const SALT_BYTES: usize = 8;
const BLOCK_BYTES: usize = 16;
const SEALED_BYTES: usize = 1 + SALT_BYTES + BLOCK_BYTES;

/// What the keys are for, so that the secret may serve other purposes as well.
const PURPOSE: &[u8] = b"parlor cursors, form 2";
const LISTS: &[u8] = b"parlor cursors of lists, form 2";

type Block = [u8; BLOCK_BYTES];

/// The text is not of a form that a server ever gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this server")]
pub struct InvalidCursor;

/// A cursor as text: base64url, of which the first byte is the form's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CursorText {
    /// The first form, which everybody can read and make.
    Plain(Cursor),
    /// The present form, which only [`CursorCodec`] reads and makes: the salt and the block.
    Sealed([u8; SALT_BYTES], Block),
}

/// Where a client asks to resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// At a cursor that this deployment gave out.
    At(Cursor),
    /// At a cursor that anybody can have made up. It counts only if the log holds the very event, and its maker must
    /// not learn anything else: telling which way it is wrong would lead them to the end of the log by bisection.
    Unproven(Cursor),
    /// At a cursor that nobody can read here: the token secret was another when it was given out.
    Unreadable,
}

/// A cursor that a client is about to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownCursor {
    /// Of an event that the client receives: the same text for all who receive it.
    Event(Cursor),
    /// Of the end of the log, which others move as well: another text each time.
    Moment(Cursor),
}

impl ShownCursor {
    /// The cursor.
    #[must_use]
    pub fn cursor(self) -> Cursor {
        match self {
            Self::Event(cursor) | Self::Moment(cursor) => cursor,
        }
    }
}

impl CursorText {
    /// A text of the present form that means nothing, for executions that several clients share.
    pub const NEUTRAL: Self = Self::Sealed([0; SALT_BYTES], [0; BLOCK_BYTES]);
}

impl fmt::Display for CursorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Plain(Cursor { position, tag }) => {
                let mut bytes = [PLAIN; PLAIN_BYTES];
                bytes[1..9].copy_from_slice(&position.0.to_be_bytes());
                bytes[9..].copy_from_slice(&tag.0.to_be_bytes()[4..]);
                URL_SAFE_NO_PAD.encode(bytes)
            }
            Self::Sealed(salt, block) => {
                let mut bytes = [SEALED; SEALED_BYTES];
                bytes[1..=SALT_BYTES].copy_from_slice(salt);
                bytes[1 + SALT_BYTES..].copy_from_slice(block);
                URL_SAFE_NO_PAD.encode(bytes)
            }
        };
        f.write_str(&text)
    }
}

impl FromStr for CursorText {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let mut bytes = [0; SEALED_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).map_err(|_| InvalidCursor)?;
        let (version, rest) = bytes[..length].split_first().ok_or(InvalidCursor)?;
        match (*version, length) {
            (PLAIN, PLAIN_BYTES) => read(rest).map(Self::Plain).ok_or(InvalidCursor),
            (SEALED, SEALED_BYTES) => {
                let (salt, block) = rest.split_first_chunk().ok_or(InvalidCursor)?;
                Ok(Self::Sealed(*salt, block.try_into().map_err(|_| InvalidCursor)?))
            }
            _ => Err(InvalidCursor),
        }
    }
}

/// The cursor that these bytes begin with: a position, then a tag.
fn read(bytes: &[u8]) -> Option<Cursor> {
    let (position, rest) = bytes.split_first_chunk()?;
    let position = Position(i64::from_be_bytes(*position));
    let tag = Tag::from(u32::from_be_bytes(*rest.first_chunk()?));
    (position >= Position::default()).then_some(Cursor { position, tag })
}

/// Enciphers and deciphers cursors, under keys that all nodes derive from the token secret. Has no `Debug`, so that the
/// keys are not logged. Cheap to clone.
///
/// A block holds a position, a tag, and zeros, by which a made-up block is recognised but for one in 2³². It is
/// enciphered by AES-128 as in XEX, with the enciphered salt as the mask
/// (<https://www.cs.ucdavis.edu/~rogaway/papers/offsets.pdf>, section 4).
#[derive(Clone)]
pub struct CursorCodec(Arc<Keys>);

struct Keys {
    blocks: Aes128,
    salts: Aes128,
    lists: ListKeys,
}

impl CursorCodec {
    /// The codec of all nodes with this secret.
    ///
    /// # Panics
    /// Never: the keys are within HKDF's bounds.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let (mut keys, mut lists) = ([[0; 16]; 2], [0; 32]);
        let secret = Hkdf::<Sha256>::new(None, secret);
        secret.expand(PURPOSE, keys.as_flattened_mut()).expect("two keys are fewer than 255 hashes");
        secret.expand(LISTS, &mut lists).expect("one hash is fewer than 255");
        let [blocks, salts] = keys.map(|key| Aes128::new(&Array::from(key)));
        Self(Arc::new(Keys { blocks, salts, lists: ListKeys::new(&lists) }))
    }

    /// The cursor of an event: the same text whoever asks, so that those who receive the event can share it. It differs
    /// from the texts of all other events in no way that could be foreseen.
    #[must_use]
    pub fn seal_event(&self, cursor: Cursor) -> CursorText {
        let mut seed = plain(cursor);
        // No mask is made from such a block.
        seed[BLOCK_BYTES - 1] = 1;
        let [salt @ .., _, _, _, _, _, _, _, _] = encrypt(&self.0.salts, seed);
        self.seal(cursor, salt)
    }

    /// Where the log stands at this moment: another text each time, so that nobody who asks twice can tell whether
    /// anything happened to others in between.
    #[must_use]
    pub fn seal_moment(&self, cursor: Cursor) -> CursorText {
        self.seal(cursor, getrandom::u64().unwrap_or_default().to_be_bytes())
    }

    /// The text of a cursor that a client is shown.
    #[must_use]
    pub fn seal_shown(&self, shown: ShownCursor) -> CursorText {
        match shown {
            ShownCursor::Event(cursor) => self.seal_event(cursor),
            ShownCursor::Moment(cursor) => self.seal_moment(cursor),
        }
    }

    /// Where a client asks to resume.
    #[must_use]
    pub fn open(&self, text: CursorText) -> Resume {
        match text {
            CursorText::Plain(cursor) => Resume::Unproven(cursor),
            CursorText::Sealed(salt, block) => {
                let mask = self.mask(salt);
                let mut block = Array::from(xor(block, mask));
                self.0.blocks.decrypt_block(&mut block);
                let found = xor(block.into(), mask);
                read(&found).filter(|cursor| plain(*cursor) == found).map_or(Resume::Unreadable, Resume::At)
            }
        }
    }

    /// The cursor of an item whose key in the list of this name is this text: the same text each time.
    #[must_use]
    pub fn seal_key(&self, list: &str, key: &str) -> String {
        self.0.lists.seal(list, key)
    }

    /// The key of an item in the list of this name. `None`: the text is no cursor of this list.
    #[must_use]
    pub fn open_key(&self, list: &str, text: &str) -> Option<String> {
        self.0.lists.open(list, text)
    }

    fn seal(&self, cursor: Cursor, salt: [u8; SALT_BYTES]) -> CursorText {
        let mask = self.mask(salt);
        CursorText::Sealed(salt, xor(encrypt(&self.0.blocks, xor(plain(cursor), mask)), mask))
    }

    fn mask(&self, salt: [u8; SALT_BYTES]) -> Block {
        let mut block = [0; BLOCK_BYTES];
        block[..SALT_BYTES].copy_from_slice(&salt);
        encrypt(&self.0.salts, block)
    }
}

/// The block that is enciphered.
fn plain(Cursor { position, tag }: Cursor) -> Block {
    let mut block = [0; BLOCK_BYTES];
    block[..8].copy_from_slice(&position.0.to_be_bytes());
    block[8..12].copy_from_slice(&tag.0.to_be_bytes()[4..]);
    block
}

fn encrypt(cipher: &Aes128, block: Block) -> Block {
    let mut block = Array::from(block);
    cipher.encrypt_block(&mut block);
    block.into()
}

fn xor(a: Block, b: Block) -> Block {
    std::array::from_fn(|n| a[n] ^ b[n])
}

#[cfg(test)]
mod tests;
