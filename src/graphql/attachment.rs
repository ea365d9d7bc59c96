//! Files.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::values::scalars::DateTime;
use crate::chat::attachment::Announced;
use crate::limits::PerUser;
use crate::store::entity::attachment;

/// A file that belongs to a message, or will.
pub(crate) struct Attachment(pub attachment::Model);

/// How far a file is.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "attachment::AttachmentState")]
pub enum AttachmentState {
    /// It was announced, and is to be sent.
    Waiting,
    /// It is there.
    Ready,
}

/// A file that belongs to a message, or will.
#[Object]
impl Attachment {
    /// The file's id.
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// What its owner calls it, without folders.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Its media type, found out from its bytes. `application/octet-stream` until it is there, and where it isn't known.
    async fn content_type(&self) -> &str {
        &self.0.content_type
    }

    /// Its bytes: of a picture without what was cut of it, such as where it was taken. Until it is there, those that were
    /// announced.
    async fn size(&self) -> i32 {
        let size = if self.0.state == attachment::AttachmentState::Ready { self.0.size } else { self.0.declared_size };
        i32::try_from(size).unwrap_or(i32::MAX)
    }

    /// Of a picture: its pixels from left to right, as it is to be shown.
    async fn width(&self) -> Option<i32> {
        self.0.width
    }

    /// Of a picture: its pixels from top to bottom, as it is to be shown.
    async fn height(&self) -> Option<i32> {
        self.0.height
    }

    /// Of a picture: its [ThumbHash](https://evanw.github.io/thumbhash/) in base64, to be shown until the picture is there.
    async fn thumbhash(&self) -> Option<String> {
        use base64::Engine;
        self.0.thumbhash.as_ref().map(|hash| base64::engine::general_purpose::STANDARD.encode(hash))
    }

    /// How far it is.
    async fn state(&self) -> AttachmentState {
        self.0.state.into()
    }

    /// Where it is fetched, relative to this API's address. Whoever has the link can fetch it, for one to two hours and no longer
    /// than the message, its room and its author's account are there. The path stays the same: cache by it, and ask for the
    /// message again for another link. Null until it is there.
    async fn url(&self, ctx: &Context<'_>) -> Option<String> {
        ctx.chat().attachment_url(&self.0, None)
    }

    /// As `url`, for the smallest picture that has so many pixels from left to right or top to bottom. Null for what is no
    /// picture.
    async fn thumbnail_url(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 320, desc = "How many pixels are needed. There are pictures of 320 and 1,280.")] max_pixels: i32,
    ) -> Option<String> {
        self.0.width?;
        ctx.chat().attachment_url(&self.0, Some(u32::try_from(max_pixels).unwrap_or_default()))
    }
}

/// A file that is to be sent.
#[derive(InputObject)]
pub(crate) struct UploadInput {
    /// What it is called; folders are left out. At most 255 bytes.
    #[graphql(secret)]
    name: String,
    /// How many bytes it has: exactly so many are to be sent.
    size: i32,
    /// What the client takes it for. Nobody relies on that: the type is found out from the bytes.
    content_type: Option<String>,
    /// Its SHA-256 in hexadecimal. What doesn't have it isn't kept.
    sha256: Option<String>,
}

/// A header to send.
#[derive(SimpleObject)]
pub(crate) struct UploadHeader {
    /// Its name.
    name: String,
    /// Its value.
    value: String,
}

/// Where a file is to be sent.
#[derive(SimpleObject)]
pub(crate) struct CreateUploadPayload {
    /// The file, which isn't there yet.
    attachment: Attachment,
    /// Where its bytes are to be sent, relative to this API's address. Whoever has the link can send it, once.
    upload_url: String,
    /// By which method.
    method: String,
    /// With which headers.
    headers: Vec<UploadHeader>,
    /// Until when. A file that isn't posted is deleted a day after it was announced.
    expires_at: DateTime,
}

/// Files.
#[derive(Default)]
pub(crate) struct AttachmentMutation;

#[Object]
impl AttachmentMutation {
    /// Announces a file. Send its bytes to `uploadUrl`, then post it with `postMessage(attachmentIds:)`.
    ///
    /// Errors: `BAD_USER_INPUT` for a name that can't be, and for more bytes than a file may have; `CONFLICT` when the viewer has
    /// announced as much within a day as a user may; `FORBIDDEN` with `FILES_OFF` where the server keeps no files.
    async fn create_upload(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file.")] input: UploadInput,
    ) -> Result<CreateUploadPayload, ApiError> {
        let UploadInput { name, size, content_type: _, sha256 } = input;
        let announced = Announced::parse(&name, size.into(), sha256.as_deref())?;
        let viewer = ctx.charge(PerUser::Uploads).await?;
        let (row, upload_url, expires_at) = ctx.chat().create_upload(viewer, announced).await?;
        let headers = vec![UploadHeader { name: "Content-Type".into(), value: row.content_type.clone() }];
        Ok(CreateUploadPayload {
            attachment: Attachment(row),
            upload_url,
            method: "PUT".into(),
            headers,
            expires_at: expires_at.into(),
        })
    }
}
