//! Messages: finding and paging them here; posting, editing and deleting them in a file each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::TryStreamExt;
use sea_orm::{EntityTrait, QueryFilter, Statement};

use super::words::Verdict;
use super::{Chat, Error, Slice, Viewer, Window};
use crate::ids::{MessageId, RoomId};
use crate::store::entity::message;
use crate::store::list::{Rows, columns, one_of};

mod alter;
mod context;
mod emoji;
mod extras;
mod find;
pub(super) mod gone;
pub(super) mod index;
pub(super) mod mention;
mod mentioning;
pub(super) mod pin;
mod post;
mod reaction;
mod text;
mod update;

pub use alter::{Altered, DeleteMessage, EditMessage};
pub use emoji::Emoji;
pub use extras::Extras;
pub use find::{Asked, Found, Hit};
pub(crate) use index::Index;
pub use mention::{Mentions, MentionsChange};
pub use pin::PinMessage;
pub use post::Post;
pub use reaction::SetReaction;
pub use text::{Body, ClientId};
pub use update::UpdateMessage;

/// The bytes of messages' texts that one operation may still read. Pages bound the number of messages, and each may
/// hold [`Body::MAX_BYTES`].
#[derive(Debug)]
pub struct TextBudget(AtomicUsize);

impl TextBudget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(bytes.into())
    }

    fn spend(&self, bytes: usize) -> Result<(), Error> {
        let spent = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        spent.map(drop).map_err(|_| Error::TooMuchText)
    }
}

impl Chat {
    /// What the list of words says of a text.
    fn judge(&self, body: &Body) -> Verdict {
        self.words.as_ref().map(|words| words.judge(&body.0)).unwrap_or_default()
    }

    /// Those of these messages that are in rooms of the viewer, in no particular order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn messages_by_id(&self, viewer: &Viewer, ids: &[MessageId]) -> Result<Vec<message::Model>, Error> {
        let store = &self.store;
        let asked = one_of(store.backend(), message::Column::Id, ids.iter().copied());
        Ok(store.read().models(message::Entity::visible_to(viewer.user).filter(asked)).await?)
    }

    /// The messages at these places of rooms, without regard to who may see them: for what is shown to a room's members.
    /// One statement.
    ///
    /// # Errors
    /// [`Error::TooMuchText`] when that is more than what is left of `texts`; otherwise when the database fails.
    pub async fn messages_at(
        &self,
        places: &[(RoomId, i32)],
        texts: &TextBudget,
    ) -> Result<Vec<message::Model>, Error> {
        let rows = Rows::new(self.store.backend(), places.iter().map(|(room, seq)| [(*room).into(), (*seq).into()]));
        let sql = format!(
            "WITH asked (room_id, seq) AS ({rows}) SELECT {columns} FROM asked JOIN message \
             ON message.room_id = asked.room_id AND message.seq = asked.seq",
            rows = rows.sql,
            columns = columns::<message::Entity>(),
        );
        let statement = self.store.statement(&sql, rows.values);
        let mut messages = Vec::with_capacity(places.len());
        self.each_message(statement, texts, |message| messages.push(message)).await?;
        Ok(messages)
    }

    /// One page of each of these rooms, which are given with the `seq` of their newest message. One statement, which
    /// reads only the rows that are returned, because `seq` has no holes. Every room has an entry.
    ///
    /// # Errors
    /// [`Error::TooMuchText`] when that is more than what is left of `texts`; otherwise when the database fails.
    pub async fn messages(
        &self,
        rooms: &[(RoomId, i32)],
        window: &Window<i32>,
        texts: &TextBudget,
    ) -> Result<HashMap<RoomId, Slice<message::Model>>, Error> {
        let mut pages: HashMap<RoomId, Slice<message::Model>> = HashMap::with_capacity(rooms.len());
        let mut ranges = Vec::with_capacity(rooms.len());
        for (room, last_seq) in rooms {
            let range = SeqRange::of(window, *last_seq);
            pages
                .insert(*room, Slice { items: Vec::new(), has_previous: range.has_previous, has_next: range.has_next });
            if range.low <= range.high {
                ranges.push([(*room).into(), range.low.into(), range.high.into()]);
            }
        }
        if !ranges.is_empty() {
            let rows = Rows::new(self.store.backend(), ranges);
            let sql = format!(
                "WITH asked (room_id, low, high) AS ({rows}) SELECT {columns} FROM asked JOIN message \
                 ON message.room_id = asked.room_id AND message.seq >= asked.low AND message.seq <= asked.high \
                 ORDER BY message.room_id, message.seq",
                rows = rows.sql,
                columns = columns::<message::Entity>(),
            );
            let statement = self.store.statement(&sql, rows.values);
            let keep = |message: message::Model| {
                if let Some(page) = pages.get_mut(&message.room_id) {
                    page.items.push(message);
                }
            };
            self.each_message(statement, texts, keep).await?;
        }
        Ok(pages)
    }

    /// Hands on each message that this statement returns. Where they are many, or long, they are read one by one, so that
    /// what is too much is never held.
    async fn each_message(
        &self,
        statement: Statement,
        texts: &TextBudget,
        mut each: impl FnMut(message::Model),
    ) -> Result<(), Error> {
        if let Some(messages) = self.store.read().models_at_once::<message::Entity>(&statement) {
            for message in messages {
                texts.spend(message.body.len())?;
                each(message);
            }
            return Ok(());
        }
        let mut messages = message::Entity::find().from_raw_sql(statement).stream(self.store.read()).await?;
        while let Some(message) = messages.try_next().await? {
            texts.spend(message.body.len())?;
            each(message);
        }
        Ok(())
    }
}

/// The numbers that a page of messages covers; empty when `low` is above `high`.
#[derive(Debug, PartialEq, Eq)]
struct SeqRange {
    low: i32,
    high: i32,
    has_previous: bool,
    has_next: bool,
}

impl SeqRange {
    fn of(window: &Window<i32>, last_seq: i32) -> Self {
        let limit = i32::try_from(window.limit).unwrap_or(i32::MAX);
        let first = window.after.map_or(1, |after| after.max(0).saturating_add(1));
        let last = window.before.map_or(last_seq, |before| before.saturating_sub(1).min(last_seq));
        if window.from_end {
            let low = first.max(last.saturating_sub(limit).saturating_add(1));
            Self { low, high: last, has_previous: low > first, has_next: last < last_seq }
        } else {
            let high = last.min(first.saturating_add(limit).saturating_sub(1));
            Self { low: first, high, has_previous: first > 1, has_next: high < last }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: Option<i32>, after: Option<i32>, last: Option<i32>, before: Option<i32>) -> (i32, i32, bool, bool) {
        let window = Window::new(first, after, last, before, true).expect("a window that is allowed");
        let range = SeqRange::of(&window, 10);
        (range.low, range.high, range.has_previous, range.has_next)
    }

    #[test]
    fn a_page_of_messages_is_a_range_of_numbers() {
        assert_eq!(range(None, None, Some(3), None), (8, 10, true, false));
        assert_eq!(range(None, None, Some(3), Some(8)), (5, 7, true, true));
        assert_eq!(range(None, None, Some(3), Some(2)), (1, 1, false, true));
        assert_eq!(range(Some(3), None, None, None), (1, 3, false, true));
        assert_eq!(range(Some(3), Some(8), None, None), (9, 10, true, false));
        assert_eq!(range(Some(3), Some(4), None, Some(7)), (5, 6, true, false));
        assert_eq!(range(None, None, None, None), (1, 10, false, false));
    }

    #[test]
    fn a_page_beyond_the_ends_is_empty() {
        let (low, high, ..) = range(Some(3), Some(10), None, None);
        assert!(low > high);
        let (low, high, ..) = range(Some(3), Some(i32::MAX), None, Some(i32::MIN));
        assert!(low > high);
        let (low, high, ..) = range(Some(0), None, None, None);
        assert!(low > high);
    }
}
