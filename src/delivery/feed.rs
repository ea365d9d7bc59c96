//! Where a subscription's resolver gets its events from.
//!
//! The same document is executed in two ways: once per group, fed by the hub, for everything that happens from now on;
//! and once per socket that connects or falls behind, fed from the log, for what it missed. The resolver doesn't know
//! which: it opens the [`Feed`] that it finds in the request's data.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use sea_orm::DbErr;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::hub::{Attachment, Hub, Turn};
use super::notice::{Facts, Notice, What};
use super::render::Group;
use crate::ids::UserId;
use crate::log;
use crate::log::replay::{Missed, Resync, Scope, Step, Wanted};
use crate::position::Cursor;
use crate::telemetry::Metrics;

/// Missed events that are read and held at a time, so that a long replay to a slow socket holds little memory.
const READ_AT_ONCE: usize = 32;

/// A source of notices, to be opened once.
pub enum Feed {
    /// The events that the hub hands to a group.
    Shared(Mutex<Option<mpsc::Receiver<Arc<Notice>>>>),
    /// What one subscription missed.
    CatchUp(Arc<CatchUp>),
}

/// Why a feed can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The room is not one of the subscriber's.
    #[error("room not found")]
    RoomNotFound,
    /// More was missed than is replayed, and the subscription has no event to say so.
    #[error("too much was missed since this cursor: fetch the messages and subscribe anew without it")]
    TooFarBehind,
    /// The database failed.
    #[error("internal error")]
    Database(#[from] DbErr),
    /// The resolver opened its feed twice.
    #[error("internal error")]
    Opened,
}

/// Notices, or the failure to read them.
pub type Notices = BoxStream<'static, Result<Arc<Notice>, FeedError>>;

impl Feed {
    pub(super) fn shared(notices: mpsc::Receiver<Arc<Notice>>) -> Self {
        Self::Shared(Mutex::new(Some(notices)))
    }

    /// Opens the feed for a subscription that wants these events, after this cursor. A group's feed ignores both: the
    /// hub hands it only what its members want.
    ///
    /// # Errors
    /// When the room isn't the subscriber's, the cursor is too old for the kind of subscription, or the database fails.
    pub async fn open(&self, wanted: Wanted, after: Option<Cursor>) -> Result<Notices, FeedError> {
        match self {
            Self::Shared(notices) => {
                let notices = notices.lock().unwrap_or_else(PoisonError::into_inner).take();
                Ok(ReceiverStream::new(notices.ok_or(FeedError::Opened)?).map(Ok).boxed())
            }
            Self::CatchUp(catch_up) => catch_up.open(wanted, after).await,
        }
    }
}

/// One subscription's way up to the present.
pub struct CatchUp {
    pub(super) hub: Arc<Hub>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) group: Arc<Group>,
    pub(super) user: UserId,
    pub(super) from: From,
    /// To read from the database, until it is read.
    pub(super) turn: Mutex<Option<Turn>>,
    /// Where the subscription takes its place in the hub from, once it has caught up.
    pub(super) caught_up: Mutex<Option<CaughtUp>>,
}

/// Where a catch-up begins.
#[derive(Clone, Copy, Debug)]
pub enum From {
    /// At the later one of the argument and the cursor that came with the connection; without either, now.
    Client(Option<Cursor>),
    /// At the last event that the socket was sent, whatever the client's cursor was at first.
    Sent(Cursor),
}

/// The end of a catch-up.
pub struct CaughtUp {
    /// The place in the hub.
    pub attachment: Attachment,
    /// Everything up to here has been shown: the mailbox's events up to it are to be skipped.
    pub upto: Cursor,
}

impl CatchUp {
    /// Whether it was not refused, so that what comes are events.
    pub(super) fn is_under_way(&self) -> bool {
        self.caught_up.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes the subscription's place in the hub. None: the catch-up was refused, or isn't over.
    pub(super) fn take(&self) -> Option<CaughtUp> {
        self.caught_up.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn open(&self, wanted: Wanted, after: Option<Cursor>) -> Result<Notices, FeedError> {
        let from = match self.from {
            From::Client(resume) => [resume, after].into_iter().flatten().max_by_key(|cursor| cursor.position),
            From::Sent(cursor) => Some(cursor),
        };
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner).take();
        let attach = || self.hub.attach(self.user, wanted, self.group.clone(), from);
        let mut attachment = attach().await?;
        if !attachment.admitted {
            // Another node may have let the user in, and this one not have heard of it yet.
            drop(turn);
            self.hub.reach(log::head(self.hub.store()).await?.position).await;
            turn = self.hub.turn().await;
            attachment = attach().await?;
        }
        if !attachment.admitted {
            return Err(FeedError::RoomNotFound);
        }
        let base = attachment.base;
        let missed = match (from, attachment.missed.take()) {
            (None, _) => Missed::Steps(Vec::new()),
            (Some(_), Some(events)) => Missed::Steps(events.into_iter().map(Step::Event).collect()),
            (Some(cursor), None) => {
                let scope = Scope { user: self.user, wanted };
                scope.missed(self.hub.store(), cursor, base.position).await?
            }
        };
        self.count(&missed);
        let (steps, resync) = match missed {
            Missed::Steps(steps) => (steps, None),
            Missed::Resync(resync) => (Vec::new(), Some(resync)),
        };
        let silent = wanted != Wanted::Everything;
        if silent && (resync.is_some() || steps.iter().any(|step| matches!(step, Step::Gap(_)))) {
            return Err(FeedError::TooFarBehind);
        }
        // A cursor ahead of this node, given out by another that is faster, is good: nothing up to it is shown again.
        let upto = match (from, resync) {
            (Some(cursor), None) if cursor.position > base.position => cursor,
            _ => base,
        };
        *self.caught_up.lock().unwrap_or_else(PoisonError::into_inner) = Some(CaughtUp { attachment, upto });
        let notices = self.replay(steps).await;
        drop(turn);
        Ok(if silent { notices } else { notices.chain(self.closing(upto, resync)).boxed() })
    }

    /// The missed events, a few at a time: the first few are read at once, in the turn that the caller has.
    async fn replay(&self, mut steps: Vec<Step>) -> Notices {
        let (hub, user) = (self.hub.clone(), self.user);
        let mut chunks = Vec::with_capacity(steps.len().div_ceil(READ_AT_ONCE));
        while !steps.is_empty() {
            let rest = steps.split_off(steps.len().min(READ_AT_ONCE));
            chunks.push(std::mem::replace(&mut steps, rest));
        }
        let mut chunks = chunks.into_iter();
        let first = match chunks.next() {
            Some(chunk) => notices(&hub, user, &chunk).await,
            None => Vec::new(),
        };
        let rest = stream::iter(chunks).then(move |chunk| {
            let hub = hub.clone();
            async move {
                let _turn = hub.turn().await;
                notices(&hub, user, &chunk).await
            }
        });
        stream::iter(first).chain(rest.flat_map(stream::iter)).boxed()
    }

    /// What ends a catch-up: the news that it could not be done, if so, and that from here on all is live.
    fn closing(&self, upto: Cursor, resync: Option<Resync>) -> Notices {
        let now = self.hub.clock().now();
        let resync = resync.map(|reason| Notice::new(upto, now, What::ResyncRequired(reason)));
        let synced = Notice::new(upto, now, What::Synced);
        stream::iter(resync.into_iter().chain([synced]).map(Ok)).boxed()
    }

    fn count(&self, missed: &Missed) {
        let kind = match missed {
            Missed::Resync(_) => "resync",
            Missed::Steps(steps) if steps.iter().any(|step| matches!(step, Step::Gap(_))) => "gap",
            Missed::Steps(steps) if steps.is_empty() => "empty",
            Missed::Steps(_) => "replay",
        };
        self.metrics.replays.with_label_values(&[kind]).inc();
    }
}

/// What these steps look like, or the failure to read it.
async fn notices(hub: &Hub, user: UserId, steps: &[Step]) -> Vec<Result<Arc<Notice>, FeedError>> {
    let events: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Event(event) => Some(event),
            Step::Gap(_) => None,
        })
        .collect();
    let gaps = steps.iter().filter_map(|step| match step {
        Step::Event(_) => None,
        Step::Gap(gap) => Some(gap.room),
    });
    let facts = match Facts::load(hub.store(), &events, gaps, []).await {
        Ok(facts) => facts,
        Err(error) => return vec![Err(FeedError::Database(error))],
    };
    let now = hub.clock().now();
    let shown = steps.iter().filter_map(|step| match step {
        Step::Event(event) => facts.notice(event, Some(user)),
        Step::Gap(gap) => facts.gap(*gap, now),
    });
    shown.map(Ok).collect()
}
