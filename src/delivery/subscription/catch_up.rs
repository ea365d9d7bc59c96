//! One subscription's way up to the present: what it missed, read from the log.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream;

use crate::delivery::feed::{FeedError, Notices, Open};
use crate::delivery::hub::{Attachment, CatchUpPermit, Hub};
use crate::delivery::notice::{Content, EventRows, Notice, SyncNotice};
use crate::delivery::render::RenderGroup;
use crate::ids::UserId;
use crate::log;
use crate::log::replay::{Filter, Missed, Replay, Resync, Step};
use crate::position::Cursor;
use crate::telemetry::Metrics;

/// Missed events that are read and held at a time, so that a long replay to a slow socket holds little memory.
const READ_TOGETHER: usize = 32;

/// One subscription's way up to the present.
pub(super) struct CatchUp {
    pub(super) hub: Arc<Hub>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) group: Arc<RenderGroup>,
    pub(super) user: UserId,
    pub(super) from: StartFrom,
    /// To read from the database, until it is read.
    pub(super) permit: Mutex<Option<CatchUpPermit>>,
    /// Where the subscription takes its place in the hub from, once it has caught up.
    pub(super) caught_up: Mutex<Option<CaughtUp>>,
}

/// Where a catch-up begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum StartFrom {
    /// At the later one of the argument and the cursor that came with the connection; without either, now.
    Client(Option<Cursor>),
    /// At the last event that the socket was sent, whatever the client's cursor was at first.
    Sent(Cursor),
}

/// The end of a catch-up.
pub(super) struct CaughtUp {
    /// The place in the hub.
    pub attachment: Attachment,
    /// Everything up to here has been shown: the mailbox's events up to it are to be skipped.
    pub upto: Cursor,
}

impl CatchUp {
    /// Keeps the permit under which it reads first.
    pub(super) fn keep(&self, permit: Option<CatchUpPermit>) {
        *self.permit.lock().unwrap_or_else(PoisonError::into_inner) = permit;
    }

    /// Whether it was not refused, so that what comes are events.
    pub(super) fn is_under_way(&self) -> bool {
        self.caught_up.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes the subscription's place in the hub. None: the catch-up was refused, or isn't over.
    pub(super) fn take(&self) -> Option<CaughtUp> {
        self.caught_up.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn open_feed(&self, filter: Filter, after: Option<Cursor>) -> Result<Notices, FeedError> {
        let from = match self.from {
            StartFrom::Client(resume) => [resume, after].into_iter().flatten().max_by_key(|cursor| cursor.position),
            StartFrom::Sent(cursor) => Some(cursor),
        };
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
        let attach = || self.hub.attach(self.user, filter, self.group.clone(), from);
        let mut attachment = attach().await?;
        if !attachment.admitted {
            // Another node may have let the user in, and this one not have heard of it yet.
            drop(permit);
            self.hub.reach(log::head(self.hub.store()).await?.position).await;
            permit = self.hub.catch_up_permit().await;
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
                Replay { user: self.user, filter }.missed(self.hub.store(), cursor, base.position).await?
            }
        };
        self.count(&missed);
        let (steps, resync) = match missed {
            Missed::Steps(steps) => (steps, None),
            Missed::Resync(resync) => (Vec::new(), Some(resync)),
        };
        let silent = filter != Filter::Everything;
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
        drop(permit);
        Ok(if silent { notices } else { notices.chain(self.closing(upto, resync)).boxed() })
    }

    /// The missed events, a few at a time: the first few are read immediately, under the permit that the caller holds.
    async fn replay(&self, mut steps: Vec<Step>) -> Notices {
        let (hub, user) = (self.hub.clone(), self.user);
        let mut chunks = Vec::with_capacity(steps.len().div_ceil(READ_TOGETHER));
        while !steps.is_empty() {
            let rest = steps.split_off(steps.len().min(READ_TOGETHER));
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
                let _permit = hub.catch_up_permit().await;
                notices(&hub, user, &chunk).await
            }
        });
        stream::iter(first).chain(rest.flat_map(stream::iter)).boxed()
    }

    /// What ends a catch-up: that it could not be done, if so, and that from here on all is live.
    fn closing(&self, upto: Cursor, resync: Option<Resync>) -> Notices {
        let now = self.hub.clock().now();
        let resync = resync.map(|reason| Notice::new(upto, now, Content::Sync(SyncNotice::Resync(reason))));
        let synced = Notice::new(upto, now, Content::Sync(SyncNotice::Synced));
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
    let rows = match EventRows::load(hub.store(), &events, gaps, []).await {
        Ok(rows) => rows,
        Err(error) => return vec![Err(FeedError::Database(error))],
    };
    let now = hub.clock().now();
    let shown = steps.iter().filter_map(|step| match step {
        Step::Event(event) => Notice::of(event, &rows, Some(user)),
        Step::Gap(gap) => Notice::of_gap(*gap, &rows, now),
    });
    shown.map(Ok).collect()
}

impl Open for CatchUp {
    fn open(self: Arc<Self>, filter: Filter, after: Option<Cursor>) -> BoxFuture<'static, Result<Notices, FeedError>> {
        async move { self.open_feed(filter, after).await }.boxed()
    }
}
