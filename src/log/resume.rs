//! Where a client's stream goes on.

use sea_orm::{DbErr, EntityTrait, QuerySelect};

use super::replay::Resync;
use crate::position::{Cursor, Resume, Tag};
use crate::store::Store;
use crate::store::entity::event;

/// The latest of the places at which a client asks to resume; `Ok(None)` if it names none. If one of them can't be read,
/// or is not proven by the log, there is one answer, whatever is wrong and whatever the other places are.
///
/// # Errors
/// When the database fails.
pub async fn latest(
    asked: impl IntoIterator<Item = Resume>,
    store: &Store,
) -> Result<Result<Option<Cursor>, Resync>, DbErr> {
    let mut latest: Option<Cursor> = None;
    for resume in asked {
        let cursor = match resume {
            Resume::At(cursor) => cursor,
            Resume::Unproven(cursor) if holds(store, cursor).await? => cursor,
            Resume::Unproven(_) | Resume::Unreadable => return Ok(Err(Resync::Foreign)),
        };
        if latest.is_none_or(|latest| latest.position < cursor.position) {
            latest = Some(cursor);
        }
    }
    Ok(Ok(latest))
}

/// Whether the log holds the very event. Nothing is at position 0, so a cursor of an empty log is not proven either.
async fn holds(store: &Store, cursor: Cursor) -> Result<bool, DbErr> {
    let tag: Option<Tag> = event::Entity::find_by_id(cursor.position)
        .select_only()
        .column(event::Column::Tag)
        .into_tuple()
        .one(store.read())
        .await?;
    Ok(tag == Some(cursor.tag))
}
