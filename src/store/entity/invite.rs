//! Ways into a group: for one user, or a link for whoever has its code.

use sea_orm::Condition;
use sea_orm::entity::prelude::*;

use super::room;
use crate::ids::{InviteId, RoomId, UserId};

/// One invite.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invite")]
pub struct Model {
    /// Which invite.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InviteId,
    /// Into which room.
    pub room_id: RoomId,
    /// Who made it. `None`: a server key did.
    pub inviter_id: Option<UserId>,
    /// Whom it is for. `None`: it is a link.
    pub invitee_id: Option<UserId>,
    /// Of a link: SHA-256 of its code.
    pub code_hash: Option<Vec<u8>>,
    /// How often it is still good. `None`: any number of times.
    pub uses_left: Option<i32>,
    /// The moment from which on it is good no longer.
    pub expires_at: Option<ChronoDateTimeUtc>,
    /// When it was made.
    pub created_at: ChronoDateTimeUtc,
    /// When it was closed: used by whom it was for, declined or taken back.
    pub closed_at: Option<ChronoDateTimeUtc>,
}

/// `Debug` doesn't show the hash of the code.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("id", &self.id).field("room_id", &self.room_id).finish_non_exhaustive()
    }
}

/// Joins that start at an invite.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The room.
    #[sea_orm(belongs_to = "room::Entity", from = "Column::RoomId", to = "room::Column::Id")]
    Room,
}

impl Related<room::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Room.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whether it is good at this moment.
    #[must_use]
    pub fn is_open(&self, now: ChronoDateTimeUtc) -> bool {
        self.closed_at.is_none() && self.uses_left != Some(0) && self.expires_at.is_none_or(|at| at > now)
    }
}

impl Entity {
    /// Whether an invite is good at this moment: [`Model::is_open`] as a condition.
    #[must_use]
    pub fn is_open(now: ChronoDateTimeUtc) -> Condition {
        Condition::all()
            .add(Column::ClosedAt.is_null())
            .add(Condition::any().add(Column::UsesLeft.is_null()).add(Column::UsesLeft.gt(0)))
            .add(Condition::any().add(Column::ExpiresAt.is_null()).add(Column::ExpiresAt.gt(now)))
    }

    /// Invites for this user; only by them is somebody asked.
    #[must_use]
    pub fn to(user: UserId) -> Select<Self> {
        Self::find().filter(Column::InviteeId.eq(user))
    }
}
