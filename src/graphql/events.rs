//! The subscriptions, and the interface of all events. The types of a noun's events are in the noun's file.

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::{Context, Description, Interface, OutputType, Subscription};
use futures_util::{Stream, StreamExt};

use super::block::BlocksChanged;
use super::error::ApiError;
use super::execution::context::ContextExt;
use super::group::RoomUpdated;
use super::invite::{InviteClosed, InviteReceived};
use super::membership::{
    MemberChanged, MemberJoined, MemberLeft, MembersJoined, RoomJoined, RoomLeft, RoomMuted, RoomViewerChanged,
};
use super::message::{Message, MessageDeleted, MessageEdited, MessagePosted};
use super::notification_due::NotificationDue;
use super::pin::PinsChanged;
use super::presence::{PresenceChanged, TypingChanged, UserChanged};
use super::reaction::ReactionsChanged;
use super::reading::ReadMarksMoved;
use super::report::{ReportFiled, ReportResolved};
use super::sync::{ResyncRequired, RoomGap, Synced};
use super::values::scalars::{DateTime, ShownCursor};
use crate::chat::{Argument, Error};
use crate::delivery::notice::{Content, MessageChange};
use crate::delivery::{Feed, FeedError, Notice};
use crate::ids::RoomId;
use crate::log::replay::Filter;
use crate::position::CursorText;

/// What happens, as it happens, over a WebSocket with the subprotocol `graphql-transport-ws`.
///
/// Nothing is lost, doubled or reordered: keep the cursor of the last event of each subscription, and subscribe with it as
/// `after` to receive exactly what was missed, however long ago that was. What can't be replayed is announced by
/// `RoomGap` or `ResyncRequired`; it is never left out silently.
///
/// The cursor is the argument `after` or, which keeps it out of the document, `after` in the `extensions` of the
/// `subscribe` message; the argument counts if both are given. A subscription without either begins now. Deprecated:
/// the first subscription of a socket, without a cursor of its own, begins after the `after` in the payload of
/// `connection_init`.
#[derive(Description)]
pub struct Subscriptions;

#[Subscription(name = "Subscription", use_type_description)]
impl Subscriptions {
    /// Everything that happens in the viewer's rooms, on every socket of the viewer, in the order in which it happened.
    ///
    /// Begins with what was missed since `after`, if given, then `Synced`, then everything as it happens. A socket that
    /// is too slow falls back to catching up, and receives `Synced` again when it has caught up.
    ///
    /// Errors: `BAD_USER_INPUT` for a cursor that this server can't have given out.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The cursor of the last event seen, or `syncCursor`; without one, from now on.")]
        after: Option<CursorText>,
    ) -> Result<impl Stream<Item = Result<Event, ApiError>> + use<>, ApiError> {
        let notices = open(ctx, Filter::Everything, after).await?;
        Ok(notices.map(|notice| Ok(Event::from(&*notice?))))
    }

    /// New messages only: of all rooms that the viewer has not muted, or of one room, muted or not. They include the
    /// viewer's own.
    ///
    /// Begins with what was missed since `after`, if given. It can't announce a gap: when more was missed than is
    /// replayed, it fails with `CONFLICT` and the field `after`; then fetch the messages, and subscribe without
    /// `after`.
    ///
    /// With `roomId`, it completes when the viewer is no longer in the room, which may have been deleted.
    ///
    /// Errors: `NOT_FOUND` for a room that the viewer isn't in.
    async fn message_posted(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only messages of this room.")] room_id: Option<RoomId>,
        #[graphql(desc = "The cursor of the last message seen, or `syncCursor`; without one, from now on.")]
        after: Option<CursorText>,
    ) -> Result<impl Stream<Item = Result<Message, ApiError>> + use<>, ApiError> {
        let notices = open(ctx, Filter::Posts(room_id), after).await?;
        Ok(notices.filter_map(async |notice| match notice {
            Ok(notice) => match &notice.content {
                Content::Message(posted) if posted.change == MessageChange::Posted => {
                    Some(Ok(Message { cursor: Some(notice.cursor), ..Message::from(posted) }))
                }
                Content::Message(_)
                | Content::Room(_)
                | Content::Reading(_)
                | Content::Block(_)
                | Content::Invite(_)
                | Content::Report(_)
                | Content::Presence(_)
                | Content::Notification(_)
                | Content::Sync(_) => None,
            },
            Err(error) => Some(Err(error)),
        }))
    }
}

/// The notices of the feed that delivery has put into the request's data.
async fn open(
    ctx: &Context<'_>,
    filter: Filter,
    after: Option<CursorText>,
) -> Result<impl Stream<Item = Result<Arc<Notice>, ApiError>> + use<>, ApiError> {
    // There is no feed: the request didn't come through delivery.
    let feed = ctx.data_opt::<Feed>().ok_or(Error::Unauthenticated)?;
    let notices = feed.open(filter, after.map(|after| ctx.cursors().open(after))).await?;
    Ok(notices.map(|notice| notice.map_err(ApiError::from)))
}

impl From<FeedError> for ApiError {
    fn from(error: FeedError) -> Self {
        let problem =
            "more was missed since this cursor than is replayed: fetch the messages, then subscribe without it";
        Self::from(match error {
            FeedError::RoomNotFound => Error::ROOM_NOT_FOUND,
            FeedError::TooFarBehind => Error::Conflict { argument: Argument::After, problem },
            FeedError::Database(error) => error.into(),
            FeedError::Opened => Error::Internal(Arc::new(FeedError::Opened)),
        })
    }
}

/// Something that happened in one of the viewer's rooms, or to the viewer. An event carries whole objects as they are
/// now, so applying it twice does no harm. Further kinds may be added: ignore one that isn't known, but for its `cursor`.
#[derive(Interface)]
#[expect(clippy::large_enum_variant, reason = "one is made for an event, and shown at once")]
#[graphql(
    field(name = "cursor", ty = "ShownCursor", desc = "Where the viewer's event stream stands after this event."),
    field(name = "at", ty = "DateTime", desc = "When it happened.")
)]
pub(crate) enum Event {
    /// A message was posted.
    MessagePosted(MessagePosted),
    /// A message's text was changed.
    MessageEdited(MessageEdited),
    /// A message was deleted.
    MessageDeleted(MessageDeleted),
    /// Members reacted to a message.
    ReactionsChanged(ReactionsChanged),
    /// A message was pinned, or no longer is.
    PinsChanged(PinsChanged),
    /// The viewer is in a room.
    RoomJoined(RoomJoined),
    /// The viewer is no longer in a room.
    RoomLeft(RoomLeft),
    /// Another member came back.
    MemberJoined(MemberJoined),
    /// Another member left, or was removed.
    MemberLeft(MemberLeft),
    /// Users were put into a room.
    MembersJoined(MembersJoined),
    /// What a member is in a room was changed.
    MemberChanged(MemberChanged),
    /// A group's name, topic, picture, data or policies were changed.
    RoomUpdated(RoomUpdated),
    /// Members have read on.
    ReadMarksMoved(ReadMarksMoved),
    /// The viewer muted or unmuted a room.
    RoomMuted(RoomMuted),
    /// The viewer marked messages as unread.
    RoomViewerChanged(RoomViewerChanged),
    /// The viewer blocks somebody, or no longer does.
    BlocksChanged(BlocksChanged),
    /// Somebody invites the viewer into a room.
    InviteReceived(InviteReceived),
    /// An invite for the viewer is good no longer.
    InviteClosed(InviteClosed),
    /// The viewer's socket has caught up.
    Synced(Synced),
    /// More happened in a room than is replayed.
    RoomGap(RoomGap),
    /// The cursor can't be replayed from.
    ResyncRequired(ResyncRequired),
    /// Somebody came online or went offline.
    PresenceChanged(PresenceChanged),
    /// Somebody has another name or picture.
    UserChanged(UserChanged),
    /// Another member began or stopped typing.
    TypingChanged(TypingChanged),
    /// Webhooks and `log` only: something was reported.
    ReportFiled(ReportFiled),
    /// Webhooks and `log` only: a report was resolved.
    ReportResolved(ReportResolved),
    /// Webhooks only: a user is to be notified.
    NotificationDue(NotificationDue),
}

/// Defines the type of an event: the fields of every event, and its own.
macro_rules! event {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        #[derive(SimpleObject)]
        $(#[$doc])*
        pub(crate) struct $name {
            /// Where the viewer's event stream stands after this event.
            #[graphql(owned)]
            pub(crate) cursor: ShownCursor,
            /// When it happened.
            #[graphql(owned)]
            pub(crate) at: DateTime,
            $($(#[$field_doc])* pub(crate) $field: $type,)*
        }
    };
}

pub(super) use event;

/// Where and when an event happened.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    pub(super) cursor: ShownCursor,
    pub(super) at: DateTime,
}

/// The name of the type by which an event is shown.
pub(crate) fn event_type(notice: &Notice) -> Cow<'static, str> {
    Event::from(notice).introspection_type_name()
}

impl From<&Notice> for Event {
    fn from(notice: &Notice) -> Self {
        let stamp = Stamp { cursor: notice.shown_cursor(), at: notice.at.into() };
        match &notice.content {
            Content::Message(message) => super::message::event(stamp, message),
            Content::Room(room) => super::membership::event(stamp, room),
            Content::Reading(reading) => super::reading::event(stamp, reading),
            Content::Block(block) => super::block::event(stamp, block),
            Content::Invite(invite) => super::invite::event(stamp, invite),
            Content::Report(report) => super::report::event(stamp, report),
            Content::Presence(presence) => super::presence::event(stamp, presence),
            Content::Notification(notification) => super::notification_due::event(stamp, notification),
            Content::Sync(sync) => super::sync::event(stamp, sync),
        }
    }
}
