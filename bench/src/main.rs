//! Load for Parlor and for servers of other kinds. Not part of the default build:
//!
//! ```text
//! cargo run --release -p parlor-bench -- all
//! ```
//!
//! builds everything, measures all servers in turn, and writes `bench/RESULTS.md` with its plots. `--small` shows in a
//! minute or two that it works, and no figure worth having. `--help` lists what can be run by itself.
//!
//! | File | Holds |
//! |---|---|
//! | `subject` | the servers that are compared |
//! | `server` | a server's process: its start, its CPU and memory, and what its metrics say |
//! | `databases`, `seed` | where data lies, and rows written before a server runs |
//! | `http`, `sockets` | clients that cost little |
//! | `delivery` | one server with many sockets; `fanout` compares servers by it |
//! | `posts` | durable posts per second |
//! | `nodes` | the same by several nodes |
//! | `limit` | the least that posts and answers can cost, and how near to it Parlor is asked to be |
//! | `synapse` | posts that are followed, beside what users would pick instead |
//! | `refused` | what it costs to refuse |
//! | `joining` | many join a large group at once |
//! | `reactions` | a whole room reacts at once |
//! | `reconnecting` | all sockets come back at once |
//! | `search` | messages by what they say, beside what databases bring along |
//! | `syncing` | an app's users, sent again |
//! | `reading` | lists, pages and catching up in a large database |
//! | `results` | everything in one run, and the page that tells of it |
//! | `stats`, `table`, `plot` | how it is told |

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "counts become figures, and figures places on a plot"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

mod databases;
mod delivery;
mod fanout;
mod http;
mod joining;
mod limit;
mod nodes;
mod plot;
mod posts;
mod reactions;
mod reading;
mod reconnecting;
mod refused;
mod results;
mod search;
mod seed;
mod server;
#[path = "../../tests/servers/mod.rs"]
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
mod servers;
mod sockets;
mod stats;
mod subject;
mod synapse;
mod syncing;
mod table;
mod uploads;

use databases::Kind;
use delivery::{Drive, Shape, World};
use results::Form;
use subject::Subject;

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Everything, into RESULTS.md and its plots
    All {
        /// Only shows that it works: tiny sizes, and a directory of its own below `target`
        #[arg(long)]
        small: bool,
        /// Where to write
        #[arg(long)]
        directory: Option<PathBuf>,
    },
    /// Durable posts per second over HTTP
    Posts {
        /// Clients, each of which posts as soon as its last post is answered; run one number after the other
        #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
        posters: Vec<usize>,
        /// Seconds for each
        #[arg(long, default_value_t = 5)]
        secs: u64,
        /// Only on SQLite, without the server on Node: Parlor and the limit
        #[arg(long)]
        only_limit: bool,
    },
    /// What answers cost beside the least that they can cost
    Answers {
        /// Seconds for each document and server
        #[arg(long, default_value_t = 2)]
        secs: u64,
        /// In a small chat
        #[arg(long)]
        small: bool,
    },
    /// Durable posts per second on PostgreSQL by one node, and by three that share it
    Nodes {
        /// Clients, spread over the nodes
        #[arg(long, default_value_t = 64)]
        posters: usize,
        /// Seconds for each
        #[arg(long, default_value_t = 5)]
        secs: u64,
    },
    /// Posts that are followed, beside Synapse, which is installed below `target` first
    Followed {
        /// Seconds for each
        #[arg(long, default_value_t = 10)]
        secs: u64,
    },
    /// One delivery scenario, on servers of your choice
    Deliver {
        /// Rooms
        #[arg(long, default_value_t = 1)]
        rooms: usize,
        /// Sockets in each
        #[arg(long, default_value_t = 2_000)]
        sockets_each: usize,
        /// Seconds
        #[arg(long, default_value_t = 5)]
        secs: u64,
        /// Posts at a time
        #[arg(long, default_value_t = 1)]
        at_once: usize,
        /// Nobody listens: only posting is measured
        #[arg(long)]
        unheard: bool,
        /// Parts of the servers' names
        #[arg(long, value_delimiter = ',', default_value = "raw,Parlor")]
        servers: Vec<String>,
    },
    /// A hundred users put into a large group at once, beside a small room
    Joining {
        /// Members of the group, all with a socket
        #[arg(long, default_value_t = 4_000)]
        crowd: usize,
        /// How often a hundred join, for each of two documents
        #[arg(long, default_value_t = 5)]
        times: usize,
    },
    /// A small room beside a large one that is served without a pause
    Beside {
        /// Sockets in the large room
        #[arg(long, default_value_t = 5_000)]
        crowd: usize,
        /// Seconds
        #[arg(long, default_value_t = 5)]
        secs: u64,
    },
    /// A whole room reacts at once, to one message and to many, beside posts before and after
    Reactions {
        /// Members of the room, each of whom reacts ten times
        #[arg(long, default_value_t = 500)]
        members: usize,
        /// Seconds of posting before and after
        #[arg(long, default_value_t = 3)]
        secs: u64,
    },
    /// Lists, pages and catching up in a large database
    Reading,
    /// All sockets come back at once, to a server that remembers what they missed and to one that doesn't
    Reconnecting {
        /// How many
        #[arg(long, default_value_t = 5_000)]
        sockets: usize,
    },
    /// Messages by what they say, in a large database, beside trigrams of `FTS5` and `pg_trgm`, and Synapse
    Search {
        /// How many there are
        #[arg(long, default_value_t = 1_000_000)]
        messages: usize,
        /// Messages that are posted to Synapse as well, which is installed below `target` first; 0: none
        #[arg(long, default_value_t = 5_000)]
        synapse: usize,
    },
    /// An app's users, sent again and again by its backend
    Syncing {
        /// How many
        #[arg(long, default_value_t = 100_000)]
        users: usize,
    },
    /// Files that come in, beside the same bytes written to the same disk
    Uploads {
        /// How many MiB, as one file and as many
        #[arg(long, default_value_t = 1_000)]
        mib: usize,
    },
    /// What a server with limits costs per request that it refuses
    Refused {
        /// Seconds for each kind of request
        #[arg(long, default_value_t = 3)]
        secs: u64,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().scenario).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(scenario: Scenario) -> std::io::Result<()> {
    match scenario {
        Scenario::All { small, directory } => {
            let own = Path::new(env!("CARGO_MANIFEST_DIR"));
            let (form, usual) =
                if small { (Form::Small, own.join("../target/bench")) } else { (Form::Full, own.to_owned()) };
            results::write(form, &directory.unwrap_or(usual)).await?;
        }
        Scenario::Posts { posters, secs, only_limit: true } => {
            let (section, _) = posts::run(&[Kind::Sqlite], &posters, Duration::from_secs(secs), false).await?;
            println!("{section}{}", table::verdicts(&section.targets));
        }
        Scenario::Posts { posters, secs, only_limit: false } => {
            let postgres = databases::postgres()?;
            let databases = [Kind::Sqlite, Kind::Postgres(&postgres)];
            let (section, _) = posts::run(&databases, &posters, Duration::from_secs(secs), true).await?;
            println!("{section}");
        }
        Scenario::Nodes { posters, secs } => {
            let postgres = databases::postgres()?;
            let section = nodes::run(&postgres, posters, Duration::from_secs(secs)).await?;
            println!("{section}\n{}", table::verdicts(&section.targets));
        }
        Scenario::Answers { secs, small } => {
            let section = reading::beside_the_limit(Duration::from_secs(secs), small).await?;
            println!("{section}{}", table::verdicts(&section.targets));
        }
        Scenario::Deliver { rooms, sockets_each, secs, at_once, unheard, servers } => {
            let world = World::new(Shape { rooms, sockets_each }).await?;
            let drive = [Drive { time: Duration::from_secs(secs), at_once }];
            let is_wanted = |subject: &Subject| servers.iter().any(|part| subject.name.contains(part));
            for subject in subject::ALL.into_iter().filter(is_wanted) {
                println!("{}: {:#?}", subject.name, delivery::measure(&world, subject, &drive, !unheard).await?);
            }
        }
        Scenario::Beside { crowd, secs } => {
            println!("{}", fanout::beside_a_crowd(crowd, Duration::from_secs(secs)).await?);
        }
        Scenario::Joining { crowd, times } => println!("{}", joining::run(crowd, times).await?),
        Scenario::Reactions { members, secs } => {
            let postgres = databases::postgres()?;
            let size = reactions::Size { members, posting: Duration::from_secs(secs) };
            let section = reactions::run(&postgres, size).await?;
            println!("{section}\n{}", table::verdicts(&section.targets));
        }
        Scenario::Followed { secs } => {
            synapse::install()?;
            println!("{}", synapse::run(Duration::from_secs(secs)).await?.0);
        }
        Scenario::Reconnecting { sockets } => {
            let postgres = databases::postgres()?;
            let section = reconnecting::run(&[Kind::Sqlite, Kind::Postgres(&postgres)], sockets).await?;
            println!("{section}\n{}", table::verdicts(&section.targets));
        }
        Scenario::Refused { secs } => println!("{}", refused::run(Duration::from_secs(secs)).await?),
        Scenario::Uploads { mib } => {
            let section = uploads::run(mib).await?;
            println!("{section}\n{}", table::verdicts(&section.targets));
        }
        Scenario::Search { messages, synapse } => {
            let postgres = databases::postgres()?;
            if synapse > 0 {
                synapse::install()?;
            }
            let shape = search::Shape {
                messages,
                posting: (4, Duration::from_secs(10)),
                synapse: (synapse > 0).then_some(synapse),
            };
            let section = search::run(&[Kind::Sqlite, Kind::Postgres(&postgres)], shape).await?;
            println!("{section}\n{}", table::verdicts(&section.targets));
        }
        Scenario::Syncing { users } => {
            let postgres = databases::postgres()?;
            let section = syncing::run(&[Kind::Sqlite, Kind::Postgres(&postgres)], users).await?;
            println!("{section}\n{}", table::verdicts(&section.targets));
        }
        Scenario::Reading => {
            let postgres = databases::postgres()?;
            println!("{}", reading::run(&postgres, false).await?);
        }
    }
    Ok(())
}
