//! One subscription's catch-up: reads from the log what the subscription missed.

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

/// Missed events that are read and held at a time, so that a long replay to a slow socket takes little memory.
const READ_TOGETHER: usize = 32;

/// One subscription's catch-up.
pub(super) struct CatchUp {
    pub(super) hub: Arc<Hub>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) group: Arc<RenderGroup>,
    pub(super) user: UserId,
    pub(super) from: StartFrom,
    /// The permit to read from the database, until `open_feed` takes it.
    pub(super) permit: Mutex<Option<CatchUpPermit>>,
    /// The result: set when the feed is opened, taken by the subscription once everything missed was shown.
    pub(super) caught_up: Mutex<Option<CaughtUp>>,
}

/// Where a catch-up begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum StartFrom {
    /// At the later of the two cursors that came with the connection and as an argument; without either, now.
    Client(Option<Cursor>),
    /// At the last event that was sent to the socket, whatever the client's first cursor was.
    Sent(Cursor),
}

/// The result of a catch-up.
pub(super) struct CaughtUp {
    /// The subscription's registration in the hub.
    pub attachment: Attachment,
    /// Everything up to here has been shown: events of the mailbox up to it are to be skipped.
    pub upto: Cursor,
}

impl CatchUp {
    /// Stores the permit under which the catch-up reads first.
    pub(super) fn keep(&self, permit: Option<CatchUpPermit>) {
        *self.permit.lock().unwrap_or_else(PoisonError::into_inner) = permit;
    }

    /// Whether the feed was opened, and not refused: then every response is an event.
    pub(super) fn is_under_way(&self) -> bool {
        self.caught_up.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes the result. `None` if the feed was refused, or isn't opened yet.
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
            // The user may have joined through another node, and the tail of this node may not have read that yet.
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
        // A cursor ahead of this node was given out by another node that is faster, and is valid: nothing up to it is
        // shown again.
        let upto = match (from, resync) {
            (Some(cursor), None) if cursor.position > base.position => cursor,
            _ => base,
        };
        *self.caught_up.lock().unwrap_or_else(PoisonError::into_inner) = Some(CaughtUp { attachment, upto });
        let notices = self.replay(steps).await;
        drop(permit);
        Ok(if silent { notices } else { notices.chain(self.closing(upto, resync)).boxed() })
    }

    /// The notices of the missed events, read a few at a time: the first few immediately, under the permit that the
    /// caller holds, the others under a permit each time.
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

    /// The notices that end a catch-up: `ResyncRequired` if the log could not be replayed, then `Synced`.
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

/// The notices of these steps, or the failure to read their rows.
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
