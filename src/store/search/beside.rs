//! Adding messages on PostgreSQL beside those who edit and delete: messages are read, cut into tokens and written without the
//! lock of [`state`](super::state). Under it, those are looked at again that have changed meanwhile.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryResult};

use super::{Indexed, Store, columns, file_names, message, one_of, segments};
use crate::position::Position;
use crate::store::Transaction;

/// Key of the PostgreSQL advisory lock of whoever adds to the index, or merges parts of it.
const ADDING_LOCK: i64 = 0x5041_524c_4f52_0003;

/// Waits until nobody else adds to the index or merges parts of it, until the end of the transaction: two nodes may do so for a
/// moment, and commands do at any time.
pub(crate) async fn alone(store: &Store, tx: &Transaction) -> Result<(), DbErr> {
    tx.execute_raw(store.statement("SELECT pg_advisory_xact_lock($1)", [ADDING_LOCK.into()])).await?;
    Ok(())
}

/// A message, and which version of its row it is: the transaction that has written it.
struct Version {
    message: message::Model,
    version: i64,
}

impl FromQueryResult for Version {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self { message: message::Model::from_query_result(row, prefix)?, version: row.try_get(prefix, "version")? })
    }
}

/// Which version of a message was read.
struct Read {
    position: Position,
    version: i64,
    /// What its files are called may change without its row.
    has_files: bool,
}

/// Messages that follow one another in the log, as they were when they were read.
#[derive(Default)]
pub(crate) struct Reading {
    read: Vec<Read>,
    /// Those of them that aren't deleted, in order.
    standing: Vec<Indexed>,
    bytes: usize,
}

impl Reading {
    /// How many messages were read.
    pub(crate) fn count(&self) -> usize {
        self.read.len()
    }

    /// The bytes of their texts.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where the last one is.
    pub(crate) fn last(&self) -> Option<Position> {
        self.read.last().map(|read| read.position)
    }

    /// Reads the next ones, which come after this position and not after that one. `false`: there are none.
    pub(crate) async fn next(
        &mut self,
        store: &Store,
        tx: &Transaction,
        after: Position,
        upto: Position,
        limit: u64,
    ) -> Result<bool, DbErr> {
        let sql = format!(
            "SELECT {}, message.xmin::text::int8 AS version FROM message \
             WHERE message.position > $1 AND message.position <= $2 ORDER BY message.position LIMIT $3",
            columns::<message::Entity>()
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let next = store.statement(&sql, [after.into(), upto.into(), limit.into()]);
        let next = Version::find_by_statement(next).all(tx).await?;
        let names = file_names(tx, next.iter().map(|it| &it.message)).await?;
        for Version { message, version } in &next {
            let Some(position) = message.position else { continue };
            self.bytes += message.body.len();
            self.read.push(Read { position, version: *version, has_files: message.attachment_count > 0 });
            if message.deleted_at.is_none() {
                self.standing.extend(Indexed::of(message, &names));
            }
        }
        Ok(!next.is_empty())
    }

    /// Adds them to the index. The caller is [`alone`].
    pub(crate) async fn add(&self, store: &Store, tx: &Transaction) -> Result<(), DbErr> {
        segments::add(store, tx, &self.standing).await
    }

    /// Has the index say of those that were changed since they were read what they say now. The caller has the lock, so that
    /// whoever changes one from now on finds it in the index.
    pub(crate) async fn correct(&self, store: &Store, tx: &Transaction) -> Result<(), DbErr> {
        let (Some(first), Some(last)) = (self.read.first(), self.read.last()) else { return Ok(()) };
        let sql = "SELECT position, xmin::text::int8 AS version FROM message WHERE position >= $1 AND position <= $2";
        let mut now = HashMap::new();
        for row in tx.query_all_raw(store.statement(sql, [first.position.into(), last.position.into()])).await? {
            now.insert(Position(row.try_get_by_index(0)?), row.try_get_by_index::<i64>(1)?);
        }
        let is_other = |read: &&Read| read.has_files || now.get(&read.position) != Some(&read.version);
        let changed: Vec<Position> = self.read.iter().filter(is_other).map(|read| read.position).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let of_changed = |it: &&Indexed| changed.binary_search(&it.position).is_ok();
        let old: Vec<Indexed> = self.standing.iter().filter(of_changed).cloned().collect();
        let messages = message::Entity::find()
            .filter(one_of(store.backend(), message::Column::Position, changed.iter().copied()))
            .filter(message::Column::DeletedAt.is_null())
            .all(tx)
            .await?;
        let names = file_names(tx, &messages).await?;
        let new: Vec<Indexed> = messages.iter().filter_map(|message| Indexed::of(message, &names)).collect();
        segments::change(store, tx, &old, &new).await
    }
}
