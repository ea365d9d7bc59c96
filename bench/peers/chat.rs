//! What the peers written in Rust have in common: their arguments and their message.

use std::io;
use std::time::SystemTime;

use axum::Router;
use axum::serve::ListenerExt;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Parser;
use parlor::ids::MessageId;
use tokio::net::TcpListener;

/// The id of the one who posts everything.
pub const AUTHOR_ID: &str = "user_01m818ah47eg1v906mzqxdbavx";

/// The account name of the one who posts everything.
pub const AUTHOR_USERNAME: &str = "ann";

/// The name that is shown for the one who posts everything.
pub const AUTHOR_DISPLAY_NAME: &str = "Ann";

/// Messages that may wait for one subscription.
pub const CAPACITY: usize = 256;

/// A server of one kind, to be measured beside Parlor.
#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 is any that is free
    #[arg(long)]
    listen: String,
}

/// Serves until the process is ended, once it has said on stdout where.
///
/// # Errors
/// When the address can't be listened on.
pub async fn serve(router: Router) -> io::Result<()> {
    listen(&Arguments::parse().listen, router).await
}

/// Serves at this address, likewise.
///
/// # Errors
/// When it can't be listened on.
pub async fn listen(address: &str, router: Router) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    // Small frames must not wait for the acknowledgement of earlier ones. A socket that refuses is on its way out.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).await
}

/// The next message's id.
pub fn message_id() -> String {
    MessageId::generate().to_string()
}

/// Now, as RFC 3339 with microseconds.
pub fn created_at() -> String {
    DateTime::<Utc>::from(SystemTime::now()).to_rfc3339_opts(SecondsFormat::Micros, true)
}
