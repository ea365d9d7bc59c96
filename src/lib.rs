//! Parlor: a chat backend in one binary, whose API is GraphQL with subscriptions.
//!
//! This is the map of the crate, from the ground up; ARCHITECTURE.md follows a message through it.
//!
//! | Module | Holds |
//! |---|---|
//! | [`ids`] | identifiers: UUIDs inside, `room_…` outside |
//! | [`clock`] | the only place that asks the system for the time |
//! | [`json`] | JSON as clients write it |
//! | [`position`] | places in the log, and the cursors by which clients name them |
//! | [`failure`] | who is at fault when something fails: the client, the server, or an outage |
//! | [`telemetry`] | metrics and logs |
//! | [`secret`] | the secret that signs tokens |
//! | [`signatures`] | the cryptography of tokens |
//! | [`outgoing`] | requests to servers whose address somebody else has chosen |
//! | [`files`] | where files are kept, and what is found out about them as they come in |
//! | [`issuers`] | who, beside Parlor, issues tokens for its users: settings, keys, what a token must say |
//! | [`broker`] | the connection through which nodes reach each other |
//! | [`turns`] | so many at a time for each user |
//! | [`limits`] | how much users and addresses may do: rates and numbers |
//! | [`text`] | the form in which names are compared, and what of a text can be seen |
//! | [`store`] | the database: connections, transactions, the table of event kinds, one file per table |
//! | [`log`] | every durable event in commit order: appending, following, consuming, replaying, pruning |
//! | [`chat`] | the rules: who may do what, and what it changes |
//! | [`delivery`] | from the log to the sockets: who receives an event, rendering it once, catching up |
//! | [`ephemeral`] | presence and typing, which are in no log: on this node, on the others, to the sockets |
//! | [`graphql`] | the API: translation between GraphQL and the rules |
//! | [`http`] | the edge: callers, hostile documents, running operations, WebSockets |
//! | [`notify`] | from the log to the devices of those who haven't read |
//! | [`webhooks`] | from the log to the app's own backend: signing, sending, trying again |
//! | [`config`] | every setting |
//! | [`server`] | wires it together, starts it, stops it |
//!
//! # The dependency rule
//!
//! ```text
//! ground ← store ← log ← chat ←──────┬── graphql ← http ← server ← main
//!                   ↑                │              │       │        │
//!                   └── delivery ←───┴──────────────┤       └ config ┘
//!                           ↑                       │
//!                           └── ephemeral ←─────────┘
//!
//! ground: ids, clock, json, position, failure, telemetry, secret, signatures, broker, turns, limits, text, website
//! ```
//!
//! [`webhooks`] uses what [`http`] uses, and its guard, and [`notify`] what [`chat`] uses; [`server`] starts both.
//! [`outgoing`] stands on the ground beside [`store`], and [`issuers`] on it, which is used by [`chat`], [`config`] and
//! [`server`].
//! A module uses only what its arrows lead to, directly or by way of others. The modules of the ground floor use none
//! of the crate. [`chat`] knows neither GraphQL nor HTTP nor sockets: what it needs of presence is a trait, which
//! [`server`] implements with [`ephemeral`]. [`graphql`] runs no query of its own, and uses only the notices of
//! [`delivery`], except for `graphql::events`, which opens feeds. [`config`] may use the ground floor, and is used by
//! [`server`] and the command line alone: a part that depends on a setting receives its value. The crate `migration`
//! knows nothing of this one. A test, `tests/it/dependencies.rs`, checks all of it.

#![warn(unreachable_pub)]

pub mod broker;
pub mod chat;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod ephemeral;
pub mod failure;
pub mod files;
pub mod graphql;
pub mod http;
pub mod ids;
pub mod issuers;
pub(crate) mod json;
pub mod limits;
pub mod log;
pub mod notify;
pub mod outgoing;
pub mod position;
pub mod secret;
pub mod server;
pub(crate) mod signatures;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod turns;
pub mod webhooks;
pub mod website;
