//! Reading, with statements that are prepared once.

use std::cell::OnceCell;
use std::path::Path;

use chrono::{DateTime, Utc};
use parlor::ids::{MessageId, RoomId, UserId};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Statement, params};
use uuid::Uuid;

use crate::answer::{
    Author, LastMessage, Me, Member, Members, Message, MessagePage, MessagePageInfo, OneRoom, Room, RoomMessages,
    RoomPage, RoomPageInfo, RoomView, Rooms, User,
};
use crate::{Failure, Variables, writer};

/// Members of a room on its page, as the bench's document asks.
const MEMBERS_AT_ONCE: i32 = 8;

/// The most messages on a page.
const MESSAGES_AT_ONCE: i32 = 100;

thread_local! {
    static CONNECTION: OnceCell<Connection> = const { OnceCell::new() };
}

/// Reads by this thread's own connection.
pub fn with<A>(path: &Path, read: impl FnOnce(&Connection) -> Result<A, Failure>) -> Result<A, Failure> {
    CONNECTION.with(|own| {
        if own.get().is_none() {
            let connection = writer::open(path)?;
            // As much as Parlor's reading connections keep in memory.
            connection.execute_batch("PRAGMA query_only = on; PRAGMA cache_size = -8192")?;
            own.set(connection).map_err(|_| "opened twice")?;
        }
        read(own.get().ok_or("not opened")?)
    })
}

/// The viewer, who might have been deleted.
pub fn me(database: &Connection, viewer: UserId) -> Result<Option<Me>, Failure> {
    let mut statement = database.prepare_cached(r#"SELECT id FROM "user" WHERE id = ?1 AND deleted_at IS NULL"#)?;
    let found = statement.query_row([bytes(viewer.0)], |row| Ok(User { id: UserId(uuid(row, 0)?) })).optional()?;
    Ok(found.map(|me| Me { me }))
}

/// The viewer's first rooms, those with the newest activity first.
///
/// It goes through all rooms from the newest on until it has found enough that are the viewer's: the least where the
/// viewer is in many of them. Whatever else a room shows is read only once it is known to be one of the first.
pub fn rooms(database: &Connection, viewer: UserId, first: i32) -> Result<Option<Rooms>, Failure> {
    let mut newest = database.prepare_cached(
        "SELECT room.id, room.type, room.last_activity_at, room.last_seq, member.read_seq, member.muted, \
         (SELECT count(*) FROM message WHERE message.room_id = room.id AND message.seq > member.read_seq \
         AND message.deleted_at IS NOT NULL) \
         FROM room INDEXED BY limit_room CROSS JOIN member ON member.room_id = room.id \
         WHERE member.user_id = ?1 AND member.left_position IS NULL \
         ORDER BY room.last_activity_at DESC, room.id DESC LIMIT ?2",
    )?;
    let mut members = database.prepare_cached(
        r#"SELECT member.user_id, "user".display_name, member.read_seq FROM member
         JOIN "user" INDEXED BY limit_user ON "user".id = member.user_id
         WHERE member.room_id = ?1 AND member.left_position IS NULL ORDER BY member.user_id LIMIT ?2"#,
    )?;
    let mut last_message = database.prepare_cached(
        r#"SELECT message.author_id, "user".display_name, message.id, message.seq, message.body, message.created_at
         FROM message JOIN "user" INDEXED BY limit_user ON "user".id = message.author_id
         WHERE message.room_id = ?1 AND message.seq = ?2"#,
    )?;
    let limit = usize::try_from(first)?;
    let mut found = newest.query(params![bytes(viewer.0), first + 1])?;
    let (mut nodes, mut has_next_page) = (Vec::with_capacity(limit), false);
    while let Some(row) = found.next()? {
        if nodes.len() == limit {
            has_next_page = true;
            break;
        }
        nodes.push(room(row, &mut members, &mut last_message)?);
    }
    let end_cursor = nodes.last().map(|room| format!("{}/{}", room.last_activity_at.timestamp_micros(), room.id));
    Ok(Some(Rooms { rooms: RoomPage { nodes, page_info: RoomPageInfo { has_next_page, end_cursor } } }))
}

fn room(row: &Row<'_>, members: &mut Statement<'_>, last_message: &mut Statement<'_>) -> Result<Room, Failure> {
    let (id, last_seq): (_, i32) = (uuid(row, 0)?, row.get(3)?);
    let kind = match row.get_ref(1)?.as_str()? {
        "consumer_to_consumer" => "CONSUMER_TO_CONSUMER",
        _ => "CONSUMER_TO_SUPPORT",
    };
    let (last_read_seq, deleted): (i32, i32) = (row.get(4)?, row.get(6)?);
    let members = members.query_map(params![bytes(id), MEMBERS_AT_ONCE], |row| {
        Ok(Member { user: author(row, 0)?, last_read_seq: row.get(2)? })
    })?;
    let last_message = last_message.query_row(params![bytes(id), last_seq], |row| {
        Ok(LastMessage {
            id: MessageId(uuid(row, 2)?),
            seq: row.get(3)?,
            body: row.get(4)?,
            created_at: moment(row, 5)?,
            author: author(row, 0)?,
        })
    });
    Ok(Room {
        id: RoomId(id),
        kind,
        last_activity_at: moment(row, 2)?,
        members: Members { nodes: members.collect::<rusqlite::Result<_>>()? },
        last_message: last_message.optional()?,
        viewer: RoomView { unread_count: last_seq - last_read_seq - deleted, last_read_seq, muted: row.get(5)? },
    })
}

/// Which messages of a room: `seq` from and to, and how many from which end.
#[derive(Clone, Copy)]
pub struct Range {
    from: i32,
    to: i32,
    limit: i32,
    from_end: bool,
}

impl Range {
    pub fn of(asked: &Variables<'_>) -> Self {
        Self {
            from: asked.from.unwrap_or(1).max(1),
            to: asked.to.unwrap_or(i32::MAX),
            limit: asked.first.or(asked.last).unwrap_or(20).clamp(0, MESSAGES_AT_ONCE),
            from_end: asked.first.is_none(),
        }
    }
}

/// A page of the messages of one of the viewer's rooms.
pub fn messages(database: &Connection, viewer: UserId, room: RoomId, range: Range) -> Result<Option<OneRoom>, Failure> {
    let mut statement = database.prepare_cached(
        "SELECT room.last_seq FROM room JOIN member ON member.room_id = room.id \
         WHERE room.id = ?1 AND member.user_id = ?2 AND member.left_position IS NULL",
    )?;
    // Not asked for a second row, it goes on reading, and what follows needs no transaction of its own.
    let mut found = statement.query(params![bytes(room.0), bytes(viewer.0)])?;
    let Some(row) = found.next()? else { return Ok(None) };
    let last_seq = row.get(0)?;
    let Range { from, to, limit, from_end } = range;
    let to = to.min(last_seq);
    let (low, high) = if from_end {
        (from.max(to.saturating_sub(limit).saturating_add(1)), to)
    } else {
        (from, to.min(from.saturating_add(limit).saturating_sub(1)))
    };
    let mut statement = database.prepare_cached(
        r#"SELECT message.author_id, "user".display_name, message.id, message.seq, message.body, message.created_at,
         message.edited_at, message.deleted_at FROM message
         JOIN "user" INDEXED BY limit_user ON "user".id = message.author_id
         WHERE message.room_id = ?1 AND message.seq BETWEEN ?2 AND ?3 ORDER BY message.seq"#,
    )?;
    let found = statement.query_map(params![bytes(room.0), low, high], |row| {
        Ok(Message {
            id: MessageId(uuid(row, 2)?),
            seq: row.get(3)?,
            body: row.get(4)?,
            created_at: moment(row, 5)?,
            edited_at: maybe_moment(row, 6)?,
            deleted_at: maybe_moment(row, 7)?,
            author: author(row, 0)?,
        })
    })?;
    let nodes: Vec<Message> = found.collect::<rusqlite::Result<_>>()?;
    let cursor = |message: Option<&Message>| message.map(|message| message.seq.to_string());
    let page_info = MessagePageInfo {
        has_previous_page: low > 1,
        has_next_page: high < last_seq,
        start_cursor: cursor(nodes.first()),
        end_cursor: cursor(nodes.last()),
    };
    Ok(Some(OneRoom { room: RoomMessages { messages: MessagePage { nodes, page_info } } }))
}

/// An id as the database keeps it.
pub fn bytes(id: Uuid) -> [u8; 16] {
    id.into_bytes()
}

fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

/// A user by the id in this column and the name in the next.
fn author(row: &Row<'_>, column: usize) -> rusqlite::Result<Author> {
    Ok(Author { id: UserId(uuid(row, column)?), display_name: row.get(column + 1)? })
}

fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    parse(column, row.get_ref(column)?.as_str()?)
}

fn maybe_moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DateTime<Utc>>> {
    row.get_ref(column)?.as_str_or_null()?.map(|text| parse(column, text)).transpose()
}

fn parse(column: usize, text: &str) -> rusqlite::Result<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text);
    at.map(|at| at.to_utc())
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}
