//! The edge: HTTP in front of the chat.
//!
//! | File | Holds |
//! |---|---|
//! | `serve` | connections, their time limits, and their end |
//! | `router` | which address answers what |
//! | `observe` | request ids, one log line per request, panics |
//! | `caller` | who calls: from where, and as whom |
//! | `guard` | refuses hostile documents before the parser sees them |
//! | `engine` | what every transport does with an operation: admit, run, bound what waits |
//! | `graphql` | operations by POST |
//! | `media` | which JSON the client wants, and what status goes with it |
//! | `ws` | operations by WebSocket |
//! | `health` | `/livez`, `/readyz`, `/metrics` |
//! | `playground` | GraphiQL |
//! | `rejection` | answers that are no result of an operation |
//!
//! Further transports (the older WebSocket dialect, Server-Sent Events, multipart) get a file each: they write what
//! `engine` puts out, as the present ones do.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::Broker;
use crate::chat::Chat;
use crate::delivery::Delivery;
use crate::ephemeral::Ephemeral;
use crate::graphql::Schema;
use crate::http::guard::Guard;
use crate::store::Store;
use crate::telemetry::Metrics;

pub(crate) mod caller;
pub(crate) mod engine;
pub(crate) mod graphql;
pub mod guard;
pub(crate) mod health;
pub(crate) mod media;
pub(crate) mod observe;
pub(crate) mod playground;
pub(crate) mod rejection;
pub(crate) mod router;
pub(crate) mod serve;
pub mod ws;

pub use rejection::Rejection;

/// What every request handler needs. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<AppParts>);

/// The parts of an [`AppState`].
pub struct AppParts {
    /// The rules.
    pub chat: Chat,
    /// The GraphQL API.
    pub schema: Schema,
    /// Stands before the parser.
    pub guard: Guard,
    /// Where subscriptions begin.
    pub delivery: Delivery,
    /// Who is online: an open socket makes its user so.
    pub ephemeral: Arc<Ephemeral>,
    /// The broker, to ask how it is.
    pub broker: Broker,
    /// The database, to ask whether it answers.
    pub store: Store,
    /// What the server tells of itself.
    pub metrics: Arc<Metrics>,
    /// Websites whose scripts may call the API; `*` is any.
    pub allowed_origins: Vec<String>,
    /// Proxies that are believed about whom they speak for.
    pub trusted_proxies: Vec<IpNet>,
    /// Over how long sockets are closed once [`Self::drain`] is cancelled.
    pub drain_time: Duration,
    /// About how often a socket is pinged.
    pub keepalive_secs: u32,
    /// Cancelled when the server begins to stop: no more connections, sockets are to close within
    /// [`Self::drain_time`].
    pub drain: CancellationToken,
    /// Cancelled when the time to stop is over: what is still connected ends immediately.
    pub end: CancellationToken,
    /// Every connection and socket; the server waits for them before it stops the rest.
    pub connections: TaskTracker,
    /// Cancelled when the log is no longer written or followed.
    pub halted: CancellationToken,
}

impl From<AppParts> for AppState {
    fn from(parts: AppParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for AppState {
    type Target = AppParts;

    fn deref(&self) -> &AppParts {
        &self.0
    }
}
