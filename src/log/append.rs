//! One transaction that appends to the log.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DbBackend, DbErr, QueryResult};

use super::event::{Event, NewEvent};
use super::writes::Writes;
use crate::clock::Clock;
use crate::ids::{RoomId, UserId};
use crate::position::{Cursor, Position, Tag};
use crate::store::entity::{mention, message, read_mark};
use crate::store::{Store, Transaction};

/// Key of the PostgreSQL advisory lock under which positions are given out.
const LOG_LOCK: i64 = 0x5041_524c_4f52_0002;

/// The least that what comes later in the log is later by: what both databases keep.
const TICK: TimeDelta = TimeDelta::microseconds(1);

/// An open append transaction. While it is open, no other node or task can append.
pub struct Append {
    tx: Transaction,
    store: Store,
    now: DateTime<Utc>,
    /// The log's last event before this append.
    base: Cursor,
    /// The last position that this append has given out; until the first, that of `base`.
    head: Position,
    /// What is not written yet.
    writes: Writes,
    /// Events that are.
    written: Vec<Event>,
    messages: Vec<message::Model>,
}

/// The log's last event, as an append reads it under the lock.
struct Last {
    position: Position,
    tag: Tag,
    at: DateTime<Utc>,
    /// The time by the database's clock, where it is one for all nodes.
    database_now: Option<DateTime<Utc>>,
}

impl Last {
    fn of(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            position: row.try_get("", "position")?,
            tag: row.try_get("", "tag")?,
            at: row.try_get("", "at")?,
            database_now: row.try_get("", "now")?,
        })
    }

    /// The time of what comes after it, always later than its own: what is in the log follows its order, whatever the
    /// clocks say. On PostgreSQL that is the database's clock, so that the nodes' clocks don't matter; on SQLite the
    /// node's.
    fn next_moment(&self, clock: &Clock) -> DateTime<Utc> {
        self.database_now.map_or_else(|| clock.now(), |now| clock.moved(now)).max(self.at + TICK)
    }
}

/// What an append has committed.
#[derive(Debug, Default)]
pub struct Committed {
    /// The log's last event before these.
    pub base: Cursor,
    /// The new events, in log order, without a hole.
    pub events: Vec<Event>,
    /// Messages that this append wrote, so that delivery need not read them back. Of two with one id, the later one is
    /// current.
    pub messages: Vec<message::Model>,
}

impl Append {
    /// Takes the log's lock, and under it reads where the log ends and what time it is.
    pub(crate) async fn begin(store: &Store, clock: &Clock) -> Result<Self, DbErr> {
        let now = if store.backend() == DbBackend::Postgres { "clock_timestamp()" } else { "NULL" };
        let last = format!("SELECT position, tag, at, {now} AS now FROM event ORDER BY position DESC LIMIT 1");
        let (tx, last) = store.begin_append(LOG_LOCK, &last).await?;
        let last = last.as_ref().map(Last::of).transpose()?;
        let now = last.as_ref().map_or_else(|| clock.now(), |last| last.next_moment(clock));
        let base = last.map_or_else(Cursor::default, |last| Cursor { position: last.position, tag: last.tag });
        Ok(Self {
            tx,
            store: store.clone(),
            now,
            base,
            head: base.position,
            writes: Writes::default(),
            written: Vec::new(),
            messages: Vec::new(),
        })
    }

    /// The transaction, for reading and writing under the log's lock.
    #[must_use]
    pub fn tx(&self) -> &Transaction {
        &self.tx
    }

    /// The database that the transaction belongs to.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The time in this append, read under the log's lock: that of the last event, or of the last [`Self::tick`].
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// A moment later than every other in the log, for what is ordered by its time.
    pub fn tick(&mut self) -> DateTime<Utc> {
        self.now += TICK;
        self.now
    }

    /// Gives the event the next position and a random tag. It is written at the commit.
    pub fn record(&mut self, new: NewEvent) -> Position {
        self.head = self.head.next();
        let at = self.tick();
        if let Some(room) = new.room_id {
            self.writes.rooms.entry(room).or_default().last_position = self.head;
        }
        self.writes.events.push(Event {
            position: self.head,
            tag: Tag::from(getrandom::u32().unwrap_or_default()),
            room_id: new.room_id,
            user_id: new.user_id,
            kind: new.kind,
            message_id: new.message,
            subject_id: new.subject_id,
            seq: new.seq,
            at,
            actor_id: new.actor,
        });
        self.head
    }

    /// Posts this message, which is now its room's newest. It is written with all that is deferred.
    pub fn post(&mut self, message: message::Model) {
        let room = self.writes.rooms.entry(message.room_id).or_default();
        room.last_post = Some((message.seq, message.created_at));
        self.messages.push(message.clone());
        self.writes.messages.push(message);
    }

    /// Has a member have read up to `seq`. It is written with all that is deferred.
    pub fn move_read_seq(&mut self, room: RoomId, user: UserId, seq: i32) {
        self.writes.members.entry((room, user)).or_default().read_seq = Some(seq);
    }

    /// Brings a room back to a member who had hidden it, by the `RoomJoined` at this position. It is written with all that is
    /// deferred.
    pub fn bring_back(&mut self, room: RoomId, user: UserId, position: Position) {
        self.writes.members.entry((room, user)).or_default().returned = Some(position);
    }

    /// Keeps when a member posted. It is written with all that is deferred.
    pub fn posted_at(&mut self, room: RoomId, user: UserId, at: DateTime<Utc>) {
        self.writes.members.entry((room, user)).or_default().last_post_at = Some(at);
    }

    /// Keeps that a message that is posted mentions a user. It is written with all that is deferred.
    pub fn mention(&mut self, mention: mention::Model) {
        self.writes.mentions.push(mention);
    }

    /// Keeps a step of a member's reading. It is written with all that is deferred.
    pub fn mark(&mut self, mark: read_mark::Model) {
        self.writes.marks.push(mark);
    }

    /// Notes a message as the caller has written it, so that delivery need not read it back.
    pub fn wrote(&mut self, message: &message::Model) {
        self.messages.push(message.clone());
    }

    /// Writes what is deferred so far, so that later statements of this append read it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn flush(&mut self) -> Result<(), DbErr> {
        let writes = std::mem::take(&mut self.writes);
        writes.run(&self.store, &self.tx).await?;
        self.written.extend(writes.events);
        Ok(())
    }

    /// Writes all that is left to do before the commit.
    ///
    /// # Errors
    /// When the database fails; nothing is written then.
    pub(crate) async fn write(&mut self) -> Result<(), DbErr> {
        self.flush().await?;
        self.store.in_place()
    }

    /// Commits what [`Self::write`] has written.
    ///
    /// # Errors
    /// When the database fails; [`leaves_open`](crate::store::outage::leaves_open) says whether it may be committed all the same.
    pub(crate) async fn commit(self) -> Result<Committed, DbErr> {
        self.tx.commit().await?;
        Ok(Committed { base: self.base, events: self.written, messages: self.messages })
    }
}
