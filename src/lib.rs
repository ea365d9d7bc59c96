//! Parlor: a chat backend in one binary, whose API is GraphQL with subscriptions.
//!
//! This is the map of the crate, from the ground up; ARCHITECTURE.md follows a message through it.
//!
//! | Module | Holds |
//! |---|---|
//! | [`ids`] | identifiers: UUIDs inside, `room_…` outside |
//! | [`position`] | places in the log, and the cursors by which clients name them |
//! | [`secret`] | what tokens are signed with |
//! | [`clock`] | the one place that asks what time it is |
//! | [`telemetry`] | metrics and logs |
//! | [`store`] | the database: connections, transactions, one file per table |
//! | [`log`] | every durable event in commit order: appending, following, replaying, trimming |
//! | [`chat`] | the rules: who may do what, and what it means |
//! | [`delivery`] | from the log to the sockets: who is told, rendered once, caught up |
//! | [`graphql`] | the API: translation between GraphQL and the rules |
//! | [`http`] | the edge: addresses, tokens, hostile documents, WebSockets |
//! | [`config`] | every setting |
//! | [`server`] | wires it together, starts it, stops it |
//!
//! # The dependency rule
//!
//! ```text
//! ids, position, secret, clock, telemetry ← store ← log ← chat ← graphql ← http ← server ← main
//!                                             ↑              ↓       ↓
//!                                             └────────── delivery ──┘
//! ```
//!
//! A module uses only what stands before it. `delivery` reads the log; only `graphql::feed` and `http` use it, so the
//! rules of the [`chat`] know nothing of sockets. [`chat`] knows neither GraphQL nor HTTP; [`graphql`] runs no query of
//! its own. [`config`] is used by [`server`] and the command line alone: whatever depends on a setting is handed its
//! value. The crate `migration` knows nothing of this one. A test, `tests/it/dependencies.rs`, keeps all of it true.

#![warn(unreachable_pub)]

pub mod broker;
pub mod chat;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod ephemeral;
pub mod failure;
pub mod graphql;
pub mod http;
pub mod ids;
pub mod log;
pub mod position;
pub mod secret;
pub mod server;
pub mod store;
pub mod telemetry;
