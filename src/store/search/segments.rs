//! The index on PostgreSQL: segments, each with all messages of the index between two positions, in [`pages`].
//!
//! What is added makes a segment; segments of about one size that follow one another are merged, so that there are few of them,
//! and large ones, which take less room. A search asks each of them for a token, the newest first, by the key of the page in
//! which it is. What changes of one message are the pages that have its tokens. Row by row, or as a GIN index, the same takes
//! more room than the text does.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};

use super::pages::{self, Damaged, Page, Postings};
use super::proposals::Tokens;
use super::{Indexed, LEAST, ROOM, Store, alone, state};
use crate::store::Transaction;

mod broken;

pub(in crate::store) use broken::broken;

/// So many segments of about one size are merged.
const TOGETHER: usize = 8;

/// How often that is done with the same messages.
const LEVELS: u32 = 3;

/// The most messages that are merged: what is merged is in memory for a moment.
const MAX_MESSAGES: usize = 400_000;

/// The most pages that are written at once.
const PAGES_PER_STATEMENT: usize = 256;

/// What the token of a room begins with in pages: no byte of a text.
const ROOM_BYTE: u8 = 0xff;

/// A segment.
#[derive(FromQueryResult, PartialEq, Eq)]
struct Segment {
    /// The position of its last message.
    upto: i64,
    /// That of its first.
    low: i64,
    /// How many messages it has.
    messages: i32,
    /// The transaction that has changed it last, whichever of its pages.
    version: i64,
}

/// A page that is stored.
#[derive(FromQueryResult)]
struct Stored {
    token: Vec<u8>,
    low: i64,
    page: Vec<u8>,
}

/// How a token stands in pages.
pub(super) fn key(token: &str) -> Vec<u8> {
    let Some(room) = token.strip_prefix(ROOM) else { return token.as_bytes().to_vec() };
    let digits = room.as_bytes().chunks(2).filter_map(|two| str::from_utf8(two).ok());
    std::iter::once(ROOM_BYTE).chain(digits.filter_map(|two| u8::from_str_radix(two, 16).ok())).collect()
}

fn column(r#type: ArrayType, values: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(r#type, Some(Box::new(values.into_iter().collect())))
}

fn tokens_of<'t>(tokens: impl IntoIterator<Item = &'t Vec<u8>>) -> Value {
    column(ArrayType::Bytes, tokens.into_iter().map(|token| token.clone().into()))
}

fn lows_of(lows: impl IntoIterator<Item = i64>) -> Value {
    column(ArrayType::BigInt, lows.into_iter().map(Value::from))
}

fn damaged(error: Damaged) -> DbErr {
    DbErr::Custom(format!("{error}; `parlor search rebuild` makes it anew"))
}

/// Adds messages that come after all others, in order.
pub(super) async fn add(store: &Store, tx: &Transaction, messages: &[Indexed]) -> Result<(), DbErr> {
    let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return Ok(()) };
    let mut postings = Postings::new();
    for message in messages {
        for token in &message.tokens {
            postings.entry(key(token)).or_default().push(message.position.0);
        }
    }
    let segment = Segment {
        upto: last.position.0,
        low: first.position.0,
        messages: i32::try_from(messages.len()).unwrap_or(i32::MAX),
        version: 0,
    };
    insert(store, tx, &segment, &pages::written(segment.low, &postings)).await
}

async fn insert(store: &Store, tx: &Transaction, segment: &Segment, pages: &[Page]) -> Result<(), DbErr> {
    let sql = "INSERT INTO search_segment (upto, low, messages) VALUES ($1, $2, $3)";
    let values = [segment.upto.into(), segment.low.into(), segment.messages.into()];
    tx.execute_raw(store.statement(sql, values)).await?;
    insert_pages(store, tx, segment.upto, pages).await
}

async fn insert_pages(store: &Store, tx: &Transaction, upto: i64, pages: &[Page]) -> Result<(), DbErr> {
    for pages in pages.chunks(PAGES_PER_STATEMENT) {
        let sql = "INSERT INTO search_page (upto, token, low, page) \
                   SELECT $1, token, low, page FROM unnest($2::bytea[], $3::int8[], $4::bytea[]) AS added (token, low, page)";
        let values = [
            upto.into(),
            tokens_of(pages.iter().map(|page| &page.token)),
            lows_of(pages.iter().map(|page| page.low)),
            tokens_of(pages.iter().map(|page| &page.bytes)),
        ];
        tx.execute_raw(store.statement(sql, values)).await?;
    }
    Ok(())
}

/// A token that a message has from now on, or has no more.
struct Change {
    token: Vec<u8>,
    position: i64,
    is_new: bool,
}

/// Messages have other tokens now, or none.
pub(super) async fn change(store: &Store, tx: &Transaction, old: &[Indexed], new: &[Indexed]) -> Result<(), DbErr> {
    type Keys = BTreeMap<i64, BTreeSet<Vec<u8>>>;
    let keys = |messages: &[Indexed]| -> Keys {
        messages.iter().map(|it| (it.position.0, it.tokens.iter().map(|token| key(token)).collect())).collect()
    };
    let (old, new) = (keys(old), keys(new));
    let (none, mut changes) = (BTreeSet::new(), BTreeMap::<i64, Vec<Change>>::new());
    let positions: BTreeSet<i64> = old.keys().chain(new.keys()).copied().collect();
    for position in positions {
        let (was, is) = (old.get(&position).unwrap_or(&none), new.get(&position).unwrap_or(&none));
        let of = |is_new| move |token: &Vec<u8>| Change { token: token.clone(), position, is_new };
        let of_message = changes.entry(position).or_default();
        of_message.extend(was.difference(is).map(of(false)));
        of_message.extend(is.difference(was).map(of(true)));
    }
    let (Some(first), Some(last)) = (changes.keys().next(), changes.keys().next_back()) else { return Ok(()) };
    let sql = "SELECT upto, low, messages, xmin::text::int8 AS version FROM search_segment \
               WHERE upto >= $1 AND low <= $2 ORDER BY upto";
    let segments = store.statement(sql, [(*first).into(), (*last).into()]);
    for segment in Segment::find_by_statement(segments).all(tx).await? {
        let within: Vec<i64> = changes.range(segment.low..=segment.upto).map(|(position, _)| *position).collect();
        let gone = within.iter().filter(|position| !new.contains_key(position)).count();
        let changes: Vec<Change> = within.iter().filter_map(|position| changes.remove(position)).flatten().collect();
        change_segment(store, tx, &segment, changes, gone).await?;
    }
    Ok(())
}

/// The pages in which these are, or are to be: of each the last one that doesn't begin after it.
const PAGES_OF: &str = "SELECT token, low, page FROM search_page JOIN ( \
    SELECT DISTINCT place.token, place.low FROM unnest($2::bytea[], $3::int8[]) AS change (token, position) \
    CROSS JOIN LATERAL (SELECT token, low FROM search_page \
        WHERE upto = $1 AND (token, low) <= (change.token, change.position) ORDER BY token DESC, low DESC LIMIT 1) AS place \
    ) AS changed USING (token, low) WHERE upto = $1";

/// What comes before all pages goes into the first.
const FIRST_PAGE: &str = "SELECT token, low, page FROM search_page WHERE upto = $1 ORDER BY token, low LIMIT 1";

async fn change_segment(
    store: &Store,
    tx: &Transaction,
    segment: &Segment,
    changes: Vec<Change>,
    gone: usize,
) -> Result<(), DbErr> {
    let left = segment.messages - i32::try_from(gone).unwrap_or(i32::MAX);
    if left <= 0 {
        tx.execute_raw(store.statement("DELETE FROM search_page WHERE upto = $1", [segment.upto.into()])).await?;
        tx.execute_raw(store.statement("DELETE FROM search_segment WHERE upto = $1", [segment.upto.into()])).await?;
        return Ok(());
    }
    if changes.is_empty() {
        return Ok(());
    }
    let values = [
        segment.upto.into(),
        tokens_of(changes.iter().map(|change| &change.token)),
        lows_of(changes.iter().map(|change| change.position)),
    ];
    let mut pages = BTreeMap::new();
    let mut take = |stored: Stored| {
        let mut postings = Postings::new();
        pages::read(&stored.page, &mut postings).map_err(damaged)?;
        pages.insert((stored.token, stored.low), postings);
        Ok::<_, DbErr>(())
    };
    for stored in Stored::find_by_statement(store.statement(PAGES_OF, values)).all(tx).await? {
        take(stored)?;
    }
    let first = Stored::find_by_statement(store.statement(FIRST_PAGE, [segment.upto.into()])).one(tx).await?;
    if let Some(first) = first {
        take(first)?;
    }
    let mut touched = BTreeSet::new();
    for Change { token, position, is_new } in changes {
        let at = (token, position);
        let place = pages.range(..=&at).next_back().or_else(|| pages.first_key_value());
        let place = place.map_or_else(|| at.clone(), |(place, _)| place.clone());
        touched.insert(place.clone());
        let postings = pages.entry(place).or_default();
        let list = postings.entry(at.0.clone()).or_default();
        match (list.binary_search(&position), is_new) {
            (Ok(found), false) => {
                list.remove(found);
            }
            (Err(place), true) => list.insert(place, position),
            _ => {}
        }
        if list.is_empty() {
            postings.remove(&at.0);
        }
    }
    // Its row is written in any case: by it, whoever merges knows of the change.
    let sql = "WITH segment AS (UPDATE search_segment SET messages = $4 WHERE upto = $1) \
               DELETE FROM search_page USING unnest($2::bytea[], $3::int8[]) AS gone (token, low) \
               WHERE search_page.upto = $1 AND search_page.token = gone.token AND search_page.low = gone.low";
    let (tokens, lows) = (tokens_of(touched.iter().map(|key| &key.0)), lows_of(touched.iter().map(|key| key.1)));
    let values = [segment.upto.into(), tokens, lows, left.into()];
    tx.execute_raw(store.statement(sql, values)).await?;
    pages.retain(|key, _| touched.contains(key));
    let written: Vec<Page> = pages.values().flat_map(|postings| pages::written(segment.low, postings)).collect();
    insert_pages(store, tx, segment.upto, &written).await
}

/// Segments that are to be one.
struct Merge {
    /// The newest first.
    of: Vec<Segment>,
    into: Segment,
    pages: Vec<Page>,
}

impl Merge {
    /// Reads the newest segments, if there are enough of one size.
    async fn read(store: &Store, tx: &Transaction) -> Result<Option<Self>, DbErr> {
        let mut of = newest(store, tx).await?;
        let Some(count) = together(&of) else { return Ok(None) };
        of.truncate(count);
        let (Some(newest), Some(oldest)) = (of.first(), of.last()) else { return Ok(None) };
        let sql = "SELECT token, low, page FROM search_page WHERE upto >= $1 AND upto <= $2 ORDER BY upto, token, low";
        let mut postings = Postings::new();
        let pages = store.statement(sql, [oldest.upto.into(), newest.upto.into()]);
        for stored in Stored::find_by_statement(pages).all(tx).await? {
            pages::read(&stored.page, &mut postings).map_err(damaged)?;
        }
        let messages = of.iter().map(|segment| segment.messages).sum();
        let into = Segment { upto: newest.upto, low: oldest.low, messages, version: 0 };
        let pages = pages::written(into.low, &postings);
        Ok(Some(Self { of, into, pages }))
    }

    /// Writes it. The caller has the lock.
    async fn write(&self, store: &Store, tx: &Transaction) -> Result<(), DbErr> {
        let oldest = self.of.last().map_or(self.into.upto, |oldest| oldest.upto);
        for table in ["search_page", "search_segment"] {
            let sql = format!("DELETE FROM {table} WHERE upto >= $1 AND upto <= $2");
            tx.execute_raw(store.statement(&sql, [oldest.into(), self.into.upto.into()])).await?;
        }
        insert(store, tx, &self.into, &self.pages).await
    }
}

/// The newest segments, the newest first.
async fn newest(store: &Store, connection: &impl ConnectionTrait) -> Result<Vec<Segment>, DbErr> {
    let sql = "SELECT upto, low, messages, xmin::text::int8 AS version FROM search_segment ORDER BY upto DESC LIMIT 64";
    Segment::find_by_statement(store.statement(sql, [])).all(connection).await
}

/// Merges the newest segments, if there are enough of one size. They are read without the lock, and once more under it if
/// somebody has changed one of them meanwhile.
pub(super) async fn merge(store: &Store) -> Result<bool, DbErr> {
    if together(&newest(store, store.read()).await?).is_none() {
        return Ok(false);
    }
    let tx = store.begin_write().await?;
    alone(store, &tx).await?;
    let Some(mut merge) = Merge::read(store, &tx).await? else { return Ok(false) };
    state(&tx).await?;
    if !newest(store, &tx).await?.starts_with(&merge.of) {
        let Some(again) = Merge::read(store, &tx).await? else { return Ok(false) };
        merge = again;
    }
    merge.write(store, &tx).await?;
    tx.commit().await?;
    if usize::try_from(merge.into.messages).is_ok_and(|messages| messages >= LEAST * TOGETHER.pow(2)) {
        // What was merged would keep its room until PostgreSQL's own upkeep comes by.
        let vacuumed = store.read().execute_unprepared("VACUUM search_page").await;
        if let Err(error) = vacuumed {
            tracing::debug!(%error, "the room of merged segments is not free yet");
        }
    }
    Ok(true)
}

/// How many of these segments, of which the newest comes first, are to be merged.
fn together(newest_first: &[Segment]) -> Option<usize> {
    let sizes = || newest_first.iter().map(|segment| usize::try_from(segment.messages).unwrap_or_default());
    (1..=LEVELS).find_map(|level| {
        let below = LEAST * TOGETHER.pow(level);
        let count = sizes().take_while(|size| *size < below).count();
        (count >= TOGETHER && sizes().take(count).sum::<usize>() <= MAX_MESSAGES).then_some(count)
    })
}

/// The lowest position of the newest segments that have messages before this one. `None`: none has.
pub(super) async fn floor(store: &Store, before: super::Position, segments: i64) -> Result<Option<i64>, DbErr> {
    // With the one that this position is in.
    let sql = "SELECT min(low) FROM ( \
        (SELECT low FROM search_segment WHERE upto >= $1 ORDER BY upto LIMIT 1) UNION ALL \
        (SELECT low FROM search_segment WHERE upto < $1 ORDER BY upto DESC LIMIT $2)) AS newest WHERE low < $1";
    let row = store.read().query_one_raw(store.statement(sql, [before.into(), segments.into()])).await?;
    row.map_or(Ok(None), |row| row.try_get_by_index(0))
}

/// The positions in this range of messages that have any of these tokens, in order. Each segment is asked for the page before
/// the first that begins with such a token, and for those that do.
pub(super) async fn postings(store: &Store, range: &Range<i64>, tokens: &[Tokens]) -> Result<Vec<i64>, DbErr> {
    const PAGES: &str = "SELECT asked.n, found.page FROM (SELECT upto FROM search_segment WHERE low < $1 AND upto >= $2) \
        AS segment CROSS JOIN unnest($3::bytea[], $4::bytea[]) WITH ORDINALITY AS asked (first, past, n) CROSS JOIN LATERAL ( \
        (SELECT page FROM search_page WHERE upto = segment.upto AND token < asked.first ORDER BY token DESC, low DESC LIMIT 1) \
        UNION ALL \
        (SELECT page FROM search_page WHERE upto = segment.upto AND token >= asked.first AND token < asked.past)) AS found";
    #[derive(FromQueryResult)]
    struct Found {
        n: i64,
        page: Vec<u8>,
    }
    let values = [
        range.end.into(),
        range.start.into(),
        tokens_of(tokens.iter().map(|it| &it.first)),
        tokens_of(tokens.iter().map(|it| &it.past)),
    ];
    let mut positions = Vec::new();
    for Found { n, page } in Found::find_by_statement(store.statement(PAGES, values)).all(store.read()).await? {
        let asked = usize::try_from(n - 1).ok().and_then(|n| tokens.get(n));
        let Some(Tokens { first, past }) = asked else { continue };
        pages::find(&page, first, past, &mut positions).map_err(damaged)?;
    }
    positions.retain(|position| range.contains(position));
    positions.sort_unstable();
    positions.dedup();
    Ok(positions)
}
