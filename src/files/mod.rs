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
//! | [`receive`] | a file as it comes in |

use std::sync::Arc;

use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt};
use tokio::sync::Semaphore;

use crate::ids::ObjectId;

mod connector;
mod kind;
mod links;
mod open;
mod picture;
mod receive;

pub use kind::Kind;
pub use links::{Links, Right};
pub use open::{FilesError, S3Settings, open};
pub use picture::Thumbnails;
pub use receive::{ReceiveError, Received};

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
    store: Arc<dyn ObjectStore>,
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
    pub fn new(store: Arc<dyn ObjectStore>, links: Links, max_bytes: u64) -> Self {
        let (memory, streams) = (Semaphore::new(MEMORY_KIB), Semaphore::new(STREAMS));
        Self { store, links, max_bytes, memory, streams, workers: Arc::new(Semaphore::new(WORKERS)) }
    }

    /// What is in the storage of this object, or the bytes from the first up to the second of it.
    ///
    /// # Errors
    /// When it isn't there, or the storage fails.
    pub async fn get(
        &self,
        object: ObjectId,
        variant: Variant,
        range: Option<std::ops::Range<u64>>,
    ) -> Result<GetResult, object_store::Error> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        self.store.get_opts(&path(object, variant), options).await
    }

    /// Deletes this object and its smaller pictures, as far as they are there.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn delete(&self, object: ObjectId) -> Result<(), object_store::Error> {
        let smaller = Thumbnails::SIDES.map(Variant::Thumbnail);
        for variant in smaller.into_iter().chain([Variant::Whole]) {
            match self.store.delete(&path(object, variant)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Every object that is in this storage, and the names of what is there and is none.
///
/// # Errors
/// When the storage fails.
pub async fn listed(store: &dyn ObjectStore) -> Result<Vec<Result<ObjectId, String>>, object_store::Error> {
    let mut found = Vec::new();
    let mut listed = store.list(None);
    while let Some(meta) = listed.next().await {
        let location = meta?.location;
        let name = location.filename().unwrap_or_default();
        let (id, variant) = name.split_once('-').map_or((name, None), |(id, variant)| (id, Some(variant)));
        match (id.parse(), variant) {
            (Ok(id), None) => found.push(Ok(ObjectId(id))),
            (Ok(_), Some(_)) => {}
            (Err(_), _) => found.push(Err(location.to_string())),
        }
    }
    Ok(found)
}

/// Where an object is: in one of 256 folders, because directories with very many files are slow.
fn path(object: ObjectId, variant: Variant) -> Path {
    let (folder, name) = (object.0.as_bytes()[15], object.0.simple());
    match variant {
        Variant::Whole => Path::from(format!("{folder:02x}/{name}")),
        Variant::Thumbnail(side) => Path::from(format!("{folder:02x}/{name}-{side}")),
    }
}
