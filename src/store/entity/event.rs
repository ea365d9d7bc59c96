//! The log's rows. Thin: an event names what happened and never copies text.

use sea_orm::entity::prelude::*;
use uuid::Uuid;

use crate::ids::{MessageId, RoomId, UserId};
use crate::position::{Position, Tag};
pub use crate::store::kinds::Kind;

/// One event. Exactly one of `room_id` and `user_id` is set, and says who sees it: the room's members, or that user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// Its place in the log: 1, 2, 3, without holes, in commit order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: Position,
    /// Random; distinguishes this event from another at the same position in another copy of the database.
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
    /// When it happened.
    pub at: ChronoDateTimeUtc,
    /// The user who did it, where that is told. `None`: nobody, or a server key.
    pub actor_id: Option<UserId>,
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
