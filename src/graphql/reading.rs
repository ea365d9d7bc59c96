//! Reading: how far the viewer has read in a room, and who has read a message.

use async_graphql::{ComplexObject, Context, Description, ID, Object, SimpleObject};

use super::error::ApiError;
use super::events::{Event, Stamp, event};
use super::execution::context::ContextExt;
use super::execution::loaders::{BansOf, InvitesInto, MemberOf, MentionsIn, ReportsOf};
use super::group::{RoomPermission, RoomRole};
use super::invite::Invite;
use super::member::{RoomBan, RoomMember};
use super::notifications::NotificationLevel;
use super::report::Report;
use super::room::Room;
use super::user::User;
use super::values::ids;
use super::values::page::{self, GivenKey, List, Page, page};
use super::values::scalars::{DateTime, ShownCursor};
use crate::chat::access::{self, Permission};
use crate::chat::reading::{Receipt, RoomView};
use crate::chat::room::RoomRef;
use crate::chat::{Error, Slice, Window};
use crate::delivery::notice::{Mark, ReadingNotice};
use crate::ids::{MessageId, ReportId, UserId};
use crate::limits::PerUser;
use crate::store::entity::report::Judged;
use crate::store::entity::room;

/// What is specific to the viewer in a room.
#[derive(Clone, Description)]
pub(crate) struct RoomViewer {
    /// The viewer.
    pub user: UserId,
    /// The room as the viewer sees it.
    pub view: RoomView,
    /// The room itself.
    pub room: room::Model,
}

impl RoomViewer {
    fn allowed(&self, ctx: &Context<'_>) -> Vec<Permission> {
        let Some((role, r#type)) = self.view.role.zip(self.view.user_type) else { return Vec::new() };
        let (timeout, now) = (self.view.timeout_until, ctx.chat().clock().now());
        access::permissions_of(self.user, r#type, &self.room, role, timeout, now)
    }

    fn may(&self, ctx: &Context<'_>, permission: Permission) -> bool {
        self.allowed(ctx).contains(&permission)
    }
}

#[Object(use_type_description)]
impl RoomViewer {
    /// Names it in a client's cache: there is one for each room and viewer. `node` doesn't take it.
    async fn id(&self) -> ID {
        ids::of_member("viewer", self.view.room_id, self.user)
    }

    /// How many messages of others the viewer has not read. Deleted messages don't count.
    async fn unread_count(&self) -> i32 {
        self.view.unread_count
    }

    /// `seq` of the last message that the viewer has read; 0 before the first. Posting counts as reading, unless
    /// `seenSeq` says otherwise.
    async fn last_read_seq(&self) -> i32 {
        self.view.last_read_seq
    }

    /// How many messages that the viewer has not read mention the viewer, by name or with everybody in the room. Messages of users
    /// whom the viewer blocks don't count.
    async fn unread_mention_count(&self, ctx: &Context<'_>) -> Result<i32, ApiError> {
        Ok(ctx.loader().load_one(MentionsIn(self.view.room_id)).await?.unwrap_or_default())
    }

    /// `seq` of the first message that the viewer has marked as unread: what comes after it counts as unread as well. Set by
    /// `markUnread`; null again when the viewer reads on or posts.
    async fn unread_from_seq(&self) -> Option<i32> {
        self.view.unread_from
    }

    /// Of what in the room the viewer is notified.
    async fn notifications(&self) -> NotificationLevel {
        self.view.notifications().into()
    }

    /// What the viewer is in the room. Null when the viewer has just left it.
    async fn role(&self) -> Option<RoomRole> {
        self.view.role.map(Into::into)
    }

    /// What the viewer may do in the room now. Mutations refuse by the same rule, so a client needs none of its own.
    async fn permissions(&self, ctx: &Context<'_>) -> Vec<RoomPermission> {
        self.allowed(ctx).into_iter().map(Into::into).collect()
    }

    /// Until when a moderator has the viewer say nothing in the room. Null when that is over, too.
    async fn timeout_until(&self, ctx: &Context<'_>) -> Option<DateTime> {
        self.view.timeout_until.filter(|until| *until > ctx.chat().clock().now()).map(Into::into)
    }

    /// Those who may not come back into the room for now, in a stable order without a meaning: for those who may remove
    /// members. For others it is empty.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn bans(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<
            GivenKey<UserId>,
        >,
    ) -> Result<Page<UserId, RoomBan>, ApiError> {
        let list = List::Bans(self.room.id);
        let window = Window::forward(first, page::after(ctx, list, after)?)?;
        let bans = if self.may(ctx, Permission::RemoveMembers) {
            ctx.loader().load_one(BansOf { room: self.room.id, window }).await?
        } else {
            None
        };
        Ok(page(ctx, list, bans.unwrap_or_else(Slice::none), |ban| ban.user_id, RoomBan))
    }

    /// The reports of the room's messages that are open, the newest first, with the texts as they were: of those whom the
    /// viewer has more say than. For moderators and owners of a group, and for the support side of a room with it; empty for
    /// everybody else. What is reported of the others is for the operator.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn reports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<
            GivenKey<ReportId>,
        >,
    ) -> Result<Page<ReportId, Report>, ApiError> {
        let (room, list) = (self.view.room_id, List::RoomReports(self.view.room_id));
        let window = Window::forward(first, page::after(ctx, list, after)?)?;
        let judged = match self.view.role.zip(self.view.user_type) {
            Some((role, r#type)) => access::judged_by(self.user, r#type, &self.room, role),
            None => Judged::default(),
        };
        let reports = if judged.is_empty() {
            Slice::none()
        } else {
            ctx.loader().load_one(ReportsOf { room, judged, window }).await?.ok_or(Error::ROOM_NOT_FOUND)?
        };
        Ok(page(ctx, list, reports, |report| report.id, Report))
    }

    /// Invites into the room that are good, the newest first, at most 100: for those who may invite, see `permissions`. Empty
    /// for others.
    #[graphql(complexity = "100 * child_complexity + 1")]
    async fn invites(&self, ctx: &Context<'_>) -> Result<Vec<Invite>, ApiError> {
        if !self.may(ctx, Permission::Invite) {
            return Ok(Vec::new());
        }
        let invites = ctx.loader().load_one(InvitesInto(self.room.id)).await?.unwrap_or_default();
        Ok(invites.into_iter().map(|invite| Invite::new(invite, &self.room)).collect())
    }

    /// Whether the viewer has muted the room. If so, a `messagePosted` subscription to all rooms leaves it out.
    async fn muted(&self) -> bool {
        self.view.muted
    }
}

/// A member has read a message.
#[derive(Clone, Description)]
pub(crate) struct ReadReceipt(pub Receipt);

#[Object(use_type_description)]
impl ReadReceipt {
    /// The reader. Null when the account has been deleted since.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        Ok(ctx.loader().load_one(self.0.user_id).await?.map(User))
    }

    /// When the user first marked this message, or a later one, as read.
    async fn read_at(&self) -> DateTime {
        self.0.at.into()
    }
}

/// The room in which the viewer has read on.
#[derive(SimpleObject)]
pub(crate) struct MarkReadPayload {
    /// The room, with the viewer's new mark.
    room: Room,
}

/// The room in which messages are unread again.
#[derive(SimpleObject)]
pub(crate) struct MarkUnreadPayload {
    /// The room, with the viewer's count of unread messages.
    room: Room,
}

/// The room that was muted or unmuted.
#[derive(SimpleObject)]
pub(crate) struct MuteRoomPayload {
    /// The room.
    room: Room,
}

/// Marking rooms as read, and muting them.
#[derive(Default)]
pub(crate) struct ReadingMutation;

#[Object]
impl ReadingMutation {
    /// Marks the messages of a room as read, up to and including `seq`. A mark never moves back: a `seq` that is lower
    /// than the viewer's mark changes nothing.
    ///
    /// The viewer's other sockets receive `ReadMarksMoved`, and so do the other members unless the room is large.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room; `BAD_USER_INPUT` when the room has no message `seq` yet.
    async fn mark_read(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
        #[graphql(desc = "`seq` of the last message that the viewer has read.")] seq: i32,
    ) -> Result<MarkReadPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Marks).await?;
        let room = ctx.chat().mark_read(viewer, ctx.room_id(room_id).await?, seq).await?;
        Ok(MarkReadPayload { room: Room(room) })
    }

    /// Has the viewer's unread messages of a room begin at this one, which the viewer has read: a reminder, for nobody else to see.
    /// The viewer's read mark stays where it is, for others and as `lastReadSeq`. It ends when the viewer marks that message or a
    /// later one as read, or posts. For a message that isn't read yet it ends what was marked before.
    ///
    /// The viewer's other sockets receive `RoomViewerChanged`.
    ///
    /// Errors: `NOT_FOUND` when the viewer can see no such message; `BAD_USER_INPUT` when the viewer has read 10,000 messages after
    /// it.
    async fn mark_unread(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first message that is to count as unread: `msg_…`.")] message_id: MessageId,
    ) -> Result<MarkUnreadPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Marks).await?;
        let room = ctx.chat().mark_unread(viewer, message_id).await?;
        Ok(MarkUnreadPayload { room: Room(room) })
    }

    /// Mutes a room for the viewer, or unmutes it. The viewer stays a member and still receives the room's `events`.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room.
    async fn mute_room(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The room: `room_…` or, for a server key, the app's own id after `ext:`.")] room_id: RoomRef,
        #[graphql(desc = "Whether it is to be muted.")] muted: bool,
    ) -> Result<MuteRoomPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        let room = ctx.chat().mute_room(viewer, ctx.room_id(room_id).await?, muted).await?;
        Ok(MuteRoomPayload { room: Room(room) })
    }
}

event! {
    /// Members have read on. In a room with more members than the server's limit (250, unless set otherwise), a member
    /// receives only the own mark.
    ReadMarksMoved {
        /// The room.
        room: Room,
        /// The marks that moved, as they are now.
        marks: Vec<ReadMark>,
    }
}

/// How far a member has read.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct ReadMark {
    #[graphql(skip)]
    place: MemberOf,
    #[graphql(skip)]
    room_size: i32,
    /// The member.
    user: User,
    /// `seq` of the last message that the member has read.
    seq: i32,
    /// When the member marked it as read.
    read_at: DateTime,
}

#[ComplexObject]
impl ReadMark {
    /// Names the mark in a client's cache: there is one for each room and member. `node` doesn't take it.
    async fn id(&self) -> ID {
        ids::of_member("mark", self.place.room, self.place.user)
    }

    /// The membership that the mark belongs to, with its `lastReadSeq`. Null when the user has left since.
    async fn member(&self, ctx: &Context<'_>) -> Result<Option<RoomMember>, ApiError> {
        Ok(ctx.loader().load_one(self.place).await?.map(|row| RoomMember::new(row, self.room_size)))
    }
}

impl ReadMark {
    fn of(mark: &Mark, room: &room::Model) -> Self {
        let place = MemberOf { room: room.id, user: mark.user.id };
        Self { place, room_size: room.member_count, user: (&mark.user).into(), seq: mark.seq, read_at: mark.at.into() }
    }
}

pub(super) fn event(stamp: Stamp, notice: &ReadingNotice) -> Event {
    let Stamp { cursor, at } = stamp;
    let marks = notice.marks.iter().map(|mark| ReadMark::of(mark, &notice.room)).collect();
    ReadMarksMoved { cursor, at, room: (&notice.room).into(), marks }.into()
}
