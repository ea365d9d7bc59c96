//! Renders an event once for all sockets that asked for it in the same way.
//!
//! Subscriptions with the same document, operation and variables (except for the cursor) form a group. A group owns one
//! running GraphQL subscription: a notice goes in, one response comes out and is turned into JSON once, and all
//! mailboxes share its bytes. Each group is a task of its own, so a selection that is slow to resolve delays its own
//! group only.
//!
//! Where a document depends on the viewer, each user has a group of one's own. It renders what depends on the viewer;
//! everything else it has rendered by the *common group* of its document, once for all users, and puts it into its
//! mailboxes when its turn has come, so that they keep the order of the log.

use std::borrow::Cow;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::poll_immediate;
use futures_util::stream::BoxStream;
use tokio::sync::{mpsc, watch};
use tokio_util::task::TaskTracker;

use super::execute::{Execute, Executed, MakeRequest};
use super::feed::Feed;
use super::mailbox::{Mailboxes, Rendered};
use super::notice::Notice;
use crate::ids::UserId;
use crate::telemetry::Metrics;

pub(crate) mod shape;
mod wakeups;

use shape::{Shape, ViewerShown};
use wakeups::WakeQueue;

/// How long one rendering may take before its subscribers catch up on their own instead.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// Events that may wait in a group. When one more comes, its subscribers catch up on their own.
const QUEUE: usize = 4_096;

/// Groups that run because of one user. A document that others have, too, is started by the first of them; a group for
/// each of the rooms on a screen is far fewer.
pub const MAX_GROUPS: usize = 200;

/// Waiting events that are rendered together.
const RENDERED_TOGETHER: usize = 64;

/// The name of the type by which an event is shown.
pub type EventType = fn(&Notice) -> Cow<'static, str>;

/// What the subscriptions of a group have in common. Where a document depends on the viewer there is a group for each
/// user, and a common one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct GroupKey {
    shape: Shape,
    viewer: Option<UserId>,
}

/// A subscription that is to join a group.
pub struct Joining {
    /// Its document, operation and variables.
    pub shape: Shape,
    /// Its user.
    pub user: UserId,
    /// Makes the requests that no user is known to.
    pub shared_request: MakeRequest,
    /// Makes those that the user is known to, where the document depends on it.
    pub viewers_request: MakeRequest,
}

/// The groups of a node. Each lives for as long as somebody holds a handle on it.
pub struct Groups {
    execute: Execute,
    event_type: EventType,
    tasks: TaskTracker,
    metrics: Arc<Metrics>,
    /// A group takes itself out when it is dropped.
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    groups: HashMap<GroupKey, Weak<RenderGroup>>,
    /// How many of them each user has started.
    started: HashMap<UserId, usize>,
}

/// A user has started too many groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user may have at most {MAX_GROUPS} subscriptions that differ from those of everybody else")]
pub struct TooManyGroups;

/// A handle on a group. The group ends with its last handle.
pub struct RenderGroup {
    key: GroupKey,
    /// Who started it.
    starter: UserId,
    /// Renders what doesn't depend on the viewer. None: this group does.
    common: Option<Arc<RenderGroup>>,
    event_type: EventType,
    groups: Weak<Groups>,
    queue: mpsc::Sender<Work>,
}

/// Something to be rendered, and who is to receive it.
struct Work {
    what: What,
    mailboxes: Mailboxes,
}

enum What {
    /// This is rendered by the group.
    Notice(Arc<Notice>),
    /// This is rendered by the group for others, who have been promised it.
    Promise(Arc<Notice>, watch::Sender<Option<Arc<Rendered>>>),
    /// The common group has promised this.
    Promised(Promised),
    /// Nothing more comes for the mailboxes.
    End,
}

/// What the common group will have rendered. Without a value at its end, it could not be rendered.
type Promised = watch::Receiver<Option<Arc<Rendered>>>;

/// Rendered events that go to the same mailboxes, so that each mailbox is locked once for all of them.
struct RenderedBatch {
    mailboxes: Mailboxes,
    rendered: Vec<Arc<Rendered>>,
}

impl Groups {
    /// No groups yet. They will run on `tasks`.
    #[must_use]
    pub fn new(execute: Execute, event_type: EventType, tasks: TaskTracker, metrics: Arc<Metrics>) -> Self {
        Self { execute, event_type, tasks, metrics, running: Mutex::default() }
    }

    /// The group of this subscription, which is started if it isn't running.
    ///
    /// # Errors
    /// When the user has started [`MAX_GROUPS`] others that still run.
    pub fn join(self: &Arc<Self>, joining: Joining) -> Result<Arc<RenderGroup>, TooManyGroups> {
        let Joining { shape, user, shared_request, viewers_request } = joining;
        let key = |viewer| GroupKey { shape: shape.clone(), viewer };
        match shape.viewer_shown {
            ViewerShown::Never => self.group(key(None), user, &shared_request, None),
            ViewerShown::Always => self.group(key(Some(user)), user, &viewers_request, None),
            ViewerShown::With(_) => {
                let common = self.group(key(None), user, &shared_request, None)?;
                self.group(key(Some(user)), user, &viewers_request, Some(common))
            }
        }
    }

    fn group(
        self: &Arc<Self>,
        key: GroupKey,
        user: UserId,
        request: &MakeRequest,
        common: Option<Arc<RenderGroup>>,
    ) -> Result<Arc<RenderGroup>, TooManyGroups> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = running.groups.get(&key).and_then(Weak::upgrade) {
            return Ok(group);
        }
        let started = running.started.entry(user).or_default();
        if *started >= MAX_GROUPS {
            return Err(TooManyGroups);
        }
        *started += 1;
        let (queue, work) = mpsc::channel(QUEUE);
        let (event_type, groups) = (self.event_type, Arc::downgrade(self));
        let group = Arc::new(RenderGroup { key: key.clone(), starter: user, common, event_type, groups, queue });
        running.groups.insert(key, Arc::downgrade(&group));
        self.metrics.render_groups.inc();
        let rendering = Rendering::new(self.execute.clone(), request.clone());
        self.tasks.spawn(run(rendering, work, self.metrics.clone()));
        Ok(group)
    }
}

/// A notice to be rendered by one group.
pub struct RenderJob {
    group: Arc<RenderGroup>,
    work: Work,
}

/// The jobs of rendering one notice, for any number of groups.
pub(super) struct NoticeJobs<'n> {
    notice: &'n Arc<Notice>,
    event_type: Option<Cow<'static, str>>,
    /// What common groups have promised.
    promised: Vec<(Arc<RenderGroup>, Promised)>,
}

impl<'n> NoticeJobs<'n> {
    pub(super) fn of(notice: &'n Arc<Notice>) -> Self {
        Self { notice, event_type: None, promised: Vec::new() }
    }

    /// Adds the job of rendering the notice for this group and putting it into these mailboxes.
    pub(super) fn add(&mut self, group: &Arc<RenderGroup>, mailboxes: Mailboxes, jobs: &mut Vec<RenderJob>) {
        let what = match &group.common {
            Some(common) if !self.depends_on_viewer(group) => What::Promised(self.promised_by(common, jobs)),
            _ => What::Notice(self.notice.clone()),
        };
        jobs.push(group.job(what, mailboxes));
    }

    fn depends_on_viewer(&mut self, group: &RenderGroup) -> bool {
        let event_type = self.event_type.get_or_insert_with(|| (group.event_type)(self.notice));
        group.key.shape.viewer_shown.with(event_type)
    }

    /// What this common group will render, whose job is added with the first who ask for it.
    fn promised_by(&mut self, common: &Arc<RenderGroup>, jobs: &mut Vec<RenderJob>) -> Promised {
        if let Some((_, promised)) = self.promised.iter().find(|(by, _)| Arc::ptr_eq(by, common)) {
            return promised.clone();
        }
        let (promise, promised) = watch::channel(None);
        jobs.push(common.job(What::Promise(self.notice.clone(), promise), Mailboxes::default()));
        self.promised.push((common.clone(), promised.clone()));
        promised
    }
}

impl RenderJob {
    /// Hands the work to the group, which renders and delivers in the order of these calls. If the group's queue is
    /// full, the mailboxes lag, and so do those that were promised the rendering.
    pub fn hand_over(self) {
        if let Err(refused) = self.group.queue.try_send(self.work) {
            let (mpsc::error::TrySendError::Full(work) | mpsc::error::TrySendError::Closed(work)) = refused;
            work.mailboxes.iter().for_each(|mailbox| mailbox.lag());
        }
    }
}

impl RenderGroup {
    fn job(self: &Arc<Self>, what: What, mailboxes: Mailboxes) -> RenderJob {
        RenderJob { group: self.clone(), work: Work { what, mailboxes } }
    }

    /// The job of ending these mailboxes, behind everything that was handed over for them before.
    #[must_use]
    pub fn end(self: &Arc<Self>, mailboxes: Mailboxes) -> RenderJob {
        self.job(What::End, mailboxes)
    }
}

impl Drop for RenderGroup {
    fn drop(&mut self) {
        let Some(groups) = self.groups.upgrade() else { return };
        groups.metrics.render_groups.dec();
        let mut running = groups.running.lock().unwrap_or_else(PoisonError::into_inner);
        // Another group may have been started under this key already.
        if running.groups.get(&self.key).is_some_and(|group| group.strong_count() == 0) {
            running.groups.remove(&self.key);
        }
        match running.started.get_mut(&self.starter) {
            Some(started) if *started > 1 => *started -= 1,
            _ => drop(running.started.remove(&self.starter)),
        }
    }
}

/// Renders what waits in the queue, puts it into its mailboxes and wakes their sockets, alternating between the two.
/// Events that were committed together reach a socket together, which writes them together. No rendered event waits for
/// a slow rendering.
async fn run(mut rendering: Rendering, mut queue: mpsc::Receiver<Work>, metrics: Arc<Metrics>) {
    let (mut waiting, mut wakeups) = (Vec::new(), WakeQueue::default());
    loop {
        tokio::select! {
            biased;
            taken = queue.recv_many(&mut waiting, RENDERED_TOGETHER), if wakeups.has_room() => {
                if taken == 0 {
                    return;
                }
                render(&mut rendering, waiting.drain(..), &mut wakeups, &metrics).await;
            }
            () = wakeups.due() => {}
        }
        wakeups.wake_some().await;
    }
}

/// Renders these notices and puts them into their mailboxes.
async fn render(
    rendering: &mut Rendering,
    waiting: impl Iterator<Item = Work>,
    wakeups: &mut WakeQueue,
    metrics: &Metrics,
) {
    let mut batch: Option<RenderedBatch> = None;
    for Work { what, mailboxes } in waiting {
        if batch.as_ref().is_some_and(|batch| !Arc::ptr_eq(&batch.mailboxes, &mailboxes)) {
            put(wakeups, batch.take());
        }
        let (what, promise) = match what {
            What::End => {
                put(wakeups, batch.take());
                mailboxes.iter().for_each(|mailbox| mailbox.end());
                continue;
            }
            What::Notice(notice) => (Ok(notice), None),
            What::Promise(notice, promise) => (Ok(notice), Some(promise)),
            What::Promised(promised) => (Err(promised), None),
        };
        let mut rendered = pin!(async {
            match what {
                Ok(notice) => rendering.render(notice, metrics).await,
                Err(promised) => kept(promised).await,
            }
        });
        let immediately = poll_immediate(rendered.as_mut()).await;
        let rendered = if let Some(rendered) = immediately {
            rendered
        } else {
            put(wakeups, batch.take());
            wakeups.meanwhile(rendered).await
        };
        let Some(rendered) = rendered else {
            // Those who were promised it see that the promise is dropped.
            mailboxes.iter().for_each(|mailbox| mailbox.lag());
            continue;
        };
        if let Some(promise) = promise {
            promise.send_replace(Some(rendered.clone()));
        }
        let batch = batch.get_or_insert_with(|| RenderedBatch { mailboxes, rendered: Vec::new() });
        batch.rendered.push(rendered);
    }
    put(wakeups, batch);
}

/// What was promised, once it is rendered.
async fn kept(mut promised: Promised) -> Option<Arc<Rendered>> {
    let rendered = promised.wait_for(Option::is_some).await.ok()?;
    rendered.clone()
}

fn put(wakeups: &mut WakeQueue, batch: Option<RenderedBatch>) {
    if let Some(RenderedBatch { mailboxes, rendered }) = batch {
        wakeups.put(mailboxes, &rendered);
    }
}

/// One running GraphQL subscription, which renders notices one by one.
pub struct Rendering {
    execute: Execute,
    request: MakeRequest,
    running: Option<(mpsc::Sender<Arc<Notice>>, BoxStream<'static, Executed>)>,
}

impl Rendering {
    /// A rendering by these requests, which isn't running yet.
    #[must_use]
    pub fn new(execute: Execute, request: MakeRequest) -> Self {
        Self { execute, request, running: None }
    }

    /// The response to one notice. `None` if rendering failed or took too long; the next notice then starts a
    /// new execution.
    async fn render(&mut self, notice: Arc<Notice>, metrics: &Metrics) -> Option<Arc<Rendered>> {
        let (cursor, is_logged) = (notice.cursor, notice.content.is_logged());
        let payload = self.execute(notice).await?.to_json().into();
        metrics.renders.inc();
        Some(Arc::new(Rendered { cursor, payload, is_logged }))
    }

    /// The response to one notice, with or without errors of the client's. `None` as of [`Self::render`].
    pub async fn execute(&mut self, notice: Arc<Notice>) -> Option<Executed> {
        let (sender, mut responses) = self.running.take().unwrap_or_else(|| {
            let (sender, notices) = mpsc::channel(1);
            let request = (self.request)().data(Feed::shared(notices));
            (sender, (self.execute)(request))
        });
        sender.try_send(notice).ok()?;
        match tokio::time::timeout(DEADLINE, responses.next()).await {
            Ok(Some(executed)) if executed.is_servers_failure() => {
                tracing::warn!(errors = ?executed.response.errors, "an event could not be rendered for its group");
                None
            }
            Ok(Some(executed)) => {
                self.running = Some((sender, responses));
                Some(executed)
            }
            Ok(None) => None,
            Err(_) => {
                tracing::warn!(deadline = ?DEADLINE, "rendering an event for its group took too long");
                None
            }
        }
    }
}
