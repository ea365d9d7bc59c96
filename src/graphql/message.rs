//! Messages.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Description, Enum, ID, Object, SimpleObject};

use super::attachment::Attachment;
use super::error::ApiError;
use super::events::{Event, Stamp, event};
use super::execution::context::ContextExt;
use super::execution::loaders::{AttachmentsOf, MemberOf, MessageAt, ReceiptsOf};
use super::member::RoomMember;
use super::reaction::{MessageViewer, OwnReactionsTo, ReactionGroup, ReactionsTo};
use super::reading::ReadReceipt;
use super::room::Room;
use super::user::User;
use super::values::json::{self, Json};
use super::values::page::{self, List, PageEdge};
use super::values::scalars::{DateTime, ShownCursor};
use crate::chat::Error;
use crate::chat::message::{Altered, Body};
use crate::delivery::notice::{MessageChange, MessageNotice};
use crate::ids::UserId;
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

    /// Those who have left the room are shown nothing else of it.
    fn answered_seq(&self) -> Option<i32> {
        self.row.reply_to_seq.filter(|_| !self.is_apart)
    }

    pub(super) fn edge(&self, ctx: &Context<'_>) -> PageEdge<i32, Self> {
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

    /// The message that this one answers, as it is now: when that was edited, its new text; when it was deleted, what is left
    /// of it.
    async fn reply_to(&self, ctx: &Context<'_>) -> Result<Option<Message>, ApiError> {
        let Some(seq) = self.answered_seq() else { return Ok(None) };
        let row = ctx.loader().load_one(MessageAt { room: self.row.room_id, seq }).await?;
        Ok(row.map(|row| Self { room: self.room.clone(), ..Self::from(row) }))
    }

    /// `seq` of the message that this one answers.
    async fn reply_to_seq(&self) -> Option<i32> {
        self.answered_seq()
    }

    /// What the app keeps about it. Empty once it is deleted.
    #[graphql(complexity = "json::COMPLEXITY")]
    async fn custom(&self) -> Json {
        Json::stored(self.row.custom.as_deref())
    }

    /// The files that it was posted with. None once it is deleted, or its author's account is.
    #[graphql(complexity = "10 * child_complexity + 1")]
    async fn attachments(&self, ctx: &Context<'_>) -> Result<Vec<Attachment>, ApiError> {
        if self.row.attachment_count == 0 {
            return Ok(Vec::new());
        }
        let rows = ctx.loader().load_one(AttachmentsOf(self.row.id)).await?;
        Ok(rows.unwrap_or_default().into_iter().map(Attachment).collect())
    }

    /// The users whom it mentions, without those whose accounts have been deleted: at most 50.
    #[graphql(complexity = "10 * child_complexity + 1")]
    async fn mentions(&self, ctx: &Context<'_>) -> Result<Vec<User>, ApiError> {
        if self.is_apart {
            return Ok(Vec::new());
        }
        let mentioned: Vec<UserId> = self.row.mentioned().collect();
        let mut users = ctx.loader().load_many(mentioned.iter().copied()).await?;
        Ok(mentioned.iter().filter_map(|user| users.remove(user)).map(User).collect())
    }

    /// Whether it mentions everybody in the room.
    async fn mentions_room(&self) -> bool {
        self.row.mentions_room
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
        let (user, row) = (ctx.viewer()?.user, &self.row);
        let mentioned = row.mentioned().any(|it| it == user) || row.mentions_room && row.author_id != user;
        Ok(MessageViewer { message: row.id, user, reactions: own.unwrap_or_default(), mentioned })
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
    /// The text of a message was changed, or what the app keeps about it.
    MessageEdited {
        /// The message as it is now.
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
        MessageChange::Pinned => super::pin::event(stamp, notice),
    }
}
