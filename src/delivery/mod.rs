//! From the log to the sockets.
//!
//! The [`Hub`] follows the log and knows which sockets of this node want an event. It hands the event to the
//! [`Group`](render::Group) of each distinct subscription document, which renders it once and puts the shared bytes
//! into the [`Mailbox`](mailbox::Mailbox) of every subscription concerned. A [`Subscription`] is one operation on one
//! socket: it catches up from the log first, then empties its mailbox, and catches up again when that overflowed.
//!
//! Knows events and bytes; neither the rules of the chat nor any transport. What a GraphQL resolver needs of it is in
//! [`Feed`].

use std::sync::Arc;

use async_graphql::{Request, Response};
use futures_util::stream::BoxStream;
use tokio_util::task::TaskTracker;

use crate::ids::UserId;
use crate::position::Cursor;
use crate::telemetry::Metrics;

pub mod feed;
pub mod hub;
pub mod mailbox;
pub mod notice;
pub mod render;
pub mod subscription;

pub use feed::{Feed, FeedError};
pub use hub::Hub;
pub use notice::{Notice, What};
pub use render::shape::Shape;
pub use subscription::{Delivered, Subscription};

use render::{GroupKey, Groups};

/// Runs a GraphQL operation: `Schema::execute_stream`, without its type.
pub type Execute = Arc<dyn Fn(Request) -> BoxStream<'static, Response> + Send + Sync>;

/// Makes the request of one subscription document anew for each execution, everything but the [`Feed`] in its data.
pub type MakeRequest = Arc<dyn Fn() -> Request + Send + Sync>;

/// The delivery of one node: where subscriptions begin. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    hub: Arc<Hub>,
    groups: Arc<Groups>,
    execute: Execute,
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
    /// What begins at this hub. Groups run on `tasks`.
    #[must_use]
    pub fn new(hub: Arc<Hub>, execute: Execute, tasks: TaskTracker, metrics: Arc<Metrics>) -> Self {
        let groups = Arc::new(Groups::new(execute.clone(), tasks, metrics.clone()));
        Self { hub, groups, execute, metrics }
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
        Subscription::new(self.hub.clone(), self.execute.clone(), self.metrics.clone(), group, request, user, resume)
    }
}
