//! What the index takes from those who post: the same server with it and without.

use std::io;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::said;
use crate::databases::Kind;
use crate::delivery::POST;
use crate::http::Client;
use crate::posts::{WARM_UP, write_posters};
use crate::server::{Server, parlor, sibling};
use crate::table::{Table, Target, figure};

/// Who post at the same time.
const POSTERS: usize = 64;

/// By how much posts may be fewer with the index.
const ASKED_SLOWDOWN: f64 = 0.05;

/// A server of this version takes an index of a form from the future for that of newer nodes, and leaves it alone.
const OFF: &str = "UPDATE search_state SET form = 1000";

/// What one run has measured.
#[derive(Clone, Copy, Default)]
struct Run {
    posts: f64,
    secs: f64,
    cpu_micros: f64,
}

impl Run {
    fn and(self, other: Self) -> Self {
        Self {
            posts: self.posts + other.posts,
            secs: self.secs + other.secs,
            cpu_micros: self.cpu_micros + other.cpu_micros,
        }
    }

    fn per_sec(self) -> f64 {
        self.posts / self.secs
    }
}

/// Posts in turn with the index and without, so many times each.
pub(super) async fn run(databases: &[Kind<'_>], times: usize, time: Duration) -> io::Result<(Table, Vec<Target>)> {
    let mut table =
        Table::new(["database, index", "posts/s", "server's µs of CPU per post", "not in the index at the end"]);
    let mut targets = Vec::new();
    for kind in databases {
        let (mut with, mut without, mut behind) = (Run::default(), Run::default(), 0.0_f64);
        for n in 0..times {
            // Whichever comes second finds the disk as the first has left it.
            for on in if n % 2 == 0 { [true, false] } else { [false, true] } {
                let (run, left) = measure(*kind, on, time).await?;
                if on {
                    (with, behind) = (with.and(run), behind.max(left));
                } else {
                    without = without.and(run);
                }
            }
        }
        for (name, run, behind) in [("kept", with, figure(behind)), ("off", without, "all".to_owned())] {
            let name = format!("{}, {name}", kind.name());
            table.row([name, figure(run.per_sec()), figure(run.cpu_micros / run.posts), behind]);
        }
        let slowdown = 1.0 - with.per_sec() / without.per_sec();
        targets.push(Target {
            asked: format!("posts at most {:.0} % fewer with the index: {}", 100.0 * ASKED_SLOWDOWN, kind.name()),
            measured: format!(
                "{:.1} % ({} beside {} posts/s)",
                100.0 * slowdown,
                figure(with.per_sec()),
                figure(without.per_sec())
            ),
            met: slowdown <= ASKED_SLOWDOWN,
        });
    }
    Ok((table, targets))
}

/// What was posted, and how many messages of it weren't in the index at the end.
async fn measure(kind: Kind<'_>, on: bool, time: Duration) -> io::Result<(Run, f64)> {
    let database = kind.create().await?;
    let posters = write_posters(&database, POSTERS).await?;
    let connection = super::connect(&database).await?;
    if !on {
        sea_orm::ConnectionTrait::execute_unprepared(&connection, OFF).await.map_err(io::Error::other)?;
    }
    let command = parlor(&sibling("parlor"), database.dir.path(), database.url.as_deref(), &[]);
    let server = Server::start(command).await?;
    let warm = Instant::now() + WARM_UP;
    let end = warm + time;
    let mut tasks = JoinSet::new();
    for (n, poster) in posters.iter().enumerate() {
        let client = Client::connect(server.addr, Some(&poster.token)).await?;
        tasks.spawn(post(client, poster.room.to_string(), n * 1_000_000, warm, end));
    }
    tokio::time::sleep_until(warm.into()).await;
    let cpu = server.cpu()?;
    let mut posts = 0;
    while let Some(posted) = tasks.join_next().await {
        posts += posted.map_err(io::Error::other)??;
    }
    let cpu = server.cpu()?.saturating_sub(cpu);
    let behind = super::number(&connection, super::BEHIND).await?;
    connection.close().await.map_err(io::Error::other)?;
    server.stop().await?;
    Ok((Run { posts: posts as f64, secs: time.as_secs_f64(), cpu_micros: cpu.as_secs_f64() * 1e6 }, behind))
}

/// Posts without a pause until `end`. How many from `warm` on.
async fn post(mut client: Client, room: String, from: usize, warm: Instant, end: Instant) -> io::Result<usize> {
    let mut posts = 0;
    for n in from.. {
        let started = Instant::now();
        if started >= end {
            break;
        }
        client.graphql(POST, json!({ "room": room, "body": said(n) })).await?;
        posts += usize::from(started >= warm);
    }
    Ok(posts)
}
