//! One transaction that appends to the log.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoActiveModel, QueryOrder, QuerySelect};

use super::event::{Event, NewEvent};
use crate::clock::Clock;
use crate::ids::RoomId;
use crate::position::{Cursor, Position, Tag};
use crate::store::entity::{event, message};
use crate::store::list::ValueRows;
use crate::store::{Store, Transaction};

/// Key of the PostgreSQL advisory lock under which positions are given out.
const LOG_LOCK: i64 = 0x5041_524c_4f52_0002;

/// The least that what comes later in the log is later by: what both databases keep.
const TICK: TimeDelta = TimeDelta::microseconds(1);

/// Rows per INSERT: well below SQLite's 32,766 parameters for the widest table.
pub(crate) const ROWS_PER_INSERT: usize = 1_000;

/// An open append transaction. While it is open, no other node or task can append.
pub struct Append {
    tx: Transaction,
    store: Store,
    now: DateTime<Utc>,
    /// The log's last event before this append.
    base: Cursor,
    /// The last position that this append has given out; until the first, that of `base`.
    head: Position,
    events: Vec<Event>,
    rooms: BTreeMap<RoomId, Advance>,
    messages: Vec<message::Model>,
}

/// What an append changes in a room's counters.
#[derive(Clone, Copy, Default)]
struct Advance {
    last_position: Position,
    /// The newest message and when it was posted.
    last_post: Option<(i32, DateTime<Utc>)>,
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
    async fn read(tx: &Transaction) -> Result<Option<Self>, DbErr> {
        let last = event::Entity::find()
            .select_only()
            .columns([event::Column::Position, event::Column::Tag, event::Column::At])
            .order_by_desc(event::Column::Position);
        if tx.get_database_backend() == DbBackend::Postgres {
            let last = last.expr_as(Expr::cust("clock_timestamp()"), "now").into_tuple().one(tx).await?;
            return Ok(last.map(|(position, tag, at, now)| Self { position, tag, at, database_now: Some(now) }));
        }
        let last = last.into_tuple().one(tx).await?;
        Ok(last.map(|(position, tag, at)| Self { position, tag, at, database_now: None }))
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
        let tx = store.begin_append().await?;
        if store.backend() == DbBackend::Postgres {
            tx.execute_raw(store.statement("SELECT pg_advisory_xact_lock($1)", [LOG_LOCK.into()])).await?;
        }
        let last = Last::read(&tx).await?;
        let now = last.as_ref().map_or_else(|| clock.now(), |last| last.next_moment(clock));
        let base = last.map_or_else(Cursor::default, |last| Cursor { position: last.position, tag: last.tag });
        Ok(Self {
            tx,
            store: store.clone(),
            now,
            base,
            head: base.position,
            events: Vec::new(),
            rooms: BTreeMap::new(),
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
            self.rooms.entry(room).or_default().last_position = self.head;
        }
        self.events.push(Event {
            position: self.head,
            tag: Tag::from(getrandom::u32().unwrap_or_default()),
            room_id: new.room_id,
            user_id: new.user_id,
            kind: new.kind,
            message_id: new.message.map(|(id, _)| id),
            subject_id: new.subject_id,
            seq: new.message.map(|(_, seq)| seq),
            at,
        });
        self.head
    }

    /// Notes that this message, which the caller has inserted, is now its room's newest.
    pub fn posted(&mut self, message: &message::Model) {
        self.rooms.entry(message.room_id).or_default().last_post = Some((message.seq, message.created_at));
        self.wrote(message);
    }

    /// Notes a message as the caller has written it, so that delivery need not read it back.
    pub fn wrote(&mut self, message: &message::Model) {
        self.messages.push(message.clone());
    }

    /// Writes the room counters that events and posts have moved so far, so that later statements of this append read
    /// them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn flush_rooms(&mut self) -> Result<(), DbErr> {
        let rooms = std::mem::take(&mut self.rooms);
        if rooms.is_empty() {
            return Ok(());
        }
        let rows = ValueRows::new(rooms.into_iter().map(|(id, advance)| {
            let (last_seq, last_activity_at) = advance.last_post.unzip();
            [id.into(), advance.last_position.into(), last_seq.into(), last_activity_at.into()]
        }));
        let sql = format!(
            "WITH moved (id, last_position, last_seq, last_activity_at) AS (VALUES {}) \
             UPDATE room SET \
               last_position = CASE WHEN moved.last_position > 0 THEN moved.last_position ELSE room.last_position END, \
               last_seq = COALESCE(moved.last_seq, room.last_seq), \
               last_activity_at = COALESCE(moved.last_activity_at, room.last_activity_at) \
             FROM moved WHERE room.id = moved.id",
            rows.sql
        );
        self.tx.execute_raw(self.store.statement(&sql, rows.values)).await?;
        Ok(())
    }

    /// Writes the events and the rooms' counters: all that is left to do before the commit.
    ///
    /// # Errors
    /// When the database fails; nothing is written then.
    pub(crate) async fn write(&mut self) -> Result<(), DbErr> {
        self.flush_rooms().await?;
        for rows in self.events.chunks(ROWS_PER_INSERT) {
            let rows = rows.iter().map(|event| event.clone().into_active_model());
            event::Entity::insert_many(rows).exec_without_returning(&self.tx).await?;
        }
        self.store.in_place()
    }

    /// Commits what [`Self::write`] has written.
    ///
    /// # Errors
    /// When the database fails; [`leaves_open`](crate::store::outage::leaves_open) says whether it may be committed all the same.
    pub(crate) async fn commit(self) -> Result<Committed, DbErr> {
        self.tx.commit().await?;
        Ok(Committed { base: self.base, events: self.events, messages: self.messages })
    }
}
