//! A large chat with one user in it who reads.
//!
//! Rooms take turns: in each round every room gets one message, in the same order. Before the last rounds the largest
//! room gets many in between, so that its messages lie among all others.

use std::io;

use chrono::{DateTime, TimeDelta, Utc};
use parlor::clock::Clock;
use parlor::ids::{MessageId, RoomId, UserId};
use parlor::position::{Cursor, Position};
use parlor::store::Store;
use parlor::store::entity::event::{self, Kind};
use parlor::store::entity::message::{self, MessageType};
use parlor::store::entity::read_mark;
use parlor::text::search::FORM;
use sea_orm::{ConnectionTrait, DbErr};

use super::{Opened, ROWS_PER_INSERT, Room, begin, head, insert, tag, write_opened, write_users};

/// How long ago the first message was posted: less than the log is kept.
const SINCE: TimeDelta = TimeDelta::days(20);

/// Messages per transaction.
const PER_COMMIT: usize = 50 * ROWS_PER_INSERT;

/// Those that would begin with the first event.
const CONSUMERS: [&str; 2] = ["purge", "search"];

/// How large a chat is.
#[derive(Clone, Copy, Debug)]
pub struct Chat {
    /// Users besides the reader.
    pub users: usize,
    /// Rooms in all.
    pub rooms: usize,
    /// Members of each room.
    pub members_per_room: usize,
    /// Rooms that the reader is in, spread evenly among all.
    pub reader_rooms: usize,
    /// Messages in all.
    pub messages: usize,
    /// Messages of the reader's largest room, or a few more: all others have the same number.
    pub in_largest: usize,
    /// Rounds at the end in which the largest room gets one message like all others.
    pub last_rounds: usize,
    /// What the message of this number says.
    pub body: fn(usize) -> String,
}

/// What people say where that doesn't matter.
pub fn small_talk(n: usize) -> String {
    format!("{n}: about as long as what people write to each other when they have something to say")
}

/// A chat that was written.
#[derive(Debug)]
pub struct Written {
    /// Who reads.
    pub reader: UserId,
    /// The largest room.
    pub largest: RoomId,
    /// `seq` of its newest message.
    pub largest_seq: usize,
    /// Positions of the reader's events in the last rounds, in log order.
    missable: Vec<Position>,
}

impl Written {
    /// Where a client stands that has missed exactly so many of the reader's events, if there are as many in the last
    /// rounds.
    pub fn cursor_before(&self, missed: usize) -> Option<Cursor> {
        let first = self.missable.len().checked_sub(missed).and_then(|first| self.missable.get(first))?;
        let position = first.previous();
        Some(Cursor { position, tag: tag(position) })
    }
}

/// A message on its way.
#[derive(Clone, Copy)]
struct Post {
    room: usize,
    seq: usize,
    /// In one of the last rounds.
    late: bool,
}

impl Chat {
    /// Writes it into an empty database.
    pub async fn write(&self, store: &Store) -> io::Result<Written> {
        self.write_rows(store).await.map_err(io::Error::other)
    }

    /// As [`Self::write`], and says that the consumers of the log have gone through it and all of it is in the index of
    /// messages, which it isn't: where nothing is searched, a server that did so would be measured while it does.
    pub async fn write_as_consumed(&self, store: &Store) -> io::Result<Written> {
        let written = self.write(store).await?;
        let tx = begin(store).await.map_err(io::Error::other)?;
        let sql = "UPDATE search_state SET form = $1, upto = (SELECT max(position) FROM message)";
        tx.execute_raw(store.statement(sql, [FORM.into()])).await.map_err(io::Error::other)?;
        for consumer in CONSUMERS {
            let sql = "INSERT INTO consumer (name, position, tag, updated_at) \
                       SELECT $1, position, tag, at FROM event ORDER BY position DESC LIMIT 1";
            tx.execute_raw(store.statement(sql, [consumer.into()])).await.map_err(io::Error::other)?;
        }
        tx.commit().await.map_err(io::Error::other)?;
        Ok(written)
    }

    /// Messages of every room but the largest.
    fn per_room(&self) -> usize {
        (self.messages - self.in_largest) / (self.rooms - 1)
    }

    /// Messages of this room.
    fn messages_of(&self, room: usize) -> usize {
        if room == self.largest() { self.messages - self.per_room() * (self.rooms - 1) } else { self.per_room() }
    }

    /// The reader is in the first of every so many rooms.
    fn reader_step(&self) -> usize {
        self.rooms / self.reader_rooms
    }

    fn is_readers(&self, room: usize) -> bool {
        room.is_multiple_of(self.reader_step()) && room / self.reader_step() < self.reader_rooms
    }

    /// The reader's room whose turn comes last.
    fn largest(&self) -> usize {
        (self.reader_rooms - 1) * self.reader_step()
    }

    /// All messages in the order in which they are posted.
    fn posts(self) -> impl Iterator<Item = Post> {
        let (largest, early_rounds) = (self.largest(), self.per_room() - self.last_rounds);
        let early_posts = early_rounds * (self.rooms - 1);
        let (mut owed, mut largest_seq) = (0, 0);
        (1..=self.per_room()).flat_map(move |round| (0..self.rooms).map(move |room| (round, room))).flat_map(
            move |(round, room)| {
                let late = round > early_rounds;
                let mut posts = Vec::with_capacity(2);
                if room != largest {
                    posts.push(Post { room, seq: round, late });
                }
                let mut in_largest = usize::from(late && room == largest);
                if !late && room != largest {
                    owed += self.messages_of(largest) - self.last_rounds;
                    in_largest = owed / early_posts;
                    owed %= early_posts;
                }
                for _ in 0..in_largest {
                    largest_seq += 1;
                    posts.push(Post { room: largest, seq: largest_seq, late });
                }
                posts
            },
        )
    }

    /// Members of each room, chosen the same in every run. Who opened it is the reader, if in it.
    fn members(&self, reader: UserId, users: &[UserId]) -> Vec<Room> {
        (0..self.rooms)
            .map(|room| {
                let mut members: Vec<UserId> = self.is_readers(room).then_some(reader).into_iter().collect();
                let mut choice = scattered(room as u64);
                while members.len() < self.members_per_room {
                    choice = scattered(choice);
                    let user = users[(choice % users.len() as u64) as usize];
                    if !members.contains(&user) {
                        members.push(user);
                    }
                }
                Room { id: RoomId::generate(), members }
            })
            .collect()
    }

    async fn write_rows(self, store: &Store) -> Result<Written, DbErr> {
        let reader = UserId::generate();
        let users: Vec<UserId> = (0..self.users).map(|_| UserId::generate()).collect();
        let rooms = self.members(reader, &users);
        let start = Clock::default().now() - SINCE;
        let tx = begin(store).await?;
        let mut position = head(&tx).await?;
        let mut opened: Vec<Opened> = rooms.iter().map(|room| Opened::of(room, &mut position, start)).collect();
        let timeline = Timeline {
            start,
            step: SINCE / i32::try_from(self.messages).unwrap_or(i32::MAX),
            position,
            body: self.body,
        };

        // What the messages will have changed in the end.
        let (mut marks, mut missable) = (Vec::new(), Vec::new());
        for (n, post) in self.posts().enumerate() {
            let (position, at) = timeline.nth(n);
            if self.messages_of(post.room) - post.seq < self.members_per_room {
                let author = author(&rooms[post.room], post);
                let Opened { room, members, .. } = &mut opened[post.room];
                room.last_seq = seq(post);
                room.last_position = position;
                room.last_activity_at = at;
                members.iter_mut().filter(|member| member.user_id == author).for_each(|m| m.read_seq = seq(post));
                marks.push(read_mark::Model { room_id: room.id, user_id: author, seq: seq(post), at, position });
            }
            if post.late && self.is_readers(post.room) {
                missable.push(position);
            }
        }
        write_users(&tx, users.into_iter().chain([reader]), start).await?;
        write_opened(&tx, opened).await?;
        tx.commit().await?;
        self.write_messages(store, &rooms, timeline).await?;
        let tx = begin(store).await?;
        insert(&tx, marks).await?;
        tx.commit().await?;
        let largest = self.largest();
        Ok(Written { reader, largest: rooms[largest].id, largest_seq: self.messages_of(largest), missable })
    }

    async fn write_messages(self, store: &Store, rooms: &[Room], timeline: Timeline) -> Result<(), DbErr> {
        let mut posts = self.posts().enumerate().peekable();
        while posts.peek().is_some() {
            let tx = begin(store).await?;
            let mut left = PER_COMMIT;
            while left > 0 && posts.peek().is_some() {
                left -= ROWS_PER_INSERT;
                let some: Vec<(usize, Post)> = posts.by_ref().take(ROWS_PER_INSERT).collect();
                let rows = some.into_iter().map(|(n, post)| timeline.rows(n, &rooms[post.room], post));
                let (messages, events): (Vec<_>, Vec<_>) = rows.unzip();
                insert(&tx, messages).await?;
                insert(&tx, events).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }
}

/// When and where in the log messages are posted.
#[derive(Clone, Copy)]
struct Timeline {
    start: DateTime<Utc>,
    step: TimeDelta,
    /// The last event before the first message.
    position: Position,
    body: fn(usize) -> String,
}

impl Timeline {
    fn nth(&self, n: usize) -> (Position, DateTime<Utc>) {
        let n = i32::try_from(n).unwrap_or(i32::MAX);
        (Position(self.position.0 + 1 + i64::from(n)), self.start + self.step * n)
    }

    fn rows(&self, n: usize, room: &Room, post: Post) -> (message::Model, event::Model) {
        let (position, at) = self.nth(n);
        let message = message::Model {
            id: message_id(position, at),
            room_id: room.id,
            seq: seq(post),
            author_id: author(room, post),
            client_id: None,
            client_digest: None,
            r#type: MessageType::Text,
            body: (self.body)(n),
            created_at: at,
            edited_at: None,
            deleted_at: None,
            author_behind: false,
            position: Some(position),
            reply_to_seq: None,
            mentions: None,
            mentions_room: false,
            custom: None,
            attachment_count: 0,
        };
        let event = event::Model {
            position,
            tag: tag(position),
            room_id: Some(room.id),
            user_id: None,
            kind: Kind::MessagePosted,
            message_id: Some(message.id),
            subject_id: None,
            seq: Some(message.seq),
            at,
            actor_id: None,
        };
        (message, event)
    }
}

/// Members of a room take turns.
fn author(room: &Room, post: Post) -> UserId {
    room.members[(post.room + post.seq) % room.members.len()]
}

fn seq(post: Post) -> i32 {
    i32::try_from(post.seq).unwrap_or(i32::MAX)
}

/// As an id made at that moment.
fn message_id(position: Position, at: DateTime<Utc>) -> MessageId {
    let random = scattered(position.0.unsigned_abs()).to_be_bytes();
    let random: [u8; 10] = std::array::from_fn(|n| random[n % random.len()]);
    let millis = at.timestamp_millis().unsigned_abs();
    MessageId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

/// A number that looks random: the output function of [SplitMix64](https://prng.di.unimi.it/splitmix64.c).
fn scattered(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
