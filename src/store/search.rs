//! The index of messages: tokens, and which messages have them, by position. On SQLite it is a table of FTS5 that holds
//! nothing else, on PostgreSQL there are [`segments`] of such lists. Both compare tokens byte by byte, whatever the locale.
//!
//! What a message says and what is in the index of it change together, under the lock of [`state`]. What is added or merged on
//! PostgreSQL is written before that lock is taken, so that whoever edits doesn't wait for it ([`Reading`]). The tokens of a
//! message that is removed must be those with which it was added: the index doesn't know them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

use sea_orm::sea_query::LockType;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Statement, Value,
};

use super::entity::member::is_present;
use super::entity::{attachment, message, search_state};
use super::list::{ROWS_PER_STATEMENT, columns, one_of};
use super::{Store, Transaction};
use crate::ids::{MessageId, RoomId, UserId};
use crate::position::Position;
use crate::text::search::{FORM, tokens};

mod beside;
mod candidate;
mod pages;
mod proposals;
mod segments;

pub(crate) use beside::{Reading, alone};
pub(crate) use candidate::Candidate;
pub(crate) use proposals::Proposals;
pub(in crate::store) use segments::broken;

/// Messages are added when there are so many: fewer are looked at one by one. Few in builds for development, so that tests come
/// to the index.
pub(crate) const LEAST: usize = if cfg!(debug_assertions) { 4 } else { 256 };

/// How the token of a room begins: with a character that is none of any text's tokens, and that no other token begins with.
const ROOM: char = '\u{e000}';

/// Bytes of a room's id that are in its token.
const ROOM_BYTES: usize = 5;

/// The token that the messages of a room have, so that a search of some rooms comes to no message of others. Two rooms may
/// have the same.
#[must_use]
pub(crate) fn room_token(room: RoomId) -> String {
    let id = room.0.as_bytes();
    id[id.len() - ROOM_BYTES..].iter().fold(String::from(ROOM), |mut token, byte| {
        let _ = write!(token, "{byte:02x}");
        token
    })
}

/// What the files of messages are called, one name a line, of those that have any.
pub(crate) type FileNames = HashMap<MessageId, String>;

/// What the files of these messages are called.
pub(crate) async fn file_names<'m>(
    connection: &impl ConnectionTrait,
    messages: impl IntoIterator<Item = &'m message::Model>,
) -> Result<FileNames, DbErr> {
    let with_files: Vec<MessageId> =
        messages.into_iter().filter(|it| it.attachment_count > 0).map(|message| message.id).collect();
    let mut names = FileNames::new();
    for messages in with_files.chunks(ROWS_PER_STATEMENT) {
        let theirs = one_of(connection.get_database_backend(), attachment::Column::MessageId, messages.iter().copied());
        let files = attachment::Entity::find().filter(theirs).filter(attachment::Column::DeletedAt.is_null());
        for file in files.order_by_asc(attachment::Column::Place).all(connection).await? {
            if let Some(message) = file.message_id {
                let names = names.entry(message).or_default();
                names.push_str(&file.name);
                names.push('\n');
            }
        }
    }
    Ok(names)
}

/// All of a message that is searched: what it says, and what its files are called.
pub(crate) fn said<'m>(body: &'m str, file_names: Option<&str>) -> Cow<'m, str> {
    match file_names {
        None | Some("") => Cow::Borrowed(body),
        Some(names) => Cow::Owned(format!("{body}\n{}", names.trim_end())),
    }
}

/// What the files of a message are called, as a column of its row.
fn file_names_column(backend: DbBackend) -> String {
    let joined = match backend {
        DbBackend::Postgres => "string_agg(attachment.name, chr(10) ORDER BY attachment.place)",
        _ => "group_concat(attachment.name, char(10) ORDER BY attachment.place)",
    };
    format!(
        "CASE WHEN message.attachment_count > 0 THEN (SELECT {joined} FROM attachment \
         WHERE attachment.message_id = message.id AND attachment.deleted_at IS NULL) END AS file_names"
    )
}

/// A message with its tokens.
#[derive(Clone)]
pub(crate) struct Indexed {
    /// Where.
    pub position: Position,
    /// Each once.
    pub tokens: Vec<String>,
}

impl Indexed {
    /// What the index has of a message: the token of its room, and those of its text and of its files' names. `None`: an older
    /// node has posted it, and its position isn't known yet.
    pub(crate) fn of(message: &message::Model, names: &FileNames) -> Option<Self> {
        let mut all = vec![room_token(message.room_id)];
        all.extend(tokens(&said(&message.body, names.get(&message.id).map(String::as_str))));
        Some(Self { position: message.position?, tokens: all })
    }

    fn text(&self) -> Value {
        self.tokens.join(" ").into()
    }
}

/// How far the index is, locked until the end of the transaction against all who change what is in it.
pub(crate) async fn state(tx: &Transaction) -> Result<search_state::Model, DbErr> {
    let state = search_state::Entity::find_by_id(1_i16);
    let state = match tx.get_database_backend() {
        DbBackend::Postgres => state.lock(LockType::Update),
        _ => state,
    };
    state.one(tx).await?.ok_or_else(no_state)
}

/// How far the index is, or was a moment ago.
pub(crate) async fn glance(connection: &impl ConnectionTrait) -> Result<search_state::Model, DbErr> {
    search_state::Entity::find_by_id(1_i16).one(connection).await?.ok_or_else(no_state)
}

fn no_state() -> DbErr {
    DbErr::RecordNotFound("search_state has no row".to_owned())
}

/// Up to where messages are in the index. What comes after it is to be looked at by itself.
pub(crate) async fn upto(store: &Store) -> Result<Position, DbErr> {
    let state = glance(store.read()).await?;
    Ok(if state.form == FORM { state.upto } else { Position(i64::MIN) })
}

/// Whether at least so many messages up to this position aren't in the index.
pub(crate) async fn lacks(store: &Store, least: usize, upto: Position) -> Result<bool, DbErr> {
    let state = glance(store.read()).await?;
    if state.form != FORM {
        return Ok(state.form < FORM);
    }
    // The last of them alone: each row takes its time to come.
    let enough = message::Entity::find()
        .select_only()
        .column(message::Column::Position)
        .filter(message::Column::Position.gt(state.upto))
        .filter(message::Column::Position.lte(upto))
        .order_by_asc(message::Column::Position)
        .offset(least.saturating_sub(1) as u64)
        .limit(1)
        .into_tuple::<Position>()
        .one(store.read())
        .await?;
    Ok(enough.is_some())
}

/// Notes how far the index is now. The caller has the lock.
pub(crate) async fn move_to(tx: &Transaction, upto: Position) -> Result<(), DbErr> {
    let state = search_state::ActiveModel { form: sea_orm::Set(FORM), upto: sea_orm::Set(upto), ..Default::default() };
    search_state::Entity::update_many().set(state).filter(search_state::Column::Id.eq(1)).exec(tx).await?;
    Ok(())
}

/// Empties it. The caller has the lock.
pub(crate) async fn clear(tx: &Transaction) -> Result<(), DbErr> {
    let sql = match tx.get_database_backend() {
        DbBackend::Postgres => "TRUNCATE search_page, search_segment",
        _ => "INSERT INTO search_index (search_index) VALUES ('delete-all')",
    };
    tx.execute_unprepared(sql).await?;
    move_to(tx, Position(i64::MIN)).await
}

/// Has the next addition begin with the first message.
pub(crate) async fn begin_anew(tx: &Transaction) -> Result<(), DbErr> {
    state(tx).await?;
    let state = search_state::ActiveModel { form: sea_orm::Set(0), ..Default::default() };
    search_state::Entity::update_many().set(state).filter(search_state::Column::Id.eq(1)).exec(tx).await?;
    Ok(())
}

/// Gives their positions to the messages that nodes of an older version have posted, from one position to another. Without the
/// lock, because whoever edits a message takes its row first and then the lock.
pub(crate) async fn give_positions(store: &Store, since: Position, upto: Position) -> Result<(), DbErr> {
    // There is one node on SQLite, and its version is this one.
    if store.backend() != DbBackend::Postgres {
        return Ok(());
    }
    let some = store.statement("SELECT id FROM message WHERE position IS NULL LIMIT 1", []);
    if store.read().query_one_raw(some).await?.is_none() {
        return Ok(());
    }
    let sql = "UPDATE message SET position = event.position FROM event \
               WHERE message.position IS NULL AND event.message_id = message.id AND event.kind = 1 \
               AND event.position >= $1 AND event.position <= $2";
    let tx = store.begin_write().await?;
    tx.execute_raw(store.statement(sql, [since.into(), upto.into()])).await?;
    tx.commit().await
}

/// Adds messages that come after all that are in it, in order, on SQLite. The caller has the lock. On PostgreSQL, [`Reading`] does.
pub(crate) async fn add(store: &Store, tx: &Transaction, messages: &[Indexed]) -> Result<(), DbErr> {
    for messages in messages.chunks(ROWS_PER_STATEMENT) {
        tx.execute_raw(told_to_sqlite(store, "INSERT INTO search_index (rowid, tokens)", "", messages)).await?;
    }
    Ok(())
}

/// Messages that are in the index have other tokens now, or none: `old` are those with which they were added. The caller has
/// the lock.
pub(crate) async fn change(store: &Store, tx: &Transaction, old: &[Indexed], new: &[Indexed]) -> Result<(), DbErr> {
    if store.backend() == DbBackend::Postgres {
        return segments::change(store, tx, old, new).await;
    }
    for old in old.chunks(ROWS_PER_STATEMENT) {
        let insertion = "INSERT INTO search_index (search_index, rowid, tokens)";
        tx.execute_raw(told_to_sqlite(store, insertion, "'delete', ", old)).await?;
    }
    add(store, tx, new).await
}

/// Puts parts of the index together that have grown up beside each other, so that a search comes to few. The caller has no
/// lock. `false`: there is nothing to do.
pub(crate) async fn merge(store: &Store) -> Result<bool, DbErr> {
    // FTS5 does it by itself.
    if store.backend() != DbBackend::Postgres {
        return Ok(false);
    }
    segments::merge(store).await
}

fn told_to_sqlite(store: &Store, insertion: &str, command: &str, messages: &[Indexed]) -> Statement {
    let mut sql = format!("{insertion} VALUES ");
    let mut values = Vec::with_capacity(2 * messages.len());
    for (n, message) in messages.iter().enumerate() {
        let _ = write!(sql, "{}({command}${}, ${})", if n == 0 { "" } else { ", " }, 2 * n + 1, 2 * n + 2);
        values.extend([message.position.0.into(), message.text()]);
    }
    store.statement(&sql, values)
}

/// The messages after this position and up to that one, in order, on SQLite. While the transaction is open nobody else writes
/// messages, nor has it, so that they may be read beside it.
pub(crate) async fn next(
    store: &Store,
    tx: &Transaction,
    after: Position,
    upto: Position,
    limit: u64,
) -> Result<Vec<message::Model>, DbErr> {
    let next = message::Entity::find()
        .filter(message::Column::Position.gt(after))
        .filter(message::Column::Position.lte(upto))
        .order_by_asc(message::Column::Position)
        .limit(limit);
    let statement = next.build(store.backend());
    match store.read().models_at_once::<message::Entity>(&statement) {
        Some(messages) => Ok(messages),
        None => message::Entity::find().from_raw_sql(statement).all(tx).await,
    }
}

/// The rooms that this user is in.
pub(crate) async fn rooms_of(store: &Store, user: UserId) -> Result<Vec<RoomId>, DbErr> {
    #[derive(FromQueryResult)]
    struct In {
        room_id: RoomId,
    }
    let sql = format!("SELECT room_id FROM member WHERE user_id = $1 AND {}", is_present("member"));
    let rooms = In::find_by_statement(store.statement(&sql, [user.into()])).all(store.read()).await?;
    Ok(rooms.into_iter().map(|it| it.room_id).collect())
}

/// How many rooms' newest messages the index of SQLite is asked for. With more, those of the server are gone through.
const MAX_ROOMS_WALKED: usize = 16;

/// Which messages a search looks through.
pub(crate) struct Scope<'q> {
    /// Whose.
    pub user: UserId,
    /// In these rooms of theirs.
    pub rooms: &'q [RoomId],
}

/// Messages of these rooms before a position, the newest first, whatever they say.
pub(crate) struct Newest {
    /// Of no more than so many.
    pub statement: Statement,
    /// All after it have been looked at if there are fewer. `None`: all that there are.
    pub floor: Option<Position>,
    /// They are only those that aren't in the index, and others are looked at in another way.
    pub is_tail: bool,
}

/// The newest messages before a position. What many messages say is found among them sooner than by an index, which has to
/// put in order all that say it. It looks at no more than so many messages of others. The index has those up to `upto`.
pub(crate) async fn newest(
    store: &Store,
    scope: &Scope<'_>,
    before: Position,
    upto: Position,
    limit: u64,
    others: u64,
) -> Result<Newest, DbErr> {
    let past = Position(upto.0.saturating_add(1));
    let is_tail = store.backend() == DbBackend::Sqlite && scope.rooms.len() <= MAX_ROOMS_WALKED;
    if is_tail && before <= past {
        let statement = proposals::by_fts5(store, scope, &[], before, limit);
        return Ok(Newest { statement, floor: None, is_tail: false });
    }
    let floor = message::Entity::find()
        .select_only()
        .column(message::Column::Position)
        .filter(message::Column::Position.lt(before))
        .order_by_desc(message::Column::Position)
        .offset(others)
        .limit(1)
        .into_tuple::<Position>()
        .one(store.read())
        .await?;
    let floor = if is_tail { floor.max(Some(past)) } else { floor };
    let (columns, names) = (columns::<message::Entity>(), file_names_column(store.backend()));
    // By the position and not by the room, all of whose messages either database would look at.
    let (join, theirs, room) = match store.backend() {
        DbBackend::Postgres => (String::new(), format!("AND {}", in_rooms_of("$1")), "(message.room_id = $5) IS TRUE"),
        // SQLite keeps this order.
        _ => (format!("CROSS JOIN {}", member_of("$1")), String::new(), "+message.room_id = $5"),
    };
    let only = if let [_] = scope.rooms { format!("AND {room}") } else { String::new() };
    let sql = format!(
        "SELECT {columns}, {names} FROM message {join} \
         WHERE message.position < $2 AND message.position >= $3 AND message.deleted_at IS NULL {theirs} {only} \
         ORDER BY message.position DESC LIMIT $4",
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let from = floor.unwrap_or(Position(i64::MIN));
    let mut values: Vec<Value> = vec![scope.user.into(), before.into(), from.into(), limit.into()];
    values.extend(only_room(scope));
    Ok(Newest { statement: store.statement(&sql, values), floor, is_tail })
}

/// The user's membership of a message's room, for a join on SQLite.
fn member_of(user: &str) -> String {
    let is_present = is_present("member");
    format!("member ON member.room_id = message.room_id AND member.user_id = {user} AND {is_present}")
}

/// That a message's room is one of the user's, on PostgreSQL: the rooms are read once, and each message is looked up among
/// them. Joined, a plan that is made for all users takes them for a few, and compares each message with each room. `IS TRUE`
/// keeps the planner from making a join of it.
fn in_rooms_of(user: &str) -> String {
    let is_present = is_present("member");
    format!("(message.room_id IN (SELECT room_id FROM member WHERE user_id = {user} AND {is_present})) IS TRUE")
}

fn only_room(scope: &Scope<'_>) -> Option<Value> {
    if let [room] = scope.rooms { Some((*room).into()) } else { None }
}
