//! A file as it comes in: so many bytes and no other number, at a least rate, looked into as far as it has to be.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use super::boxes::Boxes;
use super::kind::LOOKED_AT;
use super::picture::{Picture, PictureError};
use super::storage::path;
use super::{Files, Kind, Thumbnails, Variant};
use crate::ids::ObjectId;

/// The bytes of a part: S3 takes none that are smaller, but the last.
const PART: usize = 5 * 1024 * 1024;

/// The most bytes of a picture: it is held in memory.
const MAX_PICTURE: u64 = 25 * 1024 * 1024;

/// How long it may take until the next [`LEAST`] bytes have come.
const WINDOW: Duration = Duration::from_secs(15);

/// How many bytes come within [`WINDOW`] at least: 16 KiB a second.
const LEAST: u64 = 240 * 1024;

/// How long a file waits until there is room for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// What was found out about a file that is kept.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its media type.
    pub media_type: &'static str,
    /// How many bytes are kept.
    pub size: u64,
    /// Of the bytes that came.
    pub sha256: Vec<u8>,
    /// Of a picture: its size as it is to be shown, in pixels.
    pub pixels: Option<(u32, u32)>,
    /// Of a picture: what to show until it is there.
    pub thumbhash: Option<Vec<u8>>,
    /// Of a picture: which smaller ones there are.
    pub thumbnails: Thumbnails,
}

/// Why a file isn't kept. Nothing of it is then, as far as the storage can be reached.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// More bytes came than were announced.
    #[error("this has more bytes than were announced")]
    TooLong,
    /// Fewer bytes came than were announced.
    #[error("this has fewer bytes than were announced")]
    TooShort,
    /// The connection broke.
    #[error("the connection was cut")]
    Cut,
    /// The bytes came too slowly.
    #[error("this came too slowly: at least 16 KiB a second are expected")]
    TooSlow,
    /// Too many files come in.
    #[error("too many files are being sent; try again later")]
    Busy,
    /// It begins like a picture, and has more bytes than one may have.
    #[error("a picture may have at most 26,214,400 bytes")]
    PictureTooLarge,
    /// It is a picture that isn't taken.
    #[error("{0}")]
    Picture(#[from] PictureError),
    /// The storage failed.
    #[error("the file can't be kept")]
    Storage(#[from] object_store::Error),
}

impl Files {
    /// Keeps the file that comes in, under this name.
    ///
    /// # Errors
    /// When it isn't kept; see [`ReceiveError`].
    pub async fn receive<E>(
        &self,
        object: ObjectId,
        announced: u64,
        body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    ) -> Result<Received, ReceiveError> {
        let _stream = patient(self.streams.acquire()).await?;
        let buffer = patient(self.memory.acquire_many(kib(announced.min(PART as u64)))).await?;
        let mut incoming = Incoming::new(body, announced);
        let mut beginning = BytesMut::new();
        while beginning.len() < LOOKED_AT {
            let Some(bytes) = incoming.next().await? else { break };
            beginning.extend_from_slice(&bytes);
        }
        let kind = Kind::of(&beginning[..beginning.len().min(LOOKED_AT)]);
        match kind {
            Kind::Picture(_) | Kind::Boxed(_) if announced > MAX_PICTURE => Err(ReceiveError::PictureTooLarge),
            Kind::Picture(_) | Kind::Boxed(_) => {
                drop(buffer);
                let _whole = patient(self.memory.acquire_many(kib(announced))).await?;
                incoming.begin_window();
                while let Some(bytes) = incoming.next().await? {
                    beginning.extend_from_slice(&bytes);
                }
                self.keep_picture(object, beginning.freeze(), kind, incoming.sha256()).await
            }
            Kind::Film(media_type) | Kind::Other(media_type) => {
                let filter = matches!(kind, Kind::Film(_)).then(|| Boxes::new(announced, false));
                self.keep(object, beginning, &mut incoming, filter).await?;
                Ok(Received {
                    media_type,
                    size: announced,
                    sha256: incoming.sha256(),
                    pixels: None,
                    thumbhash: None,
                    thumbnails: Thumbnails::default(),
                })
            }
        }
    }

    async fn keep_picture(
        &self,
        object: ObjectId,
        bytes: Bytes,
        kind: Kind,
        sha256: Vec<u8>,
    ) -> Result<Received, ReceiveError> {
        let _worker = self.workers.acquire().await.map_err(|_| ReceiveError::Busy)?;
        let read = tokio::task::spawn_blocking(move || match kind {
            Kind::Picture(format) => Picture::read(bytes, format),
            _ => Picture::read_boxes(&bytes),
        });
        let read = read.await;
        // A decoder that panics has come across a picture that it can't read.
        let picture = read.unwrap_or(Err(PictureError::Unreadable))?;
        let size = picture.bytes.len() as u64;
        self.storage.store.put(&path(object, Variant::Whole), picture.bytes.into()).await?;
        for (side, bytes) in picture.smaller {
            self.storage.store.put(&path(object, Variant::Thumbnail(side)), bytes.into()).await?;
        }
        Ok(Received {
            media_type: kind.media_type(),
            size,
            sha256,
            pixels: picture.size,
            thumbhash: picture.thumbhash,
            thumbnails: picture.thumbnails,
        })
    }

    /// Keeps what has come and what is still to come, in parts, of which one is in memory at a time. What passes a filter is as many
    /// bytes as came.
    async fn keep<E, B: Stream<Item = Result<Bytes, E>> + Send + Unpin>(
        &self,
        object: ObjectId,
        beginning: BytesMut,
        incoming: &mut Incoming<B>,
        mut filter: Option<Boxes>,
    ) -> Result<(), ReceiveError> {
        let location = path(object, Variant::Whole);
        let mut upload: Option<Box<dyn MultipartUpload>> = None;
        let mut take = |bytes: &[u8], part: &mut BytesMut| match &mut filter {
            Some(filter) => filter.pass(bytes, part),
            None => part.extend_from_slice(bytes),
        };
        let mut part = BytesMut::with_capacity(beginning.len());
        take(&beginning, &mut part);
        drop(beginning);
        let kept = async {
            while let Some(bytes) = incoming.next().await? {
                take(&bytes, &mut part);
                if part.len() >= PART {
                    let full = PutPayload::from(part.split().freeze());
                    let parts = match &mut upload {
                        Some(parts) => parts,
                        None => upload.insert(self.storage.store.put_multipart(&location).await?),
                    };
                    parts.put_part(full).await?;
                    incoming.begin_window();
                }
            }
            let last = PutPayload::from(part.split().freeze());
            match &mut upload {
                None => self.storage.store.put(&location, last).await.map(drop)?,
                Some(parts) => {
                    // A part without bytes isn't taken everywhere.
                    if last.content_length() > 0 {
                        parts.put_part(last).await?;
                    }
                    parts.complete().await?;
                }
            }
            Ok(())
        };
        let kept: Result<(), ReceiveError> = kept.await;
        if let (Err(_), Some(mut parts)) = (&kept, upload) {
            // Whether it can be given up or not, the file isn't kept.
            let _ = parts.abort().await;
        }
        kept
    }
}

/// The KiB that hold so many bytes.
fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

async fn patient<'s>(
    waiting: impl Future<Output = Result<SemaphorePermit<'s>, tokio::sync::AcquireError>>,
) -> Result<SemaphorePermit<'s>, ReceiveError> {
    timeout(PATIENCE, waiting).await.ok().and_then(Result::ok).ok_or(ReceiveError::Busy)
}

/// The bytes of a file as they come in.
struct Incoming<B> {
    body: B,
    /// How many are still to come.
    left: u64,
    digest: Sha256,
    /// Until when the rest of [`LEAST`] bytes is waited for.
    deadline: Instant,
    in_window: u64,
}

impl<B> Incoming<B> {
    fn new(body: B, announced: u64) -> Self {
        Self { body, left: announced, digest: Sha256::new(), deadline: Instant::now() + WINDOW, in_window: 0 }
    }

    /// What was waited for until now was not the client.
    fn begin_window(&mut self) {
        (self.deadline, self.in_window) = (Instant::now() + WINDOW, 0);
    }

    fn sha256(self) -> Vec<u8> {
        self.digest.finalize().to_vec()
    }
}

impl<E, B: Stream<Item = Result<Bytes, E>> + Unpin> Incoming<B> {
    /// The next bytes; `None` when there were as many as announced.
    async fn next(&mut self) -> Result<Option<Bytes>, ReceiveError> {
        let next = timeout_at(self.deadline, self.body.next()).await.map_err(|_| ReceiveError::TooSlow)?;
        let Some(bytes) = next else {
            return if self.left == 0 { Ok(None) } else { Err(ReceiveError::TooShort) };
        };
        let bytes = bytes.map_err(|_| ReceiveError::Cut)?;
        let count = bytes.len() as u64;
        self.left = self.left.checked_sub(count).ok_or(ReceiveError::TooLong)?;
        self.digest.update(&bytes);
        self.in_window += count;
        if self.in_window >= LEAST {
            self.begin_window();
        }
        Ok(Some(bytes))
    }
}
