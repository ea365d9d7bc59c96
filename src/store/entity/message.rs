//! Messages.

use sea_orm::entity::prelude::*;
use sea_orm::{Condition, JoinType, QuerySelect};

use super::member::{self, When};
use super::room;
use crate::ids::{MessageId, RoomId, UserId};
use crate::position::Position;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub struct Model {
    /// Which message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    /// In which room.
    pub room_id: RoomId,
    /// Its number in the room: 1, 2, 3, without holes.
    pub seq: i32,
    /// Who wrote it.
    pub author_id: UserId,
    /// The author's own name for it, unique per room and author.
    pub client_id: Option<String>,
    /// Digest of the text as it was first posted, if there is a client id. It distinguishes a repeated post from a
    /// different one under the same client id, however often the message was edited since.
    pub client_digest: Option<i64>,
    /// What it holds.
    pub r#type: MessageType,
    /// Its text; empty once it is deleted.
    pub body: String,
    /// When it was posted.
    pub created_at: ChronoDateTimeUtc,
    /// When its text was last changed.
    pub edited_at: Option<ChronoDateTimeUtc>,
    /// When it was deleted; the row that is left is a tombstone.
    pub deleted_at: Option<ChronoDateTimeUtc>,
    /// Its author had not seen all messages before it, so posting it didn't count as reading it either.
    pub author_behind: bool,
    /// The position of the event of its posting; below 0 for one from before that was kept. `None`: an older node posted it,
    /// and the index hasn't come to it yet.
    pub position: Option<Position>,
    /// `seq` of the message that it answers.
    pub reply_to_seq: Option<i32>,
    /// What the app keeps about it: a JSON object. `None` is an empty one.
    pub custom: Option<String>,
    /// How many files it was posted with; 0 once it is deleted.
    pub attachment_count: i16,
    /// The users whom it mentions, as [`Model::mentioned`] reads them. `None`: nobody.
    pub mentions: Option<String>,
    /// It mentions everybody in the room.
    pub mentions_room: bool,
}

impl Model {
    /// The users whom it mentions, in the order of their ids.
    pub fn mentioned(&self) -> impl Iterator<Item = UserId> {
        let ids = self.mentions.iter().flat_map(|ids| ids.split(' '));
        ids.filter_map(|id| Uuid::parse_str(id).ok()).map(UserId)
    }
}

/// What a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum MessageType {
    /// Text that a member wrote.
    #[sea_orm(string_value = "text")]
    Text,
}

/// Joins that start at a message: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Messages in rooms that this user belongs to; the only way callers outside `store` and `log` find messages by id.
    #[must_use]
    pub fn visible_to(user: UserId) -> Select<Self> {
        let in_rooms = member::Entity::belongs_to(Self).from(member::Column::RoomId).to(Column::RoomId).into();
        Self::find()
            .join_rev(JoinType::InnerJoin, in_rooms)
            .filter(member::Column::UserId.eq(user))
            .filter(When::Now.condition())
    }

    /// Messages that this user may try to change: those in rooms that the user belongs to, and the user's own in rooms
    /// that the user has left and that still exist.
    #[must_use]
    pub fn within_reach_of(user: UserId) -> Select<Self> {
        // Whoever wrote a message has been a member, and the row of a membership stays.
        let memberships = member::Entity::belongs_to(Self).from(member::Column::RoomId).to(Column::RoomId).into();
        let rooms = room::Entity::belongs_to(Self).from(room::Column::Id).to(Column::RoomId).into();
        let own = Condition::all().add(Column::AuthorId.eq(user)).add(room::Column::DeletedAt.is_null());
        Self::find()
            .join_rev(JoinType::InnerJoin, memberships)
            .join_rev(JoinType::InnerJoin, rooms)
            .filter(member::Column::UserId.eq(user))
            .filter(Condition::any().add(When::Now.condition()).add(own))
    }

    /// Messages in rooms that still exist, whoever is in them: for the app's own backend.
    #[must_use]
    pub fn in_live_rooms() -> Select<Self> {
        let rooms = room::Entity::belongs_to(Self).from(room::Column::Id).to(Column::RoomId).into();
        Self::find().join_rev(JoinType::InnerJoin, rooms).filter(room::Column::DeletedAt.is_null())
    }
}
