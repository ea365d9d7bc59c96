//! The members of rooms.

use async_graphql::{Context, Description, Object};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::user::User;
use super::values::scalars::DateTime;
use crate::store::entity::member;

/// A user's membership in a room.
#[derive(Clone, Description)]
pub(crate) struct RoomMember(pub member::Model);

#[Object(use_type_description)]
impl RoomMember {
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
