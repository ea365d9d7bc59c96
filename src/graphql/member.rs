//! The members of rooms.

use async_graphql::{Context, Description, ID, Object};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::user::User;
use super::values::ids;
use super::values::scalars::DateTime;
use crate::ids::{RoomId, UserId};
use crate::store::entity::member;

/// A user's membership in a room.
#[derive(Clone, Description)]
pub(crate) struct RoomMember(pub member::Model);

/// The id of this user's membership in this room.
pub(super) fn id(room: RoomId, user: UserId) -> ID {
    ids::of_member("member", room, user)
}

#[Object(use_type_description)]
impl RoomMember {
    /// Names the membership in a client's cache: it is the same whenever the user is in the room. `node` doesn't take it.
    async fn id(&self) -> ID {
        id(self.0.room_id, self.0.user_id)
    }

    /// The member. Null when the account has just been deleted.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        Ok(ctx.loader().load_one(self.0.user_id).await?.map(User))
    }

    /// When the user last joined.
    async fn joined_at(&self) -> DateTime {
        self.0.joined_at.into()
    }

    /// `seq` of the last message that the user has read; 0 before the first.
    async fn last_read_seq(&self) -> i32 {
        self.0.read_seq
    }
}
