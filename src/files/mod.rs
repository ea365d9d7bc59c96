//! Where files are kept, by one path for a directory and for S3-compatible storage; and what is found out about a file while it
//! comes in.
//!
//! | File | Holds |
//! |---|---|
//! | [`open()`] | the storage that the settings name |
//! | [`connector`] | requests to S3-compatible storage |
//! | [`links`] | links that let their holder send or fetch one file |
//! | [`kind`] | what a file is, by its bytes |
//! | [`picture`] | cutting metadata, bounds, smaller pictures |
//! | [`gif`], [`jpeg`], [`webp`] | what a GIF, a JPEG and a WebP are made of |
//! | [`boxes`], [`heif`] | what films, sounds, HEIC and AVIF are made of |
//! | [`receive`] | a file as it comes in: what it is, and keeping it |
//! | [`incoming`] | its bytes: how many, and how fast |
//! | [`storage`] | what is read, deleted and listed |

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::Semaphore;

mod boxes;
mod connector;
mod gif;
mod heif;
mod incoming;
mod jpeg;
mod kind;
mod links;
mod open;
mod picture;
mod receive;
mod storage;
mod webp;

pub use kind::Kind;
pub use links::{Links, Right};
pub use open::{FilesError, S3Settings, open};
pub use picture::Thumbnails;
pub use receive::{ReceiveError, Received};
pub use storage::{Storage, is_full};

/// What is fetched of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The file itself.
    Whole,
    /// A picture of at most so many pixels on either side: one of [`Thumbnails::SIDES`].
    Thumbnail(u32),
}

/// The files of this server.
pub struct Files {
    /// Where they are kept.
    pub storage: Storage,
    /// What lets somebody send or fetch a file.
    pub links: Links,
    /// The most bytes of a file.
    pub max_bytes: u64,
    /// KiB of memory that files may hold while they come in.
    memory: Semaphore,
    /// How many files may come in at a time.
    streams: Semaphore,
    /// How many pictures are decoded at a time.
    workers: Arc<Semaphore>,
    /// How many files wait for either of the first two.
    waiting: AtomicUsize,
}

/// KiB of memory that files may hold while they come in.
const MEMORY_KIB: usize = 256 * 1024;

/// How many files come in at a time; others wait before their bytes are read.
const STREAMS: usize = 64;

/// How many pictures are decoded at a time.
const WORKERS: usize = 2;

impl Files {
    /// Files in this storage.
    #[must_use]
    pub fn new(storage: Storage, links: Links, max_bytes: u64) -> Self {
        let (memory, streams) = (Semaphore::new(MEMORY_KIB), Semaphore::new(STREAMS));
        Self {
            storage,
            links,
            max_bytes,
            memory,
            streams,
            workers: Arc::new(Semaphore::new(WORKERS)),
            waiting: AtomicUsize::new(0),
        }
    }
}
