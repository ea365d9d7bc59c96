//! Reading: marks, receipts, unread counts and muting.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DbErr, FromQueryResult, IntoActiveModel};

use super::access::Action;
use super::change::{Alone, Bulk, Change};
use super::room::MemberRows;
use super::{Argument, Chat, Error, Viewer};
use crate::ids::{MessageId, RoomId, UserId};
use crate::log::{Append, NewEvent};
use crate::position::Position;
use crate::store::direct::row;
use crate::store::entity::member::RoomRole;
use crate::store::entity::user::UserType;
use crate::store::entity::{member, message, read_mark, room};
use crate::store::list::Rows;

mod unread;

use unread::UNREAD_COUNT;
pub(in crate::chat) use unread::forget_own;
pub(crate) use unread::{MarkUnread, UnreadSummary};

row! {
    /// A room as one of its members sees it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RoomView {
        /// Which room.
        pub room_id: RoomId,
        /// Messages of others, not deleted, that the member has not read. Not capped.
        pub unread_count: i32,
        /// `seq` up to which the member has read.
        pub last_read_seq: i32,
        /// `seq` of the first message that the member has marked as unread.
        pub unread_from: Option<i32>,
        /// A `messagePosted` of all rooms leaves this room out for the member.
        pub muted: bool,
        /// The member is notified of messages only by which the member is mentioned.
        pub mentions_only: bool,
        /// What the member is in the room; `None` when it was left.
        pub role: Option<RoomRole>,
        /// Until when a moderator has silenced the member, or had.
        pub timeout_until: Option<DateTime<Utc>>,
        /// What kind of user the member is; `None` when the room was left.
        pub user_type: Option<UserType>,
    }
}

impl RoomView {
    /// The view of a room for a user who has just left it, and still receives what happened before.
    #[must_use]
    pub fn left(room_id: RoomId) -> Self {
        Self {
            room_id,
            unread_count: 0,
            last_read_seq: 0,
            unread_from: None,
            muted: false,
            mentions_only: false,
            role: None,
            timeout_until: None,
            user_type: None,
        }
    }
}

impl RoomView {
    /// Of what the member is notified.
    #[must_use]
    pub fn notifications(&self) -> NotificationLevel {
        match (self.muted, self.mentions_only) {
            (true, _) => NotificationLevel::None,
            (false, true) => NotificationLevel::Mentions,
            (false, false) => NotificationLevel::All,
        }
    }
}

/// Of what a member of a room is notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationLevel {
    /// Of every message.
    All,
    /// Of messages by which the member is mentioned.
    Mentions,
    /// Of none: the room is muted.
    None,
}

/// Who has read a message, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Receipt {
    message_id: MessageId,
    /// Which member.
    pub user_id: UserId,
    /// When.
    pub at: DateTime<Utc>,
}

impl Chat {
    /// Whether the members of a room with so many of them see how far the others have read.
    #[must_use]
    pub fn tells_reading(&self, members: i32) -> bool {
        u32::try_from(members).is_ok_and(|members| members <= self.receipts_max_members)
    }

    /// Marks everything up to `seq` as read by the viewer. A mark never moves back: a lower one changes nothing, but that what was
    /// marked as unread before it no longer is.
    ///
    /// # Errors
    /// `NotFound` for a room that the viewer isn't in; `Invalid` when `seq` is negative or beyond the newest message.
    pub async fn mark_read(&self, viewer: &Viewer, room: RoomId, seq: i32) -> Result<room::Model, Error> {
        let receipts_max_members = self.receipts_max_members;
        self.change(MarkRead { reader: viewer.user, room, seq, receipts_max_members }).await
    }

    /// Mutes a room for the viewer, or unmutes it.
    ///
    /// # Errors
    /// `NotFound` for a room that the viewer isn't in.
    pub async fn mute_room(&self, viewer: &Viewer, room: RoomId, muted: bool) -> Result<room::Model, Error> {
        self.change(MuteRoom { user: viewer.user, room, muted }).await
    }

    /// How the viewer sees these rooms; one that the viewer isn't in has no entry. One statement; what it reads grows
    /// with the messages deleted since the viewer's mark, and with the viewer's own behind it, not with those posted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn room_views(&self, viewer: &Viewer, rooms: &[RoomId]) -> Result<HashMap<RoomId, RoomView>, Error> {
        if rooms.is_empty() {
            return Ok(HashMap::new());
        }
        let mut rows = Rows::new(self.store.backend(), rooms.iter().map(|room| [(*room).into()]));
        rows.values.push(viewer.user.into());
        // Joins from the rooms to the viewer's membership of each. With a condition on both columns instead, the
        // database may go through all memberships of the viewer.
        let sql = format!(
            "WITH asked (room_id) AS ({rows}) SELECT member.room_id AS room_id, member.muted AS muted, \
             member.mentions_only AS mentions_only, member.role AS role, \
             member.timeout_until AS timeout_until, \
             (SELECT asking.type FROM \"user\" AS asking WHERE asking.id = member.user_id) AS user_type, \
             member.read_seq AS last_read_seq, member.unread_from AS unread_from, \
             {UNREAD_COUNT} AS unread_count \
             FROM asked JOIN member ON member.room_id = asked.room_id AND member.user_id = ${viewer} \
               AND {is_present} \
             JOIN room ON room.id = asked.room_id",
            rows = rows.sql,
            is_present = member::is_present("member"),
            viewer = rows.values.len()
        );
        let statement = self.store.statement(&sql, rows.values);
        let views = self.store.read().rows_by::<RoomView>(statement).await?;
        Ok(views.into_iter().map(|view| (view.room_id, view)).collect())
    }

    /// Says of what in a room the viewer is notified. [`NotificationLevel::None`] is what muting the room does.
    ///
    /// # Errors
    /// `NotFound` for a room that the viewer isn't in.
    pub async fn set_notifications(
        &self,
        viewer: &Viewer,
        room: RoomId,
        level: NotificationLevel,
    ) -> Result<room::Model, Error> {
        self.change(SetNotifications { user: viewer.user, room, level }).await
    }

    /// Who has read each of these messages: present members other than the author. Every message has an entry; it is
    /// empty in rooms so large that members are not notified of each other's reading. One statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read_receipts(&self, messages: &[message::Model]) -> Result<HashMap<MessageId, Vec<Receipt>>, Error> {
        let mut receipts: HashMap<_, Vec<Receipt>> = messages.iter().map(|message| (message.id, Vec::new())).collect();
        if messages.is_empty() {
            return Ok(receipts);
        }
        let mut rows = Rows::new(
            self.store.backend(),
            messages.iter().map(|message| {
                [message.id.into(), message.room_id.into(), message.seq.into(), message.author_id.into()]
            }),
        );
        rows.values.push(i32::try_from(self.receipts_max_members).unwrap_or(i32::MAX).into());
        let sql = format!(
            "WITH asked (id, room_id, seq, author_id) AS ({rows}) \
             SELECT asked.id AS message_id, member.user_id AS user_id, read_mark.at AS at \
             FROM asked JOIN room ON room.id = asked.room_id AND room.member_count <= ${max} \
             JOIN member ON member.room_id = asked.room_id AND {is_counted} \
               AND member.read_seq >= asked.seq AND member.user_id <> asked.author_id \
             JOIN read_mark ON read_mark.room_id = asked.room_id AND read_mark.user_id = member.user_id \
               AND read_mark.seq = (SELECT min(mark.seq) FROM read_mark AS mark WHERE mark.room_id = asked.room_id \
                 AND mark.user_id = member.user_id AND mark.seq >= asked.seq) \
             ORDER BY read_mark.at, member.user_id",
            rows = rows.sql,
            is_counted = member::is_counted("member"),
            max = rows.values.len()
        );
        let statement = self.store.statement(&sql, rows.values);
        for receipt in Receipt::find_by_statement(statement).all(self.store.read()).await? {
            receipts.entry(receipt.message_id).or_default().push(receipt);
        }
        Ok(receipts)
    }
}

/// Move a read mark.
pub struct MarkRead {
    reader: UserId,
    room: RoomId,
    seq: i32,
    receipts_max_members: u32,
}

impl Change for MarkRead {
    type Outcome = room::Model;
}

impl Bulk for MarkRead {
    /// All marks of one room become one event, so a busy room has few of these events. Above the bound for receipts,
    /// each reader gets an event of their own.
    async fn apply_many(marks: &[&Self], append: &mut Append) -> Result<Vec<Result<room::Model, Error>>, DbErr> {
        let mut members = MemberRows::load(append, marks.iter().map(|mark| (mark.room, mark.reader))).await?;
        let mut outcomes = Vec::with_capacity(marks.len());
        let mut moved: BTreeMap<(RoomId, UserId), i32> = BTreeMap::new();
        let mut told: BTreeMap<RoomId, bool> = BTreeMap::new();
        let mut cleared: BTreeMap<(RoomId, UserId), i32> = BTreeMap::new();
        for mark in marks {
            outcomes.push(members.get(mark.room, mark.reader, append.now(), Action::MarkRead).and_then(|row| {
                let newest = row.room.last_seq;
                if !(0..=newest).contains(&mark.seq) {
                    return Err(Error::invalid(
                        Argument::Seq,
                        format!("must be 0 to {newest}, the room's newest message"),
                    ));
                }
                if mark.seq > row.member.read_seq {
                    row.member.read_seq = mark.seq;
                    moved.insert((mark.room, mark.reader), mark.seq);
                    let count = u32::try_from(row.room.member_count).unwrap_or(0);
                    told.insert(mark.room, count <= mark.receipts_max_members);
                } else if row.member.unread_from.is_some_and(|from| mark.seq >= from) {
                    cleared.insert((mark.room, mark.reader), row.member.read_seq);
                } else {
                    return Ok(row.room.clone());
                }
                row.member.unread_from = None;
                Ok(row.room.clone())
            }));
        }
        let mut shared: BTreeMap<RoomId, Position> = BTreeMap::new();
        for ((room, user), seq) in &moved {
            let position = if told.get(room) == Some(&true) {
                *shared.entry(*room).or_insert_with(|| append.record(NewEvent::read_marks_moved(*room)))
            } else {
                append.record(NewEvent::own_read_mark_moved(*user, *room))
            };
            append.mark(read_mark::Model { room_id: *room, user_id: *user, seq: *seq, at: append.now(), position });
            append.move_read_seq(*room, *user, *seq);
        }
        // A mark that moves tells of it as well.
        for ((room, user), seq) in cleared.iter().filter(|(place, _)| !moved.contains_key(*place)) {
            append.record(NewEvent::room_viewer_changed(*user, *room));
            append.move_read_seq(*room, *user, *seq);
        }
        Ok(outcomes)
    }
}

/// Mute or unmute a room.
pub struct MuteRoom {
    user: UserId,
    room: RoomId,
    muted: bool,
}

impl Change for MuteRoom {
    type Outcome = room::Model;
}

impl Alone for MuteRoom {
    async fn apply(&self, append: &mut Append) -> Result<room::Model, Error> {
        let (room, member) = MemberRows::one(append, self.room, self.user, Action::Mute).await?;
        if member.muted != self.muted {
            let mut member = member.into_active_model();
            member.muted = Set(self.muted);
            member.update(append.tx()).await?;
            append.record(NewEvent::room_muted(self.user, self.room, self.muted));
        }
        Ok(room)
    }
}

/// Say of what in a room somebody is notified.
pub struct SetNotifications {
    user: UserId,
    room: RoomId,
    level: NotificationLevel,
}

impl Change for SetNotifications {
    type Outcome = room::Model;
}

impl Alone for SetNotifications {
    async fn apply(&self, append: &mut Append) -> Result<room::Model, Error> {
        let (room, member) = MemberRows::one(append, self.room, self.user, Action::Mute).await?;
        let muted = self.level == NotificationLevel::None;
        // A room that is muted keeps what it was before, for when it no longer is.
        let mentions_only = if muted { member.mentions_only } else { self.level == NotificationLevel::Mentions };
        if (muted, mentions_only) != (member.muted, member.mentions_only) {
            let mut member = member.into_active_model();
            (member.muted, member.mentions_only) = (Set(muted), Set(mentions_only));
            member.update(append.tx()).await?;
            append.record(NewEvent::room_muted(self.user, self.room, muted));
        }
        Ok(room)
    }
}
