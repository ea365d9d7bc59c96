//! The edge: everything that speaks HTTP.
//!
//! | File | Holds |
//! |---|---|
//! | `serve` | connections, their time limits, and their end |
//! | `stream` | the bytes beneath a connection: a client must take what is written |
//! | `router` | which handler serves which path |
//! | `observe` | request ids, one log line per request, panics |
//! | `head` | requests whose headers are not what HTTP demands |
//! | `answers` | the long answers that wait for clients over HTTP |
//! | `caller` | where a request comes from, and as whom |
//! | `doubts` | reports proxies that nobody declared |
//! | `guard` | refuses hostile documents before the parser sees them |
//! | `engine` | what every transport does with an operation: admit it, run it, bound its waiting outputs |
//! | `graphql` | operations by POST, and queries by GET |
//! | `parameters` | an operation in a URL |
//! | `encoding` | compressing answers, reading compressed bodies |
//! | `media` | which JSON media type the client wants, and which status goes with it |
//! | `live` | a connection that stays open for a viewer |
//! | `ws` | operations by WebSocket |
//! | `events` | subscriptions over HTTP: server-sent events, multipart |
//! | `files` | sending and fetching files |
//! | `health` | `/livez`, `/readyz`, `/metrics` |
//! | `pages` | what browsers are shown: the sample app, the playground, what is here |
//! | `cors` | what scripts of other websites may send and read |
//! | `rejection` | answers to requests of which no operation was run |
//!
//! Each further transport gets a file or folder of its own that writes the outputs of `engine`, as the present ones do.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::broker::Broker;
use crate::chat::Chat;
use crate::delivery::Delivery;
use crate::ephemeral::Ephemeral;
use crate::graphql::{Contract, Schema};
use crate::http::answers::Answers;
use crate::http::doubts::Doubts;
use crate::http::encoding::Compressor;
use crate::http::guard::Guard;
use crate::http::pages::Pages;
use crate::limits::Limits;
use crate::log::{Lags, Pulse};
use crate::position::CursorCodec;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::turns::Turns;
use crate::website::AllowedWebsites;

pub(crate) mod answers;
pub(crate) mod caller;
pub(crate) mod cors;
pub(crate) mod doubts;
pub(crate) mod encoding;
pub(crate) mod engine;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod graphql;
pub mod guard;
pub(crate) mod head;
pub(crate) mod health;
pub(crate) mod live;
pub(crate) mod media;
pub(crate) mod observe;
pub mod pages;
pub(crate) mod parameters;
pub(crate) mod rejection;
pub(crate) mod router;
pub(crate) mod serve;
pub(crate) mod stream;
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
    /// What documents and variables are checked against.
    pub contract: Contract,
    /// Reads the cursors that come outside of documents.
    pub cursors: CursorCodec,
    /// Stands before the parser.
    pub guard: Guard,
    /// Where subscriptions begin.
    pub delivery: Delivery,
    /// Presence and typing: an open socket makes its user online.
    pub ephemeral: Arc<Ephemeral>,
    /// The broker, to report its state.
    pub broker: Broker,
    /// The database, to report whether it may be written to.
    pub store: Store,
    /// Queries and mutations that run for one user, or one server key, at the same time; and of the schema, for all who aren't
    /// signed in.
    pub turns: Turns<Option<Uuid>>,
    /// Long answers that wait over HTTP.
    pub answers: Answers,
    /// Compresses answers over HTTP.
    pub compressor: Compressor,
    /// How far consumers of the log are behind.
    pub lags: Arc<Lags>,
    /// Whether the log is being read and written.
    pub pulse: Arc<Pulse>,
    /// How often the tail reads the log at least.
    pub poll: Duration,
    /// The server's metrics.
    pub metrics: Arc<Metrics>,
    /// Websites whose scripts may call the API.
    pub allowed_origins: AllowedWebsites,
    /// Headers that those scripts may send beside the usual ones; `*` is any.
    pub allowed_headers: Vec<String>,
    /// Which pages browsers are shown.
    pub pages: Pages,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// How much users and addresses may do.
    pub limits: Arc<Limits>,
    /// What was found out about proxies.
    pub doubts: Doubts,
    /// Over how long sockets are closed once [`Self::drain`] is cancelled.
    pub drain_time: Duration,
    /// About how often a socket is pinged.
    pub keepalive_secs: u32,
    /// Cancelled when the server begins to stop: it accepts no more connections, and closes its sockets within
    /// [`Self::drain_time`].
    pub drain: CancellationToken,
    /// Cancelled when the time to stop is over: connections and sockets that are still open end immediately.
    pub end: CancellationToken,
    /// The tasks of connections, sockets and operations; the server waits for them before it stops the rest.
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
