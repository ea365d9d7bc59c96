//! Reading the log, for the app's own backend: what webhooks are told, pulled instead of pushed.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Chat, Error, ServerKey};
use crate::log::Event;
use crate::position::{Cursor, Resume};
use crate::store::entity::event;

/// The most events that are read for one page.
const MAX_READ: u64 = 500;

/// A part of the log.
pub struct LogPart {
    /// The events in it that are wanted.
    pub events: Vec<Event>,
    /// Where it ends.
    pub end: Cursor,
    /// Whether the log goes on after that.
    pub has_next: bool,
}

impl Chat {
    /// The part of the log after a cursor, or from the oldest event that is kept, with at most `first` events that are
    /// wanted. It may have fewer, or none, and the log go on all the same.
    ///
    /// # Errors
    /// `Conflict` when the log doesn't hold the cursor any more, or never did.
    pub async fn log_after(
        &self,
        _: &ServerKey,
        after: Option<Resume>,
        first: u32,
        wants: impl Fn(&Event) -> bool + Send,
    ) -> Result<LogPart, Error> {
        let after = match after {
            Some(after) => Some(self.kept(after).await?),
            None => None,
        };
        let position = after.unwrap_or_default().position;
        let mut read = event::Entity::find()
            .filter(event::Column::Position.gt(position))
            .order_by_asc(event::Column::Position)
            .limit(MAX_READ + 1)
            .all(self.store.read())
            .await?;
        let mut has_next = read.len() as u64 > MAX_READ;
        read.truncate(usize::try_from(MAX_READ).unwrap_or(usize::MAX));
        let mut wanted = 0;
        let fits = read.iter().take_while(|event| {
            wanted += u32::from(wants(event));
            wanted <= first
        });
        let fits = fits.count();
        has_next |= fits < read.len();
        read.truncate(fits);
        let end = read.last().map(Event::cursor).or(after).unwrap_or_default();
        read.retain(|event| wants(event));
        Ok(LogPart { events: read, end, has_next })
    }
}
