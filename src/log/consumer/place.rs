//! Where a consumer stands, and what comes next there.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};

use super::Begin;
use crate::log::event::Event;
use crate::log::head;
use crate::log::recent::Memory;
use crate::position::{Cursor, Tag};
use crate::store::Store;
use crate::store::entity::{consumer, event};

/// The most events that a consumer reads together.
pub(crate) const BATCH: usize = 500;

/// What the log holds after a consumer's place.
pub(super) enum Next {
    /// These events, possibly none; as many as [`BATCH`] if there may be more.
    Events(Vec<Event>),
    /// The events that came next are trimmed. The oldest that is kept comes after this place.
    Missed(Cursor),
    /// The place is not of this log: another event is there, or the log ends before it.
    Foreign,
}

/// Where this consumer stands. `None`: there is none of this name.
pub(super) async fn read(store: &Store, name: &str) -> Result<Option<Cursor>, DbErr> {
    let row = consumer::Entity::find_by_id(name).one(store.read()).await?;
    Ok(row.map(|row| row.cursor()))
}

/// Where a new consumer begins.
pub(super) async fn first(store: &Store, begin: Begin) -> Result<Cursor, DbErr> {
    match begin {
        Begin::Head | Begin::Registered => head(store).await,
        Begin::Oldest => {
            let oldest = event::Entity::find().order_by_asc(event::Column::Position).one(store.read()).await?;
            Ok(oldest.map_or_else(Cursor::default, |oldest| before(&oldest)))
        }
    }
}

/// The place before an event whose predecessor is not kept.
fn before(event: &Event) -> Cursor {
    Cursor { position: event.position.previous(), tag: Tag::default() }
}

/// Makes the row of a new consumer, unless there is one.
pub(super) async fn register(store: &Store, name: &str, at: Cursor, now: DateTime<Utc>) -> Result<(), DbErr> {
    let row = consumer::Model { name: name.to_owned(), position: at.position, tag: at.tag, updated_at: now };
    let tx = store.begin_write().await?;
    consumer::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(consumer::Column::Name).do_nothing().to_owned())
        .exec_without_returning(&tx)
        .await?;
    tx.commit().await
}

/// Moves a consumer from one place to a later one. `false`: it doesn't stand there any more, or the log has no such event,
/// because it was replaced since that was read. The place before the oldest event has no tag, and needs no event.
pub(super) async fn advance(
    store: &Store,
    name: &str,
    from: Cursor,
    to: Cursor,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let is_there = Query::select()
        .expr(Expr::val(1))
        .from(event::Entity)
        .and_where(event::Column::Position.eq(to.position))
        .and_where(event::Column::Tag.eq(to.tag))
        .to_owned();
    let tx = store.begin_write().await?;
    let moved = consumer::Entity::update_many()
        .set(consumer::ActiveModel {
            position: Set(to.position),
            tag: Set(to.tag),
            updated_at: Set(now),
            ..Default::default()
        })
        .filter(consumer::Column::Name.eq(name))
        .filter(consumer::Column::Position.eq(from.position))
        .filter(consumer::Column::Tag.eq(from.tag))
        .filter(Expr::exists(is_there).or(Expr::val(to.tag == Tag::default())))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(moved.rows_affected == 1)
}

/// What comes after this place: from memory, if the tail of this node has seen it, or else from the log. The event at the place is read as well, because a position that fits proves nothing: the
/// log may have been replaced, and have gone on at the same positions.
pub(super) async fn next(store: &Store, memory: Option<&Memory>, at: Cursor) -> Result<Next, DbErr> {
    if let Some(events) = memory.and_then(|memory| memory.next(at, BATCH)) {
        return Ok(Next::Events(events));
    }
    let events = event::Entity::find()
        .filter(event::Column::Position.gte(at.position))
        .order_by_asc(event::Column::Position)
        .limit(BATCH as u64 + 1);
    Ok(judge(at, store.read().models(events).await?))
}

/// What these events, the first at or after the place, are to a consumer that stands there.
fn judge(at: Cursor, mut events: Vec<Event>) -> Next {
    match events.first() {
        Some(first) if first.cursor() == at => {
            events.remove(0);
            Next::Events(events)
        }
        Some(first) if first.position == at.position => Next::Foreign,
        Some(first) if first.position == at.position.next() => {
            events.truncate(BATCH);
            Next::Events(events)
        }
        Some(first) => Next::Missed(before(first)),
        None if at == Cursor::default() => Next::Events(events),
        // The last event is never trimmed.
        None => Next::Foreign,
    }
}
