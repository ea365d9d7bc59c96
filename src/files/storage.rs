//! The storage of files: what is read from it, deleted and listed there, in the same way whatever it is.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, GetResult, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};

use super::{Thumbnails, Variant};
use crate::ids::ObjectId;

/// The bytes of a part in a bucket: S3 takes none that are smaller, but the last.
const PART: usize = 5 * 1024 * 1024;

/// The bytes of a part in a directory: more are written no faster.
const SMALL_PART: usize = 1024 * 1024;

/// Where files are kept.
pub struct Storage {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The directory, if it is one.
    directory: Option<PathBuf>,
}

impl Storage {
    pub(super) fn directory(store: Arc<dyn ObjectStore>, path: &FilePath) -> Self {
        Self { store, directory: Some(path.to_owned()) }
    }

    pub(super) fn s3(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, directory: None }
    }

    /// The bytes of a part of a file that is written in parts.
    pub(super) fn part_size(&self) -> usize {
        if self.directory.is_some() { SMALL_PART } else { PART }
    }

    /// What there is of this object, or the bytes from the first up to the second of it.
    ///
    /// # Errors
    /// `NotFound` when the object isn't there, though the storage is; anything else when the storage fails.
    pub async fn get(&self, object: ObjectId, variant: Variant, range: Option<Range<u64>>) -> Result<GetResult, Error> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        match self.store.get_opts(&path(object, variant), options).await {
            Err(missing @ Error::NotFound { .. }) => {
                self.expect_there().await?;
                Err(missing)
            }
            found => found,
        }
    }

    /// Deletes this object and its smaller pictures, as far as they are there, and what a server that was killed has left of
    /// them.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn delete(&self, object: ObjectId) -> Result<(), Error> {
        let smaller = Thumbnails::SIDES.map(Variant::Thumbnail);
        for variant in smaller.into_iter().chain([Variant::Whole]) {
            let path = path(object, variant);
            match self.store.delete(&path).await {
                Ok(()) => {}
                // That nothing is there says nothing if the storage isn't there: what is in it would be kept for ever.
                Err(Error::NotFound { .. }) => self.expect_there().await?,
                Err(error) => return Err(error),
            }
            if let Some(directory) = &self.directory {
                // What isn't whole yet has this name, which is no object's.
                let begun = directory.join(format!("{path}#1"));
                match tokio::fs::remove_file(begun).await {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Every object that is there, and the names of what is there and is none.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn listed(&self) -> Result<Vec<Result<ObjectId, String>>, Error> {
        self.expect_there().await?;
        let mut found = Vec::new();
        let mut listed = self.store.list(None);
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

    /// Checks that the directory or bucket is there and lets this server in.
    ///
    /// # Errors
    /// When it doesn't; never `NotFound`, which would be said of an object.
    pub async fn expect_there(&self) -> Result<(), Error> {
        if let Some(directory) = &self.directory {
            return tokio::fs::read_dir(directory).await.map(drop).map_err(failed);
        }
        match self.store.list(None).next().await {
            Some(Err(error @ Error::NotFound { .. })) => Err(failed(error)),
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Ok(()),
        }
    }
}

/// An object that is written in parts, and is there once all are; or at once, if there is only one.
pub(super) struct Parts<'s> {
    store: &'s dyn ObjectStore,
    location: Path,
    upload: Option<Box<dyn MultipartUpload>>,
}

impl<'s> Parts<'s> {
    pub(super) fn new(storage: &'s Storage, location: Path) -> Self {
        Self { store: &*storage.store, location, upload: None }
    }

    /// Writes the next part, if there is one, behind which others come.
    pub(super) async fn put_next(&mut self, part: Option<PutPayload>) -> Result<(), Error> {
        let Some(part) = part else { return Ok(()) };
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => self.upload.insert(self.store.put_multipart(&self.location).await?),
        };
        upload.put_part(part).await
    }

    /// Writes the last part, which may be empty.
    pub(super) async fn complete(&mut self, last: PutPayload) -> Result<(), Error> {
        let Some(upload) = &mut self.upload else { return self.store.put(&self.location, last).await.map(drop) };
        // A part without bytes isn't taken everywhere.
        if last.content_length() > 0 {
            upload.put_part(last).await?;
        }
        upload.complete().await.map(drop)
    }

    /// Gives it up. Whether that can be done or not, the object isn't there.
    pub(super) async fn abort(self) {
        if let Some(mut upload) = self.upload {
            let _ = upload.abort().await;
        }
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic { store: "files", source: Box::new(error) }
}

/// Whether the storage failed because it is full.
#[must_use]
pub fn is_full(error: &Error) -> bool {
    let mut cause = Some(error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Where an object is: in one of 256 folders, because directories with very many files are slow.
pub(super) fn path(object: ObjectId, variant: Variant) -> Path {
    let (folder, name) = (object.0.as_bytes()[15], object.0.simple());
    match variant {
        Variant::Whole => Path::from(format!("{folder:02x}/{name}")),
        Variant::Thumbnail(side) => Path::from(format!("{folder:02x}/{name}-{side}")),
    }
}
