//! The log: every durable event, in commit order.
//!
//! The invariant on which all delivery rests: **position p+1 is given out only after p is committed.** A reader that
//! sees p can read 1…p-1. [`append`] upholds it. [`scribe`] is the one writer of a node, and [`tail`] follows the
//! log. [`doorbell`] signals that the log has grown on another node, [`replay`] finds what a user missed since the place that [`resume`]
//! found, [`consumer`] reads the log for those whose work must outlast the process, and [`trim`] prunes events that are too old to be replayed.

pub(crate) mod alone;
pub(crate) mod append;
pub(crate) mod consumer;
pub(crate) mod doorbell;
pub(crate) mod event;
pub(crate) mod pulse;
pub(crate) mod recent;
pub mod replay;
pub mod resume;
pub(crate) mod scribe;
pub(crate) mod tail;
pub(crate) mod trim;
mod writes;

pub use append::{Append, Committed};
pub use consumer::{Begin, Consumer, Handler, HandlerError, Lags};
pub use event::{About, Audience, Class, Effect, Event, Kind, NewEvent};
pub use pulse::Pulse;
pub use scribe::{Scribe, ScribeCommand, ScribeHandle};
pub use tail::{Follower, Observer, Tail};

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryOrder};

use crate::position::Cursor;
use crate::store::Store;
use crate::store::entity::event as row;

/// The cursor of the log's last event.
///
/// # Errors
/// When the database fails.
pub async fn head(store: &Store) -> Result<Cursor, DbErr> {
    head_in(store.read()).await
}

/// As [`head`], as this connection sees the log.
///
/// # Errors
/// When the database fails.
pub async fn head_in(db: &impl ConnectionTrait) -> Result<Cursor, DbErr> {
    let last = row::Entity::find().order_by_desc(row::Column::Position).one(db).await?;
    Ok(last.map_or_else(Cursor::default, |event| event.cursor()))
}
