//! What subscribers receive of reading.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::EventRows;
use crate::log::Event;
use crate::store::entity::{room, user};

/// Members have read on.
#[derive(Clone, Debug)]
pub struct ReadingNotice {
    /// The room.
    pub room: Arc<room::Model>,
    /// The marks that moved.
    pub marks: Vec<Mark>,
}

/// How far somebody has read.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The reader.
    pub user: Arc<user::Model>,
    /// `seq` of the last message read.
    pub seq: i32,
    /// When the mark moved there.
    pub at: DateTime<Utc>,
}

impl ReadingNotice {
    pub(super) fn of(event: &Event, rows: &EventRows, room: &Arc<room::Model>) -> Self {
        let marks = rows.marks(event.position).iter();
        let marks =
            marks.filter_map(|mark| Some(Mark { user: rows.user(mark.user_id)?.clone(), seq: mark.seq, at: mark.at }));
        Self { room: room.clone(), marks: marks.collect() }
    }
}
