//! Blocking.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::error::ApiError;
use super::events::{Event, Stamp, event};
use super::execution::context::ContextExt;
use super::user::User;
use super::values::scalars::{DateTime, ShownCursor};
use crate::chat::user::UserRef;
use crate::delivery::notice::BlockNotice;
use crate::limits::PerUser;

/// The user whom the viewer blocks, or no longer does.
#[derive(SimpleObject)]
pub(crate) struct BlockUserPayload {
    /// The user.
    user: User,
    /// Whether the viewer blocks the user.
    blocked: bool,
}

/// Blocking.
#[derive(Default)]
pub(crate) struct BlockMutation;

#[Object]
impl BlockMutation {
    /// Blocks a user, or no longer does. Between the two nothing new is said: in their `CONSUMER_TO_CONSUMER` room of two,
    /// new messages and edits of either are refused with `BLOCKED`, and so is `initiateChat`. Who is blocked can't open new
    /// rooms with the viewer in them either. In larger rooms both stay, and nothing is hidden: clients hide what their user
    /// doesn't want to see by `viewer.blockedUsers`. Only the viewer's own sockets receive `BlocksChanged`.
    ///
    /// Errors: `NOT_FOUND` when the viewer neither sees nor blocks such a user; `BAD_USER_INPUT` for the viewer;
    /// `CONFLICT` when the viewer blocks 10,000 users already.
    async fn block_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user: `user_…`, or the app's own id after `ext:`.")] user_id: UserRef,
        #[graphql(desc = "Whether the user is to be blocked.", default = true)] blocked: bool,
    ) -> Result<BlockUserPayload, ApiError> {
        let user = ctx.chat().block_user(ctx.charge(PerUser::Writes).await?, &user_id, blocked).await?;
        Ok(BlockUserPayload { user: User(user), blocked })
    }
}

event! {
    /// The viewer blocks a user, or no longer does.
    BlocksChanged {
        /// The user's id.
        user_id: ID,
        /// Whether the viewer blocks the user, as it is now.
        blocked: bool,
    }
}

pub(super) fn event(stamp: Stamp, notice: &BlockNotice) -> Event {
    let Stamp { cursor, at } = stamp;
    BlocksChanged { cursor, at, user_id: notice.user_id.into(), blocked: notice.blocked }.into()
}
