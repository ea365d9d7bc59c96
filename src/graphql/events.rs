//! Subscriptions: what happens, as it happens.

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, Interface, SimpleObject, Subscription};
use futures_util::{Stream, StreamExt};

use super::error::ApiError;
use super::message::Message;
use super::room::Room;
use super::user::User;
use super::values::scalars::DateTime;
use crate::chat::Error;
use crate::delivery::notice::{LeftReason, Mark, MemberNotice, MessageNotice};
use crate::delivery::{Feed, FeedError, Notice, What};
use crate::ids::RoomId;
use crate::log::replay::{Resync, Wanted};
use crate::position::Cursor;
use crate::store::entity::room;

/// What happens, as it happens, over a WebSocket with the subprotocol `graphql-transport-ws`.
///
/// Nothing is lost, doubled or reordered: keep the cursor of the last event, and subscribe with it as `after` to get
/// exactly what was missed, however long ago that was. What can't be replayed is announced, by `RoomGap` or
/// `ResyncRequired`; it is never left out in silence. The cursor may also be given once for all subscriptions of a
/// socket, as `after` in the payload of `connection_init`; the later of the two holds.
#[derive(Description)]
pub struct Subscriptions;

#[Subscription(name = "Subscription", use_type_description)]
impl Subscriptions {
    /// Everything that happens in the viewer's rooms, on every socket of the viewer, in the order in which it happened.
    ///
    /// Begins with what was missed since `after`, if given, then `Synced`, then everything as it happens. A socket that
    /// is too slow falls back to catching up, and is sent `Synced` again when it has.
    ///
    /// Errors: `BAD_USER_INPUT` for a cursor that this server can't have given out.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The cursor of the last event seen, or `syncCursor`; without it, from now on.")] after: Option<
            Cursor,
        >,
    ) -> Result<impl Stream<Item = Result<Event, ApiError>> + use<>, ApiError> {
        let notices = open(ctx, Wanted::Everything, after).await?;
        Ok(notices.map(|notice| Ok(Event::from(&*notice?))))
    }

    /// New messages only: of all rooms that the viewer has not muted, or of one room, muted or not. The viewer's own are
    /// among them.
    ///
    /// Begins with what was missed since `after`, if given. It has no way to announce a gap: when more was missed than is
    /// replayed, it fails with `CONFLICT` and the field `after`; fetch the messages then, and subscribe without it.
    ///
    /// Errors: `NOT_FOUND` for a room that the viewer isn't in.
    async fn message_posted(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only messages of this room.")] room_id: Option<RoomId>,
        #[graphql(desc = "The cursor of the last message seen, or `syncCursor`; without it, from now on.")]
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<Message, ApiError>> + use<>, ApiError> {
        let notices = open(ctx, Wanted::Posts(room_id), after).await?;
        Ok(notices.filter_map(async |notice| match notice {
            Ok(notice) => match &notice.what {
                What::MessagePosted(posted) => {
                    Some(Ok(Message { cursor: Some(notice.cursor), ..Message::from(posted) }))
                }
                _ => None,
            },
            Err(error) => Some(Err(error)),
        }))
    }
}

/// The notices that the transport has put in the request's data.
async fn open(
    ctx: &Context<'_>,
    wanted: Wanted,
    after: Option<Cursor>,
) -> Result<impl Stream<Item = Result<Arc<Notice>, ApiError>> + use<>, ApiError> {
    // A transport without live delivery, or nobody signed in.
    let feed = ctx.data_opt::<Feed>().ok_or(Error::Unauthenticated)?;
    let notices = feed.open(wanted, after).await?;
    Ok(notices.map(|notice| notice.map_err(ApiError::from)))
}

impl From<FeedError> for ApiError {
    fn from(error: FeedError) -> Self {
        let problem =
            "more was missed since this cursor than is replayed: fetch the messages, then subscribe without it";
        Self::from(match error {
            FeedError::RoomNotFound => Error::ROOM_NOT_FOUND,
            FeedError::TooFarBehind => Error::Conflict { field: "after", problem },
            FeedError::Database(error) => error.into(),
            FeedError::Opened => Error::Internal(Arc::new(FeedError::Opened)),
        })
    }
}

/// Something that happened in one of the viewer's rooms, or to the viewer. Each carries whole objects as they are now, so
/// applying one twice does no harm.
#[derive(Interface)]
#[graphql(
    field(name = "cursor", ty = "Cursor", desc = "Where the viewer's event stream stands after this event."),
    field(name = "at", ty = "DateTime", desc = "When it happened.")
)]
pub enum Event {
    /// A message was posted.
    MessagePosted(MessagePosted),
    /// A message's text was changed.
    MessageEdited(MessageEdited),
    /// A message was deleted.
    MessageDeleted(MessageDeleted),
    /// The viewer is in a room.
    RoomJoined(RoomJoined),
    /// The viewer is no longer in a room.
    RoomLeft(RoomLeft),
    /// Another member came back.
    MemberJoined(MemberJoined),
    /// Another member left.
    MemberLeft(MemberLeft),
    /// Members have read on.
    ReadMarksMoved(ReadMarksMoved),
    /// The viewer muted or unmuted a room.
    RoomMuted(RoomMuted),
    /// The viewer's socket has caught up.
    Synced(Synced),
    /// More happened in a room than is replayed.
    RoomGap(RoomGap),
    /// The cursor can't be replayed from.
    ResyncRequired(ResyncRequired),
    /// Somebody came online or went offline.
    PresenceChanged(PresenceChanged),
    /// Another member began or stopped typing.
    TypingChanged(TypingChanged),
}

macro_rules! event {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(SimpleObject)]
        pub struct $name {
            /// Where the viewer's event stream stands after this event.
            #[graphql(owned)]
            pub cursor: Cursor,
            /// When it happened.
            #[graphql(owned)]
            pub at: DateTime,
            $($(#[$field_doc])* pub $field: $type,)*
        }
    };
}

event! {
    /// A message was posted to one of the viewer's rooms, by whomever: the viewer's own posts come too, on every socket.
    ///
    /// It also moves its author's read mark to its `seq`; no `ReadMarksMoved` tells that.
    MessagePosted {
        /// The message. A deleted one, when the deletion was missed as well.
        message: Message,
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
event! {
    /// The viewer is in a room: somebody opened it, or the viewer came back. What happened in it before is not replayed;
    /// fetch what is to be shown.
    RoomJoined {
        /// The room.
        room: Room,
    }
}
event! {
    /// The viewer is no longer in a room. Nothing of the room comes after it.
    RoomLeft {
        /// The room's id.
        room_id: ID,
        /// Why.
        reason: RoomLeftReason,
    }
}
event! {
    /// Another member came back to a room.
    MemberJoined {
        /// The room.
        room: Room,
        /// The member; null when the account has been deleted since.
        user: Option<User>,
        /// The member's id.
        user_id: ID,
    }
}
event! {
    /// Another member left a room.
    MemberLeft {
        /// The room.
        room: Room,
        /// The former member; null when the account was deleted.
        user: Option<User>,
        /// The former member's id.
        user_id: ID,
    }
}
event! {
    /// Members have read on. In a room with more members than the server's limit (250, unless set otherwise) each is told
    /// only of the own mark.
    ReadMarksMoved {
        /// The room.
        room: Room,
        /// The marks that moved, each to where it stands now.
        marks: Vec<ReadMark>,
    }
}
event! {
    /// The viewer muted or unmuted a room, on this device or another.
    RoomMuted {
        /// The room; which of the two it was, `viewer.muted` tells.
        room: Room,
    }
}
event! {
    /// The socket has caught up: what comes from here on has just happened.
    Synced {}
}
event! {
    /// More happened in a room than is replayed: at most 100 events of one room, and 1,000 in all. Fetch the room and, by
    /// `messages(fromSeq:, toSeq:)`, the messages that are named; nothing else of the room was missed.
    ///
    /// Gaps come before all that is replayed, so that a client that resumes from any later cursor knows of them.
    RoomGap {
        /// The room.
        room: Room,
        /// The first message that was posted, edited or deleted unseen.
        from_seq: i32,
        /// The newest message. Less than `fromSeq`: no message was, but members or read marks changed.
        to_seq: i32,
    }
}
event! {
    /// The cursor can't be replayed from. Fetch everything anew; what comes after this event continues from its `cursor`.
    ResyncRequired {
        /// Why.
        reason: ResyncReason,
    }
}

event! {
    /// Somebody came online or went offline. Told to those who share a room of at most 100 members with the user, but not
    /// on the user's own sockets; the bound keeps members who connect at once from costing the square of their number.
    ///
    /// A user who reconnects within five seconds was never offline. It is not replayed: what changed unseen, before
    /// `Synced`, is not told, so fetch the presence that is shown when `Synced` comes.
    PresenceChanged {
        /// The user; `presence` tells which of the two it was.
        user: User,
    }
}
event! {
    /// Another member began or stopped typing. Told in rooms of at most 100 members, and not on the user's own sockets.
    ///
    /// It is not replayed: when `Synced` comes, nobody is typing until it is said again.
    TypingChanged {
        /// The room.
        room: Room,
        /// The member.
        user: User,
        /// Whether the member is typing now. False after six seconds without `setTyping`, and after a post.
        is_typing: bool,
    }
}

/// How far somebody has read.
#[derive(SimpleObject)]
pub struct ReadMark {
    /// Who.
    user: User,
    /// Up to which message.
    seq: i32,
    /// When.
    read_at: DateTime,
}

/// Why a room is no longer the viewer's.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "LeftReason")]
pub enum RoomLeftReason {
    /// The viewer left it, on this device or another.
    Left,
    /// Its initiator deleted it.
    Deleted,
}

/// Why a cursor can't be replayed from.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Resync")]
pub enum ResyncReason {
    /// It is ahead of the server: the server's database was restored from an older copy.
    Ahead,
    /// The server's database was restored from an older copy, and has gone on from there.
    Foreign,
    /// It is older than what the server keeps of the past.
    Expired,
    /// More was missed than is replayed, beyond what `RoomGap` could tell.
    TooMuch,
}

impl From<&MessageNotice> for Message {
    fn from(notice: &MessageNotice) -> Self {
        Self { author: notice.author.clone(), room: Some(notice.room.clone()), ..Self::from(notice.message.clone()) }
    }
}

impl From<&Mark> for ReadMark {
    fn from(mark: &Mark) -> Self {
        Self { user: User((*mark.user).clone()), seq: mark.seq, read_at: mark.at.into() }
    }
}

fn room(room: &Arc<room::Model>) -> Room {
    Room((**room).clone())
}

fn member(notice: &MemberNotice) -> (Room, Option<User>, ID) {
    let user = notice.user.as_ref().map(|user| User((**user).clone()));
    (room(&notice.room), user, notice.user_id.to_string().into())
}

impl From<&Notice> for Event {
    fn from(notice: &Notice) -> Self {
        let (cursor, at) = (notice.cursor, DateTime::from(notice.at));
        match &notice.what {
            What::MessagePosted(posted) => MessagePosted { cursor, at, message: posted.into() }.into(),
            What::MessageEdited(edited) => MessageEdited { cursor, at, message: edited.into() }.into(),
            What::MessageDeleted(deleted) => MessageDeleted { cursor, at, message: deleted.into() }.into(),
            What::RoomJoined(joined) => RoomJoined { cursor, at, room: room(joined) }.into(),
            What::RoomLeft(left, reason) => {
                RoomLeft { cursor, at, room_id: left.to_string().into(), reason: (*reason).into() }.into()
            }
            What::MemberJoined(joined) => {
                let (room, user, user_id) = member(joined);
                MemberJoined { cursor, at, room, user, user_id }.into()
            }
            What::MemberLeft(left) => {
                let (room, user, user_id) = member(left);
                MemberLeft { cursor, at, room, user, user_id }.into()
            }
            What::ReadMarksMoved(in_room, marks) => {
                ReadMarksMoved { cursor, at, room: room(in_room), marks: marks.iter().map(ReadMark::from).collect() }
                    .into()
            }
            What::RoomMuted(muted) => RoomMuted { cursor, at, room: room(muted) }.into(),
            What::Synced => Synced { cursor, at }.into(),
            What::RoomGap(in_room, gap) => {
                RoomGap { cursor, at, room: room(in_room), from_seq: gap.from_seq, to_seq: gap.to_seq }.into()
            }
            What::ResyncRequired(reason) => ResyncRequired { cursor, at, reason: (*reason).into() }.into(),
            What::PresenceChanged(user) => PresenceChanged { cursor, at, user: User((**user).clone()) }.into(),
            What::TypingChanged { room: in_room, user, is_typing } => {
                TypingChanged { cursor, at, room: room(in_room), user: User((**user).clone()), is_typing: *is_typing }
                    .into()
            }
        }
    }
}
