//! Posting: one thread has the only connection that writes, and commits together what has come meanwhile.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::thread;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use parlor::ids::{MessageId, RoomId, UserId};
use parlor::store::entity::event::Kind;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use sea_orm::ActiveEnum;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

use crate::Failure;
use crate::reader::bytes;

/// Posts that are committed together at most: as many as Parlor does.
const MAX_BATCH: usize = 256;

/// The least that what comes later in the log is later by.
const TICK: TimeDelta = TimeDelta::microseconds(1);

/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 32;

/// What reading takes besides Parlor's indexes. A post moves one entry of the first, and none of the second.
const INDEXES: &str = r#"
    CREATE INDEX IF NOT EXISTS limit_room ON room (last_activity_at, id);
    CREATE INDEX IF NOT EXISTS limit_user ON "user" (id, display_name);
"#;

/// A connection with the settings of Parlor's.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = full; PRAGMA foreign_keys = on; PRAGMA busy_timeout = 5000; \
         PRAGMA temp_store = memory; PRAGMA secure_delete = on; PRAGMA wal_autocheckpoint = 8000; PRAGMA journal_size_limit = 33554432",
    )?;
    // Or a statement with a parameter for LIMIT, among others, is prepared anew each time that it is run.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

pub struct Post {
    pub author: UserId,
    pub room: RoomId,
    pub body: String,
    pub client: Option<String>,
}

/// A message that is on the disk.
pub struct Posted {
    pub id: MessageId,
    pub seq: i32,
}

/// `None`: the author isn't in the room.
type Outcome = Option<Posted>;

type Command = (Post, oneshot::Sender<Outcome>);

/// Hands posts to the thread that writes.
pub struct Writer(mpsc::Sender<Command>);

impl Writer {
    pub fn start(path: &Path) -> rusqlite::Result<Self> {
        let mut connection = open(path)?;
        connection.execute_batch(INDEXES)?;
        let mut log = Log::read(&connection)?;
        let (queue, mut commands) = mpsc::channel::<Command>(4 * MAX_BATCH);
        thread::spawn(move || {
            let mut batch = Vec::with_capacity(MAX_BATCH);
            while commands.blocking_recv_many(&mut batch, MAX_BATCH) > 0 {
                match write(&mut connection, &mut log, &batch) {
                    Ok(outcomes) => {
                        for ((_, answer), outcome) in batch.drain(..).zip(outcomes) {
                            drop(answer.send(outcome));
                        }
                    }
                    // Whoever waits hears that nothing will come.
                    Err(error) => {
                        eprintln!("not written: {error}");
                        batch.clear();
                    }
                }
            }
        });
        Ok(Self(queue))
    }

    /// Answers when the post is on the disk.
    pub async fn post(&self, post: Post) -> Result<Outcome, Failure> {
        let (answer, outcome) = oneshot::channel();
        self.0.send((post, answer)).await.map_err(|_| "the writer has ended")?;
        Ok(outcome.await?)
    }
}

/// Where the log ends. Nobody else writes, so it is read once.
#[derive(Clone, Copy)]
struct Log {
    position: i64,
    at: DateTime<Utc>,
}

impl Log {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let position = connection.query_row("SELECT coalesce(max(position), 0) FROM event", [], |row| row.get(0))?;
        Ok(Self { position, at: DateTime::UNIX_EPOCH })
    }

    fn tick(&mut self) -> DateTime<Utc> {
        self.at += TICK;
        self.at
    }
}

/// What a batch has moved, written once at its end.
#[derive(Default)]
struct Moved {
    rooms: HashMap<RoomId, RoomCounters>,
    read: HashMap<(RoomId, UserId), i32>,
}

#[derive(Default)]
#[expect(clippy::struct_field_names, reason = "as the columns are called")]
struct RoomCounters {
    last_seq: i32,
    last_position: i64,
    last_activity_at: String,
}

fn write(connection: &mut Connection, log: &mut Log, batch: &[Command]) -> rusqlite::Result<Vec<Outcome>> {
    let mut end = Log { position: log.position, at: now().max(log.at) };
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut moved = Moved::default();
    let outcomes = batch.iter().map(|(post, _)| moved.post(&tx, &mut end, post)).collect::<rusqlite::Result<_>>()?;
    moved.write(&tx)?;
    tx.commit()?;
    *log = end;
    Ok(outcomes)
}

impl Moved {
    fn post(&mut self, tx: &Transaction<'_>, log: &mut Log, post: &Post) -> rusqlite::Result<Outcome> {
        let (room, author) = (bytes(post.room.0), bytes(post.author.0));
        let read = match self.read.entry((post.room, post.author)) {
            Entry::Occupied(read) => read.into_mut(),
            Entry::Vacant(read) => {
                let mut statement = tx.prepare_cached(
                    "SELECT member.read_seq, room.last_seq FROM member JOIN room ON room.id = member.room_id \
                     WHERE member.room_id = ?1 AND member.user_id = ?2 AND member.left_position IS NULL",
                )?;
                let found = statement.query_row([room, author], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
                let Some((read_seq, last_seq)) = found else { return Ok(None) };
                self.rooms.entry(post.room).or_insert_with(|| RoomCounters { last_seq, ..RoomCounters::default() });
                read.insert(read_seq)
            }
        };
        let counters = self.rooms.entry(post.room).or_default();

        let (id, seq, created_at) = (MessageId::generate(), counters.last_seq + 1, text(log.tick()));
        let digest = post.client.is_some().then(|| digest(&post.body));
        let inserted = tx
            .prepare_cached(
                "INSERT INTO message (id, room_id, seq, author_id, client_id, client_digest, type, body, created_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'text', ?7, ?8) ON CONFLICT DO NOTHING",
            )?
            .execute(params![bytes(id.0), room, seq, author, post.client, digest, post.body, created_at])?;
        if inserted == 0 {
            return before(tx, post).map(Some);
        }
        let at = text(log.tick());
        log.position += 1;
        tx.prepare_cached(
            "INSERT INTO event (position, tag, room_id, kind, message_id, seq, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![log.position, tag(), room, Kind::MessagePosted.to_value(), bytes(id.0), seq, at])?;
        if *read < seq - 1 {
            tx.prepare_cached(
                "INSERT INTO read_mark (room_id, user_id, seq, at, position) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![room, author, seq, created_at, log.position])?;
        }
        *read = seq;
        *counters = RoomCounters { last_seq: seq, last_position: log.position, last_activity_at: created_at };
        Ok(Some(Posted { id, seq }))
    }

    fn write(self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut room = tx
            .prepare_cached("UPDATE room SET last_seq = ?2, last_position = ?3, last_activity_at = ?4 WHERE id = ?1")?;
        for (id, counters) in self.rooms.iter().filter(|(_, counters)| counters.last_position > 0) {
            let RoomCounters { last_seq, last_position, last_activity_at } = counters;
            room.execute(params![bytes(id.0), last_seq, last_position, last_activity_at])?;
        }
        let mut member = tx.prepare_cached("UPDATE member SET read_seq = ?3 WHERE room_id = ?1 AND user_id = ?2")?;
        for ((id, user), seq) in self.read {
            member.execute(params![bytes(id.0), bytes(user.0), seq])?;
        }
        Ok(())
    }
}

/// The message that was posted before under the same client id.
fn before(tx: &Transaction<'_>, post: &Post) -> rusqlite::Result<Posted> {
    tx.prepare_cached("SELECT id, seq FROM message WHERE room_id = ?1 AND author_id = ?2 AND client_id = ?3")?
        .query_row(params![bytes(post.room.0), bytes(post.author.0), post.client], |row| {
            Ok(Posted { id: MessageId(uuid::Uuid::from_bytes(row.get(0)?)), seq: row.get(1)? })
        })
}

/// As Parlor tells texts under one client id apart.
fn digest(body: &str) -> i64 {
    let digest = Sha256::digest(body.as_bytes());
    i64::from_be_bytes(std::array::from_fn(|n| digest[n]))
}

fn tag() -> i64 {
    i64::from(getrandom::u32().unwrap_or_default())
}

#[expect(clippy::disallowed_methods, reason = "Parlor's clock is for Parlor")]
fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// As Parlor's database driver writes it.
fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}
