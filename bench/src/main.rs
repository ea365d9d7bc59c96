//! Load for Parlor. Not part of the default build:
//!
//! ```text
//! cargo build --release && cargo run --release -p parlor-bench -- posts --posters 64 --secs 10
//! ```
//!
//! | File | Holds |
//! |---|---|
//! | `server` | a Parlor of its own process, on fresh data, and what its metrics say |
//! | `http` | a client that costs little: one connection, one request at a time |
//! | `posts` | how many durable posts per second, and how the Scribe batches them |

use clap::{Parser, Subcommand};

mod http;
mod posts;
mod server;

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Durable posts per second over HTTP, every commit synced to disk.
    Posts(posts::Options),
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let outcome = match Arguments::parse().scenario {
        Scenario::Posts(options) => posts::run(&options).await,
    };
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}
