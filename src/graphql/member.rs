//! The members of rooms, and what moderators do to them.

use async_graphql::{Context, Description, ID, Object, SimpleObject};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::group::RoomRole;
use super::room::Room;
use super::user::User;
use super::values::ids;
use super::values::scalars::DateTime;
use crate::chat::room::{BanInput, RoomRef};
use crate::chat::user::UserRef;
use crate::ids::{RoomId, UserId};
use crate::limits::PerUser;
use crate::store::entity::{ban, member};

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

    /// Until when a moderator has the member say nothing in the room. Null when that is over, too.
    async fn timeout_until(&self, ctx: &Context<'_>) -> Option<DateTime> {
        self.row.timeout_until.filter(|until| *until > ctx.chat().clock().now()).map(Into::into)
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

/// Somebody who may not come back into a room for now.
#[derive(Clone, Description)]
pub(crate) struct RoomBan(pub ban::Model);

#[Object(use_type_description)]
impl RoomBan {
    /// The id of who is kept out.
    async fn user_id(&self) -> ID {
        self.0.user_id.into()
    }

    /// Who is kept out. Null when the account has been deleted.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        Ok(ctx.loader().load_one(self.0.user_id).await?.map(User))
    }

    /// Who said so. Null when the app's own backend did, or the account has been deleted.
    async fn banned_by(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        let Some(by) = self.0.by_id else { return Ok(None) };
        Ok(ctx.loader().load_one(by).await?.map(User))
    }

    /// Why.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Until when. Null: for good.
    async fn until(&self) -> Option<DateTime> {
        self.0.until.map(Into::into)
    }

    /// Since when.
    async fn banned_at(&self) -> DateTime {
        self.0.at.into()
    }
}

/// Who was put into the room.
#[derive(SimpleObject)]
pub(crate) struct AddMembersPayload {
    /// The room.
    room: Room,
    /// Those who were not in it before.
    added: Vec<User>,
}

/// Who was removed from the room.
#[derive(SimpleObject)]
pub(crate) struct RemoveMemberPayload {
    /// The room.
    room: Room,
    /// The former member's id.
    user_id: ID,
}

/// The member whose role was changed.
#[derive(SimpleObject)]
pub(crate) struct SetMemberRolePayload {
    /// The room.
    room: Room,
    /// The member as it is now.
    member: RoomMember,
}

/// Who may not come back into the room, or may again.
#[derive(SimpleObject)]
pub(crate) struct BanMemberPayload {
    /// The room.
    room: Room,
    /// The id of the user.
    user_id: ID,
    /// The ban. Null when there is none any more.
    ban: Option<RoomBan>,
}

/// The member who may say nothing for now, or may again.
#[derive(SimpleObject)]
pub(crate) struct TimeoutMemberPayload {
    /// The room.
    room: Room,
    /// The member as it is now.
    member: RoomMember,
}

/// Adding members to groups, and keeping order among them.
#[derive(Default)]
pub(crate) struct MemberMutation;

#[Object]
impl MemberMutation {
    /// Puts users into a group, as members: for moderators, owners and server keys. Those who are in it already stay as they
    /// are. The new ones receive `RoomJoined`, and all members one `MembersJoined`.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room, or there is no such user; `BAD_USER_INPUT` for more than 100;
    /// `FORBIDDEN` with `MODERATOR_NEEDED` for members, with `DIRECT_ROOM` for a direct room, with `DEACTIVATED` for a user
    /// who is switched off, with `BLOCKED` for users who block the viewer, with `BANNED` for users who may not come back,
    /// with `ROOM_FULL` when there would be more than 5,000 members. Nobody is put in when one of them is refused.
    async fn add_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
        #[graphql(desc = "The users, at most 100: `user_…`, or the app's own id after `ext:`.")] user_ids: Vec<UserRef>,
    ) -> Result<AddMembersPayload, ApiError> {
        let actor = ctx.charge_actor(PerUser::Writes).await?;
        let (room, added) = ctx.chat().add_members(actor, ctx.room_id(room_id).await?, &user_ids).await?;
        let mut users = ctx.loader().load_many(added.iter().copied()).await?;
        let added = added.iter().filter_map(|user| users.remove(user)).map(User).collect();
        Ok(AddMembersPayload { room: Room(room), added })
    }

    /// Ends somebody's membership of a group: for moderators, owners and server keys, of somebody in a lower role. The
    /// former member receives `RoomLeft` with `REMOVED`, the others `MemberLeft`.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room, or the user isn't; `FORBIDDEN` with `MODERATOR_NEEDED` for
    /// members, with `HIGHER_ROLE_NEEDED`, with `DIRECT_ROOM` for a direct room.
    async fn remove_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
        #[graphql(desc = "The member: `user_…`, or the app's own id after `ext:`.")] user_id: UserRef,
    ) -> Result<RemoveMemberPayload, ApiError> {
        let actor = ctx.charge_actor(PerUser::Writes).await?;
        let (room, user_id) = ctx.chat().remove_member(actor, ctx.room_id(room_id).await?, &user_id).await?;
        Ok(RemoveMemberPayload { room: Room(room), user_id: user_id.into() })
    }

    /// Changes the role of a member of a group: for owners and server keys. When an owner steps down and none is left, the
    /// moderator, or else the member, who has been there for longest becomes one. All members receive `MemberChanged`.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room, or the user isn't; `FORBIDDEN` with `OWNER_NEEDED`, with
    /// `DIRECT_ROOM` for a direct room; `CONFLICT` when nobody else could own the room.
    async fn set_member_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
        #[graphql(desc = "The member: `user_…`, or the app's own id after `ext:`.")] user_id: UserRef,
        #[graphql(desc = "What the member is to be.")] role: RoomRole,
    ) -> Result<SetMemberRolePayload, ApiError> {
        let actor = ctx.charge_actor(PerUser::Writes).await?;
        let (room, member) =
            ctx.chat().set_member_role(actor, ctx.room_id(room_id).await?, &user_id, role.into()).await?;
        let member = RoomMember::new(member, room.member_count);
        Ok(SetMemberRolePayload { room: Room(room), member })
    }

    /// Keeps a user out of a group, or no longer does: for moderators, owners and server keys, of somebody in a lower role or
    /// who isn't in it. Whoever is in it is removed and receives `RoomLeft` with `BANNED`, and the others `MemberLeft`;
    /// otherwise they receive `MemberChanged`. Whoever is kept out can't come back in any way. A ban that runs out ends
    /// without an event. Again with another time or reason replaces them.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room, or there is no such user; `BAD_USER_INPUT` for a time that is
    /// over or more than ten years ahead, and a reason of more than 500 characters; `FORBIDDEN` with `MODERATOR_NEEDED` for members, with
    /// `HIGHER_ROLE_NEEDED`, with `DIRECT_ROOM` for a direct room.
    async fn ban_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
        #[graphql(desc = "The user: `user_…`, or the app's own id after `ext:`.")] user_id: UserRef,
        #[graphql(desc = "Whether the user is to be kept out.", default = true)] banned: bool,
        #[graphql(desc = "Until when. Null: for good.")] until: Option<DateTime>,
        #[graphql(desc = "Why, for those who may remove members: at most 500 characters.")] reason: Option<String>,
    ) -> Result<BanMemberPayload, ApiError> {
        let actor = ctx.charge_actor(PerUser::Writes).await?;
        let input = banned.then(|| BanInput { until: until.map(Into::into), reason });
        let (room, user_id, ban) = ctx.chat().ban_member(actor, ctx.room_id(room_id).await?, &user_id, input).await?;
        Ok(BanMemberPayload { room: Room(room), user_id: user_id.into(), ban: ban.map(RoomBan) })
    }

    /// Has a member of a group post, edit and react to nothing until then, or lets the member speak again: for moderators, owners
    /// and server keys, of somebody in a lower role. All members receive `MemberChanged`; when the time is over there is no
    /// event.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room, or the user isn't; `BAD_USER_INPUT` for a time that is over or
    /// more than 28 days ahead; `FORBIDDEN` with `MODERATOR_NEEDED` for members, with `HIGHER_ROLE_NEEDED`, with
    /// `DIRECT_ROOM` for a direct room.
    async fn timeout_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
        #[graphql(desc = "The member: `user_…`, or the app's own id after `ext:`.")] user_id: UserRef,
        #[graphql(desc = "Until when, at most 28 days ahead. Null: no longer.")] until: Option<DateTime>,
    ) -> Result<TimeoutMemberPayload, ApiError> {
        let actor = ctx.charge_actor(PerUser::Writes).await?;
        let (room, member) =
            ctx.chat().time_out_member(actor, ctx.room_id(room_id).await?, &user_id, until.map(Into::into)).await?;
        let member = RoomMember::new(member, room.member_count);
        Ok(TimeoutMemberPayload { room: Room(room), member })
    }
}
