//! Posting, editing and deleting messages.

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::message::Message;
use super::values::json::Json;
use super::values::page::PageEdge;
use crate::chat::message::{Body, ClientId, Extras, Mentions, MentionsChange};
use crate::chat::room::RoomRef;
use crate::chat::user::UserRef;
use crate::chat::{Argument, Error};
use crate::ids::{AttachmentId, MessageId};
use crate::limits::{Charge, PerUser};

/// The message that was posted.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct PostMessagePayload {
    /// The message. When the `clientId` had been used already, the message that was posted with it.
    message: Message,
}

#[ComplexObject]
impl PostMessagePayload {
    /// The message as an edge of its room's `messages`, to be put into a list that is shown.
    async fn message_edge(&self, ctx: &Context<'_>) -> PageEdge<i32, Message> {
        self.message.edge(ctx)
    }
}

/// The message that was edited.
#[derive(SimpleObject)]
pub(crate) struct EditMessagePayload {
    /// The message with its new text.
    message: Message,
}

/// The message that was deleted.
#[derive(SimpleObject)]
pub(crate) struct DeleteMessagePayload {
    /// What is left of the message.
    message: Message,
}

/// The message whose data was changed.
#[derive(SimpleObject)]
pub(crate) struct UpdateMessagePayload {
    /// The message with its data as it is now.
    message: Message,
}

/// Posting, editing and deleting messages.
#[derive(Default)]
pub(crate) struct MessageMutation;

#[Object]
impl MessageMutation {
    /// Posts a message to a room that the viewer belongs to. Every socket of every member receives it, including the
    /// viewer's own.
    ///
    /// Give each message a `clientId` of its own: then a request whose answer was lost can be sent again, however much
    /// later, and the message is still posted only once.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room, or the message to answer isn't in it; `BAD_USER_INPUT` when the
    /// text shows nothing or is too long, and when others than members of the room are mentioned; `FORBIDDEN` with
    /// `MODERATOR_NEEDED` when the viewer may not mention the room; `CONFLICT` when the viewer has posted another message in this room under the same
    /// `clientId`, another in anything that was given, when the message to answer was deleted, and when a file isn't
    /// uploaded yet or belongs to a message already; `NOT_FOUND` for somebody else's file.
    #[expect(clippy::too_many_arguments, reason = "what a message has")]
    async fn post_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
        #[graphql(secret, desc = "The text: at most 16,384 bytes of UTF-8 after blank lines at its ends are removed.")]
        body: String,
        #[graphql(desc = "The client's own name for the message, such as a UUID; at most 64 bytes.")] client_id: Option<
            ID,
        >,
        #[graphql(
            desc = "`seq` of the last message that the viewer had seen when writing this; for messages that wait \
                          to be sent. Posting then moves the viewer's read mark no further, if others lie between. \
                          Without it, posting counts as reading everything."
        )]
        seen_seq: Option<i32>,
        #[graphql(desc = "The message in this room that this one answers: `msg_…`.")] reply_to_id: Option<MessageId>,
        #[graphql(
            desc = "The viewer's files to post with it: `attachment_…`, at most 10. The text may then be blank."
        )]
        attachment_ids: Option<Vec<AttachmentId>>,
        #[graphql(desc = "What the app keeps about the message. All who see the message see it.")] custom: Option<Json>,
        #[graphql(
            desc = "Members of the room whom the message mentions: at most 50, each `user_…` or the app's own id after `ext:`. \
                          The author isn't mentioned."
        )]
        mentions: Option<Vec<UserRef>>,
        #[graphql(
            desc = "Whether it mentions everybody in the room; see `MENTION_ROOM` of `permissions`.",
            default = false
        )]
        mentions_room: bool,
    ) -> Result<PostMessagePayload, ApiError> {
        let client_id = client_id.map(|id| ClientId::parse(id.0)).transpose()?;
        let files = attachment_ids.unwrap_or_default();
        let body = if files.is_empty() { Body::parse(body)? } else { Body::parse_beside_files(body)? };
        let extras = Extras::default().reply_to(reply_to_id).custom(custom.map(Into::into))?.attachments(files)?;
        let viewer = ctx.charge(PerUser::Posts).await?;
        let mentions = ctx.chat().resolve_present(&mentions.unwrap_or_default()).await?;
        let extras = extras.mentioning(Mentions::new(mentions, mentions_room)?);
        let room_id = ctx.room_id(room_id).await?;
        let in_room = Charge::Room(room_id.0);
        if let Some(meter) = ctx.meter() {
            meter.charge(in_room).await?;
        }
        let posted = ctx.chat().post(viewer, room_id, body, client_id, seen_seq, extras).await;
        if let (Some(meter), Err(Error::NotFound { argument: Argument::RoomId, .. })) = (ctx.meter(), &posted) {
            // Who isn't in a room can't use up what its members may post.
            meter.give_back(in_room);
        }
        Ok(PostMessagePayload { message: posted?.into() })
    }

    /// Changes the text of one of the viewer's messages, and whom it mentions, also in a room that the viewer has left, as long as there is one.
    /// Of that room, those who have left it are shown nothing: don't select `room` then.
    ///
    /// Errors: `NOT_FOUND` when the viewer can see no such message; `FORBIDDEN` when somebody else wrote it; `CONFLICT`
    /// when it was deleted; `BAD_USER_INPUT` when the text is empty or too long, and for mentions as with `postMessage`. Who has
    /// left the room mentions nobody anew.
    async fn edit_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message's id: `msg_…`.")] message_id: MessageId,
        #[graphql(secret, desc = "The new text, as for `postMessage`.")] body: String,
        #[graphql(
            desc = "Whom it mentions from now on, as for `postMessage`. Without it, those whom it mentioned before."
        )]
        mentions: Option<Vec<UserRef>>,
        #[graphql(desc = "Whether it mentions everybody in the room. Without it, as before.")] mentions_room: Option<
            bool,
        >,
    ) -> Result<EditMessagePayload, ApiError> {
        let body = Body::parse_beside_files(body)?;
        let viewer = ctx.charge(PerUser::Writes).await?;
        let mentions = match mentions {
            Some(mentions) => Some(ctx.chat().resolve_present(&mentions).await?),
            None => None,
        };
        let mentions = MentionsChange::new(mentions, mentions_room)?;
        let edited = ctx.chat().edit_message(viewer, message_id, body, mentions).await?;
        Ok(EditMessagePayload { message: edited.into() })
    }

    /// Deletes one of the viewer's messages, also in a room that the viewer has left, as with `editMessage`. Its text is
    /// gone for everybody; a tombstone keeps its place. In a room of type `CONSUMER_TO_SUPPORT`, its members of type `SUPPORT`
    /// delete anybody's.
    ///
    /// Errors: `NOT_FOUND` when the viewer can see no such message; `FORBIDDEN` when somebody else wrote it.
    async fn delete_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message's id: `msg_…`.")] message_id: MessageId,
    ) -> Result<DeleteMessagePayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        let deleted = ctx.chat().delete_message(viewer, message_id).await?;
        Ok(DeleteMessagePayload { message: deleted.into() })
    }

    /// Changes what the app keeps about a message, for its own backend: translations, polls, findings. The room's members
    /// receive `MessageEdited`, unless nothing is new; `editedAt` stays as it is.
    ///
    /// Errors: `NOT_FOUND` when there is no such message; `BAD_USER_INPUT` for what is too large or too deep; `CONFLICT` when
    /// the message was deleted; `FORBIDDEN` with `SERVER_KEY_NEEDED` for anybody but the app's own backend.
    async fn update_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message's id: `msg_…`.")] message_id: MessageId,
        #[graphql(desc = "What is to change of the data.")] custom: Json,
    ) -> Result<UpdateMessagePayload, ApiError> {
        let actor = ctx.charge_actor(PerUser::Writes).await?;
        let updated = ctx.chat().update_message(actor, message_id, custom.into()).await?;
        Ok(UpdateMessagePayload { message: updated.into() })
    }
}
