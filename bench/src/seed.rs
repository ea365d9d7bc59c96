//! Rows written straight into a database, as the product would have written them, so that a scenario need not post its
//! way to a large chat. `parlor check` finds nothing wrong with them.
//!
//! The database must be migrated ([`open`] does it), and no server may run on it meanwhile.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use parlor::chat::room::member_key;
use parlor::chat::session::token::Tokens;
use parlor::clock::Clock;
use parlor::ids::{RoomId, UserId};
use parlor::position::{Position, Tag};
use parlor::secret::Secret;
use parlor::store::entity::event::{self, Kind};
use parlor::store::entity::member::{self, RoomRole};
use parlor::store::entity::room::{self, JoinPolicy, PostingPolicy, RoomKind, RoomType};
use parlor::store::entity::user::{self, UserType};
use parlor::store::{Store, Transaction};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoActiveModel, QuerySelect,
};

pub mod chat;

/// Rows per INSERT: below SQLite's 32,766 parameters for the widest table.
const ROWS_PER_INSERT: usize = 1_000;

/// How long a token of [`token`] is good for.
const TOKEN_LIFETIME: TimeDelta = TimeDelta::hours(12);

/// A room and who is in it.
#[derive(Clone, Debug)]
pub struct Room {
    /// Which room.
    pub id: RoomId,
    /// Its members, the one who opened it first.
    pub members: Vec<UserId>,
}

/// Opens the database at this URL (`sqlite:…?mode=rwc` or `postgres:…`) and brings its schema up to date.
/// [`Store::sqlite_url`] tells which file a server uses.
pub async fn open(url: &str) -> io::Result<Store> {
    let store = Store::connect(url, 1, Arc::new(|_| {})).await.map_err(io::Error::other)?;
    store.migrate().await.map_err(io::Error::other)?;
    Ok(store)
}

/// An access token for this user, good for hours, where the server's `PARLOR_TOKEN_SECRET` is this text of at least 32
/// bytes.
pub fn token(secret: &str, user: UserId) -> String {
    let secret = Secret::new(secret).expect("it is long enough");
    Tokens::new(&secret).issue(user, None, Clock::default().now(), TOKEN_LIFETIME).0
}

/// One room with as many members, all of them new users, and no message.
pub async fn one_room(store: &Store, members: usize) -> io::Result<Room> {
    let mut rooms = many_rooms(store, 1, members).await?;
    rooms.pop().ok_or_else(|| io::Error::other("one room was asked for"))
}

/// As many rooms with as many members each, every member a new user of its own, and no message.
pub async fn many_rooms(store: &Store, rooms: usize, members_each: usize) -> io::Result<Vec<Room>> {
    let rooms: Vec<Room> = (0..rooms)
        .map(|_| Room { id: RoomId::generate(), members: (0..members_each).map(|_| UserId::generate()).collect() })
        .collect();
    let now = Clock::default().now();
    let tx = begin(store).await.map_err(io::Error::other)?;
    write_users(&tx, rooms.iter().flat_map(|room| room.members.iter().copied()), now)
        .await
        .map_err(io::Error::other)?;
    write_rooms(&tx, &rooms, now).await.map_err(io::Error::other)?;
    tx.commit().await.map_err(io::Error::other)?;
    Ok(rooms)
}

/// A transaction for many rows, without a time limit.
async fn begin(store: &Store) -> Result<Transaction, DbErr> {
    let tx = store.begin_write().await?;
    let unbounded = match store.backend() {
        DbBackend::Postgres => "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0",
        // Rows go to all places of the indexes: KiB that are kept in memory meanwhile.
        _ => "PRAGMA cache_size = -262144",
    };
    tx.execute_unprepared(unbounded).await?;
    Ok(tx)
}

/// Writes users without a password, named after their ids.
async fn write_users(
    tx: &Transaction,
    users: impl IntoIterator<Item = UserId>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let rows = users.into_iter().map(|id| {
        let name = id.0.simple().to_string()[20..].to_owned();
        user::Model {
            id,
            display_name: name.clone(),
            search_name: name.clone(),
            username: name,
            r#type: UserType::Consumer,
            password_hash: None,
            tokens_valid_after: DateTime::<Utc>::UNIX_EPOCH,
            created_at: now,
            last_seen_at: None,
            external_id: None,
            external_hash: None,
            avatar_url: None,
            custom: None,
            bot: false,
            deactivated_at: None,
            deleted_at: None,
            name_digest: None,
            erases_messages: false,
        }
    });
    insert(tx, rows).await
}

/// Writes rooms with their members and the events that tell of it; the users must be there.
async fn write_rooms(tx: &Transaction, rooms: &[Room], now: DateTime<Utc>) -> Result<(), DbErr> {
    let mut position = head(tx).await?;
    let opened: Vec<Opened> = rooms.iter().map(|room| Opened::of(room, &mut position, now)).collect();
    write_opened(tx, opened).await
}

/// The rows of a room that has just been opened.
struct Opened {
    room: room::Model,
    members: Vec<member::Model>,
    events: Vec<event::Model>,
}

impl Opened {
    /// `position`: the last event before it; then the last of its own.
    fn of(room: &Room, position: &mut Position, at: DateTime<Utc>) -> Self {
        let users: BTreeSet<UserId> = room.members.iter().copied().collect();
        let (mut members, mut events) = (Vec::with_capacity(users.len()), Vec::with_capacity(users.len()));
        for user in &users {
            *position = position.next();
            members.push(member::Model {
                room_id: room.id,
                user_id: *user,
                joined_position: *position,
                left_position: None,
                hidden: false,
                read_seq: 0,
                muted: false,
                joined_at: at,
                role: RoomRole::Member,
                timeout_until: None,
                last_post_at: None,
                mentions_only: false,
                unread_from: None,
                unread_own: 0,
            });
            events.push(event::Model {
                position: *position,
                tag: tag(*position),
                room_id: None,
                user_id: Some(*user),
                kind: Kind::RoomJoined,
                message_id: None,
                subject_id: Some(room.id.0),
                seq: None,
                at,
                actor_id: None,
            });
        }
        let room = room::Model {
            id: room.id,
            r#type: RoomType::ConsumerToConsumer,
            initiator_id: room.members.first().copied(),
            member_key: Some(member_key(RoomType::ConsumerToConsumer, &users)),
            member_count: i32::try_from(users.len()).unwrap_or(i32::MAX),
            last_seq: 0,
            last_position: *position,
            created_at: at,
            last_activity_at: at,
            deleted_at: None,
            kind: RoomKind::Direct,
            external_id: None,
            client_id: None,
            name: None,
            topic: None,
            avatar_url: None,
            custom: None,
            join_policy: JoinPolicy::Invite,
            posting_policy: PostingPolicy::Everyone,
            slow_mode_secs: 0,
        };
        Self { room, members, events }
    }
}

async fn write_opened(tx: &Transaction, opened: Vec<Opened>) -> Result<(), DbErr> {
    let (mut rooms, mut members, mut events) = (Vec::with_capacity(opened.len()), Vec::new(), Vec::new());
    for Opened { room, members: some_members, events: some_events } in opened {
        rooms.push(room);
        members.extend(some_members);
        events.extend(some_events);
    }
    insert(tx, rooms).await?;
    insert(tx, members).await?;
    insert(tx, events).await
}

/// The last position of the log; 0 when it is empty.
async fn head(tx: &Transaction) -> Result<Position, DbErr> {
    let head: Option<Option<Position>> =
        event::Entity::find().select_only().expr(event::Column::Position.max()).into_tuple().one(tx).await?;
    Ok(head.flatten().unwrap_or_default())
}

/// A tag for this position, which looks random and is the same in every run.
fn tag(position: Position) -> Tag {
    let low = u32::try_from(position.0 & i64::from(u32::MAX)).unwrap_or_default();
    low.wrapping_mul(0x9E37_79B1).into()
}

/// Inserts all rows, in as few statements as the databases' limits allow.
async fn insert<M, A>(tx: &Transaction, rows: impl IntoIterator<Item = M>) -> Result<(), DbErr>
where
    M: IntoActiveModel<A>,
    A: ActiveModelTrait,
{
    let mut rows = rows.into_iter().map(IntoActiveModel::into_active_model).peekable();
    while rows.peek().is_some() {
        let some: Vec<A> = rows.by_ref().take(ROWS_PER_INSERT).collect();
        A::Entity::insert_many(some).exec_without_returning(tx).await?;
    }
    Ok(())
}
