//! One subscription's catch-up: reads from the log what the subscription missed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream;
use sea_orm::DbErr;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Parts;
use super::patience::{Patience, Waiters};
use crate::delivery::allowance::Allowance;
use crate::delivery::feed::{FeedError, Notices, Open};
use crate::delivery::hub::{Attachment, CatchUpPermit, Hub};
use crate::delivery::notice::{Content, EventRows, Notice, SyncNotice};
use crate::delivery::render::RenderGroup;
use crate::ids::UserId;
use crate::log::replay::{Filter, Missed, Replay, Resync, Step};
use crate::log::{self, resume};
use crate::position::{Cursor, Resume, ShownCursor};
use crate::telemetry::Metrics;

/// Missed events that are read and held at a time, so that a long replay to a slow socket takes little memory.
const READ_TOGETHER: usize = 32;

/// One subscription's catch-up. While the database can't be read it waits, and holds neither a permit nor a connection.
pub(super) struct CatchUp {
    pub(super) hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    waiters: Arc<Waiters>,
    group: Arc<RenderGroup>,
    user: UserId,
    allowance: Allowance,
    /// Whether it waits between two tries.
    is_waiting: watch::Sender<bool>,
    progress: Mutex<Progress>,
}

/// How far a catch-up has come.
struct Progress {
    from: StartFrom,
    patience: Patience,
    /// The permit under which the first try begins.
    permit: Option<CatchUpPermit>,
    /// The notice that is being rendered.
    rendering: Option<ShownCursor>,
    /// The last notice that was rendered.
    rendered: Option<Cursor>,
    /// The user is no longer in the only room that the subscription was to.
    is_over: bool,
    /// The result: set when the feed is opened, taken by the subscription once everything missed was shown.
    caught_up: Option<CaughtUp>,
}

/// Where a catch-up begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum StartFrom {
    /// Where the client asks: at the cursor in the document or its variables; without one, at this, which came beside
    /// them; without either, now.
    Client(Option<Resume>),
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
    /// A catch-up from there, not begun yet.
    pub(super) fn new(parts: &Parts, from: StartFrom) -> Self {
        let Parts { hub, metrics, waiters, group, user, allowance, .. } = parts;
        let patience = Patience::default();
        let progress =
            Progress { from, patience, permit: None, rendering: None, rendered: None, is_over: false, caught_up: None };
        Self {
            hub: hub.clone(),
            metrics: metrics.clone(),
            waiters: waiters.clone(),
            group: group.clone(),
            user: *user,
            allowance: allowance.clone(),
            is_waiting: watch::Sender::new(false),
            progress: Mutex::new(progress),
        }
    }

    /// Waits until the first try may begin, and keeps its permit.
    pub(super) async fn turn(&self) {
        // A client receives before `Synced` every change that this node had acknowledged to it before it subscribed.
        if matches!(self.lock().from, StartFrom::Client(_)) {
            self.hub.caught_up().await;
        }
        let permit = self.hub.catch_up_permit(self.user).await;
        self.keep(permit);
    }

    /// Stores the permit under which the catch-up reads first.
    pub(super) fn keep(&self, permit: Option<CatchUpPermit>) {
        self.lock().permit = permit;
    }

    /// Whether the feed was opened, and not refused: then every response is an event.
    pub(super) fn is_under_way(&self) -> bool {
        self.lock().caught_up.is_some()
    }

    /// Whether nothing can come any more, because the subscription had begun and its user has left its room since.
    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// Notes that the last notice of the feed was rendered, and returns its cursor.
    pub(super) fn was_rendered(&self) -> Option<ShownCursor> {
        let mut progress = self.lock();
        let rendered = progress.rendering.take();
        progress.rendered = rendered.map(ShownCursor::cursor).or(progress.rendered);
        progress.patience.renew();
        rendered
    }

    /// Waits for the next try after a notice of the feed could not be rendered; it begins with that notice. `false`: it
    /// was tried for long enough.
    pub(super) async fn begin_again(&self) -> bool {
        {
            let mut progress = self.lock();
            progress.caught_up = None;
            progress.rendering = None;
            progress.from = progress.rendered.map_or(progress.from, StartFrom::Sent);
        }
        self.wait(None).await
    }

    /// Takes the result. `None` if the feed was refused, or isn't opened yet.
    pub(super) fn take(&self) -> Option<CaughtUp> {
        self.lock().caught_up.take()
    }

    /// Resolves while the catch-up waits between two tries, when nothing is lost by ending it.
    pub(super) async fn waits(&self) {
        // The sender lives as long as this.
        let _ = self.is_waiting.subscribe().wait_for(|waits| *waits).await;
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next try. `false`: it was tried for long enough.
    async fn wait(&self, error: Option<&DbErr>) -> bool {
        let Some(pause) = self.lock().patience.pause(Instant::now(), &self.waiters, error) else { return false };
        self.is_waiting.send_replace(true);
        tokio::time::sleep(pause).await;
        self.is_waiting.send_replace(false);
        true
    }

    async fn open_feed(self: &Arc<Self>, filter: Filter, after: Option<Resume>) -> Result<Notices, FeedError> {
        loop {
            match self.attempt(filter, after).await {
                Err(FeedError::Database(error)) if self.wait(Some(&error)).await => {}
                opened => return opened,
            }
        }
    }

    async fn attempt(self: &Arc<Self>, filter: Filter, after: Option<Resume>) -> Result<Notices, FeedError> {
        let (from, permit) = {
            let mut progress = self.lock();
            (progress.from, progress.permit.take())
        };
        let mut permit = match permit {
            Some(permit) => Some(permit),
            None => self.hub.catch_up_permit(self.user).await,
        };
        let from = match from {
            StartFrom::Client(beside) => match after.or(beside) {
                Some(asked) => resume::cursor(asked, self.hub.store()).await?.map(Some),
                None => Ok(None),
            },
            StartFrom::Sent(cursor) => Ok(Some(cursor)),
        };
        let attach =
            || self.hub.attach(self.user, filter, self.group.clone(), self.allowance.clone(), from.ok().flatten());
        let mut attachment = attach().await?;
        if !attachment.admitted {
            // The user may have joined through another node, and the tail of this node may not have read that yet.
            drop(permit);
            self.hub.reach(log::head(self.hub.store()).await?.position).await;
            permit = self.hub.catch_up_permit(self.user).await;
            attachment = attach().await?;
        }
        if !attachment.admitted {
            let mut progress = self.lock();
            progress.is_over = matches!(progress.from, StartFrom::Sent(_));
            return Err(FeedError::RoomNotFound);
        }
        let base = attachment.base;
        let missed = match (from, attachment.missed.take()) {
            (Err(resync), _) => Missed::Resync(resync),
            (Ok(None), _) => Missed::Steps(Vec::new()),
            (Ok(Some(_)), Some(events)) => Missed::Steps(events.into_iter().map(Step::Event).collect()),
            (Ok(Some(cursor)), None) => {
                Replay { user: self.user, filter }.missed(self.hub.store(), cursor, base.position).await?
            }
        };
        let kind = kind(&missed);
        let (steps, resync) = match missed {
            Missed::Steps(steps) => (steps, None),
            Missed::Resync(resync) => {
                attachment.begin_at_base();
                (Vec::new(), Some(resync))
            }
        };
        let silent = filter != Filter::Everything;
        if silent && (resync.is_some() || steps.iter().any(|step| matches!(step, Step::Gap(_)))) {
            return Err(FeedError::TooFarBehind);
        }
        // A cursor ahead of this node was given out by another node that is faster, and is valid: nothing up to it is
        // shown again.
        let upto = match (from, resync) {
            (Ok(Some(cursor)), None) if cursor.position > base.position => cursor,
            _ => base,
        };
        let notices = self.replay(steps).await?;
        drop(permit);
        self.metrics.replays.with_label_values(&[kind]).inc();
        self.lock().caught_up = Some(CaughtUp { attachment, upto });
        let notices = if silent { notices } else { notices.chain(self.closing(upto, resync)).boxed() };
        let this = self.clone();
        Ok(notices.inspect(move |notice| this.hands_out(notice)).boxed())
    }

    /// Notes that this notice is rendered next, which shows that those before it are done.
    fn hands_out(&self, notice: &Result<Arc<Notice>, FeedError>) {
        let mut progress = self.lock();
        progress.rendered = progress.rendering.map(ShownCursor::cursor).or(progress.rendered);
        progress.rendering = notice.as_ref().ok().map(|notice| notice.shown_cursor());
    }

    /// The notices of the missed events, read a few at a time: the first few immediately, under the permit that the
    /// caller holds, the others under a permit each time.
    async fn replay(self: &Arc<Self>, mut steps: Vec<Step>) -> Result<Notices, FeedError> {
        let mut chunks = Vec::with_capacity(steps.len().div_ceil(READ_TOGETHER));
        while !steps.is_empty() {
            let rest = steps.split_off(steps.len().min(READ_TOGETHER));
            chunks.push(std::mem::replace(&mut steps, rest));
        }
        let mut chunks = chunks.into_iter();
        let first = match chunks.next() {
            Some(chunk) => self.notices(&chunk).await?,
            None => Vec::new(),
        };
        let this = self.clone();
        let rest = stream::iter(chunks).then(move |chunk| {
            let this = this.clone();
            async move { this.later_notices(&chunk).await }
        });
        Ok(stream::iter(first.into_iter().map(Ok)).chain(rest.flat_map(stream::iter)).boxed())
    }

    /// The notices of these steps, read under a permit of their own as soon as the database can be read.
    async fn later_notices(&self, steps: &[Step]) -> Vec<Result<Arc<Notice>, FeedError>> {
        loop {
            let permit = self.hub.catch_up_permit(self.user).await;
            let read = self.notices(steps).await;
            drop(permit);
            match read {
                Ok(notices) => return notices.into_iter().map(Ok).collect(),
                Err(error) if self.wait(Some(&error)).await => {}
                Err(error) => return vec![Err(FeedError::Database(error))],
            }
        }
    }

    /// The notices of these steps.
    async fn notices(&self, steps: &[Step]) -> Result<Vec<Arc<Notice>>, DbErr> {
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
        let rows = EventRows::load(self.hub.store(), &events, gaps, []).await?;
        let now = self.hub.clock().now();
        let shown = steps.iter().filter_map(|step| match step {
            Step::Event(event) => Notice::of(event, &rows, Some(self.user)),
            Step::Gap(gap) => Notice::of_gap(*gap, &rows, now),
        });
        Ok(shown.collect())
    }

    /// The notices that end a catch-up: `ResyncRequired` if the log could not be replayed, then `Synced`.
    fn closing(&self, upto: Cursor, resync: Option<Resync>) -> Notices {
        let now = self.hub.clock().now();
        let resync = resync.map(|reason| Notice::new(upto, now, Content::Sync(SyncNotice::Resync(reason))));
        let synced = Notice::new(upto, now, Content::Sync(SyncNotice::Synced));
        stream::iter(resync.into_iter().chain([synced]).map(Ok)).boxed()
    }
}

/// What kind of catch-up it is, for metrics.
fn kind(missed: &Missed) -> &'static str {
    match missed {
        Missed::Resync(_) => "resync",
        Missed::Steps(steps) if steps.iter().any(|step| matches!(step, Step::Gap(_))) => "gap",
        Missed::Steps(steps) if steps.is_empty() => "empty",
        Missed::Steps(_) => "replay",
    }
}

impl Open for CatchUp {
    fn open(self: Arc<Self>, filter: Filter, after: Option<Resume>) -> BoxFuture<'static, Result<Notices, FeedError>> {
        async move { self.open_feed(filter, after).await }.boxed()
    }
}
