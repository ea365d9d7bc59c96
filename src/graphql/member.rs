//! The members of rooms.

use async_graphql::{Context, Description, ID, Object};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::group::RoomRole;
use super::user::User;
use super::values::ids;
use super::values::scalars::DateTime;
use crate::ids::{RoomId, UserId};
use crate::store::entity::member;

/// A user's membership in a room.
#[derive(Clone, Description)]
pub(crate) struct RoomMember {
    row: member::Model,
    /// Members of the room, whose number decides whether they see how far the others have read.
    room_size: i32,
}

impl RoomMember {
    /// The membership of this row, in a room of so many members.
    pub(crate) fn new(row: member::Model, room_size: i32) -> Self {
        Self { row, room_size }
    }
}

/// The id of this user's membership in this room.
pub(super) fn id(room: RoomId, user: UserId) -> ID {
    ids::of_member("member", room, user)
}

#[Object(use_type_description)]
impl RoomMember {
    /// Names the membership in a client's cache: it is the same whenever the user is in the room. `node` doesn't take it.
    async fn id(&self) -> ID {
        id(self.row.room_id, self.row.user_id)
    }

    /// The member's id, which tells former members apart whose accounts have been deleted.
    async fn user_id(&self) -> ID {
        self.row.user_id.into()
    }

    /// The member. Null when the account has been deleted.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        Ok(ctx.loader().load_one(self.row.user_id).await?.map(User))
    }

    /// What the user is in the room.
    async fn role(&self) -> RoomRole {
        self.row.role.into()
    }

    /// When the user last joined.
    async fn joined_at(&self) -> DateTime {
        self.row.joined_at.into()
    }

    /// `seq` of the last message that the user has read; 0 before the first. Null in a room with more members than the
    /// server's limit (250, unless set otherwise), where no member sees what the others have read; the viewer's own is
    /// `Room.viewer.lastReadSeq`. Null for a former member.
    async fn last_read_seq(&self, ctx: &Context<'_>) -> Option<i32> {
        let is_counted = self.row.left_position.is_none() || self.row.hidden;
        (is_counted && ctx.chat().tells_reading(self.room_size)).then_some(self.row.read_seq)
    }
}
