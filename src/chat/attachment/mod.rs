//! Files: announced, sent, posted with a message, and gone with it.
//!
//! | File | Holds |
//! |---|---|
//! | `mod` | announcing a file, and its links |
//! | [`receive`] | sending it |
//! | [`attach`] | posting it with a message |
//! | [`find`] | who fetches it |
//! | [`collect`] | deleting what nobody can fetch any more |

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect};

use super::change::{Alone, Change};
use super::{Argument, Chat, Error, Reason, Viewer};
use crate::files::{Files, Thumbnails, Variant};
use crate::ids::{AttachmentId, UserId};
use crate::log::Append;
use crate::store::entity::attachment::{self, AttachmentState};
use crate::text::visible::problem_of_name;

pub(super) mod attach;
mod collect;
mod find;
pub(super) mod receive;

pub use collect::Collected;
pub use receive::{UploadError, Uploads};

/// The most files of a message.
pub const MAX_PER_MESSAGE: usize = 10;

/// The most bytes of a file's name.
const MAX_NAME: usize = 255;

/// For how long a file is kept that isn't posted with a message.
const LOOSE: TimeDelta = TimeDelta::hours(24);

/// What somebody announces of a file.
#[derive(Clone, Debug)]
pub struct Announced {
    name: String,
    size: i64,
    sha256: Option<Vec<u8>>,
}

impl Announced {
    /// A file of this name and so many bytes; with this digest in hexadecimal, if it is known.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn parse(name: &str, size: i64, sha256: Option<&str>) -> Result<Self, Error> {
        // Browsers give the name alone, and others the way to it.
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(Error::invalid(Argument::Name, format!("must be 1 to {MAX_NAME} bytes")));
        }
        // A name that is turned around calls what is run a picture.
        if let Some(problem) = problem_of_name(name) {
            return Err(Error::invalid(Argument::Name, problem));
        }
        if size < 1 {
            return Err(Error::invalid(Argument::Size, "must be at least 1"));
        }
        let sha256 = sha256.map(|text| {
            digest(text).ok_or_else(|| Error::invalid(Argument::Sha256, "must be 64 digits of a hexadecimal number"))
        });
        Ok(Self { name: name.to_owned(), size, sha256: sha256.transpose()? })
    }
}

/// The digest that these hexadecimal digits are.
fn digest(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

impl Chat {
    /// The same chat, which keeps files there; a user may announce so many bytes within a day, 0 being any number.
    #[must_use]
    pub fn with_files(self, files: Option<Arc<Files>>, daily_bytes: u64) -> Self {
        Self { files, daily_bytes, ..self }
    }

    /// Where files are kept.
    ///
    /// # Errors
    /// [`Reason::FilesOff`].
    pub fn files(&self) -> Result<&Arc<Files>, Error> {
        self.files.as_ref().ok_or(Error::Refused(Reason::FilesOff))
    }

    /// Announces a file, which its owner sends next. Returns it, where it is to be sent, and until when.
    ///
    /// # Errors
    /// [`Reason::FilesOff`]; [`Error::Invalid`] for more bytes than a file may have; [`Error::Conflict`] for more than a user
    /// may upload within a day.
    pub async fn create_upload(
        &self,
        viewer: &Viewer,
        announced: Announced,
    ) -> Result<(attachment::Model, String, DateTime<Utc>), Error> {
        let files = self.files()?;
        if u64::try_from(announced.size).is_ok_and(|size| size > files.max_bytes) {
            let problem = format!("a file may have at most {} bytes", files.max_bytes);
            return Err(Error::invalid(Argument::Size, problem));
        }
        let created = CreateUpload { owner: viewer.user, announced, daily_bytes: self.daily_bytes };
        let created = self.change(created).await?;
        let (url, until) = files.links.to_send(created.id, created.declared_size, self.clock.now());
        Ok((created, url, until))
    }

    /// Where this file is fetched for one to two hours, if it is there: with `pixels`, the smallest picture that has so many.
    #[must_use]
    pub fn attachment_url(&self, row: &attachment::Model, pixels: Option<u32>) -> Option<String> {
        let files = self.files.as_ref()?;
        if row.state != AttachmentState::Ready {
            return None;
        }
        let smaller = pixels.and_then(|pixels| Thumbnails(row.thumbnails).of_at_least(pixels));
        let variant = smaller.map_or(Variant::Whole, Variant::Thumbnail);
        Some(files.links.to_fetch(row.id, &row.name, variant, self.clock.now()))
    }
}

/// Announce a file.
pub struct CreateUpload {
    owner: UserId,
    announced: Announced,
    daily_bytes: u64,
}

impl Change for CreateUpload {
    type Outcome = attachment::Model;
}

impl Alone for CreateUpload {
    async fn apply(&self, append: &mut Append) -> Result<attachment::Model, Error> {
        let Announced { name, size, sha256 } = self.announced.clone();
        let size_today = self.announced_within_a_day(append).await?.saturating_add(size);
        if self.daily_bytes > 0 && u64::try_from(size_today).is_ok_and(|today| today > self.daily_bytes) {
            return Err(Error::Conflict { argument: Argument::Size, problem: "you have uploaded enough for today" });
        }
        let row = attachment::Model {
            id: AttachmentId::generate(),
            owner_id: self.owner,
            room_id: None,
            message_id: None,
            place: None,
            name,
            content_type: "application/octet-stream".to_owned(),
            declared_size: size,
            size: 0,
            sha256,
            width: None,
            height: None,
            thumbhash: None,
            thumbnails: 0,
            object_id: None,
            state: AttachmentState::Waiting,
            created_at: append.now(),
            deleted_at: None,
        };
        attachment::Entity::insert(row.clone().into_active_model()).exec_without_returning(append.tx()).await?;
        Ok(row)
    }
}

impl CreateUpload {
    async fn announced_within_a_day(&self, append: &Append) -> Result<i64, DbErr> {
        let total = attachment::Entity::find()
            .select_only()
            .column_as(Expr::cust("CAST(COALESCE(sum(declared_size), 0) AS bigint)"), "total")
            .filter(attachment::Column::OwnerId.eq(self.owner))
            .filter(attachment::Column::CreatedAt.gt(append.now() - TimeDelta::days(1)))
            .into_tuple::<i64>()
            .one(append.tx())
            .await?;
        Ok(total.unwrap_or_default())
    }
}
