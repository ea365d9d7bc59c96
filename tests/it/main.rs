//! Tests of the whole server: through the real router, over real connections, one file per noun.

mod account;
mod attachments;
mod bounds;
mod caches;
mod check;
mod client_id;
mod clocks;
mod constant_sql;
mod consumer;
mod contract;
mod database_file;
mod delivery;
mod dependencies;
mod errors;
mod files;
mod group;
mod health;
mod hidden;
mod host;
mod hostile;
mod http;
#[path = "../keys/mod.rs"]
#[expect(dead_code, reason = "shared with the tests of what verifies tokens, which need more of it")]
mod keys;
mod kinds;
mod lifecycle;
mod limits;
#[cfg(target_os = "linux")]
mod memory;
mod mentions;
mod message;
mod migrations;
mod names;
mod nodes;
mod notifications;
mod operator;
mod pins;
mod plans;
mod presence;
mod process;
mod reactions;
mod reading;
mod replies;
mod resume;
mod room;
mod safety;
mod schema;
mod search;
#[path = "../servers/mod.rs"]
#[expect(dead_code, reason = "shared with the runner on PostgreSQL, which needs more of it")]
mod servers;
mod session;
mod snapshots;
mod state;
mod strangers;
mod support;
mod timers;
mod transport;
mod user;
mod webhooks;
