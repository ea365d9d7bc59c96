//! Renders an event once for all sockets that asked for it in the same way.
//!
//! Subscriptions with the same document, operation and variables (except for the cursor) form a group. A group owns one
//! running GraphQL subscription: a notice goes in, one response comes out and is turned into JSON once, and all
//! mailboxes share its bytes. Each group is a task of its own, so a selection that is slow to resolve delays its own
//! group only.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::poll_immediate;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::execute::{Execute, Executed, MakeRequest};
use super::feed::Feed;
use super::mailbox::{Mailboxes, Rendered};
use super::notice::Notice;
use crate::ids::UserId;
use crate::telemetry::Metrics;

pub(crate) mod shape;
mod wakeups;

use shape::Shape;
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

/// What the subscriptions of a group have in common. A document with a field that depends on the viewer has a group per
/// user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupKey {
    shape: Shape,
    viewer: Option<UserId>,
}

impl GroupKey {
    /// The group of this user's subscription.
    #[must_use]
    pub fn new(shape: Shape, user: UserId) -> Self {
        let viewer = shape.depends_on_viewer.then_some(user);
        Self { shape, viewer }
    }
}

/// The groups of a node. Each lives for as long as somebody holds a handle on it.
pub struct Groups {
    execute: Execute,
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
    groups: Weak<Groups>,
    queue: mpsc::Sender<Work>,
}

/// One notice, and the mailboxes that are to receive its rendering. Without a notice nothing more comes for them.
struct Work {
    notice: Option<Arc<Notice>>,
    mailboxes: Mailboxes,
}

/// Rendered events that go to the same mailboxes, so that each mailbox is locked once for all of them.
struct RenderedBatch {
    mailboxes: Mailboxes,
    rendered: Vec<Arc<Rendered>>,
}

impl Groups {
    /// No groups yet. They will run on `tasks`.
    #[must_use]
    pub fn new(execute: Execute, tasks: TaskTracker, metrics: Arc<Metrics>) -> Self {
        Self { execute, tasks, metrics, running: Mutex::default() }
    }

    /// The group with this key, for a subscription of this user, who starts it if it isn't running.
    ///
    /// # Errors
    /// When the user has started [`MAX_GROUPS`] others that still run.
    pub fn join(
        self: &Arc<Self>,
        key: GroupKey,
        user: UserId,
        request: &MakeRequest,
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
        let group = Arc::new(RenderGroup { key: key.clone(), starter: user, groups: Arc::downgrade(self), queue });
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

impl RenderJob {
    /// Hands the notice to the group, which renders and delivers in the order of these calls. If the group's queue is
    /// full, the mailboxes lag.
    pub fn hand_over(self) {
        if let Err(refused) = self.group.queue.try_send(self.work) {
            let (mpsc::error::TrySendError::Full(work) | mpsc::error::TrySendError::Closed(work)) = refused;
            work.mailboxes.iter().for_each(|mailbox| mailbox.lag());
        }
    }
}

impl RenderGroup {
    /// The job of rendering `notice` and putting it into these mailboxes.
    #[must_use]
    pub fn job(self: &Arc<Self>, notice: Arc<Notice>, mailboxes: Mailboxes) -> RenderJob {
        RenderJob { group: self.clone(), work: Work { notice: Some(notice), mailboxes } }
    }

    /// The job of ending these mailboxes, behind everything that was handed over for them before.
    #[must_use]
    pub fn end(self: &Arc<Self>, mailboxes: Mailboxes) -> RenderJob {
        RenderJob { group: self.clone(), work: Work { notice: None, mailboxes } }
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
    for Work { notice, mailboxes } in waiting {
        if batch.as_ref().is_some_and(|batch| !Arc::ptr_eq(&batch.mailboxes, &mailboxes)) {
            put(wakeups, batch.take());
        }
        let Some(notice) = notice else {
            put(wakeups, batch.take());
            mailboxes.iter().for_each(|mailbox| mailbox.end());
            continue;
        };
        let (cursor, is_logged) = (notice.cursor, notice.content.is_logged());
        let mut payload = pin!(rendering.render(notice));
        let immediately = poll_immediate(payload.as_mut()).await;
        let payload = if let Some(payload) = immediately {
            payload
        } else {
            put(wakeups, batch.take());
            wakeups.meanwhile(payload).await
        };
        let Some(payload) = payload else {
            mailboxes.iter().for_each(|mailbox| mailbox.lag());
            continue;
        };
        metrics.renders.inc();
        let batch = batch.get_or_insert_with(|| RenderedBatch { mailboxes, rendered: Vec::new() });
        batch.rendered.push(Arc::new(Rendered { cursor, payload, is_logged }));
    }
    put(wakeups, batch);
}

fn put(wakeups: &mut WakeQueue, batch: Option<RenderedBatch>) {
    if let Some(RenderedBatch { mailboxes, rendered }) = batch {
        wakeups.put(mailboxes, &rendered);
    }
}

/// One running GraphQL subscription, which renders notices one by one.
struct Rendering {
    execute: Execute,
    request: MakeRequest,
    running: Option<(mpsc::Sender<Arc<Notice>>, BoxStream<'static, Executed>)>,
}

impl Rendering {
    fn new(execute: Execute, request: MakeRequest) -> Self {
        Self { execute, request, running: None }
    }

    /// The response to one notice as JSON. `None` if rendering failed or took too long; the next notice then starts a
    /// new execution.
    async fn render(&mut self, notice: Arc<Notice>) -> Option<Arc<str>> {
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
                Some(executed.to_json().into())
            }
            Ok(None) => None,
            Err(_) => {
                tracing::warn!(deadline = ?DEADLINE, "rendering an event for its group took too long");
                None
            }
        }
    }
}
