//! Messages.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Description, Enum, ID, Object, SimpleObject};

use super::error::ApiError;
use super::events::{Event, Stamp, event};
use super::execution::context::ContextExt;
use super::execution::loaders::{MemberOf, OwnReactionsTo, ReactionsTo, ReceiptsOf};
use super::member::RoomMember;
use super::reaction::{MessageViewer, ReactionGroup};
use super::reading::ReadReceipt;
use super::room::Room;
use super::user::User;
use super::values::page::{self, List, PageEdge};
use super::values::scalars::{DateTime, ShownCursor};
use crate::chat::Error;
use crate::chat::message::{Altered, Body, ClientId};
use crate::chat::room::RoomRef;
use crate::delivery::notice::{MessageChange, MessageNotice};
use crate::ids::MessageId;
use crate::limits::{Charge, PerUser};
use crate::position::Cursor;
use crate::store::entity::{message, room, user};

/// What a text counts as in the complexity of a document: a field for each KiB that it may hold.
const BODY_COMPLEXITY: usize = Body::MAX_BYTES / 1024;

/// A message in a room. Deleting it leaves a tombstone: `deletedAt` is set and `body` is empty.
#[derive(Clone, Description)]
pub(crate) struct Message {
    /// The message.
    pub row: message::Model,
    /// Where in the log it was posted, when it is shown as the event of its posting.
    pub cursor: Option<Cursor>,
    /// Its room, when that is known beforehand; otherwise it is loaded, if the viewer may see it.
    pub room: Option<Arc<room::Model>>,
    /// Its author, when known beforehand; otherwise it is loaded.
    pub author: Option<Arc<user::Model>>,
    /// Whether it is shown to its author alone, who has left the room: nothing of the room is shown then.
    pub is_apart: bool,
}

impl From<message::Model> for Message {
    fn from(row: message::Model) -> Self {
        Self { row, cursor: None, room: None, author: None, is_apart: false }
    }
}

impl From<Altered> for Message {
    fn from(altered: Altered) -> Self {
        Self { is_apart: altered.has_left, ..Self::from(altered.message) }
    }
}

impl Message {
    /// This message, in a room that is known.
    #[must_use]
    pub(crate) fn in_room(self, room: Arc<room::Model>) -> Self {
        Self { room: Some(room), ..self }
    }

    fn edge(&self, ctx: &Context<'_>) -> PageEdge<i32, Self> {
        page::edge(ctx, List::Messages(self.row.room_id), self.row.seq, self.clone())
    }
}

#[Object(use_type_description)]
impl Message {
    /// The message's id, which never changes.
    pub async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// The message's room. Fails with `NOT_FOUND` for those who have left it.
    async fn room(&self, ctx: &Context<'_>) -> Result<Room, ApiError> {
        if let Some(room) = &self.room {
            return Ok(Room(room.as_ref().clone()));
        }
        let room = ctx.loader().load_one(self.row.room_id).await?;
        Ok(Room(room.ok_or(Error::ROOM_NOT_FOUND)?))
    }

    /// Its number in the room: 1, 2, 3, without holes, in the order in which messages were posted.
    async fn seq(&self) -> i32 {
        self.row.seq
    }

    /// What the message holds.
    async fn r#type(&self) -> MessageType {
        self.row.r#type.into()
    }

    /// The id of the user who wrote it, which tells authors apart whose accounts have been deleted.
    async fn author_id(&self) -> ID {
        self.row.author_id.into()
    }

    /// The user who wrote it. Null when the account has been deleted.
    async fn author(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        if let Some(author) = &self.author {
            return Ok(Some(User(author.as_ref().clone())));
        }
        Ok(ctx.loader().load_one(self.row.author_id).await?.map(User))
    }

    /// Its text; empty once it is deleted.
    #[graphql(complexity = "BODY_COMPLEXITY")]
    async fn body(&self) -> &str {
        &self.row.body
    }

    /// The author's own name for the message, as given to `postMessage`.
    async fn client_id(&self) -> Option<ID> {
        self.row.client_id.clone().map(ID)
    }

    /// When it was posted.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }

    /// When its text was last changed. Null when it never was.
    async fn edited_at(&self) -> Option<DateTime> {
        self.row.edited_at.map(Into::into)
    }

    /// When it was deleted. Null when it was not.
    async fn deleted_at(&self) -> Option<DateTime> {
        self.row.deleted_at.map(Into::into)
    }

    /// The members who have read it, its author left out. Always empty in rooms with more members than the server's
    /// limit (250, unless set otherwise), where no member sees what the others have read.
    #[graphql(complexity = "20 * child_complexity + 1")]
    async fn read_by(&self, ctx: &Context<'_>) -> Result<Vec<ReadReceipt>, ApiError> {
        if self.is_apart {
            return Ok(Vec::new());
        }
        let receipts = ctx.loader().load_one(ReceiptsOf(self.row.clone())).await?;
        Ok(receipts.unwrap_or_default().into_iter().map(ReadReceipt).collect())
    }

    /// How members have reacted to it: each kind, in the order in which each was first used. At most 20.
    #[graphql(complexity = "20 * child_complexity + 1")]
    async fn reactions(&self, ctx: &Context<'_>) -> Result<Vec<ReactionGroup>, ApiError> {
        if self.is_apart {
            return Ok(Vec::new());
        }
        let counts = ctx.loader().load_one(ReactionsTo(self.row.id)).await?;
        Ok(counts.unwrap_or_default().into_iter().map(ReactionGroup).collect())
    }

    /// What is specific to the viewer.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<MessageViewer, ApiError> {
        let own = ctx.loader().load_one(OwnReactionsTo(self.row.id)).await?;
        Ok(MessageViewer { message: self.row.id, user: ctx.viewer()?.user, reactions: own.unwrap_or_default() })
    }

    /// The `cursor` of its edge in the room's `messages`, by which a page begins after it or ends before it.
    async fn edge_cursor(&self, ctx: &Context<'_>) -> String {
        page::cursor(ctx, List::Messages(self.row.room_id), self.row.seq)
    }

    /// Where in the viewer's event stream it was posted. Only set in the `messagePosted` subscription: pass the latest
    /// one as `after` to resume.
    async fn cursor(&self) -> Option<ShownCursor> {
        self.cursor.map(ShownCursor::Event)
    }
}

/// What a message holds.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "message::MessageType")]
pub enum MessageType {
    /// Text that a member wrote.
    Text,
}

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
    /// Errors: `NOT_FOUND` when the viewer is in no such room; `BAD_USER_INPUT` when the text shows nothing or is too
    /// long; `CONFLICT` when the viewer has posted another text in this room under the same `clientId`.
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
    ) -> Result<PostMessagePayload, ApiError> {
        let client_id = client_id.map(|id| ClientId::parse(id.0)).transpose()?;
        let body = Body::parse(body)?;
        let viewer = ctx.charge(PerUser::Posts).await?;
        let room_id = ctx.room_id(room_id).await?;
        let in_room = Charge::Room(room_id.0);
        if let Some(meter) = ctx.meter() {
            meter.charge(in_room).await?;
        }
        let posted = ctx.chat().post(viewer, room_id, body, client_id, seen_seq).await;
        if let (Some(meter), Err(Error::NotFound { .. })) = (ctx.meter(), &posted) {
            // Who isn't in a room can't use up what its members may post.
            meter.give_back(in_room);
        }
        Ok(PostMessagePayload { message: posted?.into() })
    }

    /// Changes the text of one of the viewer's messages, also in a room that the viewer has left, as long as there is one.
    /// Of that room, those who have left it are shown nothing: don't select `room` then.
    ///
    /// Errors: `NOT_FOUND` when the viewer can see no such message; `FORBIDDEN` when somebody else wrote it; `CONFLICT`
    /// when it was deleted; `BAD_USER_INPUT` when the text is empty or too long.
    async fn edit_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message's id: `msg_…`.")] message_id: MessageId,
        #[graphql(secret, desc = "The new text, as for `postMessage`.")] body: String,
    ) -> Result<EditMessagePayload, ApiError> {
        let body = Body::parse(body)?;
        let viewer = ctx.charge(PerUser::Writes).await?;
        let edited = ctx.chat().edit_message(viewer, message_id, body).await?;
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
}

event! {
    /// A message was posted to one of the viewer's rooms, by any member: every socket receives the viewer's own posts,
    /// too.
    ///
    /// It also moves its author's read mark to its `seq`, without a `ReadMarksMoved`; with `seenSeq`, perhaps less far.
    /// `authorMember`, and for the author `room.viewer`, say how far.
    #[graphql(complex)]
    MessagePosted {
        /// The message, or its tombstone when the deletion was missed as well.
        message: Message,
    }
}

#[ComplexObject]
impl MessagePosted {
    /// The message as an edge of its room's `messages`, to be put into a list that is shown.
    async fn message_edge(&self, ctx: &Context<'_>) -> PageEdge<i32, Message> {
        self.message.edge(ctx)
    }

    /// The author's membership, with the `lastReadSeq` that the post has moved. Null when the author has left since.
    async fn author_member(&self, ctx: &Context<'_>) -> Result<Option<RoomMember>, ApiError> {
        let message::Model { room_id: room, author_id: user, .. } = self.message.row;
        let room_size = self.message.room.as_ref().map_or(i32::MAX, |room| room.member_count);
        Ok(ctx.loader().load_one(MemberOf { room, user }).await?.map(|row| RoomMember::new(row, room_size)))
    }
}

event! {
    /// The text of a message was changed.
    MessageEdited {
        /// The message with its present text.
        message: Message,
    }
}
event! {
    /// A message was deleted.
    MessageDeleted {
        /// What is left of it: `deletedAt` is set, and `body` is empty.
        message: Message,
    }
}

impl From<&MessageNotice> for Message {
    fn from(notice: &MessageNotice) -> Self {
        Self { author: notice.author.clone(), room: Some(notice.room.clone()), ..Self::from(notice.message.clone()) }
    }
}

pub(super) fn event(stamp: Stamp, notice: &MessageNotice) -> Event {
    let Stamp { cursor, at } = stamp;
    let message = Message::from(notice);
    match notice.change {
        MessageChange::Posted => MessagePosted { cursor, at, message }.into(),
        MessageChange::Edited => MessageEdited { cursor, at, message }.into(),
        MessageChange::Deleted => MessageDeleted { cursor, at, message }.into(),
        MessageChange::Reacted => super::reaction::event(stamp, notice),
    }
}
