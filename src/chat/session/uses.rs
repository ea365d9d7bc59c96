//! When sessions were last used: noted in memory, and written now and then, so that no request writes for it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::chat::{Chat, Error, Viewer};
use crate::ids::SessionId;
use crate::store::entity::session;
use crate::store::list::ROWS_PER_STATEMENT;

/// How much later a session must have been used than is written for it to be written again, whatever the number of
/// nodes: almost the time between two writings.
const STEP: TimeDelta = TimeDelta::minutes(4);

/// The most sessions that are noted between two writings: about 4 MiB. Those beyond are noted the next time.
const CAPACITY: usize = 65_536;

/// The sessions that were used on this node since the last writing, and when.
#[derive(Default)]
pub(in crate::chat) struct Uses(Mutex<HashMap<SessionId, DateTime<Utc>>>);

impl Uses {
    /// Notes that the viewer's session is in use.
    pub(super) fn note(&self, viewer: &Viewer, now: DateTime<Utc>) {
        let Some(session) = viewer.session else { return };
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < CAPACITY || noted.contains_key(&session) {
            noted.insert(session, now);
        }
    }

    fn take(&self) -> HashMap<SessionId, DateTime<Utc>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Chat {
    /// Writes when sessions were last used: those that were noted since the last time, and `connected`, which are in use
    /// now. A session for which a time was written less than [`STEP`] before is left as it is. To be called every few
    /// minutes.
    ///
    /// # Errors
    /// When the database fails. What isn't written by then is forgotten.
    pub async fn write_uses(&self, connected: impl IntoIterator<Item = SessionId>) -> Result<(), Error> {
        let (mut used, now) = (self.uses.take(), self.clock.now());
        used.extend(connected.into_iter().map(|session| (session, now)));
        let mut used: Vec<_> = used.into_iter().map(|(session, at)| (session, at, at - STEP)).collect();
        // In one order on all nodes, so that two that write at the same time rarely wait for each other.
        used.sort_unstable();
        for some in used.chunks(ROWS_PER_STATEMENT) {
            session::Entity::write_last_used(&self.store, some).await?;
        }
        Ok(())
    }
}
