//! Groups: rooms with a name and roles.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::error::ApiError;
use super::events::{Event, Stamp, event};
use super::execution::context::ContextExt;
use super::initiate::RoomType;
use super::room::Room;
use super::user::User;
use super::values::json::Json;
use super::values::scalars::{DateTime, ShownCursor};
use crate::chat::access::{self, Permission};
use crate::chat::message::ClientId;
use crate::chat::room::{GroupInput, GroupPatch, RoomRef};
use crate::chat::user::UserRef;
use crate::limits::PerUser;
use crate::store::entity::member;
use crate::store::entity::room;
use crate::store::entity::user;

/// How a room is what it is.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "room::RoomKind")]
pub enum RoomKind {
    /// The one room of a set of people, by `initiateChat`.
    Direct,
    /// A room with a name and roles, by `createRoom`.
    Group,
}

/// What a member is in a room.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "member::RoomRole")]
pub enum RoomRole {
    /// Has every say in a group.
    Owner,
    /// Keeps order in a group.
    Moderator,
    /// Takes part. In a direct room everybody does.
    Member,
}

/// Who may join a group.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "room::JoinPolicy")]
pub enum JoinPolicy {
    /// Those whom somebody adds or invites, and who has the code of a link.
    Invite,
    /// Everybody: it is listed by `openRooms`.
    Open,
}

/// Who may post in a group.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "room::PostingPolicy")]
pub enum PostingPolicy {
    /// All members.
    Everyone,
    /// Moderators and owners: an announcement, or a room that is closed for now.
    Moderators,
}

/// What somebody may do in a room. Further values may be added.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Permission")]
pub enum RoomPermission {
    /// Post messages.
    Post,
    /// React to messages.
    React,
    /// Mention everybody in the room.
    MentionRoom,
    /// Pin messages, and unpin them.
    Pin,
    /// Delete messages of others.
    DeleteMessages,
    /// Change the room's name, topic, picture and policies.
    UpdateRoom,
    /// Put users into the room, as members.
    AddMembers,
    /// Remove, ban and time out members of a lower role.
    RemoveMembers,
    /// Change the roles of members.
    SetRoles,
    /// Invite people, and see and close invites.
    Invite,
    /// Delete the room for everybody.
    DeleteRoom,
}

/// What members of one role may do in a room.
#[derive(SimpleObject, Clone)]
pub(crate) struct RolePermissions {
    /// The role.
    role: RoomRole,
    /// What those who have it may do.
    permissions: Vec<RoomPermission>,
}

impl RolePermissions {
    /// Those of each role that there is in this room.
    pub(super) fn of(room: &room::Model) -> Vec<Self> {
        let roles: &[member::RoomRole] = match room.kind {
            room::RoomKind::Direct => &[member::RoomRole::Member],
            room::RoomKind::Group => &[member::RoomRole::Owner, member::RoomRole::Moderator, member::RoomRole::Member],
        };
        let of = |role: &member::RoomRole| Self {
            role: (*role).into(),
            permissions: access::permissions_in(room, *role).into_iter().map(Into::into).collect(),
        };
        roles.iter().map(of).collect()
    }
}

/// A member of a new room.
#[derive(InputObject)]
pub(crate) struct NewMember {
    /// The user: `user_…`, or the app's own id after `ext:`.
    user_id: UserRef,
    /// What the user is to be.
    #[graphql(default_with = "RoomRole::Member")]
    role: RoomRole,
}

/// A new group.
#[derive(InputObject)]
pub(crate) struct CreateRoomInput {
    /// Server key: the app's own id of it, such as `order:42`: 1 to 128 characters. With the same again the room is found,
    /// and the rest of the input doesn't matter.
    external_id: Option<ID>,
    /// The viewer's own name for this request, 1 to 64 bytes: with the same again the room that it made is answered.
    client_id: Option<ID>,
    /// Which types of users it is for.
    #[graphql(default_with = "RoomType::ConsumerToConsumer")]
    r#type: RoomType,
    /// What it is called: 1 to 100 characters.
    name: Option<String>,
    /// What it is about: 1 to 500 characters.
    topic: Option<String>,
    /// Where a picture of it is: `https://…` or `http://…`, of at most 2,048 bytes.
    avatar_url: Option<String>,
    /// Server key: what the app keeps about it.
    custom: Option<Json>,
    /// Who may join it.
    #[graphql(default_with = "JoinPolicy::Invite")]
    join_policy: JoinPolicy,
    /// Who may post in it.
    #[graphql(default_with = "PostingPolicy::Everyone")]
    posting_policy: PostingPolicy,
    /// Its members, at most 100. The viewer is its owner, named or not.
    #[graphql(default)]
    members: Vec<NewMember>,
}

/// What is to change of a group. What is left out stays as it is.
#[derive(InputObject)]
pub(crate) struct UpdateRoomInput {
    /// What it is called: 1 to 100 characters. Null removes it.
    name: MaybeUndefined<String>,
    /// What it is about: 1 to 500 characters. Null removes it.
    topic: MaybeUndefined<String>,
    /// Where a picture of it is: `https://…` or `http://…`, of at most 2,048 bytes. Null removes it.
    avatar_url: MaybeUndefined<String>,
    /// Server key: what is to change of what the app keeps about it.
    custom: Option<Json>,
    /// Who may join it. Invites and links stay as they are.
    join_policy: Option<JoinPolicy>,
    /// Who may post in it.
    posting_policy: Option<PostingPolicy>,
    /// How many seconds a member waits between two posts: 0 to 21,600, where 0 is not at all. Moderators and owners never
    /// wait.
    slow_mode_secs: Option<i32>,
}

/// The room that was made or found.
#[derive(SimpleObject)]
pub(crate) struct CreateRoomPayload {
    /// The room.
    room: Room,
    /// Whether this request made it.
    is_new: bool,
}

/// The room that was changed.
#[derive(SimpleObject)]
pub(crate) struct UpdateRoomPayload {
    /// The room as it is now.
    room: Room,
}

/// Making and changing groups.
#[derive(Default)]
pub(crate) struct GroupMutation;

#[Object]
impl GroupMutation {
    /// Makes a group. The viewer is its owner; a room that a server key makes by itself needs none, because the key may do
    /// what an owner may. Its members receive `RoomJoined`.
    ///
    /// Errors: `BAD_USER_INPUT` for what is not acceptable; `FORBIDDEN` with `SERVER_KEY_NEEDED` for `externalId` and
    /// `custom` by anybody but the app's own backend, with `DEACTIVATED` for a member who is switched off; `NOT_FOUND` when
    /// there is no such user; `CONFLICT` when the viewer has opened as many rooms as a user may, or has left the room of
    /// this `clientId`.
    async fn create_room(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room.")] input: CreateRoomInput,
    ) -> Result<CreateRoomPayload, ApiError> {
        let actor = ctx.charge_actor(PerUser::Writes).await?;
        let input = GroupInput {
            external_id: input.external_id.map(|id| id.0),
            client_id: input.client_id.map(|id| ClientId::parse(id.0)).transpose()?,
            r#type: input.r#type.into(),
            name: input.name,
            topic: input.topic,
            avatar_url: input.avatar_url,
            custom: input.custom.map(Into::into),
            join_policy: input.join_policy.into(),
            posting_policy: input.posting_policy.into(),
            members: input.members.into_iter().map(|member| (member.user_id, member.role.into())).collect(),
        };
        if let Some(room) = ctx.chat().present_group(actor, &input).await? {
            return Ok(CreateRoomPayload { room: Room(room), is_new: false });
        }
        ctx.charge_actor(PerUser::NewRooms).await?;
        let (room, is_new) = ctx.chat().create_room(actor, input).await?;
        Ok(CreateRoomPayload { room: Room(room), is_new })
    }

    /// Changes a group: for moderators, owners and server keys. Its members receive `RoomUpdated`, unless nothing is new.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room; `BAD_USER_INPUT` for what is not acceptable; `FORBIDDEN` with
    /// `MODERATOR_NEEDED` for members, with `DIRECT_ROOM` for a direct room, with `SERVER_KEY_NEEDED` for `custom` by
    /// anybody but the app's own backend.
    async fn update_room(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
        #[graphql(desc = "What is to change.")] input: UpdateRoomInput,
    ) -> Result<UpdateRoomPayload, ApiError> {
        let actor = ctx.charge_actor(PerUser::Writes).await?;
        let patch = GroupPatch {
            name: input.name.into(),
            topic: input.topic.into(),
            avatar_url: input.avatar_url.into(),
            custom: input.custom.map(Into::into),
            join_policy: input.join_policy.map(Into::into),
            posting_policy: input.posting_policy.map(Into::into),
            slow_mode_secs: input.slow_mode_secs,
        };
        Ok(UpdateRoomPayload { room: Room(ctx.chat().update_room(actor, ctx.room_id(room_id).await?, patch).await?) })
    }
}

event! {
    /// A group's name, topic, picture, data or policies were changed.
    RoomUpdated {
        /// The room as it is now.
        room: Room,
        /// Who changed it; null when the app's own backend did, or the account has been deleted since.
        by: Option<User>,
    }
}

pub(super) fn updated(stamp: Stamp, room: &Arc<room::Model>, by: Option<&Arc<user::Model>>) -> Event {
    let Stamp { cursor, at } = stamp;
    RoomUpdated { cursor, at, room: room.into(), by: by.map(|user| User((**user).clone())) }.into()
}
