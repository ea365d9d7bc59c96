//! What subscribers receive about their stream itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Content, EventRows, Notice};
use crate::log::replay::{Gap, Resync};
use crate::store::entity::room;

/// About the stream itself.
#[derive(Clone, Debug)]
pub enum SyncNotice {
    /// The subscriber has caught up: from here on events come as they happen.
    Synced,
    /// More happened in a room than is replayed.
    Gap(Arc<room::Model>, Gap),
    /// The cursor can't be replayed from.
    Resync(Resync),
}

impl Notice {
    /// What a gap looks like. None: its room is not there any more.
    #[must_use]
    pub fn of_gap(gap: Gap, rows: &EventRows, now: DateTime<Utc>) -> Option<Arc<Self>> {
        let room = rows.room(gap.room)?.clone();
        Some(Self::new(gap.cursor, now, Content::Sync(SyncNotice::Gap(room, gap))))
    }
}
