//! Durable posts per second by one node, and by three that share a PostgreSQL.

use std::io;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::databases::Kind;
use crate::http::Client;
use crate::posts::{self, WARM_UP};
use crate::server::{self, Server, sibling};
use crate::servers::{Nats, Postgres};
use crate::stats::Spread;
use crate::table::{Section, Table, Target, figure};

/// How many nodes are compared with one.
const NODES: usize = 3;

/// The share of one node's posts per second that is asked of several.
const ASKED_SHARE: f64 = 1.0;

/// Measures so many posters at one node, and spread over three.
pub async fn run(postgres: &Postgres, posters: usize, time: Duration) -> io::Result<Section> {
    Nats::installed().map_err(|missing| io::Error::other(missing.0))?;
    let nats = tokio::task::block_in_place(Nats::start);
    let mut table = Table::new(["nodes", "posts/s", "p50 ms", "p99 ms", "all nodes' µs of CPU per post"]);
    let mut per_sec = Vec::new();
    for nodes in [1, NODES] {
        let run = measure(postgres, &nats, nodes, posters, time).await?;
        let figures = [run.per_sec, run.latency.p50, run.latency.p99, run.cpu_micros].map(figure);
        table.row([nodes.to_string()].into_iter().chain(figures));
        per_sec.push(run.per_sec);
    }
    let (one, several) = (per_sec[0], per_sec[1]);
    Ok(Section {
        title: "Posting by several nodes".to_owned(),
        text: format!(
            "{posters} posters, spread evenly over the nodes, each posting as soon as its last post is answered, {} s; one \
             PostgreSQL with `fsync` and `synchronous_commit` on, and NATS, which nodes notify each other by. Positions of the log \
             are given out under one lock, so nodes take turns to append; each takes all that waits at it.",
            time.as_secs()
        ),
        tables: vec![table],
        targets: vec![Target {
            asked: format!("posts/s of {NODES} nodes not below one node's, {posters} posters"),
            measured: format!("{}× ({} and {})", figure(several / one), figure(several), figure(one)),
            met: several / one >= ASKED_SHARE,
        }],
    })
}

/// What some nodes did together.
struct Run {
    per_sec: f64,
    latency: Spread,
    cpu_micros: f64,
}

async fn measure(postgres: &Postgres, nats: &Nats, nodes: usize, posters: usize, time: Duration) -> io::Result<Run> {
    let database = Kind::Postgres(postgres).create().await?;
    let posters = posts::write_posters(&database, posters).await?;
    let url = nats.url();
    let mut servers = Vec::with_capacity(nodes);
    let dirs: Vec<_> = (0..nodes).map(|_| tempfile::tempdir()).collect::<Result<_, _>>()?;
    for dir in &dirs {
        let settings = [("PARLOR_NATS_URL", &*url)];
        let command = server::parlor(&sibling("parlor"), dir.path(), database.url.as_deref(), &settings);
        servers.push(Server::start(command).await?);
    }
    let warm = Instant::now() + WARM_UP;
    let end = warm + time;
    let mut tasks = JoinSet::new();
    for (poster, server) in posters.iter().zip(servers.iter().cycle()) {
        let client = Client::connect(server.addr, Some(&poster.token)).await?;
        tasks.spawn(posts::post(client, poster.room.to_string(), warm, end));
    }
    tokio::time::sleep_until(warm.into()).await;
    let used = || servers.iter().map(Server::cpu).sum::<io::Result<Duration>>();
    let before = used()?;
    let mut latencies = Vec::new();
    while let Some(posted) = tasks.join_next().await {
        latencies.extend(posted.map_err(io::Error::other)??);
    }
    let cpu = used()?.saturating_sub(before);
    let posts = latencies.len() as f64;
    for server in servers {
        server.stop().await?;
    }
    Ok(Run {
        per_sec: posts / time.as_secs_f64(),
        latency: Spread::of_millis(&mut latencies),
        cpu_micros: cpu.as_secs_f64() * 1e6 / posts,
    })
}
