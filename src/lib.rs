//! Parlor: a chat backend in one binary, whose API is GraphQL with subscriptions.

pub mod chat;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod graphql;
pub mod http;
pub mod ids;
pub mod log;
pub mod position;
pub mod server;
pub mod store;
pub mod telemetry;
