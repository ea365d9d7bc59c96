//! The app's own backend, which may notify its users by itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sea_orm::DbErr;

use crate::ids::{MessageId, RoomId, UserId};
use crate::position::Cursor;
use crate::store::entity::device;

/// What tells the app's own backend.
pub trait Backend: Send + Sync {
    /// Whether it wants to be told.
    fn listens(&self) -> BoxFuture<'_, Result<bool, DbErr>>;

    /// Tells it, which takes half a minute or so at most. What it doesn't take then is lost.
    fn tell(&self, told: Vec<Told>) -> BoxFuture<'_, Result<(), DbErr>>;
}

/// That a user is to be notified, or that a notification is to be taken away.
#[derive(Clone, Debug)]
pub struct Told {
    /// Names it, however often it is told.
    pub id: String,
    /// How far the log was read when it was decided.
    pub cursor: Cursor,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// Who is to be notified.
    pub user: UserId,
    /// The room.
    pub room: RoomId,
    /// Of which message; without one, the notification of the room is to be taken away.
    pub message: Option<MessageId>,
    /// What a badge shows from now on.
    pub badge: i64,
    /// Of several with the same only the last need be shown.
    pub collapse_key: String,
    /// Where the user is reached.
    pub devices: Vec<Arc<device::Model>>,
}
