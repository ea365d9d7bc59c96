//! Ways into a group: open rooms, and invites.

use async_graphql::{Context, Description, ID, Object, SimpleObject};

use super::error::ApiError;
use super::events::{Event, Stamp, event};
use super::execution::context::ContextExt;
use super::room::Room;
use super::user::User;
use super::values::page::{self, GivenKey, List, Page, page};
use super::values::scalars::{DateTime, ShownCursor};
use crate::chat::invite::{CodeHash, InviteInput, InviteInto};
use crate::chat::room::{FoundRoom, OpenRoomPlace, RoomRef, WayIn};
use crate::chat::user::UserRef;
use crate::chat::{Argument, Error, Window};
use crate::delivery::notice::InviteNotice;
use crate::ids::{InviteId, UserId};
use crate::limits::PerUser;
use crate::store::entity::{invite, room};

/// What somebody who isn't in a room may know of it: neither who is in it nor what is said.
#[derive(SimpleObject, Clone)]
pub(crate) struct RoomPreview {
    /// The room's id, for `joinRoom`. It finds the room only for its members.
    id: ID,
    /// What the room is called.
    name: Option<String>,
    /// Where a picture of it is.
    avatar_url: Option<String>,
    /// How many members it has.
    member_count: i32,
}

impl RoomPreview {
    pub(super) fn of(room: &room::Model) -> Self {
        Self {
            id: room.id.into(),
            name: room.name.clone(),
            avatar_url: room.avatar_url.clone(),
            member_count: room.member_count,
        }
    }
}

/// A way into a group: for one user, or a link for whoever has its code.
#[derive(Clone, Description)]
pub(crate) struct Invite {
    row: invite::Model,
    room: RoomPreview,
    /// Who made it, if that is shown.
    inviter: Option<UserId>,
    /// Of a link that was just made.
    code: Option<String>,
}

impl Invite {
    /// For whom it is for, and those who may invite.
    pub(super) fn new(row: invite::Model, room: &room::Model) -> Self {
        Self { inviter: row.inviter_id, row, room: RoomPreview::of(room), code: None }
    }
}

impl From<InviteInto> for Invite {
    fn from(InviteInto { invite, room }: InviteInto) -> Self {
        Self::new(invite, &room)
    }
}

#[Object(use_type_description)]
impl Invite {
    /// The invite's id, for `joinRoom` and `closeInvite`. `node` doesn't take it.
    async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// The room that it leads into.
    async fn room(&self) -> &RoomPreview {
        &self.room
    }

    /// Who made it. Null when a server key did, when the account has been deleted, and for who has only the code of a link and
    /// can't find the user otherwise.
    async fn inviter(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        let Some(inviter) = self.inviter else { return Ok(None) };
        Ok(ctx.loader().load_one(inviter).await?.map(User))
    }

    /// Whom it is for. Null for a link.
    async fn invitee(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        let Some(invitee) = self.row.invitee_id else { return Ok(None) };
        Ok(ctx.loader().load_one(invitee).await?.map(User))
    }

    /// The code of a link, of 32 characters. Only the answer to `createInvite` has it: only its hash is kept.
    async fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// How many more may join by a link. Null: any number.
    async fn uses_left(&self) -> Option<i32> {
        self.row.uses_left
    }

    /// The moment from which on it is good no longer. No event tells of it.
    async fn expires_at(&self) -> Option<DateTime> {
        self.row.expires_at.map(Into::into)
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }
}

/// The invite that was made.
#[derive(SimpleObject)]
pub(crate) struct CreateInvitePayload {
    /// The invite. Of a link, keep its `code`: it isn't shown again.
    invite: Invite,
}

/// The invite that was closed.
#[derive(SimpleObject)]
pub(crate) struct CloseInvitePayload {
    /// The invite's id.
    invite_id: ID,
}

/// The room that the viewer is in now.
#[derive(SimpleObject)]
pub(crate) struct JoinRoomPayload {
    /// The room.
    room: Room,
}

/// Finding ways in.
#[derive(Default)]
pub(crate) struct InviteQuery;

#[Object]
impl InviteQuery {
    /// Groups that everybody may join, the newest first; with `search`, those in whose names each of its words begins a word,
    /// in the order of the words by which they are found. Whoever has been banned from one sees it all the same.
    ///
    /// Errors: `BAD_USER_INPUT` for a search of more than 64 characters or with control characters.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn open_rooms(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The beginnings of words of a name.")] search: Option<String>,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<
            GivenKey<OpenRoomPlace>,
        >,
    ) -> Result<Page<OpenRoomPlace, RoomPreview>, ApiError> {
        ctx.charge(PerUser::Reads).await?;
        let window = Window::forward(first, page::after(ctx, List::OpenRooms, after)?)?;
        let rooms = ctx.chat().open_rooms(search.as_deref(), &window).await?;
        let place = |found: &FoundRoom| found.place.clone();
        Ok(page(ctx, List::OpenRooms, rooms, place, |found| RoomPreview::of(&found.room)))
    }

    /// The link with this code, for whoever has the code. Null when there is none, or it is good no longer.
    async fn invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code.", secret)] code: String,
    ) -> Result<Option<Invite>, ApiError> {
        let viewer = ctx.charge(PerUser::Reads).await?;
        let found = ctx.chat().invite_by_code(viewer, &code).await?;
        Ok(found.map(|(found, inviter)| Invite { inviter, ..found.into() }))
    }
}

/// Inviting and joining.
#[derive(Default)]
pub(crate) struct InviteMutation;

#[Object]
impl InviteMutation {
    /// Invites a user into a group or, without `userId`, makes a link: for moderators, owners and server keys. The user
    /// receives `InviteReceived`; an invite for the user that is good already is answered as it is. An invite is good until
    /// somebody closes it or it expires, also when its maker leaves the room; those of an account that is deleted or switched
    /// off are closed.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room, or finds no such user; `BAD_USER_INPUT` for `expiresAt` that
    /// is past or more than 30 days ahead, and for `maxUses` below 1, above 10,000 or with `userId`; `FORBIDDEN` with
    /// `MODERATOR_NEEDED` for members, with `DIRECT_ROOM` for a direct room, with `BLOCKED` when the user blocks the viewer,
    /// with `BANNED` when a moderator keeps the user out, with `DEACTIVATED` when the user is switched off; `CONFLICT` when the user is in the room already, and when 100
    /// invites into the room are open.
    async fn create_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
        #[graphql(desc = "Whom it is for: `user_…`, or the app's own id after `ext:`.")] user_id: Option<UserRef>,
        #[graphql(desc = "When it expires; in 7 days if not given.")] expires_at: Option<DateTime>,
        #[graphql(desc = "How many may join by a link; any number if not given.")] max_uses: Option<i32>,
    ) -> Result<CreateInvitePayload, ApiError> {
        let actor = ctx.charge_actor(PerUser::Writes).await?;
        let room_id = ctx.room_id(room_id).await?;
        let input = InviteInput { room: room_id, user: user_id, expires_at: expires_at.map(|at| at.0), max_uses };
        let (made, code) = ctx.chat().create_invite(actor, input).await?;
        Ok(CreateInvitePayload { invite: Invite { code, ..made.into() } })
    }

    /// Closes an invite: takes it back, or declines it. For whom it is for, who made it, moderators and owners of the room,
    /// and server keys. Whom it is for receives `InviteClosed`. One that is closed stays so.
    ///
    /// Errors: `NOT_FOUND` when there is no such invite that the viewer may close.
    async fn close_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The invite's id: `invite_…`.")] invite_id: InviteId,
    ) -> Result<CloseInvitePayload, ApiError> {
        ctx.chat().close_invite(ctx.charge_actor(PerUser::Writes).await?, invite_id).await?;
        Ok(CloseInvitePayload { invite_id: invite_id.into() })
    }

    /// Joins a group: an open one by `roomId`, any by an invite for the viewer or by the code of a link. Exactly one of the
    /// three is to be given. Whoever is in the room already is answered it, and uses up nothing.
    ///
    /// Errors: `BAD_USER_INPUT` unless exactly one is given; `NOT_FOUND` when there is no such open room, invite or link, or
    /// it is good no longer; `FORBIDDEN` with `BANNED` when a moderator keeps the viewer out, with `ROOM_FULL` when the room
    /// has 5,000 members.
    async fn join_room(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An open room: `room_…` or, for a server key, the app's own id after `ext:`.")]
        room_id: Option<RoomRef>,
        #[graphql(desc = "The id of an invite for the viewer: `invite_…`.")] invite_id: Option<InviteId>,
        #[graphql(desc = "The code of a link.", secret)] code: Option<String>,
    ) -> Result<JoinRoomPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        let way = match (room_id, invite_id, code) {
            (Some(room), None, None) => WayIn::Room(ctx.room_id(room).await?),
            (None, Some(invite), None) => WayIn::Invite(invite),
            (None, None, Some(code)) => WayIn::Code(CodeHash::of(&code)),
            _ => {
                let problem = "give exactly one of `roomId`, `inviteId` and `code`";
                return Err(Error::invalid(Argument::RoomId, problem).into());
            }
        };
        Ok(JoinRoomPayload { room: Room(ctx.chat().join_room(viewer, way).await?) })
    }
}

event! {
    /// Somebody invites the viewer into a room.
    InviteReceived {
        /// The invite.
        invite: Invite,
        /// Who made it; null when the app's own backend did, or the account has been deleted since.
        by: Option<User>,
    }
}

event! {
    /// An invite for the viewer is good no longer: it was used, declined or taken back, or went with its room or its maker.
    /// One that expires is told by no event.
    InviteClosed {
        /// The invite's id, which a client need not know.
        invite_id: ID,
        /// Who closed it; null when the app's own backend did, or the account has been deleted since.
        by: Option<User>,
    }
}

pub(super) fn event(stamp: Stamp, notice: &InviteNotice) -> Event {
    let Stamp { cursor, at } = stamp;
    let by = notice.by.as_ref().map(User::from);
    match &notice.made {
        Some((invite, room)) => InviteReceived { cursor, at, invite: Invite::new(invite.clone(), room), by }.into(),
        None => InviteClosed { cursor, at, invite_id: notice.id.into(), by }.into(),
    }
}
