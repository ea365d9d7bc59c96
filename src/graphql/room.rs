//! Rooms.

use std::sync::Arc;

use async_graphql::{Context, Description, ID, Object, SimpleObject};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::execution::loaders::{MembersOf, MessageAt, MessagesOf, PinsOf, ViewOf};
use super::group::{JoinPolicy, PostingPolicy, RolePermissions, RoomKind};
use super::initiate::RoomType;
use super::member::RoomMember;
use super::message::Message;
use super::pin::PinnedMessage;
use super::reading::RoomViewer;
use super::user::User;
use super::values::json::{self, Json};
use super::values::page::{self, GivenKey, List, Page, page};
use super::values::scalars::DateTime;
use crate::chat::reading::RoomView;
use crate::chat::room::{Members, RoomKey, RoomRef};
use crate::chat::{Argument, Error, Slice, Window};
use crate::ids::UserId;
use crate::limits::PerUser;
use crate::store::entity::{pin, room};

/// A conversation. Only its members can see it; to everybody else it doesn't exist.
#[derive(Clone, Description)]
pub(crate) struct Room(pub room::Model);

impl Room {
    async fn members_page(
        &self,
        ctx: &Context<'_>,
        which: Members,
        first: Option<i32>,
        after: Option<GivenKey<UserId>>,
    ) -> Result<Page<UserId, RoomMember>, ApiError> {
        let list = List::Members(self.0.id);
        let window = Window::forward(first, page::after(ctx, list, after)?)?;
        let members = ctx.loader().load_one(MembersOf { room: self.0.id, which, window }).await?;
        let member = |row| RoomMember::new(row, self.0.member_count);
        Ok(page(ctx, list, members.ok_or(Error::ROOM_NOT_FOUND)?, |member| member.user_id, member))
    }

    async fn slice(&self, ctx: &Context<'_>, window: Window<i32>) -> Result<Slice<Message>, ApiError> {
        let key = MessagesOf { room: self.0.id, last_seq: self.0.last_seq, window };
        let slice = ctx.loader().load_one(key).await?.ok_or(Error::ROOM_NOT_FOUND)?;
        let room = Arc::new(self.0.clone());
        Ok(slice.map(|message| Message::from(message).in_room(Arc::clone(&room))))
    }
}

#[Object(use_type_description)]
impl Room {
    /// The room's id, which never changes.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Which types of users are in the room.
    async fn r#type(&self) -> RoomType {
        self.0.r#type.into()
    }

    /// How the room is what it is.
    async fn kind(&self) -> RoomKind {
        self.0.kind.into()
    }

    /// The id that the app's own backend knows the room by. All members see it: no secrets.
    async fn external_id(&self) -> Option<ID> {
        self.0.external_id.clone().map(ID)
    }

    /// What a group is called.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// What a group is about.
    async fn topic(&self) -> Option<&str> {
        self.0.topic.as_deref()
    }

    /// Where a picture of a group is.
    async fn avatar_url(&self) -> Option<&str> {
        self.0.avatar_url.as_deref()
    }

    /// What the app keeps about the room. All members see it.
    #[graphql(complexity = "json::COMPLEXITY")]
    async fn custom(&self) -> Json {
        Json::stored(self.0.custom.as_deref())
    }

    /// Who may join the room. Nobody is ever added to a direct one.
    async fn join_policy(&self) -> JoinPolicy {
        self.0.join_policy.into()
    }

    /// Who may post in the room.
    async fn posting_policy(&self) -> PostingPolicy {
        self.0.posting_policy.into()
    }

    /// How many seconds a member waits between two posts; 0 is not at all. Moderators and owners never wait.
    async fn slow_mode_secs(&self) -> i32 {
        self.0.slow_mode_secs
    }

    /// What members may do by their roles, for clients that know the viewer's own role: unlike `viewer.permissions` it
    /// doesn't depend on the viewer. Who opened a direct room may delete it beside that.
    #[graphql(complexity = "12 + 3 * child_complexity")]
    async fn role_permissions(&self) -> Vec<RolePermissions> {
        RolePermissions::of(&self.0)
    }

    /// The user who opened the room, and may delete a direct one unless it is one with the
    /// support side. Null when the account has been deleted, and when a server
    /// key made it.
    async fn initiator(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        let Some(initiator) = self.0.initiator_id else { return Ok(None) };
        Ok(ctx.loader().load_one(initiator).await?.map(User))
    }

    /// The room's members, in a stable order without a meaning.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<
            GivenKey<UserId>,
        >,
    ) -> Result<Page<UserId, RoomMember>, ApiError> {
        self.members_page(ctx, Members::Present, first, after).await
    }

    /// Those who were in the room and have left it, in a stable order without a meaning. Whoever has hidden a room of two is
    /// a member still.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn former_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<
            GivenKey<UserId>,
        >,
    ) -> Result<Page<UserId, RoomMember>, ApiError> {
        self.members_page(ctx, Members::Former, first, after).await
    }

    /// The set of users that `initiateChat` opened the room for and finds it by, in a stable order without a meaning,
    /// whether they are still in it or not. Null for a room that doesn't stand for a set of users.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn founding_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<
            GivenKey<UserId>,
        >,
    ) -> Result<Option<Page<UserId, RoomMember>>, ApiError> {
        if self.0.member_key.is_none() {
            return Ok(None);
        }
        self.members_page(ctx, Members::Founding, first, after).await.map(Some)
    }

    /// How many members it has. Whoever has hidden a room of two counts.
    async fn member_count(&self) -> i32 {
        self.0.member_count
    }

    /// The room's messages, oldest first on every page. Without arguments, the newest 20; go back in time with `last`
    /// and `before`, forward with `first` and `after`.
    ///
    /// To fill the gap that a `RoomGap` event announces, give its `fromSeq` and `toSeq`, and continue with `after`
    /// while there is a next page.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    #[graphql(complexity = "page::cost(first, last, child_complexity)")]
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start at most: 0 to 100. Not together with `last`.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<GivenKey<i32>>,
        #[graphql(desc = "How many from the end at most: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<GivenKey<i32>>,
        #[graphql(desc = "Only those with this `seq` or a higher one.")] from_seq: Option<i32>,
        #[graphql(desc = "Only those with this `seq` or a lower one.")] to_seq: Option<i32>,
    ) -> Result<Page<i32, Message>, ApiError> {
        let of = List::Messages(self.0.id);
        let after = page::after(ctx, of, after)?.max(from_seq.map(|seq| seq.saturating_sub(1)));
        let before = before.map(|key| key.open(ctx, of, Argument::Before)).transpose()?;
        let before = [before, to_seq.map(|seq| seq.saturating_add(1))].into_iter().flatten().min();
        let window = Window::new(first, after, last, before, after.is_none())?;
        Ok(page(ctx, of, self.slice(ctx, window).await?, |message| message.row.seq, |message| message))
    }

    /// The newest message, deleted or not. Null before the first.
    async fn last_message(&self, ctx: &Context<'_>) -> Result<Option<Message>, ApiError> {
        if self.0.last_seq == 0 {
            return Ok(None);
        }
        let newest = Window { limit: 1, after: None, before: None, from_end: true };
        Ok(self.slice(ctx, newest).await?.items.pop())
    }

    /// The room's pinned messages, the last pinned first: at most 100.
    #[graphql(complexity = "20 * child_complexity + 1")]
    async fn pinned_messages(&self, ctx: &Context<'_>) -> Result<Vec<PinnedMessage>, ApiError> {
        let pins = ctx.loader().load_one(PinsOf(self.0.id)).await?.unwrap_or_default();
        let place = |pin: &pin::Model| MessageAt { room: pin.room_id, seq: pin.seq };
        let mut messages = ctx.loader().load_many(pins.iter().map(place)).await?;
        let room = Arc::new(self.0.clone());
        let shown = |pin: pin::Model| {
            let message = Message::from(messages.remove(&place(&pin))?).in_room(Arc::clone(&room));
            Some(PinnedMessage { pin, message })
        };
        Ok(pins.into_iter().filter_map(shown).collect())
    }

    /// When the room was opened.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When the room was opened or last posted to.
    async fn last_activity_at(&self) -> DateTime {
        self.0.last_activity_at.into()
    }

    /// What is specific to the viewer in the room. In a subscription, select it only where it is needed, because events
    /// that carry it must be rendered for each user separately.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<RoomViewer, ApiError> {
        let user = ctx.viewer()?.user;
        let view = ctx.loader().load_one(ViewOf(self.0.id)).await?;
        Ok(RoomViewer { user, view: view.unwrap_or_else(|| RoomView::left(self.0.id)), room: self.0.clone() })
    }
}

/// The room that the viewer left.
#[derive(SimpleObject)]
pub(crate) struct LeaveRoomPayload {
    /// The room's id.
    room_id: ID,
}

/// The room that was deleted.
#[derive(SimpleObject)]
pub(crate) struct DeleteRoomPayload {
    /// The room's id.
    room_id: ID,
    /// How many messages were deleted with it.
    deleted_message_count: i32,
}

/// Finding rooms.
#[derive(Default)]
pub(crate) struct RoomQuery;

#[Object]
impl RoomQuery {
    /// The viewer's rooms, the latest activity first.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn rooms(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<
            GivenKey<RoomKey>,
        >,
    ) -> Result<Page<RoomKey, Room>, ApiError> {
        let window = Window::forward(first, page::after(ctx, List::Rooms, after)?)?;
        let rooms = ctx.chat().rooms(ctx.charge(PerUser::Reads).await?, &window).await?;
        Ok(page(ctx, List::Rooms, rooms, RoomKey::of, Room))
    }

    /// One room. Null when the viewer is in no such room.
    async fn room(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] id: RoomRef,
    ) -> Result<Option<Room>, ApiError> {
        let viewer = ctx.charge(PerUser::Reads).await?;
        let found = match ctx.room_id(id).await {
            Ok(id) => ctx.chat().room(viewer, id).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(room) => Ok(Some(Room(room))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Server key: the room with this id of the app's. Null when there is none.
    ///
    /// Errors: `FORBIDDEN` with `SERVER_KEY_NEEDED` for everybody else.
    async fn room_by_external_id(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The app's own id, without `ext:`.")] external_id: ID,
    ) -> Result<Option<Room>, ApiError> {
        Ok(ctx.chat().room_by_external_id(ctx.server()?, &external_id).await?.map(Room))
    }
}

/// Leaving and deleting rooms.
#[derive(Default)]
pub(crate) struct RoomMutation;

#[Object]
impl RoomMutation {
    /// Leaves a room. The viewer receives nothing more from it, and no longer sees it.
    ///
    /// A room that stands for a set of two users is hidden by that: the other one isn't told, sees the viewer as a member and
    /// may go on posting, and the next message brings the room back to the viewer. Any other room is left: the others are
    /// told, and only the viewer can come back, by `initiateChat`. Whoever is back sees all that was said meanwhile.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room.
    async fn leave_room(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
    ) -> Result<LeaveRoomPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        let room_id = ctx.room_id(room_id).await?;
        ctx.chat().leave_room(viewer, room_id).await?;
        Ok(LeaveRoomPayload { room_id: room_id.into() })
    }

    /// Deletes a direct room that the viewer opened, or a group that the viewer owns, with all its messages, for everybody.
    /// A server key may delete every room. Can't be undone.
    ///
    /// A direct room of type `CONSUMER_TO_SUPPORT` is deleted by its members of type `SUPPORT`, and by them alone, so that
    /// nobody who asks there wipes what was answered.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room; `FORBIDDEN` when the viewer may not delete it, with
    /// `OWNER_NEEDED` in a group that others own.
    async fn delete_room(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
    ) -> Result<DeleteRoomPayload, ApiError> {
        let actor = ctx.charge_actor(PerUser::Writes).await?;
        let room_id = ctx.room_id(room_id).await?;
        let deleted_message_count = ctx.chat().delete_room(actor, room_id).await?;
        Ok(DeleteRoomPayload { room_id: room_id.into(), deleted_message_count })
    }
}

impl From<&Arc<room::Model>> for Room {
    fn from(room: &Arc<room::Model>) -> Self {
        Self((**room).clone())
    }
}
