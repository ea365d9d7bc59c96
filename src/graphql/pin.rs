//! Pinned messages.

use async_graphql::{Context, Description, Object, SimpleObject};

use super::error::ApiError;
use super::events::{Event, Stamp, event};
use super::execution::context::ContextExt;
use super::message::Message;
use super::room::Room;
use super::user::User;
use super::values::scalars::{DateTime, ShownCursor};
use crate::delivery::notice::MessageNotice;
use crate::ids::MessageId;
use crate::limits::PerUser;
use crate::store::entity::pin;

/// A message that is pinned in its room.
#[derive(Clone, Description)]
pub(crate) struct PinnedMessage {
    /// That it is.
    pub pin: pin::Model,
    /// The message.
    pub message: Message,
}

#[Object(use_type_description)]
impl PinnedMessage {
    /// The message.
    async fn message(&self) -> &Message {
        &self.message
    }

    /// Who pinned it. Null when the account has been deleted.
    async fn pinned_by(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        Ok(ctx.loader().load_one(self.pin.by_id).await?.map(User))
    }

    /// When it was pinned.
    async fn pinned_at(&self) -> DateTime {
        self.pin.at.into()
    }
}

/// The room in which a message was pinned, or no longer is.
#[derive(SimpleObject)]
pub(crate) struct PinMessagePayload {
    /// The room, with its pinned messages as they are now.
    room: Room,
}

/// Pinning messages.
#[derive(Default)]
pub(crate) struct PinMutation;

#[Object]
impl PinMutation {
    /// Has a message be pinned in its room, or not: `pinned` says what is wanted, so doing it twice does no harm. In a group for
    /// moderators and owners, see `PIN` of `permissions`; in a direct room for everybody. Deleting a message unpins it.
    ///
    /// Errors: `NOT_FOUND` when the viewer can see no such message; `CONFLICT` when it was deleted, and when the room has 100 pinned
    /// messages; `FORBIDDEN` with `MODERATOR_NEEDED`, or with `BLOCKED` between two of whom one has blocked the other.
    async fn pin_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message's id: `msg_…`.")] message_id: MessageId,
        #[graphql(desc = "Whether it is to be pinned.", default = true)] pinned: bool,
    ) -> Result<PinMessagePayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        Ok(PinMessagePayload { room: Room(ctx.chat().pin_message(viewer, message_id, pinned).await?) })
    }
}

event! {
    /// A message was pinned in its room, or no longer is.
    PinsChanged {
        /// The room; `pinnedMessages` are those that it has now.
        room: Room,
        /// The message that was pinned or unpinned.
        message: Message,
        /// Who did it. Null when the account has been deleted.
        by: Option<Box<User>>,
    }
}

pub(super) fn event(stamp: Stamp, notice: &MessageNotice) -> Event {
    let Stamp { cursor, at } = stamp;
    let by = notice.by.as_ref().map(|user| Box::new(User::from(user)));
    PinsChanged { cursor, at, room: (&notice.room).into(), message: notice.into(), by }.into()
}
