//! What subscribers receive about their stream itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Content, EventRows, Notice};
use crate::log::replay::{Gap, Resync};
use crate::store::entity::room;

/// About the stream itself.
#[derive(Clone, Debug)]
pub enum SyncNotice {
    /// The subscriber has caught up: from here on it receives events as they happen.
    Synced,
    /// More happened in a room than is replayed.
    Gap(Arc<room::Model>, Gap),
    /// The log can't be replayed from the subscriber's cursor.
    Resync(Resync),
}

impl Notice {
    /// The notice of a gap. `None` if its room no longer exists.
    #[must_use]
    pub fn of_gap(gap: Gap, rows: &EventRows, now: DateTime<Utc>) -> Option<Arc<Self>> {
        let room = rows.room(gap.room)?.clone();
        Some(Self::new(gap.cursor, now, Content::Sync(SyncNotice::Gap(room, gap))))
    }
}
