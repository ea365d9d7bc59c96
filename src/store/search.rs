//! The index of messages: tokens, and which messages have them, by position. On SQLite it is a table of FTS5 that holds
//! nothing else, on PostgreSQL a GIN index of `tsvector`s. Both compare tokens byte by byte, whatever the locale.
//!
//! Whoever writes to it holds the lock of [`state`], so that what a message says and what is in the index of it change
//! together. The tokens of a message that is removed must be those with which it was added: FTS5 doesn't know them.

use std::fmt::Write;

use sea_orm::sea_query::{ArrayType, LockType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    Statement, Value,
};

use super::entity::member::is_present;
use super::entity::{message, search_state};
use super::list::{ROWS_PER_STATEMENT, columns};
use super::{Store, Transaction};
use crate::ids::{RoomId, UserId};
use crate::position::Position;
use crate::text::search::{FORM, Wanted};

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

/// A message with its tokens.
pub(crate) struct Indexed {
    /// Where.
    pub position: Position,
    /// Each once.
    pub tokens: Vec<String>,
}

impl Indexed {
    fn text(&self) -> Value {
        self.tokens.join(" ").into()
    }
}

/// How far the index is, locked until the end of the transaction: against those who add to it, and with `adds` against all
/// who change what is in it.
pub(crate) async fn state(tx: &Transaction, adds: bool) -> Result<search_state::Model, DbErr> {
    let state = search_state::Entity::find_by_id(1_i16);
    let state = match tx.get_database_backend() {
        DbBackend::Postgres => state.lock(if adds { LockType::Update } else { LockType::Share }),
        _ => state,
    };
    let state = state.one(tx).await?;
    state.ok_or_else(|| DbErr::RecordNotFound("search_state has no row".to_owned()))
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
        DbBackend::Postgres => "TRUNCATE search_index",
        _ => "INSERT INTO search_index (search_index) VALUES ('delete-all')",
    };
    tx.execute_unprepared(sql).await?;
    move_to(tx, Position(i64::MIN)).await
}

/// Has the next addition begin with the first message.
pub(crate) async fn begin_anew(tx: &Transaction) -> Result<(), DbErr> {
    state(tx, true).await?;
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

/// Adds these messages. The caller has the lock.
pub(crate) async fn add(store: &Store, tx: &Transaction, messages: &[Indexed]) -> Result<(), DbErr> {
    for messages in messages.chunks(ROWS_PER_STATEMENT) {
        let statement = match store.backend() {
            DbBackend::Postgres => added_to_postgres(store, messages),
            _ => told_to_sqlite(store, "INSERT INTO search_index (rowid, tokens)", "", messages),
        };
        tx.execute_raw(statement).await?;
    }
    Ok(())
}

/// Removes these messages, with the tokens that they were added with. The caller has the lock.
pub(crate) async fn remove(store: &Store, tx: &Transaction, messages: &[Indexed]) -> Result<(), DbErr> {
    for messages in messages.chunks(ROWS_PER_STATEMENT) {
        let statement = match store.backend() {
            DbBackend::Postgres => {
                let positions = messages.iter().map(|it| it.position.0.into()).collect();
                let positions = Value::Array(ArrayType::BigInt, Some(Box::new(positions)));
                store.statement("DELETE FROM search_index WHERE position = ANY($1)", [positions])
            }
            _ => {
                told_to_sqlite(store, "INSERT INTO search_index (search_index, rowid, tokens)", "'delete', ", messages)
            }
        };
        tx.execute_raw(statement).await?;
    }
    Ok(())
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

fn added_to_postgres(store: &Store, messages: &[Indexed]) -> Statement {
    let column = |r#type: ArrayType, values: Vec<Value>| Value::Array(r#type, Some(Box::new(values)));
    let positions = column(ArrayType::BigInt, messages.iter().map(|it| it.position.0.into()).collect());
    let tokens = column(ArrayType::String, messages.iter().map(Indexed::text).collect());
    // No token holds a blank.
    let sql = "INSERT INTO search_index (position, tokens) \
               SELECT position, array_to_tsvector(string_to_array(tokens, ' ')) FROM unnest($1::int8[], $2::text[]) \
               AS added (position, tokens)";
    store.statement(sql, [positions, tokens])
}

/// The messages that the index has after this position and up to that one, in order.
pub(crate) async fn next(
    tx: &Transaction,
    after: Position,
    upto: Position,
    limit: u64,
) -> Result<Vec<message::Model>, DbErr> {
    message::Entity::find()
        .filter(message::Column::Position.gt(after))
        .filter(message::Column::Position.lte(upto))
        .order_by_asc(message::Column::Position)
        .limit(limit)
        .all(tx)
        .await
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

/// Of how many rooms the tokens are asked for on PostgreSQL. Of more, whose messages they are is looked at afterwards: GIN
/// goes through all of a question's tokens for each message that it comes to.
const MAX_ROOM_TOKENS: usize = 32;

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
}

/// The newest messages before a position. What many messages say is found among them sooner than by an index, which has to
/// put in order all that say it. It looks at no more than so many messages of others.
pub(crate) async fn newest(
    store: &Store,
    scope: &Scope<'_>,
    before: Position,
    limit: u64,
    others: u64,
) -> Result<Newest, DbErr> {
    if store.backend() == DbBackend::Sqlite && scope.rooms.len() <= MAX_ROOMS_WALKED {
        return Ok(Newest { statement: proposed(store, scope, &[], before, limit), floor: None });
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
    let columns = columns::<message::Entity>();
    let is_present = is_present("member");
    let only = if let [_] = scope.rooms { "AND message.room_id = $5" } else { "" };
    // SQLite keeps this order.
    let join = if store.backend() == DbBackend::Postgres { "JOIN" } else { "CROSS JOIN" };
    let sql = format!(
        "SELECT {columns} FROM message {join} member ON member.room_id = message.room_id AND member.user_id = $1 AND {is_present} \
         WHERE message.position < $2 AND message.position >= $3 AND message.deleted_at IS NULL {only} \
         ORDER BY message.position DESC LIMIT $4",
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let from = floor.unwrap_or(Position(i64::MIN));
    let mut values: Vec<Value> = vec![scope.user.into(), before.into(), from.into(), limit.into()];
    values.extend(only_room(scope));
    Ok(Newest { statement: store.statement(&sql, values), floor })
}

fn only_room(scope: &Scope<'_>) -> Option<Value> {
    if let [room] = scope.rooms { Some((*room).into()) } else { None }
}

/// What the index proposes: messages before a position that have all of these tokens, in these rooms of this user, the newest
/// first.
pub(crate) fn proposed(store: &Store, scope: &Scope<'_>, wanted: &[Wanted], before: Position, limit: u64) -> Statement {
    let columns = columns::<message::Entity>();
    let (is_present, backend, rooms) = (is_present("member"), store.backend(), scope.rooms);
    let (from, is_found, key) = match backend {
        // Positions are put in order by themselves, and no other row is read of those that come after the last.
        DbBackend::Postgres if !wanted.is_empty() => (
            "(SELECT position FROM search_index WHERE tokens @@ $1::tsquery AND position < $3 \
              ORDER BY position DESC OFFSET 0) AS proposed JOIN",
            "TRUE",
            "proposed.position",
        ),
        DbBackend::Postgres => ("search_index JOIN", "search_index.tokens @@ $1::tsquery", "search_index.position"),
        // FTS5 has them in this order, and nothing else is to begin.
        _ => ("search_index CROSS JOIN", "search_index MATCH $1", "search_index.rowid"),
    };
    let only = if let [_] = rooms { "AND message.room_id = $5" } else { "" };
    let sql = format!(
        "SELECT {columns} FROM {from} message ON message.position = {key} \
         JOIN member ON member.room_id = message.room_id AND member.user_id = $2 AND {is_present} \
         WHERE {is_found} AND {key} < $3 AND message.deleted_at IS NULL {only} ORDER BY {key} DESC LIMIT $4",
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let asked = if backend == DbBackend::Postgres { in_postgres(rooms, wanted) } else { in_sqlite(rooms, wanted) };
    let mut values: Vec<Value> = vec![asked.into(), scope.user.into(), before.into(), limit.into()];
    values.extend(only_room(scope));
    store.statement(&sql, values)
}

fn in_sqlite(rooms: &[RoomId], wanted: &[Wanted]) -> String {
    let mut asked = String::new();
    for Wanted { token, begins } in wanted {
        let _ = write!(asked, "\"{token}\"{} AND ", if *begins { "*" } else { "" });
    }
    let rooms: Vec<String> = rooms.iter().map(|room| format!("\"{}\"", room_token(*room))).collect();
    asked + "(" + &rooms.join(" OR ") + ")"
}

fn in_postgres(rooms: &[RoomId], wanted: &[Wanted]) -> String {
    let quoted = wanted.iter().map(|Wanted { token, begins }| format!("'{token}'{}", if *begins { ":*" } else { "" }));
    let mut asked: Vec<String> = quoted.collect();
    if wanted.is_empty() || rooms.len() <= MAX_ROOM_TOKENS {
        let rooms: Vec<String> = rooms.iter().map(|room| format!("'{}'", room_token(*room))).collect();
        asked.push(format!("({})", rooms.join(" | ")));
    }
    asked.join(" & ")
}
