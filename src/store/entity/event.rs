//! The log's rows. Thin: an event names what happened and never copies text.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

use crate::ids::{MessageId, RoomId, UserId};
use crate::position::{Position, Tag};

/// One event. Exactly one of `room_id` and `user_id` is set, and tells who sees it: the room's members, or that user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// Its place in the log: 1, 2, 3, without holes, in commit order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: Position,
    /// Random; tells this event from another that stood at the same position in another copy of the database.
    pub tag: Tag,
    /// The room whose members see it.
    pub room_id: Option<RoomId>,
    /// The one user who sees it.
    pub user_id: Option<UserId>,
    /// What happened.
    pub kind: Kind,
    /// The message it is about.
    pub message_id: Option<MessageId>,
    /// The user, room or session it is about, by kind.
    pub subject_id: Option<Uuid>,
    /// `seq` of the message it is about.
    pub seq: Option<i32>,
    /// When.
    pub at: ChronoDateTimeUtc,
}

/// What happened. The numbers are in the database and in an index: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum Kind {
    /// A message was posted (room).
    #[sea_orm(num_value = 1)]
    MessagePosted,
    /// A message's text was changed (room).
    #[sea_orm(num_value = 2)]
    MessageEdited,
    /// A message was deleted (room).
    #[sea_orm(num_value = 3)]
    MessageDeleted,
    /// This user is now in the room that `subject_id` names (user).
    #[sea_orm(num_value = 4)]
    RoomJoined,
    /// The user whom `subject_id` names came back to the room (room).
    #[sea_orm(num_value = 5)]
    MemberJoined,
    /// The user whom `subject_id` names left the room (room).
    #[sea_orm(num_value = 6)]
    MemberLeft,
    /// The room is gone, for everybody (room).
    #[sea_orm(num_value = 7)]
    RoomDeleted,
    /// Read marks moved; the marks carry this event's position (room).
    #[sea_orm(num_value = 8)]
    ReadMarksMoved,
    /// This user's own mark moved in the room that `subject_id` names, which is too large to tell the others (user).
    #[sea_orm(num_value = 9)]
    OwnReadMarkMoved,
    /// This user muted the room that `subject_id` names (user).
    #[sea_orm(num_value = 10)]
    RoomMuted,
    /// This user unmuted the room that `subject_id` names (user).
    #[sea_orm(num_value = 11)]
    RoomUnmuted,
    /// The session that `subject_id` names was ended, or, without one, all sessions and tokens of this user; never shown,
    /// it closes sockets (user).
    #[sea_orm(num_value = 12)]
    SessionRevoked,
}

/// Joins that start at an event: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The events of `(after, upto]`, in log order.
    #[must_use]
    pub fn range(after: Position, upto: Position) -> Select<Self> {
        use sea_orm::QueryOrder;
        Self::find()
            .filter(Column::Position.gt(after))
            .filter(Column::Position.lte(upto))
            .order_by_asc(Column::Position)
    }
}
