//! What a subscriber is shown, and how it is made from the log's thin events.
//!
//! A notice carries whole objects, read as they are now: an edited message shows its present text, a deleted one is a
//! tombstone, so deleted text can't come back by way of a replay.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::{DbErr, EntityTrait, QueryFilter};

use crate::ids::{MessageId, RoomId, UserId};
use crate::log::replay::{Gap, Resync};
use crate::log::{About, Class, Event, Kind};
use crate::position::{Cursor, Position};
use crate::store::Store;
use crate::store::entity::{message, read_mark, room, user};
use crate::store::list::one_of;

/// One thing that a subscriber is shown.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Where a client that has seen it stands.
    pub cursor: Cursor,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What it is.
    pub what: What,
}

/// What a subscriber is shown.
#[derive(Clone, Debug)]
pub enum What {
    /// A message was posted.
    MessagePosted(MessageNotice),
    /// A message's text was changed.
    MessageEdited(MessageNotice),
    /// A message was deleted.
    MessageDeleted(MessageNotice),
    /// The subscriber is in a room now.
    RoomJoined(Arc<room::Model>),
    /// The subscriber is no longer in a room.
    RoomLeft(RoomId, LeftReason),
    /// Somebody came back to a room.
    MemberJoined(MemberNotice),
    /// Somebody left a room.
    MemberLeft(MemberNotice),
    /// Members have read on.
    ReadMarksMoved(Arc<room::Model>, Vec<Mark>),
    /// The subscriber has muted a room, or unmuted it.
    RoomMuted(Arc<room::Model>),
    /// The subscriber has caught up: from here on events come as they happen.
    Synced,
    /// More happened in a room than is replayed.
    RoomGap(Arc<room::Model>, Gap),
    /// The cursor can't be replayed from.
    ResyncRequired(Resync),
    /// Somebody came or went. Stands in no log.
    PresenceChanged(Arc<user::Model>),
    /// Somebody began or stopped typing. Stands in no log.
    TypingChanged {
        /// Where.
        room: Arc<room::Model>,
        /// Who.
        user: Arc<user::Model>,
        /// Began; else stopped.
        is_typing: bool,
    },
}

impl What {
    /// Whether it stands in the log at its notice's cursor, so that it can be replayed.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        !matches!(self, Self::PresenceChanged(_) | Self::TypingChanged { .. })
    }
}

/// A message with what is shown around it.
#[derive(Clone, Debug)]
pub struct MessageNotice {
    /// The message.
    pub message: message::Model,
    /// Its room.
    pub room: Arc<room::Model>,
    /// Its author; none: the account was deleted.
    pub author: Option<Arc<user::Model>>,
}

/// A member who came or went.
#[derive(Clone, Debug)]
pub struct MemberNotice {
    /// The room.
    pub room: Arc<room::Model>,
    /// The member's id.
    pub user_id: UserId,
    /// The member; none: the account was deleted.
    pub user: Option<Arc<user::Model>>,
}

/// How far somebody has read.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Who.
    pub user: Arc<user::Model>,
    /// Up to which message.
    pub seq: i32,
    /// When.
    pub at: DateTime<Utc>,
}

/// Why a room is no longer the subscriber's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftReason {
    /// The subscriber left it, on this device or another.
    Left,
    /// Its initiator deleted it.
    Deleted,
}

impl Notice {
    /// What a subscriber is shown at this place in its stream.
    #[must_use]
    pub fn new(cursor: Cursor, at: DateTime<Utc>, what: What) -> Arc<Self> {
        Arc::new(Self { cursor, at, what })
    }
}

/// The rows that a batch of events names.
#[derive(Default)]
pub struct Facts {
    rooms: HashMap<RoomId, Arc<room::Model>>,
    messages: HashMap<MessageId, message::Model>,
    users: HashMap<UserId, Arc<user::Model>>,
    marks: HashMap<Position, Vec<read_mark::Model>>,
}

impl Facts {
    /// Reads the rows that these events, and gaps in these rooms, name, but for the messages that are known already: at
    /// most four statements, however many events there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(
        store: &Store,
        events: &[&Event],
        gaps: impl IntoIterator<Item = RoomId>,
        known: impl IntoIterator<Item = message::Model>,
    ) -> Result<Self, DbErr> {
        let (db, backend) = (store.read(), store.backend());
        let mut facts =
            Self { messages: known.into_iter().map(|message| (message.id, message)).collect(), ..Self::default() };
        let rooms: BTreeSet<RoomId> = events.iter().filter_map(|event| event.room()).chain(gaps).collect();
        if !rooms.is_empty() {
            let rooms = room::Entity::find().filter(one_of(backend, room::Column::Id, rooms)).all(db).await?;
            facts.rooms = rooms.into_iter().map(|room| (room.id, Arc::new(room))).collect();
        }
        let messages: BTreeSet<MessageId> = events
            .iter()
            .filter_map(|event| event.message_id)
            .filter(|message| !facts.messages.contains_key(message))
            .collect();
        if !messages.is_empty() {
            let messages = one_of(backend, message::Column::Id, messages);
            let messages = message::Entity::find().filter(messages).all(db).await?;
            facts.messages.extend(messages.into_iter().map(|message| (message.id, message)));
        }
        let marked: Vec<Position> = events.iter().filter(|event| tells_marks(event)).map(|e| e.position).collect();
        if !marked.is_empty() {
            let marks = one_of(backend, read_mark::Column::Position, marked);
            for mark in read_mark::Entity::find().filter(marks).all(db).await? {
                facts.marks.entry(mark.position).or_default().push(mark);
            }
        }
        let users: BTreeSet<UserId> = events
            .iter()
            .filter_map(|event| event.member())
            .chain(facts.messages.values().map(|message| message.author_id))
            .chain(facts.marks.values().flatten().map(|mark| mark.user_id))
            .collect();
        if !users.is_empty() {
            let users = user::Entity::present().filter(one_of(backend, user::Column::Id, users)).all(db).await?;
            facts.users = users.into_iter().map(|user| (user.id, Arc::new(user))).collect();
        }
        Ok(facts)
    }

    /// What `event` looks like to a member, or to `viewer` where it is about the viewer. None: there is nothing to be
    /// seen (any more).
    #[must_use]
    pub fn notice(&self, event: &Event, viewer: Option<UserId>) -> Option<Arc<Notice>> {
        Some(Notice::new(event.cursor(), event.at, self.what(event, viewer)?))
    }

    fn what(&self, event: &Event, viewer: Option<UserId>) -> Option<What> {
        let room = self.rooms.get(&event.room()?)?.clone();
        let about_viewer = viewer.is_some() && event.member() == viewer;
        Some(match event.kind {
            Kind::MessagePosted => What::MessagePosted(self.message(event, room)?),
            Kind::MessageEdited => What::MessageEdited(self.message(event, room)?),
            Kind::MessageDeleted => What::MessageDeleted(self.message(event, room)?),
            Kind::RoomJoined => What::RoomJoined(room),
            Kind::MemberJoined if about_viewer => return None,
            Kind::MemberLeft if about_viewer => What::RoomLeft(room.id, LeftReason::Left),
            Kind::MemberJoined => What::MemberJoined(self.member(event, room)?),
            Kind::MemberLeft => What::MemberLeft(self.member(event, room)?),
            Kind::RoomDeleted => What::RoomLeft(room.id, LeftReason::Deleted),
            Kind::ReadMarksMoved | Kind::OwnReadMarkMoved => What::ReadMarksMoved(room, self.marks(event)),
            Kind::RoomMuted | Kind::RoomUnmuted => What::RoomMuted(room),
            Kind::SessionRevoked => return None,
        })
    }

    fn message(&self, event: &Event, room: Arc<room::Model>) -> Option<MessageNotice> {
        let message = self.messages.get(&event.message_id?)?.clone();
        let author = self.users.get(&message.author_id).cloned();
        Some(MessageNotice { message, room, author })
    }

    fn member(&self, event: &Event, room: Arc<room::Model>) -> Option<MemberNotice> {
        let user_id = event.member()?;
        Some(MemberNotice { room, user_id, user: self.users.get(&user_id).cloned() })
    }

    fn marks(&self, event: &Event) -> Vec<Mark> {
        let marks = self.marks.get(&event.position).into_iter().flatten();
        marks
            .filter_map(|mark| Some(Mark { user: self.users.get(&mark.user_id)?.clone(), seq: mark.seq, at: mark.at }))
            .collect()
    }

    /// Where a message was posted by this event, and by whom. None: it tells of something else, or is not known.
    #[must_use]
    pub fn posted(&self, event: &Event) -> Option<(RoomId, UserId)> {
        let message = self.messages.get(&event.message_id?)?;
        (event.kind.row().class == Class::Post).then_some((message.room_id, message.author_id))
    }

    /// What a gap looks like.
    #[must_use]
    pub fn gap(&self, gap: Gap, now: DateTime<Utc>) -> Option<Arc<Notice>> {
        let room = self.rooms.get(&gap.room)?.clone();
        Some(Notice::new(gap.cursor, now, What::RoomGap(room, gap)))
    }
}

fn tells_marks(event: &Event) -> bool {
    event.kind.row().about == About::Marks
}
