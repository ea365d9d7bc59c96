//! Sending a file that was announced.
//!
//! Each attempt writes an object of its own, so that of two at once the slower one can't write over the file that is kept. A
//! row says that the object may be there, from before the first byte on.

use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use futures_util::Stream;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use crate::chat::change::{Alone, Change};
use crate::chat::{Argument, Chat, Error};
use crate::files::{ReceiveError, Received};
use crate::ids::{AttachmentId, ObjectId, UserId};
use crate::limits::count::Counts;
use crate::log::Append;
use crate::store::entity::attachment::{self, AttachmentState};
use crate::store::entity::{upload, user};

/// How many files one user sends at a time.
const AT_A_TIME: u32 = 4;

/// How old an attempt may be that ends well: the remains of older ones may be collected at any moment.
const OLDEST: TimeDelta = TimeDelta::hours(23);

/// How many files each user is sending.
pub struct Uploads(Counts<UserId>);

impl Default for Uploads {
    fn default() -> Self {
        Self(Counts::new(AT_A_TIME))
    }
}

/// Why a file wasn't taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// There is no such file to send.
    #[error(transparent)]
    Refused(#[from] Error),
    /// What came isn't kept.
    #[error(transparent)]
    NotReceived(#[from] ReceiveError),
    /// Another file was sent to this place.
    #[error("another file was sent here before")]
    Taken,
    /// It isn't the file that was announced.
    #[error("this has another SHA-256 than was announced")]
    Other,
    /// The user sends too many at a time.
    #[error("you are sending {AT_A_TIME} files already")]
    TooMany,
}

impl Chat {
    /// Takes the bytes of a file that was announced, from somebody who has the link for it. The same bytes again are taken as
    /// well, for who has lost the answer.
    ///
    /// # Errors
    /// When the file isn't kept; see [`UploadError`].
    pub async fn receive_upload<E>(
        &self,
        id: AttachmentId,
        body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    ) -> Result<attachment::Model, UploadError> {
        let files = self.files()?.clone();
        let announced = attachment::Entity::find_by_id(id).one(self.store.read()).await.map_err(Error::from)?;
        let announced = announced.filter(|row| row.deleted_at.is_none()).ok_or(NOT_FOUND)?;
        let _place = self.uploads.0.enter(announced.owner_id).ok_or(UploadError::TooMany)?;
        let object = self.change(BeginUpload { id }).await?;
        let size = u64::try_from(announced.declared_size).unwrap_or_default();
        let outcome = match files.receive(object, size, body).await {
            Err(error) => Err(error.into()),
            Ok(received) if announced_otherwise(&announced, &received) => Err(UploadError::Other),
            Ok(received) => {
                let sha256 = received.sha256.clone();
                match self.change(FinishUpload { id, object, received }).await {
                    Ok((row, true)) => return Ok(row),
                    Ok((row, false)) if row.sha256.as_ref() == Some(&sha256) => Ok(row),
                    Ok((_, false)) => Err(UploadError::Taken),
                    // Whether this object is the file isn't known: if it isn't, it is collected.
                    Err(error @ Error::Unknown(_)) => return Err(error.into()),
                    Err(error) => Err(error.into()),
                }
            }
        };
        // What fails here is collected later.
        match files.storage.delete(object).await {
            Ok(()) => drop(self.change(ForgetUpload { object }).await),
            // That the storage fails is told already.
            Err(_) if matches!(outcome, Err(UploadError::NotReceived(ReceiveError::Storage(_)))) => {}
            Err(error) => tracing::warn!(%object, %error, "what was uploaded in vain can't be deleted now"),
        }
        outcome
    }
}

/// No such file, or none that can still be sent.
const NOT_FOUND: Error = Error::NotFound { what: "attachment", argument: Argument::Id };

/// Of a file that is there already, the digest is that of its bytes.
fn announced_otherwise(announced: &attachment::Model, received: &Received) -> bool {
    announced.state == AttachmentState::Waiting && announced.sha256.as_ref().is_some_and(|it| *it != received.sha256)
}

/// Begin an attempt to send a file. The outcome is the object to write.
pub struct BeginUpload {
    id: AttachmentId,
}

impl Change for BeginUpload {
    type Outcome = ObjectId;
}

impl Alone for BeginUpload {
    async fn apply(&self, append: &mut Append) -> Result<ObjectId, Error> {
        expect_owned(append, self.id).await?;
        let object_id = ObjectId::generate();
        let row = upload::Model { object_id, attachment_id: self.id, begun_at: append.now(), is_kept: false };
        upload::Entity::insert(row.into_active_model()).exec_without_returning(append.tx()).await?;
        Ok(object_id)
    }
}

/// The file, unless it was deleted, or its owner is gone or switched off.
async fn expect_owned(append: &Append, id: AttachmentId) -> Result<attachment::Model, Error> {
    let row = attachment::Entity::find_by_id(id).one(append.tx()).await?;
    let row = row.filter(|row| row.deleted_at.is_none()).ok_or(NOT_FOUND)?;
    let owner = user::Entity::present().filter(user::Column::Id.eq(row.owner_id)).one(append.tx()).await?;
    owner.filter(|owner| owner.deactivated_at.is_none()).ok_or(NOT_FOUND)?;
    Ok(row)
}

/// Have the file be in this object, unless it is in another one. The outcome is the file, and whether it is.
pub struct FinishUpload {
    id: AttachmentId,
    object: ObjectId,
    received: Received,
}

impl Change for FinishUpload {
    type Outcome = (attachment::Model, bool);
}

impl Alone for FinishUpload {
    async fn apply(&self, append: &mut Append) -> Result<Self::Outcome, Error> {
        let row = expect_owned(append, self.id).await?;
        if row.state != AttachmentState::Waiting {
            return Ok((row, false));
        }
        let kept = upload::Entity::update_many()
            .col_expr(upload::Column::IsKept, Expr::value(true))
            .filter(upload::Column::ObjectId.eq(self.object))
            .filter(upload::Column::BegunAt.gt(append.now() - OLDEST))
            .exec(append.tx())
            .await?;
        if kept.rows_affected == 0 {
            return Err(NOT_FOUND);
        }
        let internal = |error: std::num::TryFromIntError| Error::Internal(Arc::new(error));
        let pixels = self.received.pixels.map(|(width, height)| Ok((i32::try_from(width)?, i32::try_from(height)?)));
        let (width, height) = pixels.transpose().map_err(internal)?.unzip();
        let mut row = row.into_active_model();
        row.state = Set(AttachmentState::Ready);
        row.content_type = Set(self.received.media_type.to_owned());
        row.size = Set(i64::try_from(self.received.size).map_err(internal)?);
        row.sha256 = Set(Some(self.received.sha256.clone()));
        (row.width, row.height) = (Set(width), Set(height));
        row.thumbhash = Set(self.received.thumbhash.clone());
        row.thumbnails = Set(self.received.thumbnails.0);
        row.object_id = Set(Some(self.object));
        Ok((row.update(append.tx()).await?, true))
    }
}

/// Forget an attempt whose object is gone.
pub struct ForgetUpload {
    object: ObjectId,
}

impl Change for ForgetUpload {
    type Outcome = ();
}

impl Alone for ForgetUpload {
    async fn apply(&self, append: &mut Append) -> Result<(), Error> {
        upload::Entity::delete_by_id(self.object).exec(append.tx()).await?;
        Ok(())
    }
}
