//! What an append writes at its end, or before something reads it.
//!
//! To PostgreSQL all of it goes as one statement, so that an append of any size is four messages there and back: the lock
//! and the head of the log, what its rules read, this, and the commit. SQLite runs one statement for each table. Those of
//! a small append go to the driver's thread together, because each way there and back wakes two threads, which costs more
//! than the statement.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Value};

use super::event::Event;
use crate::ids::{RoomId, UserId};
use crate::position::Position;
use crate::store::entity::{mention, message, read_mark};
use crate::store::list::{ROWS_PER_STATEMENT, add_rows, insertion};
use crate::store::{Store, Transaction};

/// Rows up to which an append's statements go to SQLite's thread together. There is a text for each number of rows of each
/// table, and the driver keeps 200 of them; with more rows, the way counts for little.
const TOGETHER: usize = 8;

/// What is to be written.
#[derive(Default)]
pub(super) struct Writes {
    /// New messages.
    pub messages: Vec<message::Model>,
    /// Whom they mention.
    pub mentions: Vec<mention::Model>,
    /// Rooms' counters.
    pub rooms: BTreeMap<RoomId, Advance>,
    /// What changes for members.
    pub members: BTreeMap<(RoomId, UserId), Moved>,
    /// Steps of members' reading.
    pub marks: Vec<read_mark::Model>,
    /// Events.
    pub events: Vec<Event>,
}

/// What an append changes for a member.
#[derive(Clone, Copy, Default)]
pub(super) struct Moved {
    /// `seq` up to which the member has read.
    pub read_seq: Option<i32>,
    /// The position of the `RoomJoined` by which a room that the member had hidden comes back.
    pub returned: Option<Position>,
    /// When the member posted in a room in which that is kept.
    pub last_post_at: Option<DateTime<Utc>>,
}

/// What an append changes in a room's counters.
#[derive(Clone, Copy, Default)]
pub(super) struct Advance {
    pub last_position: Position,
    /// The newest message and when it was posted.
    pub last_post: Option<(i32, DateTime<Utc>)>,
}

/// One of the statements, whose parameters are added to those that there are.
type Part<'w> = Box<dyn Fn(&mut Vec<Value>) -> String + Send + 'w>;

impl Writes {
    /// Writes all of it.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn run(&self, store: &Store, tx: &Transaction) -> Result<(), DbErr> {
        match store.backend() {
            DbBackend::Postgres => self.run_together(store, tx).await,
            backend if self.rows() <= TOGETHER => self.run_in_a_row(backend, store, tx).await,
            backend => self.run_one_by_one(backend, store, tx).await,
        }
    }

    async fn run_together(&self, store: &Store, tx: &Transaction) -> Result<(), DbErr> {
        let mut parameters = Vec::new();
        let parts = self.parts(DbBackend::Postgres, usize::MAX).into_iter().enumerate();
        let parts: Vec<String> = parts.map(|(n, part)| format!("written_{n} AS ({})", part(&mut parameters))).collect();
        if !parts.is_empty() {
            let sql = format!("WITH {} SELECT 1", parts.join(", "));
            tx.execute_raw(store.statement(&sql, parameters)).await?;
        }
        Ok(())
    }

    /// As one text of several statements, which the driver keeps prepared under that text.
    async fn run_in_a_row(&self, backend: DbBackend, store: &Store, tx: &Transaction) -> Result<(), DbErr> {
        let (mut sql, mut parameters) = (Vec::new(), Vec::new());
        for part in self.parts(backend, ROWS_PER_STATEMENT) {
            let mut own = Vec::new();
            sql.push(part(&mut own));
            parameters.append(&mut own);
        }
        if !sql.is_empty() {
            tx.execute_raw(store.statement(&sql.join("; "), parameters)).await?;
        }
        Ok(())
    }

    /// How many rows it writes.
    fn rows(&self) -> usize {
        self.messages.len() + self.rooms.len() + self.members.len() + self.marks.len() + self.events.len()
    }

    async fn run_one_by_one(&self, backend: DbBackend, store: &Store, tx: &Transaction) -> Result<(), DbErr> {
        let statements = self.parts(backend, ROWS_PER_STATEMENT).into_iter().map(|part| {
            let mut parameters = Vec::new();
            let sql = part(&mut parameters);
            store.statement(&sql, parameters)
        });
        for statement in statements.collect::<Vec<_>>() {
            tx.execute_raw(statement).await?;
        }
        Ok(())
    }

    /// The statements, none of which depends on another one's, of at most so many rows each.
    fn parts(&self, backend: DbBackend, rows: usize) -> Vec<Part<'_>> {
        let mut parts: Vec<Part<'_>> = Vec::new();
        for messages in self.messages.chunks(rows) {
            parts.push(Box::new(move |parameters| insertion(backend, parameters, messages)));
        }
        for mentions in self.mentions.chunks(rows) {
            parts.push(Box::new(move |parameters| insertion(backend, parameters, mentions)));
        }
        let rooms: Vec<_> = self.rooms.iter().map(|(room, advance)| (*room, *advance)).collect();
        for rooms in rooms.chunks(rows).map(<[_]>::to_vec) {
            parts.push(Box::new(move |parameters| move_rooms(backend, parameters, &rooms)));
        }
        let members: Vec<_> = self.members.iter().map(|(member, moved)| (*member, *moved)).collect();
        for members in members.chunks(rows).map(<[_]>::to_vec) {
            // Rooms rarely come back or are slow, and what isn't set needn't be compared with its indexes.
            if members.iter().any(|(_, moved)| moved.returned.is_some() || moved.last_post_at.is_some()) {
                parts.push(Box::new(move |parameters| move_members(backend, parameters, &members)));
            } else {
                parts.push(Box::new(move |parameters| move_read_seqs(backend, parameters, &members)));
            }
        }
        for marks in self.marks.chunks(rows) {
            parts.push(Box::new(move |parameters| insertion(backend, parameters, marks)));
        }
        for events in self.events.chunks(rows) {
            parts.push(Box::new(move |parameters| insertion(backend, parameters, events)));
        }
        parts
    }
}

fn move_rooms(backend: DbBackend, parameters: &mut Vec<Value>, rooms: &[(RoomId, Advance)]) -> String {
    let rows = rooms.iter().map(|(id, advance)| {
        let (last_seq, last_activity_at) = advance.last_post.unzip();
        [(*id).into(), advance.last_position.into(), last_seq.into(), last_activity_at.into()]
    });
    format!(
        "WITH moved (id, last_position, last_seq, last_activity_at) AS ({}) UPDATE room SET \
           last_position = CASE WHEN moved.last_position > 0 THEN moved.last_position ELSE room.last_position END, \
           last_seq = COALESCE(moved.last_seq, room.last_seq), \
           last_activity_at = COALESCE(moved.last_activity_at, room.last_activity_at) \
         FROM moved WHERE room.id = moved.id",
        add_rows(backend, parameters, rows)
    )
}

fn move_read_seqs(backend: DbBackend, parameters: &mut Vec<Value>, members: &[((RoomId, UserId), Moved)]) -> String {
    let rows = members.iter().map(|((room, user), moved)| [(*room).into(), (*user).into(), moved.read_seq.into()]);
    format!(
        "WITH moved (room_id, user_id, seq) AS ({}) UPDATE member SET read_seq = moved.seq, unread_from = NULL, unread_own = 0 FROM moved \
         WHERE member.room_id = moved.room_id AND member.user_id = moved.user_id",
        add_rows(backend, parameters, rows)
    )
}

fn move_members(backend: DbBackend, parameters: &mut Vec<Value>, members: &[((RoomId, UserId), Moved)]) -> String {
    let rows = members.iter().map(|((room, user), moved)| {
        let returned = moved.returned.unwrap_or_default();
        [(*room).into(), (*user).into(), moved.read_seq.into(), returned.into(), moved.last_post_at.into()]
    });
    format!(
        "WITH moved (room_id, user_id, seq, returned, last_post_at) AS ({}) UPDATE member SET \
           read_seq = COALESCE(moved.seq, member.read_seq), \
           unread_from = CASE WHEN moved.seq IS NULL THEN member.unread_from ELSE NULL END, \
           unread_own = CASE WHEN moved.seq IS NULL THEN member.unread_own ELSE 0 END, \
           joined_position = CASE WHEN moved.returned > 0 THEN moved.returned ELSE member.joined_position END, \
           left_position = CASE WHEN moved.returned > 0 THEN NULL ELSE member.left_position END, \
           hidden = CASE WHEN moved.returned > 0 THEN FALSE ELSE member.hidden END, \
           last_post_at = COALESCE(moved.last_post_at, member.last_post_at) \
         FROM moved WHERE member.room_id = moved.room_id AND member.user_id = moved.user_id",
        add_rows(backend, parameters, rows)
    )
}
