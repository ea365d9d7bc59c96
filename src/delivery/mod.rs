//! From the log to the sockets.
//!
//! One column, from the top: a [`Subscription`] is one operation on one socket. It first catches up from the log, then
//! empties its [`mailbox`], and catches up again after the mailbox overflowed. The [`hub`] follows the log and knows
//! which subscriptions of this node want an event. It turns the event into a [`notice`] and hands that to the
//! [`render`] group of each distinct document, which renders it once and puts the shared bytes into the mailbox of
//! every subscription concerned.
//!
//! Delivery knows events and bytes; it knows neither the rules of the chat nor any transport. A GraphQL resolver uses
//! only its [`Feed`].

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::ids::UserId;
use crate::position::Resume;
use crate::telemetry::Metrics;

pub mod allowance;
pub(crate) mod bounded;
pub(crate) mod execute;
pub(crate) mod feed;
pub mod hub;
pub mod mailbox;
pub(crate) mod notice;
pub mod render;
pub(crate) mod subscription;

pub use allowance::Allowance;
pub use execute::{Execute, Executed, MakeRequest};
pub use feed::{Feed, FeedError};
pub use hub::Hub;
pub use notice::{Content, Notice};
pub use render::shape::{Shape, ViewerShown};
pub use subscription::{Delivered, Subscription, WaitLimits};

pub use render::{EventType, Rendering, TooManyGroups};
use render::{Groups, Joining};
use subscription::{Parts, Waiters};

/// The delivery of one node, which begins subscriptions. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    hub: Arc<Hub>,
    groups: Arc<Groups>,
    execute: Execute,
    tasks: TaskTracker,
    metrics: Arc<Metrics>,
    waiters: Arc<Waiters>,
}

/// What a socket asks for with one `subscribe`.
pub struct Subscribe {
    /// The subscriber.
    pub user: UserId,
    /// Where it resumes, unless a cursor among its arguments says otherwise.
    pub resume: Option<Resume>,
    /// What may wait for the socket.
    pub allowance: Allowance,
    /// The operation's document, name and variables.
    pub shape: Shape,
    /// Makes the requests that are executed for this subscription alone.
    pub request: MakeRequest,
    /// Makes the requests whose execution it shares with all subscriptions of the same shape, by
    /// [`Shape::shared_variables`]. They know no viewer.
    pub shared_request: MakeRequest,
    /// Makes those whose execution it shares with the user's other subscriptions of the same shape: they know the
    /// viewer.
    pub viewers_request: MakeRequest,
}

impl Delivery {
    /// The delivery from this hub, of events whose types have these names. Rendering and catching up run on `tasks`. A
    /// subscription that can't read the database waits as long as `wait_limits` say.
    #[must_use]
    pub fn new(
        hub: Arc<Hub>,
        execute: Execute,
        event_type: EventType,
        tasks: TaskTracker,
        metrics: Arc<Metrics>,
        wait_limits: WaitLimits,
    ) -> Self {
        let groups = Arc::new(Groups::new(execute.clone(), event_type, tasks.clone(), metrics.clone()));
        let waiters = Arc::new(Waiters::new(metrics.clone(), wait_limits));
        Self { hub, groups, execute, tasks, metrics, waiters }
    }

    /// The hub, which follows the log; it also knows the last event that was handed out and the open sockets of each
    /// session.
    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Begins a subscription. Nothing happens until it is polled; a refusal of its document comes as its first item.
    ///
    /// # Errors
    /// When the user has too many that nobody else shares.
    pub fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, TooManyGroups> {
        let Subscribe { user, resume, allowance, shape, request, shared_request, viewers_request } = subscribe;
        let group = self.groups.join(Joining { shape, user, shared_request, viewers_request })?;
        let Self { hub, execute, tasks, metrics, waiters, .. } = self.clone();
        Ok(Subscription::new(Parts { hub, execute, tasks, metrics, waiters, group, request, user, allowance }, resume))
    }
}
