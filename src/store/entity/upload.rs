//! Objects that may be in the storage of files. A row is there before the object is, and until it is gone.

use sea_orm::entity::prelude::*;

use crate::ids::{AttachmentId, ObjectId};

/// One attempt to upload a file.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "upload")]
pub struct Model {
    /// The object that it writes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub object_id: ObjectId,
    /// For which file.
    pub attachment_id: AttachmentId,
    /// When it began.
    pub begun_at: ChronoDateTimeUtc,
    /// Whether the file is in this object.
    pub is_kept: bool,
}

/// Joins that start at an attempt: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
