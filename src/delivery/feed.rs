//! The source from which a subscription's resolver reads its events.
//!
//! The same document is executed in two ways: once per group, fed by the hub, for everything that happens from now on;
//! and once per subscription that begins or falls behind, fed from the log, for the events that it missed. The resolver
//! can't tell the two apart: it opens the [`Feed`] that it finds in the request's data.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{BoxStream, StreamExt};
use sea_orm::DbErr;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::notice::Notice;
use crate::log::replay::Filter;
use crate::position::Resume;

/// A source of notices, to be opened once. Clones are the same feed.
#[derive(Clone)]
pub struct Feed(Arc<dyn Open>);

/// How a feed is opened.
pub(super) trait Open: Send + Sync + 'static {
    /// Opens it for a subscription that wants these events, from here on.
    fn open(self: Arc<Self>, filter: Filter, after: Option<Resume>) -> BoxFuture<'static, Result<Notices, FeedError>>;
}

/// Why a feed can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The room is not one of the subscriber's.
    #[error("room not found")]
    RoomNotFound,
    /// More was missed than is replayed, and the subscription has no event that could announce it.
    #[error("more was missed than is replayed")]
    TooFarBehind,
    /// The database failed.
    #[error("internal error")]
    Database(#[from] DbErr),
    /// The resolver opened its feed twice.
    #[error("a feed was opened twice")]
    Opened,
}

/// Notices, or the failure to read them.
pub(crate) type Notices = BoxStream<'static, Result<Arc<Notice>, FeedError>>;

impl Feed {
    pub(super) fn new(open: Arc<dyn Open>) -> Self {
        Self(open)
    }

    /// A feed of nothing, for a request that is only to be looked at.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self::shared(mpsc::channel(1).1)
    }

    /// The notices that the hub hands to a group. The filter and cursor given on opening are ignored: the hub already
    /// hands over only what the group's subscriptions want.
    pub(super) fn shared(notices: mpsc::Receiver<Arc<Notice>>) -> Self {
        Self(Arc::new(Shared(Mutex::new(Some(notices)))))
    }

    /// Opens the feed for a subscription that wants these events, from here on.
    ///
    /// # Errors
    /// When the room isn't the subscriber's, the cursor is too old for the kind of subscription, or the database fails.
    pub async fn open(&self, filter: Filter, after: Option<Resume>) -> Result<Notices, FeedError> {
        self.0.clone().open(filter, after).await
    }
}

struct Shared(Mutex<Option<mpsc::Receiver<Arc<Notice>>>>);

impl Open for Shared {
    fn open(self: Arc<Self>, _: Filter, _: Option<Resume>) -> BoxFuture<'static, Result<Notices, FeedError>> {
        let notices = self.0.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or(FeedError::Opened);
        std::future::ready(notices.map(|notices| ReceiverStream::new(notices).map(Ok).boxed())).boxed()
    }
}
