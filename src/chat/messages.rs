//! Messages: posting, editing, deleting, reading them back.

use std::collections::{BTreeMap, HashMap};

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DbErr, EntityTrait, IntoActiveModel, QueryFilter};
use sha2::{Digest, Sha256};

use super::access::Action;
use super::change::{Alone, Bulk, Change};
use super::standing::{MemberRows, PostContext, write_read_seqs};
use super::{Chat, Error, Slice, Viewer, Window};
use crate::ids::{MessageId, RoomId, UserId};
use crate::log::{Append, Kind, NewEvent};
use crate::position::Position;
use crate::store::entity::{message, read_mark};
use crate::store::list::{Rows, columns, one_of};

/// Message text: trimmed, 1 to [`Body::MAX_BYTES`] bytes of UTF-8.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(String);

impl Body {
    /// Bytes of UTF-8 in a message at most.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Takes text as it came in.
    ///
    /// # Errors
    /// [`Error::Invalid`] when nothing is left after trimming, it is too long, or it holds a NUL, which PostgreSQL
    /// can't keep.
    pub fn parse(text: String) -> Result<Self, Error> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(Error::invalid("body", "must not be empty"));
        }
        if trimmed.len() > Self::MAX_BYTES {
            let problem = format!("is {} bytes long; at most {} are allowed", trimmed.len(), Self::MAX_BYTES);
            return Err(Error::invalid("body", problem));
        }
        if trimmed.contains('\0') {
            return Err(Error::invalid("body", "must not contain a NUL character"));
        }
        Ok(Self(if trimmed.len() == text.len() { text } else { trimmed.to_owned() }))
    }

    /// The first eight bytes of the text's SHA-256.
    fn digest(&self) -> i64 {
        let digest = Sha256::digest(self.0.as_bytes());
        i64::from_be_bytes(std::array::from_fn(|n| digest[n]))
    }
}

/// The author's own name for a message: 1 to [`ClientId::MAX_BYTES`] bytes. Posting again under the same name in the
/// same room answers the first message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(String);

impl ClientId {
    /// Bytes of UTF-8 in a client id at most.
    pub const MAX_BYTES: usize = 64;

    /// Takes text as it came in.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is empty, too long, or holds control characters.
    pub fn parse(text: String) -> Result<Self, Error> {
        if text.is_empty() || text.len() > Self::MAX_BYTES || text.chars().any(char::is_control) {
            let problem = format!("must be 1 to {} bytes without control characters", Self::MAX_BYTES);
            return Err(Error::invalid("clientId", problem));
        }
        Ok(Self(text))
    }
}

impl Chat {
    /// Posts a message to a room that the viewer belongs to, and moves the viewer's own read mark to it.
    ///
    /// # Errors
    /// `NotFound` for a room that the viewer isn't in; `Conflict` when the client id was used with another text.
    pub async fn post(
        &self,
        viewer: &Viewer,
        room: RoomId,
        body: Body,
        client_id: Option<ClientId>,
    ) -> Result<message::Model, Error> {
        self.change(Post { author: viewer.user, room, body, client_id }).await
    }

    /// Changes the text of the viewer's own message. The same text again changes nothing.
    ///
    /// # Errors
    /// `NotFound` for a message in a room that the viewer isn't in; `Forbidden` for somebody else's; `Conflict` for a
    /// deleted one.
    pub async fn edit_message(&self, viewer: &Viewer, id: MessageId, body: Body) -> Result<message::Model, Error> {
        self.change(EditMessage { editor: viewer.user, id, body }).await
    }

    /// Deletes the viewer's own message: a tombstone without text is left. Deleting it again changes nothing.
    ///
    /// # Errors
    /// `NotFound` for a message in a room that the viewer isn't in; `Forbidden` for somebody else's.
    pub async fn delete_message(&self, viewer: &Viewer, id: MessageId) -> Result<message::Model, Error> {
        self.change(DeleteMessage { deleter: viewer.user, id }).await
    }

    /// Those of these messages that are in rooms of the viewer, in no order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn messages_by_id(&self, viewer: &Viewer, ids: &[MessageId]) -> Result<Vec<message::Model>, Error> {
        let store = &self.store;
        Ok(message::Entity::visible_to(viewer.user)
            .filter(one_of(store.backend(), message::Column::Id, ids.iter().copied()))
            .all(store.read())
            .await?)
    }

    /// One page of each of these rooms, which are given with the `seq` of their newest message: one statement, and no
    /// row read that isn't answered, for `seq` has no holes. Every room has an entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn messages(
        &self,
        rooms: &[(RoomId, i32)],
        window: &Window<i32>,
    ) -> Result<HashMap<RoomId, Slice<message::Model>>, Error> {
        let mut pages: HashMap<RoomId, Slice<message::Model>> = HashMap::with_capacity(rooms.len());
        let mut ranges = Vec::with_capacity(rooms.len());
        for (room, last_seq) in rooms {
            let range = Range::of(window, *last_seq);
            pages
                .insert(*room, Slice { items: Vec::new(), has_previous: range.has_previous, has_next: range.has_next });
            if range.low <= range.high {
                ranges.push([(*room).into(), range.low.into(), range.high.into()]);
            }
        }
        if !ranges.is_empty() {
            let rows = Rows::new(ranges);
            let sql = format!(
                "WITH asked (room_id, low, high) AS (VALUES {rows}) SELECT {columns} FROM asked JOIN message \
                 ON message.room_id = asked.room_id AND message.seq >= asked.low AND message.seq <= asked.high \
                 ORDER BY message.room_id, message.seq",
                rows = rows.sql,
                columns = columns::<message::Entity>(),
            );
            let statement = self.store.statement(&sql, rows.values);
            for message in message::Entity::find().from_raw_sql(statement).all(self.store.read()).await? {
                if let Some(page) = pages.get_mut(&message.room_id) {
                    page.items.push(message);
                }
            }
        }
        Ok(pages)
    }
}

/// The numbers that a page of messages covers; empty when `low` is above `high`.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    low: i32,
    high: i32,
    has_previous: bool,
    has_next: bool,
}

impl Range {
    fn of(window: &Window<i32>, last_seq: i32) -> Self {
        let limit = i32::try_from(window.limit).unwrap_or(i32::MAX);
        let first = window.after.map_or(1, |after| after.max(0).saturating_add(1));
        let last = window.before.map_or(last_seq, |before| before.saturating_sub(1).min(last_seq));
        if window.from_end {
            let low = first.max(last.saturating_sub(limit).saturating_add(1));
            Self { low, high: last, has_previous: low > first, has_next: last < last_seq }
        } else {
            let high = last.min(first.saturating_add(limit).saturating_sub(1));
            Self { low: first, high, has_previous: first > 1, has_next: high < last }
        }
    }
}

/// Post a message.
#[derive(Clone)]
pub struct Post {
    author: UserId,
    room: RoomId,
    body: Body,
    client_id: Option<ClientId>,
}

/// What names a post beyond its message id.
type ClientKey = (RoomId, UserId, String);

impl Post {
    fn client_key(&self) -> Option<ClientKey> {
        self.client_id.as_ref().map(|id| (self.room, self.author, id.0.clone()))
    }

    /// Messages that were posted before under the client ids of these posts.
    async fn known(posts: &[&Self], append: &Append) -> Result<HashMap<ClientKey, message::Model>, DbErr> {
        let keys = posts.iter().filter_map(|post| post.client_key());
        let rows = Rows::new(keys.map(|(room, author, id)| [room.into(), author.into(), id.into()]));
        let sql = format!(
            "WITH asked (room_id, author_id, client_id) AS (VALUES {rows}) SELECT {columns} FROM asked JOIN message \
             ON message.room_id = asked.room_id AND message.author_id = asked.author_id \
             AND message.client_id = asked.client_id",
            rows = rows.sql,
            columns = columns::<message::Entity>(),
        );
        let statement = append.store().statement(&sql, rows.values);
        let known = message::Entity::find().from_raw_sql(statement).all(append.tx()).await?;
        Ok(known
            .into_iter()
            .filter_map(|message| {
                let client_id = message.client_id.clone()?;
                Some(((message.room_id, message.author_id, client_id), message))
            })
            .collect())
    }

    /// Writes the posts that are allowed and not `known` from before. None, and nothing written: one of them was posted
    /// before and is not among the known. Repeated posts are rare, so they are looked for only then.
    async fn write(
        posts: &[&Self],
        known: &HashMap<ClientKey, message::Model>,
        append: &mut Append,
    ) -> Result<Option<Vec<Result<message::Model, Error>>>, DbErr> {
        let mut context = PostContext::load(append, posts.iter().map(|post| (post.room, post.author))).await?;
        let mut known = known.clone();
        let mut outcomes = Vec::with_capacity(posts.len());
        let mut new: Vec<message::Model> = Vec::with_capacity(posts.len());
        let mut read: BTreeMap<(RoomId, UserId), i32> = BTreeMap::new();
        let mut caught_up: Vec<usize> = Vec::new();
        for post in posts {
            let (last_seq, read_seq) = match context.get(post.room, post.author) {
                Ok(place) => place,
                Err(refused) => {
                    outcomes.push(Err(refused));
                    continue;
                }
            };
            let key = post.client_key();
            let digest = key.is_some().then(|| post.body.digest());
            if let Some(first) = key.as_ref().and_then(|key| known.get(key)) {
                let same = first.client_digest == digest;
                let conflict = Error::Conflict { field: "clientId", problem: "was used for another message" };
                outcomes.push(if same { Ok(first.clone()) } else { Err(conflict) });
                continue;
            }
            *last_seq += 1;
            let seq = *last_seq;
            if *read_seq < seq - 1 {
                caught_up.push(new.len());
            }
            *read_seq = seq;
            read.insert((post.room, post.author), seq);
            let message = message::Model {
                id: MessageId::generate(),
                room_id: post.room,
                seq,
                author_id: post.author,
                client_id: post.client_id.as_ref().map(|id| id.0.clone()),
                client_digest: digest,
                r#type: message::MessageType::Text,
                body: post.body.0.clone(),
                created_at: append.now(),
                edited_at: None,
                deleted_at: None,
            };
            if let Some(key) = key {
                known.insert(key, message.clone());
            }
            new.push(message.clone());
            outcomes.push(Ok(message));
        }
        if !insert(&new, append).await? {
            return Ok(None);
        }
        let mut positions = Vec::with_capacity(new.len());
        for message in &new {
            positions.push(append.record(NewEvent::message(
                Kind::MessagePosted,
                message.room_id,
                message.id,
                message.seq,
            )));
            append.posted(message);
        }
        write_read_seqs(append, read).await?;
        write_read_marks(append, caught_up.into_iter().map(|n| (&new[n], positions[n]))).await?;
        Ok(Some(outcomes))
    }
}

/// Inserts all of these messages, or none: false when one was posted before under its client id.
async fn insert(messages: &[message::Model], append: &Append) -> Result<bool, DbErr> {
    if messages.is_empty() {
        return Ok(true);
    }
    let rows = messages.iter().map(|message| message.clone().into_active_model());
    let inserted = message::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(append.tx())
        .await?;
    if inserted == messages.len() as u64 {
        return Ok(true);
    }
    let ids = one_of(append.store().backend(), message::Column::Id, messages.iter().map(|message| message.id));
    message::Entity::delete_many().filter(ids).exec(append.tx()).await?;
    Ok(false)
}

/// Keeps when authors caught up with what others had written before their post. No event: `MessagePosted` tells it.
async fn write_read_marks(
    append: &Append,
    posts: impl Iterator<Item = (&message::Model, Position)>,
) -> Result<(), DbErr> {
    let marks: Vec<_> = posts
        .map(|(message, position)| {
            read_mark::Model {
                room_id: message.room_id,
                user_id: message.author_id,
                seq: message.seq,
                at: message.created_at,
                position,
            }
            .into_active_model()
        })
        .collect();
    read_mark::Entity::insert_many(marks).exec_without_returning(append.tx()).await?;
    Ok(())
}

impl Change for Post {
    type Outcome = message::Model;
}

impl Bulk for Post {
    async fn apply_many(posts: &[&Self], append: &mut Append) -> Result<Vec<Result<message::Model, Error>>, DbErr> {
        if let Some(outcomes) = Self::write(posts, &HashMap::new(), append).await? {
            return Ok(outcomes);
        }
        let known = Self::known(posts, append).await?;
        let outcomes = Self::write(posts, &known, append).await?;
        outcomes.ok_or_else(|| DbErr::Custom("a client id appeared under the log's lock".to_owned()))
    }
}

/// Change a message's text.
pub struct EditMessage {
    editor: UserId,
    id: MessageId,
    body: Body,
}

impl Change for EditMessage {
    type Outcome = message::Model;
}

impl Alone for EditMessage {
    async fn apply(&self, append: &mut Append) -> Result<message::Model, Error> {
        let message = own_message(append, self.editor, self.id).await?;
        if message.deleted_at.is_some() {
            return Err(Error::Conflict { field: "messageId", problem: "the message was deleted" });
        }
        if message.body == self.body.0 {
            return Ok(message);
        }
        let mut row = message.into_active_model();
        row.body = Set(self.body.0.clone());
        row.edited_at = Set(Some(append.now()));
        write(append, Kind::MessageEdited, row).await
    }
}

/// Delete a message.
pub struct DeleteMessage {
    deleter: UserId,
    id: MessageId,
}

impl Change for DeleteMessage {
    type Outcome = message::Model;
}

impl Alone for DeleteMessage {
    async fn apply(&self, append: &mut Append) -> Result<message::Model, Error> {
        let message = own_message(append, self.deleter, self.id).await?;
        if message.deleted_at.is_some() {
            return Ok(message);
        }
        let mut row = message.into_active_model();
        row.body = Set(String::new());
        row.deleted_at = Set(Some(append.now()));
        write(append, Kind::MessageDeleted, row).await
    }
}

/// A message that this user wrote, in a room that the user is still in.
async fn own_message(append: &Append, user: UserId, id: MessageId) -> Result<message::Model, Error> {
    let message = message::Entity::find_by_id(id).one(append.tx()).await?.ok_or(Error::MESSAGE_NOT_FOUND)?;
    match MemberRows::one(append, message.room_id, user, Action::AlterMessageOf(message.author_id)).await {
        Ok(_) => Ok(message),
        Err(Error::NotFound { .. }) => Err(Error::MESSAGE_NOT_FOUND),
        Err(error) => Err(error),
    }
}

async fn write(append: &mut Append, kind: Kind, row: message::ActiveModel) -> Result<message::Model, Error> {
    let message = row.update(append.tx()).await?;
    append.record(NewEvent::message(kind, message.room_id, message.id, message.seq));
    append.wrote(&message);
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: Option<i32>, after: Option<i32>, last: Option<i32>, before: Option<i32>) -> (i32, i32, bool, bool) {
        let window = Window::new(first, after, last, before, true).expect("a window that is allowed");
        let range = Range::of(&window, 10);
        (range.low, range.high, range.has_previous, range.has_next)
    }

    #[test]
    fn a_page_of_messages_is_a_range_of_numbers() {
        assert_eq!(range(None, None, Some(3), None), (8, 10, true, false));
        assert_eq!(range(None, None, Some(3), Some(8)), (5, 7, true, true));
        assert_eq!(range(None, None, Some(3), Some(2)), (1, 1, false, true));
        assert_eq!(range(Some(3), None, None, None), (1, 3, false, true));
        assert_eq!(range(Some(3), Some(8), None, None), (9, 10, true, false));
        assert_eq!(range(Some(3), Some(4), None, Some(7)), (5, 6, true, false));
        assert_eq!(range(None, None, None, None), (1, 10, false, false));
    }

    #[test]
    fn a_page_beyond_the_ends_is_empty() {
        let (low, high, ..) = range(Some(3), Some(10), None, None);
        assert!(low > high);
        let (low, high, ..) = range(Some(3), Some(i32::MAX), None, Some(i32::MIN));
        assert!(low > high);
        let (low, high, ..) = range(Some(0), None, None, None);
        assert!(low > high);
    }

    #[test]
    fn a_body_is_trimmed_and_measured() {
        assert!(Body::parse(" hello ".to_owned()).is_ok_and(|body| body.0 == "hello"));
        for wrong in ["", " \n ", "a\0b", &"x".repeat(Body::MAX_BYTES + 1)] {
            assert!(matches!(Body::parse(wrong.to_owned()), Err(Error::Invalid { field: "body", .. })));
        }
        assert!(Body::parse("x".repeat(Body::MAX_BYTES)).is_ok());
    }
}
