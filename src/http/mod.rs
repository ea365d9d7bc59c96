//! The edge: HTTP in front of the chat.
//!
//! | File | Holds |
//! |---|---|
//! | `serve` | connections, their time limits, and their end |
//! | `router` | which address answers what |
//! | `observe` | request ids, one log line per request, panics |
//! | `auth` | from a token to a [`Viewer`](crate::chat::Viewer) |
//! | `guard` | refuses hostile documents before the parser sees them |
//! | `operation` | what every transport does with an operation |
//! | `graphql` | operations by POST |
//! | `media` | which JSON the client wants, and what status goes with it |
//! | `ws` | operations by WebSocket |
//! | `health` | `/livez`, `/readyz`, `/metrics` |
//! | `playground` | GraphiQL |
//! | `problem` | answers that are no result of an operation |
//!
//! Further transports (the older WebSocket dialect, Server-Sent Events, multipart) get a file each; they admit and
//! execute through `operation`, as the present ones do.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chat::Chat;
use crate::delivery::Delivery;
use crate::graphql::Schema;
use crate::http::guard::Guard;
use crate::log::doorbell::Doorbell;
use crate::store::Store;
use crate::telemetry::Metrics;

pub mod auth;
pub mod graphql;
pub mod guard;
pub mod health;
pub mod media;
pub mod observe;
pub mod operation;
pub mod playground;
pub mod problem;
pub mod router;
pub mod serve;
pub mod ws;

pub use operation::{Operation, OperationRefused, RequestBody};
pub use problem::Problem;

/// What every request handler needs. Cheap to clone.
#[derive(Clone)]
pub struct Edge(Arc<EdgeParts>);

/// The parts of an [`Edge`].
pub struct EdgeParts {
    /// The rules.
    pub chat: Chat,
    /// The GraphQL API.
    pub schema: Schema,
    /// Stands before the parser.
    pub guard: Guard,
    /// Where subscriptions begin.
    pub delivery: Delivery,
    /// What other nodes ring, to ask how its broker does.
    pub doorbell: Doorbell,
    /// The database, to ask whether it answers.
    pub store: Store,
    /// What the server tells of itself.
    pub metrics: Arc<Metrics>,
    /// Websites whose scripts may call the API; `*` is any.
    pub allowed_origins: Vec<String>,
    /// Over how long sockets are closed once [`Self::drain`] is cancelled.
    pub drain_time: Duration,
    /// About how often a socket is pinged.
    pub keepalive_secs: u32,
    /// Cancelled when the server begins to stop: no more connections, sockets are to close within
    /// [`Self::drain_time`].
    pub drain: CancellationToken,
    /// Cancelled when the time to stop is over: what is still connected ends at once.
    pub end: CancellationToken,
    /// Every connection and socket; the server waits for them before it stops the rest.
    pub connections: TaskTracker,
    /// Cancelled when the log is no longer written or followed.
    pub halted: CancellationToken,
}

impl From<EdgeParts> for Edge {
    fn from(parts: EdgeParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Edge {
    type Target = EdgeParts;

    fn deref(&self) -> &EdgeParts {
        &self.0
    }
}
