//! A file as it comes in: looked into as far as it has to be, and kept.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::future::try_join;
use object_store::{ObjectStoreExt, PutPayload, PutPayloadMut};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::boxes::Boxes;
use super::incoming::{Incoming, Waits};
use super::kind::LOOKED_AT;
use super::picture::{Picture, PictureError};
use super::storage::{Parts, path};
use super::{Files, Kind, Thumbnails, Variant};
use crate::ids::ObjectId;

/// Of a file that is written in parts, how many are in memory: one comes in while the one before it is written.
const PARTS: u64 = 2;

/// Bytes that come together are kept as they came from so many on: less could hold much more memory than it fills.
const LARGE: usize = 16 * 1024;

/// Of less, so many bytes are put together.
const BLOCK: usize = 64 * 1024;

/// The most bytes of a picture: it is held in memory.
const MAX_PICTURE: u64 = 25 * 1024 * 1024;

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
        let _stream = self.room_in(&self.streams, 1).await?;
        let parts = PARTS * self.storage.part_size() as u64;
        let buffer = self.room_in(&self.memory, kib(announced.min(parts))).await?;
        let mut incoming = Incoming::new(body, announced, &self.waiting);
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
                let _whole = self.room_in(&self.memory, kib(announced)).await?;
                incoming.begin_window();
                while let Some(bytes) = incoming.next().await? {
                    beginning.extend_from_slice(&bytes);
                }
                self.keep_picture(object, beginning.freeze(), kind, incoming.sha256()).await
            }
            Kind::Film(media_type) | Kind::Other(media_type) => {
                let filter = matches!(kind, Kind::Film(_)).then(|| Boxes::new(announced, false));
                self.keep(object, beginning.freeze(), &mut incoming, filter).await?;
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

    async fn room_in<'s>(&self, room: &'s Semaphore, permits: u32) -> Result<SemaphorePermit<'s>, ReceiveError> {
        let _waits = Waits::among(&self.waiting);
        timeout(PATIENCE, room.acquire_many(permits)).await.ok().and_then(Result::ok).ok_or(ReceiveError::Busy)
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

    /// Keeps what has come and what is still to come, in parts: one is written while the next one comes in. What passes a filter
    /// is as many bytes as came.
    async fn keep<E, B: Stream<Item = Result<Bytes, E>> + Send + Unpin>(
        &self,
        object: ObjectId,
        beginning: Bytes,
        incoming: &mut Incoming<'_, B>,
        filter: Option<Boxes>,
    ) -> Result<(), ReceiveError> {
        let mut parts = Parts::new(&self.storage, path(object, Variant::Whole));
        let size = self.storage.part_size();
        let mut filling = Filling { size, filter, part: empty(), rest: Bytes::new() };
        filling.take(&beginning);
        let kept = async {
            let mut whole = None;
            let last = loop {
                let writing = async { Ok(parts.put_next(whole.take()).await?) };
                let (filled, ()) = try_join(filling.fill(incoming), writing).await?;
                incoming.begin_window();
                match filled {
                    Filled::Part(part) => whole = Some(part),
                    Filled::Last(part) => break part,
                }
            };
            Ok(parts.complete(last).await?)
        };
        let kept = kept.await;
        if kept.is_err() {
            parts.abort().await;
        }
        kept
    }
}

/// A part of a file, as it comes in. All but the last are of one size, as some services want them.
struct Filling {
    /// The bytes of a part.
    size: usize,
    filter: Option<Boxes>,
    part: PutPayloadMut,
    /// What has come and isn't in the part.
    rest: Bytes,
}

enum Filled {
    /// Others come behind it.
    Part(PutPayload),
    /// All is there with it. It may be empty.
    Last(PutPayload),
}

impl Filling {
    async fn fill<E, B: Stream<Item = Result<Bytes, E>> + Unpin>(
        &mut self,
        incoming: &mut Incoming<'_, B>,
    ) -> Result<Filled, ReceiveError> {
        loop {
            let room = self.size - self.part.content_length();
            let next = self.rest.split_to(room.min(self.rest.len()));
            if next.len() < LARGE {
                self.part.extend_from_slice(&next);
            } else {
                self.part.push(next);
            }
            if self.part.content_length() == self.size {
                return Ok(Filled::Part(self.taken()));
            }
            match incoming.next().await? {
                Some(bytes) => self.take(&bytes),
                None => return Ok(Filled::Last(self.taken())),
            }
        }
    }

    /// Takes what has come, where there is no rest.
    fn take(&mut self, bytes: &Bytes) {
        self.rest = match &mut self.filter {
            None => bytes.clone(),
            Some(filter) => {
                let mut passed = BytesMut::with_capacity(bytes.len());
                filter.pass(bytes, &mut passed);
                passed.freeze()
            }
        };
    }

    fn taken(&mut self) -> PutPayload {
        std::mem::replace(&mut self.part, empty()).freeze()
    }
}

fn empty() -> PutPayloadMut {
    PutPayloadMut::new().with_block_size(BLOCK)
}

/// The KiB that hold so many bytes.
fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}
