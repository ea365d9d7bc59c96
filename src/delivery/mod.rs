//! From the log to the sockets.
//!
//! One column, from the top: a [`Subscription`] is one operation on one socket; it catches up from the log first, then
//! empties its [`mailbox`], and catches up again when that overflowed. The [`hub`] follows the log and knows which
//! subscriptions of this node want an event. It hands the event to the [`render`] group of each distinct document, which
//! renders it once, as the [`notice`] that its noun makes of it, and puts the shared bytes into the mailbox of every
//! subscription concerned.
//!
//! Knows events and bytes; neither the rules of the chat nor any transport. What a GraphQL resolver needs of it is in
//! [`Feed`].

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::ids::UserId;
use crate::position::Cursor;
use crate::telemetry::Metrics;

pub(crate) mod bounded;
pub(crate) mod execute;
pub(crate) mod feed;
pub mod hub;
pub mod mailbox;
pub(crate) mod notice;
pub mod render;
pub(crate) mod subscription;

pub use execute::{Execute, Executed, MakeRequest};
pub use feed::{Feed, FeedError};
pub use hub::Hub;
pub use notice::{Content, Notice};
pub use render::shape::Shape;
pub use subscription::{Delivered, Subscription};

use render::{GroupKey, Groups};
use subscription::Parts;

/// The delivery of one node: where subscriptions begin. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    hub: Arc<Hub>,
    groups: Arc<Groups>,
    execute: Execute,
    tasks: TaskTracker,
    metrics: Arc<Metrics>,
}

/// What a socket asks for with one `subscribe`.
pub struct Subscribe {
    /// Who asks.
    pub user: UserId,
    /// The cursor that came with the connection rather than as an argument.
    pub resume: Option<Cursor>,
    /// The operation's document, name and variables.
    pub shape: Shape,
    /// Makes its own requests.
    pub request: MakeRequest,
    /// Makes those that it shares with others of the same shape, by [`Shape::shared_variables`].
    pub shared_request: MakeRequest,
}

impl Delivery {
    /// What begins at this hub. Rendering and catching up run on `tasks`.
    #[must_use]
    pub fn new(hub: Arc<Hub>, execute: Execute, tasks: TaskTracker, metrics: Arc<Metrics>) -> Self {
        let groups = Arc::new(Groups::new(execute.clone(), tasks.clone(), metrics.clone()));
        Self { hub, groups, execute, tasks, metrics }
    }

    /// Follows the log; also knows where it stands, and which sockets' sessions were ended.
    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Begins a subscription. Nothing happens until it is polled; what is wrong with it comes as its first item.
    #[must_use]
    pub fn subscribe(&self, subscribe: Subscribe) -> Subscription {
        let Subscribe { user, resume, shape, request, shared_request } = subscribe;
        let key = GroupKey::new(shape, user);
        let group = self.groups.join(key, &shared_request);
        let Self { hub, execute, tasks, metrics, .. } = self.clone();
        Subscription::new(Parts { hub, execute, tasks, metrics, group, request, user }, resume)
    }
}
