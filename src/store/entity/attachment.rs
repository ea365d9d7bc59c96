//! Files that users have uploaded, or are about to.

use sea_orm::entity::prelude::*;

use crate::ids::{AttachmentId, MessageId, ObjectId, RoomId, UserId};

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attachment")]
pub struct Model {
    /// Which file.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttachmentId,
    /// Who uploads it.
    pub owner_id: UserId,
    /// The room of its message.
    pub room_id: Option<RoomId>,
    /// The message that it belongs to. `None`: none yet.
    pub message_id: Option<MessageId>,
    /// Its place among the message's files, from 0.
    pub place: Option<i16>,
    /// What its owner calls it; empty once it is deleted.
    pub name: String,
    /// What it is, by its bytes.
    pub content_type: String,
    /// How many bytes its owner has announced.
    pub declared_size: i64,
    /// How many bytes are kept: fewer than announced where metadata was cut. 0 until it is uploaded.
    pub size: i64,
    /// Of the bytes that were uploaded.
    pub sha256: Option<Vec<u8>>,
    /// Of a picture: pixels from left to right, as it is to be shown.
    pub width: Option<i32>,
    /// Of a picture: pixels from top to bottom.
    pub height: Option<i32>,
    /// Of a picture: what to show until it is there.
    pub thumbhash: Option<Vec<u8>>,
    /// Which smaller pictures there are: [`crate::files::Thumbnails`].
    pub thumbnails: i16,
    /// The object that holds it, once it is uploaded.
    pub object_id: Option<ObjectId>,
    /// How far it is.
    pub state: AttachmentState,
    /// When it was announced.
    pub created_at: ChronoDateTimeUtc,
    /// When it was deleted; its object and this row go soon after.
    pub deleted_at: Option<ChronoDateTimeUtc>,
}

/// How far a file is. Numbers are never used again; 2 and 4 are kept for scanners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum AttachmentState {
    /// It was announced, and isn't there yet.
    #[sea_orm(num_value = 1)]
    Waiting,
    /// It is there.
    #[sea_orm(num_value = 3)]
    Ready,
}

/// Joins that start at a file: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
