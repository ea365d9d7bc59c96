//! Where a client's stream goes on.

use sea_orm::{DbErr, EntityTrait, QuerySelect};

use super::replay::Resync;
use crate::position::{Cursor, Resume, Tag};
use crate::store::Store;
use crate::store::entity::event;

/// The cursor at which a client asks to resume. If it can't be read, or is not proven by the log, there is one answer,
/// whatever is wrong with it.
///
/// # Errors
/// When the database fails.
pub async fn cursor(asked: Resume, store: &Store) -> Result<Result<Cursor, Resync>, DbErr> {
    Ok(match asked {
        Resume::At(cursor) => Ok(cursor),
        Resume::Unproven(cursor) if holds(store, cursor).await? => Ok(cursor),
        Resume::Unproven(_) | Resume::Unreadable => Err(Resync::Foreign),
    })
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
