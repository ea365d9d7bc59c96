//! Of what users are to be notified, and which notifications are to be taken away.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter};

use chrono::{DateTime, Utc};

use super::notice::{Message, SHOWN};
use crate::ids::{MessageId, RoomId, UserId};
use crate::position::Position;
use crate::store::Store;
use crate::store::entity::mention_added::EVERYBODY;
use crate::store::entity::{device, member, user};
use crate::store::list::{Rows, one_of};

/// The largest room, in members, of whose every message its members are notified. In larger ones they are of those by which
/// they are mentioned.
pub(super) const MAX_MEMBERS: i32 = 250;

/// The most rows of one statement.
pub(super) const TOGETHER: usize = 500;

/// The most messages of one. Of each a row is read for each member, of whom most are left with one of all.
const MESSAGES_TOGETHER: usize = 50;

/// That a member has a device.
const HAS_DEVICE: &str = "EXISTS (SELECT 1 FROM device WHERE device.user_id = member.user_id)";

/// A message that a user has not read, and isn't notified of yet.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(super) struct Due {
    /// Who is to be notified.
    pub user_id: UserId,
    /// Where it was posted.
    pub room_id: RoomId,
    /// Which message.
    pub message_id: MessageId,
    /// Its number in its room.
    pub seq: i32,
    /// When the user was last notified of the room.
    pub pushed_at: Option<DateTime<Utc>>,
    /// The position of the event by which the message began to mention the user, if that was no part of it from the first.
    pub added_at: Option<i64>,
}

/// An edit, by which users may be mentioned who weren't before.
pub(super) struct Edit {
    /// Of which message.
    pub message: MessageId,
    /// Where in the log.
    pub position: Position,
    /// When.
    pub at: DateTime<Utc>,
}

/// Of which of these messages users are to be notified: users with devices, or all, if the app's own backend notifies as well.
pub(super) async fn of_messages(
    store: &Store,
    messages: &[MessageId],
    all: bool,
    newest: &mut Newest,
) -> Result<(), DbErr> {
    // Where there are no devices, nobody has to be looked up for each message.
    if !all && device::Entity::find().one(store.read()).await?.is_none() {
        return Ok(());
    }
    for messages in messages.chunks(MESSAGES_TOGETHER) {
        let mut rows = Rows::new(store.backend(), messages.iter().map(|message| [(*message).into()]));
        rows.values.push(MAX_MEMBERS.into());
        let sql = format!(
            "WITH asked (id) AS ({rows}) \
             SELECT member.user_id AS user_id, message.room_id AS room_id, message.id AS message_id, message.seq AS seq, \
               pushed.at AS pushed_at, CAST(NULL AS bigint) AS added_at \
             FROM asked JOIN message ON message.id = asked.id AND message.deleted_at IS NULL \
             JOIN room ON room.id = message.room_id AND room.deleted_at IS NULL \
               AND (room.member_count <= ${max} OR message.mentions IS NOT NULL OR message.mentions_room) \
             JOIN member ON member.room_id = message.room_id AND {is_present} AND NOT member.muted \
               AND member.user_id <> message.author_id AND member.read_seq < message.seq \
               AND (room.member_count <= ${max} AND NOT member.mentions_only OR message.mentions_room \
                 OR EXISTS (SELECT 1 FROM mention WHERE mention.user_id = member.user_id \
                   AND mention.room_id = message.room_id AND mention.seq = message.seq)) \
             JOIN \"user\" AS reader ON reader.id = member.user_id AND {may_enter} \
             LEFT JOIN pushed ON pushed.user_id = member.user_id AND pushed.room_id = member.room_id \
             WHERE {has_device} \
               AND (pushed.seq IS NULL OR pushed.seq < message.seq) \
               AND NOT EXISTS (SELECT 1 FROM block WHERE block.user_id = member.user_id \
                 AND block.blocked_id = message.author_id)",
            rows = rows.sql,
            has_device = if all { "TRUE" } else { HAS_DEVICE },
            max = rows.values.len(),
            is_present = member::is_present("member"),
            may_enter = user::may_enter("reader"),
        );
        newest.extend(Due::find_by_statement(store.statement(&sql, rows.values)).all(store.read()).await?);
    }
    Ok(())
}

/// As [`of_messages`]: users whom these edits have messages mention, who still do, and who were not notified of anything so
/// late in the room since.
pub(super) async fn of_edits(store: &Store, edits: &[Edit], all: bool, newest: &mut Newest) -> Result<(), DbErr> {
    for edits in edits.chunks(MESSAGES_TOGETHER) {
        let rows = edits.iter().map(|edit| [edit.position.into(), edit.message.into(), edit.at.into()]);
        let mut rows = Rows::new(store.backend(), rows);
        rows.values.push(EVERYBODY.into());
        let sql = format!(
            "WITH asked (position, id, at) AS ({rows}) \
             SELECT member.user_id AS user_id, message.room_id AS room_id, message.id AS message_id, message.seq AS seq, \
               pushed.at AS pushed_at, asked.position AS added_at \
             FROM asked JOIN mention_added ON mention_added.position = asked.position \
             JOIN message ON message.id = asked.id AND message.deleted_at IS NULL \
             JOIN room ON room.id = message.room_id AND room.deleted_at IS NULL \
             JOIN member ON member.room_id = message.room_id AND {is_present} AND NOT member.muted \
               AND member.user_id <> message.author_id AND member.read_seq < message.seq \
               AND (mention_added.user_id = member.user_id AND EXISTS (SELECT 1 FROM mention \
                   WHERE mention.user_id = member.user_id AND mention.room_id = message.room_id \
                   AND mention.seq = message.seq) \
                 OR mention_added.user_id = ${everybody} AND message.mentions_room) \
             JOIN \"user\" AS reader ON reader.id = member.user_id AND {may_enter} \
             LEFT JOIN pushed ON pushed.user_id = member.user_id AND pushed.room_id = member.room_id \
             WHERE {has_device} AND (pushed.seq IS NULL OR pushed.seq < message.seq OR pushed.at < asked.at) \
               AND NOT EXISTS (SELECT 1 FROM block WHERE block.user_id = member.user_id \
                 AND block.blocked_id = message.author_id)",
            rows = rows.sql,
            has_device = if all { "TRUE" } else { HAS_DEVICE },
            everybody = rows.values.len(),
            is_present = member::is_present("member"),
            may_enter = user::may_enter("reader"),
        );
        newest.extend(Due::find_by_statement(store.statement(&sql, rows.values)).all(store.read()).await?);
    }
    Ok(())
}

/// Of each user and room the newest.
#[derive(Default)]
pub(super) struct Newest(BTreeMap<(UserId, RoomId), Due>);

impl Newest {
    /// All of them.
    pub(super) fn into_vec(self) -> Vec<Due> {
        self.0.into_values().collect()
    }
}

impl Extend<Due> for Newest {
    fn extend<I: IntoIterator<Item = Due>>(&mut self, more: I) {
        for due in more {
            let place = self.0.entry((due.user_id, due.room_id)).or_insert(due);
            if due.seq > place.seq {
                *place = due;
            }
        }
    }
}

/// What of a message is shown, to whomever it is.
#[derive(FromQueryResult)]
struct Text {
    id: MessageId,
    seq: i32,
    room: Option<String>,
    author: String,
    body: String,
}

/// What is shown of these messages, without those that were deleted meanwhile.
pub(super) async fn texts(
    store: &Store,
    messages: impl IntoIterator<Item = MessageId>,
) -> Result<HashMap<MessageId, Message>, DbErr> {
    let messages: Vec<MessageId> = messages.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let mut texts = HashMap::with_capacity(messages.len());
    for messages in messages.chunks(TOGETHER) {
        let rows = Rows::new(store.backend(), messages.iter().map(|message| [(*message).into()]));
        // One character more says that the text goes on.
        let sql = format!(
            "WITH asked (id) AS ({rows}) \
             SELECT message.id AS id, message.seq AS seq, room.name AS room, author.display_name AS author, \
               substr(message.body, 1, {characters}) AS body \
             FROM asked JOIN message ON message.id = asked.id AND message.deleted_at IS NULL \
             JOIN room ON room.id = message.room_id JOIN \"user\" AS author ON author.id = message.author_id",
            rows = rows.sql,
            characters = SHOWN + 1,
        );
        let found = Text::find_by_statement(store.statement(&sql, rows.values)).all(store.read()).await?;
        texts.extend(found.into_iter().map(|Text { id, seq, room, author, body }| {
            // A message may have files and no text.
            let body = Some(body).filter(|body| !body.is_empty());
            (id, Message { id, seq, room, author: Some(author), body })
        }));
    }
    Ok(texts)
}

/// The devices on which these users are notified at this moment.
pub(super) async fn devices(
    store: &Store,
    users: impl IntoIterator<Item = UserId>,
    now: DateTime<Utc>,
) -> Result<HashMap<UserId, Vec<Arc<device::Model>>>, DbErr> {
    let users: Vec<UserId> = users.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let mut devices: HashMap<UserId, Vec<Arc<device::Model>>> = HashMap::new();
    for users in users.chunks(TOGETHER) {
        let theirs = one_of(store.backend(), device::Column::UserId, users.iter().copied());
        for device in device::Entity::live(now).filter(theirs).all(store.read()).await? {
            devices.entry(device.user_id).or_default().push(Arc::new(device));
        }
    }
    Ok(devices)
}

/// Writes that these users were notified up to these messages, now.
pub(super) async fn note(
    store: &Store,
    notified: impl IntoIterator<Item = (UserId, RoomId, i32)>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let notified: Vec<_> = notified.into_iter().collect();
    for notified in notified.chunks(TOGETHER) {
        let rows = notified.iter().map(|(user, room, seq)| [(*user).into(), (*room).into(), (*seq).into(), now.into()]);
        let rows = Rows::new(store.backend(), rows);
        // `WHERE TRUE`: without it SQLite takes ON for the beginning of a join.
        let sql = format!(
            "WITH told (user_id, room_id, seq, at) AS ({rows}) INSERT INTO pushed (user_id, room_id, seq, at) \
             SELECT told.user_id, told.room_id, told.seq, told.at FROM told WHERE TRUE \
             ON CONFLICT (user_id, room_id) DO UPDATE SET at = excluded.at, \
             seq = CASE WHEN pushed.seq < excluded.seq THEN excluded.seq ELSE pushed.seq END",
            rows = rows.sql,
        );
        let tx = store.begin_write().await?;
        tx.execute_raw(store.statement(&sql, rows.values)).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Forgets devices that their service doesn't know any more.
pub(super) async fn forget_devices(store: &Store, gone: Vec<Arc<device::Model>>) -> Result<(), DbErr> {
    if gone.is_empty() {
        return Ok(());
    }
    let tx = store.begin_write().await?;
    for device in gone {
        // One that was registered anew meanwhile is another.
        device::Entity::delete_by_id(device.id)
            .filter(device::Column::LastUsedAt.eq(device.last_used_at))
            .exec(&tx)
            .await?;
    }
    tx.commit().await
}
