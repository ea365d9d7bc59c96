//! The harness: servers, users, sockets, and a client's model of the state.
//!
//! - [`TestApp`]: a server in this process, behind real TCP, with a database of its own. `restart` keeps the data.
//! - [`Process`]: a server in a process of its own, to be terminated or killed.
//! - [`TestUser`]: a signed-up user with a verb for each thing users do; `graphql` for everything else.
//! - [`Backend`]: the app's own backend, with a server key.
//! - [`Feed`]: a subscription; [`Socket`]: the frames beneath one. [`Stream`]: a subscription over HTTP.
//! - [`Bucket`]: S3-compatible storage, where a server keeps files instead of in a directory.
//! - [`Wire`]: a proxy before PostgreSQL whose connections fall silent.
//! - [`Statements`]: the statements that the server runs, and their plans.
//! - [`Model`]: the state that a client builds from events; [`verify`] compares it with a fresh fetch.
//!
//! Nothing here sleeps or retries. Everything that waits does so [`within`] a time limit and says what it waited for.

mod answer;
mod app;
mod backend;
mod bucket;
mod database;
pub mod documents;
mod endpoint;
mod event;
mod fcm;
mod feed;
mod files;
mod metrics;
mod model;
mod people;
mod process;
mod push;
mod socket;
mod statements;
mod stream;
mod user;
mod wait;
mod wire;

pub use answer::Answer;
pub use app::TestApp;
pub use backend::Backend;
pub use bucket::Bucket;
pub use database::Database;
pub use endpoint::Endpoint;
pub use event::{Event, Message, Room};
pub use fcm::Google;
pub use feed::Feed;
pub use model::{Model, verify};
pub use process::Process;
pub use push::{Browser, PushService, Pushed};
pub use socket::{Frame, OLDER_SUBPROTOCOL, SUBPROTOCOL, Socket};
pub use statements::Statements;
pub use stream::{EVENT_STREAM, MULTIPART, Stream};
pub use user::TestUser;
pub use wait::within;
pub use wire::Wire;
