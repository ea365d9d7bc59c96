//! How many durable posts per second, and how the Scribe batches them: each is answered only once it is synced to disk.
//! On SQLite beside the limit: the least that does the same work.

use std::io;
use std::time::{Duration, Instant};

use parlor::ids::{RoomId, UserId};
use tokio::task::JoinSet;

use crate::databases::{Database, Kind};
use crate::delivery::{POST, variables};
use crate::http::Client;
use crate::limit;
use crate::seed;
use crate::server::{self, SECRET, Server, sibling};
use crate::stats::Spread;
use crate::subject;
use crate::table::{Section, Table, Target, figure};

/// Posters that share a room, with one more member who only listens.
const POSTERS_PER_ROOM: usize = 4;

/// How long all post before it is counted.
pub const WARM_UP: Duration = Duration::from_secs(1);

/// How many times the posts of a Node server are asked for, at best.
const ASKED_RATIO: f64 = 5.0;

/// On PostgreSQL, where both wait for another process: how many times its posts with many posters.
const ASKED_MANY: f64 = 3.0;

/// And how many times its p50 a lone poster's post may take.
const ASKED_LONE_P50: f64 = 1.5;

/// Upper bounds of the buckets of `parlor_append_batch_size`.
const BUCKETS: [&str; 9] = ["1", "2", "4", "8", "16", "32", "64", "128", "256"];

/// Who stores the posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storing {
    /// Parlor.
    Parlor,
    /// A Node server with one synchronous insert per post: `bench/peers/node/posts.mjs`.
    Node,
    /// The least that writes the same rows, on SQLite alone: `bench/peers/limit`.
    Limit,
}

/// What one run has measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    /// Posts that were answered.
    pub per_sec: f64,
    /// How long each took.
    pub latency: Spread,
    /// The server's CPU per post, in µs; the database's is its own where that is a process of its own.
    pub cpu_micros: f64,
    /// Transactions, where the server tells.
    commits: Option<Commits>,
    /// CPU of the load, in cores.
    load_cores: f64,
}

#[derive(Clone, Copy, Debug)]
struct Commits {
    per_sec: f64,
    mean_batch: f64,
    median_bucket: &'static str,
}

/// A server on a database, and what it did by the number of posters.
pub type Series = (String, Vec<(usize, Run)>);

/// Measures Node, if asked to, the limit where there is one, and Parlor in turn with each number of posters on each
/// database.
pub async fn run(
    databases: &[Kind<'_>],
    posters: &[usize],
    time: Duration,
    with_node: bool,
) -> io::Result<(Section, Vec<Series>)> {
    let mut table = Table::new([
        "server, database, posters",
        "posts/s",
        "p50 ms",
        "p99 ms",
        "server's µs of CPU per post",
        "commits/s",
        "posts per commit: mean",
        "median",
        "load's cores",
        "× Node",
    ]);
    let (mut tables, mut targets, mut series) = (Vec::new(), Vec::new(), Vec::new());
    for database in databases {
        let (mut nodes, mut limits, mut parlors) = (Vec::new(), Vec::new(), Vec::new());
        for &posters in posters {
            let node = if with_node { Some(measure(Storing::Node, *database, posters, time).await?) } else { None };
            let is_limited = matches!(database, Kind::Sqlite);
            let least = if is_limited { Some(measure(Storing::Limit, *database, posters, time).await?) } else { None };
            let parlor = measure(Storing::Parlor, *database, posters, time).await?;
            if let Some(node) = node {
                row(&mut table, format!("Node, {}, {posters}", database.name()), &node, None);
                nodes.push((posters, node));
            }
            if let Some(least) = least {
                row(&mut table, format!("the limit, {}, {posters}", database.name()), &least, None);
                limits.push((posters, least));
            }
            let ratio = node.map(|node| parlor.per_sec / node.per_sec);
            row(&mut table, format!("Parlor, {}, {posters}", database.name()), &parlor, ratio);
            parlors.push((posters, parlor));
            eprintln!("{posters} posters, {}: {} posts/s", database.name(), figure(parlor.per_sec));
        }
        let best = |runs: &[(usize, Run)]| runs.iter().map(|(_, run)| run.per_sec).fold(0.0, f64::max);
        if with_node {
            let (node, parlor) = (best(&nodes), best(&parlors));
            targets.push(Target {
                asked: format!(
                    "≥ {ASKED_RATIO}× the posts of a Node server with one insert per post, {}",
                    database.name()
                ),
                measured: format!(
                    "{}× ({} and {} posts/s at best)",
                    figure(parlor / node),
                    figure(parlor),
                    figure(node)
                ),
                met: parlor / node >= ASKED_RATIO,
            });
            if matches!(database, Kind::Postgres(_)) {
                targets.extend(
                    parlors.iter().zip(&nodes).filter_map(|((posters, parlor), (_, node))| {
                        beside_node(*posters, parlor, node, database.name())
                    }),
                );
            }
            series.push((format!("Node, {}", database.name()), nodes));
        }
        if !limits.is_empty() {
            let (beside, asked) = limit::posting(&parlors, &limits);
            tables.push(beside);
            targets.extend(asked);
            series.push((format!("the limit, {}", database.name()), limits));
        }
        series.push((format!("Parlor, {}", database.name()), parlors));
    }
    tables.insert(0, table);
    let section = Section {
        title: "Posting".to_owned(),
        text: format!(
            "Durable posts over HTTP, each answered once it is synced to disk; each poster posts as soon as its last post is \
             answered, {POSTERS_PER_ROOM} posters to a room, {} s each. SQLite in WAL mode with `synchronous=FULL`, PostgreSQL with \
             `fsync` and `synchronous_commit` on. The Node server does one synchronous insert per post on the same database: \
             better-sqlite3, or `pg` with ten connections. The limit is axum and `rusqlite` with prepared statements, one \
             thread that commits together what has come meanwhile, on the same file with the same settings: it writes the same \
             rows, which `parlor check` finds whole, and notifies nobody.",
            time.as_secs()
        ),
        tables,
        targets,
    };
    Ok((section, series))
}

/// What is asked of a lone poster, and of many.
fn beside_node(posters: usize, parlor: &Run, node: &Run, database: &str) -> Option<Target> {
    match posters {
        1 => {
            let times = parlor.latency.p50 / node.latency.p50;
            Some(Target {
                asked: format!("≤ {ASKED_LONE_P50}× the p50 of a post to the Node server, {database}, one poster"),
                measured: format!(
                    "{}× ({} and {} ms)",
                    figure(times),
                    figure(parlor.latency.p50),
                    figure(node.latency.p50)
                ),
                met: times <= ASKED_LONE_P50,
            })
        }
        limit::MANY_POSTERS.. => {
            let times = parlor.per_sec / node.per_sec;
            Some(Target {
                asked: format!("≥ {ASKED_MANY}× the posts/s of the Node server, {database}, {posters} posters"),
                measured: format!("{}× ({} and {})", figure(times), figure(parlor.per_sec), figure(node.per_sec)),
                met: times >= ASKED_MANY,
            })
        }
        _ => None,
    }
}

fn row(table: &mut Table, name: String, run: &Run, ratio: Option<f64>) {
    let commits = |show: &dyn Fn(Commits) -> String| run.commits.map_or_else(|| "–".to_owned(), show);
    table.row([
        name,
        figure(run.per_sec),
        figure(run.latency.p50),
        figure(run.latency.p99),
        figure(run.cpu_micros),
        commits(&|commits| figure(commits.per_sec)),
        commits(&|commits| figure(commits.mean_batch)),
        commits(&|commits| format!("≤ {}", commits.median_bucket)),
        figure(run.load_cores),
        ratio.map_or_else(|| "–".to_owned(), figure),
    ]);
}

/// Measures one server with one number of posters.
pub async fn measure(storing: Storing, kind: Kind<'_>, posters: usize, time: Duration) -> io::Result<Run> {
    let database = kind.create().await?;
    let (server, clients) = match storing {
        Storing::Parlor => parlor(&database, posters).await?,
        Storing::Node => node(&database, posters).await?,
        Storing::Limit => least(&database, posters).await?,
    };
    let warm = Instant::now() + WARM_UP;
    let end = warm + time;
    let mut tasks = JoinSet::new();
    for (client, room) in clients {
        tasks.spawn(post(client, room, warm, end));
    }
    tokio::time::sleep_until(warm.into()).await;
    let before = match storing {
        Storing::Parlor => server.metric("parlor_append_batch_size").await?,
        Storing::Node | Storing::Limit => Vec::new(),
    };
    let (cpu, own) = (server.cpu()?, server::cpu(std::process::id())?);
    let mut latencies = Vec::new();
    while let Some(posted) = tasks.join_next().await {
        latencies.extend(posted.map_err(io::Error::other)??);
    }
    let (cpu, own) = (server.cpu()?.saturating_sub(cpu), server::cpu(std::process::id())?.saturating_sub(own));
    let commits = match storing {
        Storing::Parlor => commits(&before, &server.metric("parlor_append_batch_size").await?, time),
        Storing::Node | Storing::Limit => None,
    };
    let (posts, secs) = (latencies.len() as f64, time.as_secs_f64());
    server.stop().await?;
    if storing == Storing::Limit {
        limit::check(&database).await?;
    }
    Ok(Run {
        per_sec: posts / secs,
        latency: Spread::of_millis(&mut latencies),
        cpu_micros: cpu.as_secs_f64() * 1e6 / posts,
        commits,
        load_cores: own.as_secs_f64() / secs,
    })
}

/// Somebody who posts to a room.
pub struct Poster {
    user: UserId,
    /// The access token.
    pub token: String,
    /// Where it posts.
    pub room: RoomId,
}

/// A Parlor with a user per poster. Each client comes with the room that it posts to.
async fn parlor(database: &Database, posters: usize) -> io::Result<(Server, Vec<(Client, String)>)> {
    let posters = write_posters(database, posters).await?;
    let command = server::parlor(&sibling("parlor"), database.dir.path(), database.url.as_deref(), &[]);
    connected(Server::start(command).await?, &posters).await
}

/// The limit, likewise.
async fn least(database: &Database, posters: usize) -> io::Result<(Server, Vec<(Client, String)>)> {
    let posters = write_posters(database, posters).await?;
    let server = limit::start(database, posters.iter().map(|poster| (&*poster.token, poster.user))).await?;
    connected(server, &posters).await
}

/// Writes so many posters with their rooms.
pub async fn write_posters(database: &Database, posters: usize) -> io::Result<Vec<Poster>> {
    let store = database.open().await?;
    let rooms = seed::many_rooms(&store, posters.div_ceil(POSTERS_PER_ROOM), POSTERS_PER_ROOM + 1).await?;
    store.close().await.map_err(io::Error::other)?;
    let members = rooms.iter().flat_map(|room| room.members.iter().take(POSTERS_PER_ROOM).map(|user| (*user, room.id)));
    Ok(members.take(posters).map(|(user, room)| Poster { user, token: seed::token(SECRET, user), room }).collect())
}

async fn connected(server: Server, posters: &[Poster]) -> io::Result<(Server, Vec<(Client, String)>)> {
    let mut clients = Vec::with_capacity(posters.len());
    for Poster { token, room, .. } in posters {
        clients.push((Client::connect(server.addr, Some(token)).await?, room.to_string()));
    }
    Ok((server, clients))
}

async fn node(database: &Database, posters: usize) -> io::Result<(Server, Vec<(Client, String)>)> {
    let mut command = subject::peer(subject::node("posts"));
    let file = format!("sqlite:{}", database.dir.path().join("node.db").display());
    command.arg("--database").arg(database.url.as_deref().unwrap_or(&file));
    let server = Server::start(command).await?;
    let mut clients = Vec::with_capacity(posters);
    for n in 0..posters {
        clients.push((Client::connect(server.addr, None).await?, format!("room{}", n / POSTERS_PER_ROOM)));
    }
    Ok((server, clients))
}

fn commits(before: &[(String, f64)], after: &[(String, f64)], time: Duration) -> Option<Commits> {
    let grown = |name: &str| {
        let value = |samples: &[(String, f64)]| samples.iter().find(|(key, _)| key == name).map_or(0.0, |(_, v)| *v);
        value(after) - value(before)
    };
    let (commits, commands) = (grown("parlor_append_batch_size_count"), grown("parlor_append_batch_size_sum"));
    let bucket = |le: &&str| grown(&format!("parlor_append_batch_size_bucket{{le=\"{le}\"}}")) >= commits / 2.0;
    Some(Commits {
        per_sec: commits / time.as_secs_f64(),
        mean_batch: commands / commits,
        median_bucket: BUCKETS.into_iter().find(bucket)?,
    })
}

/// Posts without a pause until `end`. How long each post from `warm` on took.
pub async fn post(mut client: Client, room: String, warm: Instant, end: Instant) -> io::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    loop {
        let started = Instant::now();
        if started >= end {
            return Ok(latencies);
        }
        client.graphql(POST, variables(&room)).await?;
        if started >= warm {
            latencies.push(started.elapsed());
        }
    }
}
