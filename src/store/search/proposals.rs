//! What the index proposes: messages that may match, the newest first.

use std::fmt::Write;

use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, DbErr, Statement, Value};

use super::{
    Scope, Store, columns, file_names_column, in_rooms_of, member_of, message, only_room, room_token, segments,
};
use crate::ids::RoomId;
use crate::position::Position;
use crate::text::search::Wanted;

/// Of how many rooms the lists are read whatever else is asked for on PostgreSQL.
const MAX_ROOMS_READ: usize = 32;

/// Those of more rooms are, if each would keep so many proposals of others' messages from being looked up.
const LOOKED_UP: usize = 32;

/// So few proposals are looked up without reading further lists.
const FEW: usize = 64;

/// How many messages FTS5 is asked for at first by one token of several. Few in builds for development, so that tests come to
/// the others.
const BY_ONE: usize = if cfg!(debug_assertions) { 8 } else { 256 };

/// How many segments are asked at first, and how many times as many then.
const SEGMENTS: i64 = 8;

/// What the index proposes for one search.
pub(crate) struct Proposals<'q> {
    wanted: Vec<Wanted>,
    scope: &'q Scope<'q>,
    /// On PostgreSQL, all from here on has been asked for.
    before: Position,
    segments: i64,
    /// Of those, what hasn't been looked up; in order.
    found: Vec<i64>,
    /// FTS5 has been asked.
    is_begun: bool,
    /// There are no others.
    is_complete: bool,
}

impl<'q> Proposals<'q> {
    /// Messages before this position that have all of these tokens, in these rooms of this user.
    pub(crate) fn new(scope: &'q Scope<'q>, mut wanted: Vec<Wanted>, before: Position) -> Self {
        // Few messages have what is long.
        wanted.sort_by_key(|wanted| std::cmp::Reverse(wanted.token.len()));
        Self { wanted, scope, before, segments: SEGMENTS, found: Vec::new(), is_begun: false, is_complete: false }
    }

    /// The next ones, which come before this position, and how many they are at most. `None`: there are none.
    pub(crate) async fn next(
        &mut self,
        store: &Store,
        before: Position,
        limit: usize,
    ) -> Result<Option<(Statement, usize)>, DbErr> {
        if store.backend() != DbBackend::Postgres {
            return Ok((!self.is_complete).then(|| self.next_of_fts5(store, before, limit)));
        }
        while self.found.is_empty() {
            if self.is_complete {
                return Ok(None);
            }
            self.fill(store).await?;
        }
        let next = self.found.split_off(self.found.len().saturating_sub(limit));
        Ok(Some((of_postgres(store, self.scope, next), limit)))
    }

    /// What begins with a token is put together by FTS5 before it shows the first message, which takes longer than all else
    /// where many say it. Most searches are answered by what has the longest of them, so this is asked for alone at first.
    fn next_of_fts5(&mut self, store: &Store, before: Position, limit: usize) -> (Statement, usize) {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        let (wanted, limit) = match &self.wanted[..] {
            [longest, _, ..] if is_first => (std::slice::from_ref(longest), BY_ONE),
            all => (all, limit),
        };
        (by_fts5(store, self.scope, wanted, before, limit as u64), limit)
    }

    /// Notes that of `limit` proposals there were so many.
    pub(crate) fn came(&mut self, store: &Store, count: usize, limit: usize) {
        if store.backend() != DbBackend::Postgres && count < limit {
            self.is_complete = true;
        }
    }

    /// Asks some more segments.
    async fn fill(&mut self, store: &Store) -> Result<(), DbErr> {
        let Some(floor) = segments::floor(store, self.before, self.segments).await? else {
            self.is_complete = true;
            return Ok(());
        };
        let range = floor..self.before.0;
        let rooms: Vec<_> = self.scope.rooms.iter().map(|room| exactly(room_key(*room))).collect();
        let mut found: Option<Vec<i64>> = None;
        if self.wanted.is_empty() || rooms.len() <= MAX_ROOMS_READ {
            found = Some(segments::postings(store, &range, &rooms).await?);
        }
        for wanted in &self.wanted {
            if found.as_ref().is_some_and(|found| found.len() <= FEW) {
                break;
            }
            let token = wanted.token.clone().into_bytes();
            let asked = if wanted.begins { beginning(token) } else { exactly(token) };
            let having = segments::postings(store, &range, &[asked]).await?;
            found = Some(both(found, having));
        }
        let mut found = found.unwrap_or_default();
        if rooms.len() > MAX_ROOMS_READ && found.len() > LOOKED_UP * rooms.len() {
            let theirs = segments::postings(store, &range, &rooms).await?;
            found = both(Some(found), theirs);
        }
        self.found = found;
        self.before = Position(floor);
        self.segments *= SEGMENTS;
        Ok(())
    }
}

/// What is in both of these, which are in order.
fn both(one: Option<Vec<i64>>, mut other: Vec<i64>) -> Vec<i64> {
    if let Some(one) = one {
        let mut one = one.into_iter().peekable();
        other.retain(|position| {
            while one.next_if(|it| it < position).is_some() {}
            one.peek() == Some(position)
        });
    }
    other
}

/// A range of tokens.
pub(super) struct Tokens {
    pub first: Vec<u8>,
    pub past: Vec<u8>,
}

fn exactly(token: Vec<u8>) -> Tokens {
    let mut past = token.clone();
    past.push(0);
    Tokens { first: token, past }
}

/// All that begin so. No token's last byte is the greatest that there is.
fn beginning(token: Vec<u8>) -> Tokens {
    let mut past = token.clone();
    if let Some(last) = past.last_mut() {
        *last = last.saturating_add(1);
    }
    Tokens { first: token, past }
}

/// The token of a room as PostgreSQL's pages have it.
fn room_key(room: RoomId) -> Vec<u8> {
    segments::key(&room_token(room))
}

/// Those of these messages that the user may see.
fn of_postgres(store: &Store, scope: &Scope<'_>, positions: Vec<i64>) -> Statement {
    let (columns, names) = (columns::<message::Entity>(), file_names_column(store.backend()));
    let only = if let [_] = scope.rooms { "AND (message.room_id = $3) IS TRUE" } else { "" };
    let sql = format!(
        "SELECT {columns}, {names} FROM message WHERE message.position = ANY($1) AND message.deleted_at IS NULL \
         AND {theirs} {only} ORDER BY message.position DESC",
        theirs = in_rooms_of("$2"),
    );
    let positions = positions.into_iter().map(Value::from).collect();
    let mut values = vec![Value::Array(ArrayType::BigInt, Some(Box::new(positions))), scope.user.into()];
    values.extend(only_room(scope));
    store.statement(&sql, values)
}

/// What FTS5 has: the newest first.
pub(super) fn by_fts5(store: &Store, scope: &Scope<'_>, wanted: &[Wanted], before: Position, limit: u64) -> Statement {
    let (columns, names) = (columns::<message::Entity>(), file_names_column(store.backend()));
    let only = if let [_] = scope.rooms { "AND message.room_id = $5" } else { "" };
    // FTS5 has them in this order, and nothing else is to begin.
    let sql = format!(
        "SELECT {columns}, {names} FROM search_index CROSS JOIN message ON message.position = search_index.rowid \
         JOIN {member} WHERE search_index MATCH $1 AND search_index.rowid < $3 AND message.deleted_at IS NULL {only} \
         ORDER BY search_index.rowid DESC LIMIT $4",
        member = member_of("$2"),
    );
    let mut asked = String::new();
    for Wanted { token, begins } in wanted {
        let _ = write!(asked, "\"{token}\"{} AND ", if *begins { "*" } else { "" });
    }
    let rooms: Vec<String> = scope.rooms.iter().map(|room| format!("\"{}\"", room_token(*room))).collect();
    let asked = asked + "(" + &rooms.join(" OR ") + ")";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut values: Vec<Value> = vec![asked.into(), scope.user.into(), before.into(), limit.into()];
    values.extend(only_room(scope));
    store.statement(&sql, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_both_lists_is_kept() {
        assert_eq!(both(None, vec![1, 2]), [1, 2]);
        assert_eq!(both(Some(vec![1, 3, 5, 9]), vec![2, 3, 4, 9, 10]), [3, 9]);
        assert_eq!(both(Some(vec![]), vec![2]), [0; 0]);
    }
}
