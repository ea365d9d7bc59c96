//! Rendering an event once for all sockets that asked for it in the same way.
//!
//! Subscriptions with the same document, operation and variables (but for the cursor) form a group. A group owns one
//! running GraphQL subscription: an event goes in, one response comes out, is turned into JSON once, and its bytes are
//! shared. Each group is a task of its own, so a selection that is slow to resolve delays its own group only.

pub mod shape;
mod wakeups;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_graphql::{Response, ServerError, Value};
use futures_util::StreamExt;
use futures_util::future::poll_immediate;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::delivery::feed::Feed;
use crate::delivery::hub::audience::Mailboxes;
use crate::delivery::mailbox::Rendered;
use crate::delivery::notice::Notice;
use crate::delivery::{Execute, MakeRequest};
use crate::ids::UserId;
use crate::telemetry::Metrics;
use shape::Shape;
use wakeups::Rounds;

/// How long one rendering may take before its subscribers catch up on their own instead.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// Renderings that may wait in a group; one more, and its subscribers catch up on their own.
const QUEUE: usize = 4_096;

/// Waiting renderings that are taken up together.
const RENDERED_AT_ONCE: usize = 64;

/// What a group has in common. With a field that depends on who asks, that is one user's alone.
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

/// The groups of a node, each for as long as somebody holds it.
pub struct Groups {
    execute: Execute,
    tasks: TaskTracker,
    metrics: Arc<Metrics>,
    /// Groups that may have ended are taken out by their own drop.
    running: Mutex<HashMap<GroupKey, Weak<Group>>>,
}

/// A handle on a group. The group ends with its last handle.
pub struct Group {
    key: GroupKey,
    groups: Weak<Groups>,
    queue: mpsc::Sender<Work>,
}

/// One event on its way through a group.
struct Work {
    notice: Arc<Notice>,
    mailboxes: Mailboxes,
}

/// Rendered events that go to the same mailboxes, so that each is filled once.
struct Sheaf {
    mailboxes: Mailboxes,
    rendered: Vec<Arc<Rendered>>,
}

impl Groups {
    /// No groups yet. They will run on `tasks`.
    #[must_use]
    pub fn new(execute: Execute, tasks: TaskTracker, metrics: Arc<Metrics>) -> Self {
        Self { execute, tasks, metrics, running: Mutex::default() }
    }

    /// The group of this key, begun if it isn't there.
    #[must_use]
    pub fn join(self: &Arc<Self>, key: GroupKey, request: &MakeRequest) -> Arc<Group> {
        let mut groups = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = groups.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        let (queue, work) = mpsc::channel(QUEUE);
        let group = Arc::new(Group { key: key.clone(), groups: Arc::downgrade(self), queue });
        groups.insert(key, Arc::downgrade(&group));
        self.metrics.render_groups.inc();
        let rendering = Rendering::new(self.execute.clone(), request.clone());
        self.tasks.spawn(run(rendering, work, self.metrics.clone()));
        group
    }
}

/// An event for those of its subscribers who share a rendering.
pub struct Delivery {
    group: Arc<Group>,
    work: Work,
}

impl Delivery {
    /// Hands it to the group, which renders and delivers in the order of these calls.
    pub fn hand_over(self) {
        if let Err(refused) = self.group.queue.try_send(self.work) {
            let (mpsc::error::TrySendError::Full(work) | mpsc::error::TrySendError::Closed(work)) = refused;
            work.mailboxes.iter().for_each(|mailbox| mailbox.lag());
        }
    }
}

impl Group {
    /// To have `notice` rendered and put into these mailboxes.
    #[must_use]
    pub fn delivery(self: &Arc<Self>, notice: Arc<Notice>, mailboxes: Mailboxes) -> Delivery {
        Delivery { group: self.clone(), work: Work { notice, mailboxes } }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(groups) = self.groups.upgrade() else { return };
        groups.metrics.render_groups.dec();
        let mut held = groups.running.lock().unwrap_or_else(PoisonError::into_inner);
        // Another may have been begun under this key already.
        if held.get(&self.key).is_some_and(|group| group.strong_count() == 0) {
            held.remove(&self.key);
        }
    }
}

/// Renders what waits and puts it into its mailboxes, and wakes their sockets, in turns. Events that were committed together
/// reach a socket together, which writes them at once. Nothing that is rendered waits for a rendering that takes its time.
async fn run(mut rendering: Rendering, mut queue: mpsc::Receiver<Work>, metrics: Arc<Metrics>) {
    let (mut waiting, mut rounds) = (Vec::new(), Rounds::default());
    loop {
        tokio::select! {
            biased;
            taken = queue.recv_many(&mut waiting, RENDERED_AT_ONCE), if rounds.has_room() => {
                if taken == 0 {
                    return;
                }
                render(&mut rendering, waiting.drain(..), &mut rounds, &metrics).await;
            }
            () = rounds.due() => {}
        }
        rounds.wake_some().await;
    }
}

/// Renders these and puts them into their mailboxes.
async fn render(
    rendering: &mut Rendering,
    waiting: impl Iterator<Item = Work>,
    rounds: &mut Rounds,
    metrics: &Metrics,
) {
    let mut sheaf: Option<Sheaf> = None;
    for Work { notice, mailboxes } in waiting {
        if sheaf.as_ref().is_some_and(|sheaf| !Arc::ptr_eq(&sheaf.mailboxes, &mailboxes)) {
            put(rounds, sheaf.take());
        }
        let (cursor, is_logged) = (notice.cursor, notice.what.is_logged());
        let mut payload = pin!(rendering.render(notice));
        let at_once = poll_immediate(payload.as_mut()).await;
        let payload = if let Some(payload) = at_once {
            payload
        } else {
            put(rounds, sheaf.take());
            rounds.meanwhile(payload).await
        };
        let Some(payload) = payload else {
            mailboxes.iter().for_each(|mailbox| mailbox.lag());
            continue;
        };
        metrics.renders.inc();
        let sheaf = sheaf.get_or_insert_with(|| Sheaf { mailboxes, rendered: Vec::new() });
        sheaf.rendered.push(Arc::new(Rendered { cursor, payload, is_logged }));
    }
    put(rounds, sheaf);
}

fn put(rounds: &mut Rounds, sheaf: Option<Sheaf>) {
    if let Some(Sheaf { mailboxes, rendered }) = sheaf {
        rounds.put(mailboxes, &rendered);
    }
}

/// One running subscription into which notices are put one by one.
struct Rendering {
    execute: Execute,
    request: MakeRequest,
    running: Option<(mpsc::Sender<Arc<Notice>>, BoxStream<'static, Response>)>,
}

impl Rendering {
    fn new(execute: Execute, request: MakeRequest) -> Self {
        Self { execute, request, running: None }
    }

    /// The response to one notice as JSON. None: it failed or took too long; the next begins with a fresh execution.
    async fn render(&mut self, notice: Arc<Notice>) -> Option<Arc<str>> {
        let (sender, mut responses) = self.running.take().unwrap_or_else(|| {
            let (sender, notices) = mpsc::channel(1);
            let request = (self.request)().data(Feed::shared(notices));
            (sender, (self.execute)(request))
        });
        sender.try_send(notice).ok()?;
        let response = tokio::time::timeout(DEADLINE, responses.next()).await;
        match response {
            Ok(Some(response)) if !is_servers_failure(&response) => {
                self.running = Some((sender, responses));
                to_json(&response)
            }
            Ok(Some(response)) => {
                tracing::warn!(errors = ?response.errors, "an event could not be rendered for its group");
                None
            }
            Ok(None) => None,
            Err(_) => {
                tracing::warn!(deadline = ?DEADLINE, "rendering an event for its group took too long");
                None
            }
        }
    }
}

/// Whether something failed that may succeed when it is tried again. Anything else that is wrong is wrong with the
/// document, such as a page that is too large, and for its client to see.
pub(crate) fn is_servers_failure(response: &Response) -> bool {
    response.errors.iter().any(|error| code(error).is_none())
        || has_code(response, &["INTERNAL_SERVER_ERROR", "UNAVAILABLE"])
}

fn has_code(response: &Response, codes: &[&str]) -> bool {
    response.errors.iter().filter_map(code).any(|code| codes.contains(&code))
}

fn code(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

/// A response as JSON. None, logged: it can't be written, which async-graphql's values always can.
pub(crate) fn to_json(response: &Response) -> Option<Arc<str>> {
    match serde_json::to_string(response) {
        Ok(json) => Some(json.into()),
        Err(error) => {
            tracing::error!(%error, "a response could not be written as JSON");
            None
        }
    }
}
