//! What users would pick instead of Parlor: Synapse, the usual server of Matrix, in a virtual environment of its own.
//!
//! Both do what a chat does: rooms of four, in which each member follows what is posted, by Synapse's `/sync` and by
//! Parlor's `events`. Only the full form runs it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::databases::{Database, Kind};
use crate::delivery::{BODY, POST, variables};
use crate::http::Client;
use crate::seed;
use crate::server::{self, SECRET, Server, sibling};
use crate::sockets::{Received, Socket};
use crate::stats::Spread;
use crate::subject::PARLOR_EVENTS;
use crate::table::{Section, Table, figure};

/// What is installed.
const PACKAGE: &str = "matrix-synapse==1.163.2";

/// Members of a room, each of whom follows it.
const MEMBERS: usize = 4;

/// How many post: one alone, and all members of several rooms.
const POSTERS: [usize; 2] = [1, 64];

/// How long all post before it is counted.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long `/sync` waits for something new, in ms.
const SYNC_MILLIS: u32 = 10_000;

/// Where its API for clients is.
pub const API: &str = "/_matrix/client/v3";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Parlor.
    Parlor,
    /// Synapse.
    Synapse,
}

/// Somebody in a room.
#[derive(Clone)]
pub struct Member {
    /// The access token.
    pub token: String,
    /// The room's id.
    pub room: String,
}

struct Run {
    per_sec: f64,
    latency: Spread,
    cpu_micros: f64,
}

/// CPU per post of the largest number of posters, by what each server is called.
pub type Bars = Vec<(&'static str, f64)>;

/// Measures both in turn, for this long each.
pub async fn run(time: Duration) -> io::Result<(Section, Bars)> {
    let mut table = Table::new([
        "server, SQLite, posters",
        "posts/s",
        "p50 ms",
        "p99 ms",
        "server's µs of CPU per post and its four deliveries",
        "× Parlor",
    ]);
    let mut bars = Bars::new();
    for posters in POSTERS {
        let parlor = measure(Choice::Parlor, posters, time).await?;
        let synapse = measure(Choice::Synapse, posters, time).await?;
        for (name, run) in [("Parlor", &parlor), ("Synapse", &synapse)] {
            table.row([
                format!("{name}, {posters}"),
                figure(run.per_sec),
                figure(run.latency.p50),
                figure(run.latency.p99),
                figure(run.cpu_micros),
                figure(run.cpu_micros / parlor.cpu_micros),
            ]);
        }
        bars = vec![("Parlor", parlor.cpu_micros), ("Synapse", synapse.cpu_micros)];
    }
    let section = Section {
        title: "What users would pick instead".to_owned(),
        text: format!(
            "Posting to rooms of {MEMBERS} in which each member follows what is posted: by `events` on Parlor, by `/sync` on \
             Synapse (`{PACKAGE}`, on SQLite, with its limits and presence off, as one process). Each poster posts as soon as \
             its last post is answered, {} s each. That every member has received every post is checked.",
            time.as_secs()
        ),
        tables: vec![table],
        targets: Vec::new(),
    };
    Ok((section, bars))
}

/// Installs Synapse, unless this version is there.
pub fn install() -> io::Result<()> {
    let run = |program: &Path, arguments: &[&str]| {
        let status = std::process::Command::new(program).args(arguments).stdin(std::process::Stdio::null()).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("{} {arguments:?}", program.display()))) }
    };
    let environment = environment();
    let place = environment.to_str().ok_or(io::ErrorKind::InvalidInput)?;
    run(Path::new("python3"), &["-m", "venv", place])?;
    run(&environment.join("bin/python"), &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE])
}

fn environment() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/synapse")
}

async fn measure(choice: Choice, posters: usize, time: Duration) -> io::Result<Run> {
    let database = Kind::Sqlite.create().await?;
    let rooms = posters.div_ceil(MEMBERS);
    let (server, members) = start(choice, &database, rooms).await?;
    let (received, mut followers) = (Arc::<Received>::default(), JoinSet::new());
    for member in &members {
        match choice {
            Choice::Parlor => {
                let dialect = PARLOR_EVENTS.dialect();
                let mut socket = Socket::subscribe(server.addr, 0, dialect, &member.token, &Value::Null).await?;
                // `Synced`: from here on it misses nothing.
                socket.next().await?;
                let received = received.clone();
                followers.spawn(async move { socket.count(&received).await });
            }
            Choice::Synapse => {
                let mut client = Client::connect(server.addr, Some(&member.token)).await?;
                let since = sync(&mut client, None).await?.0;
                followers.spawn(follow(client, since, received.clone()));
            }
        }
    }
    let warm = Instant::now() + WARM_UP;
    let end = warm + time;
    let mut tasks = JoinSet::new();
    for member in members.iter().take(posters) {
        let client = Client::connect(server.addr, Some(&member.token)).await?;
        tasks.spawn(post(choice, client, member.room.clone(), warm, end));
    }
    tokio::time::sleep_until(warm.into()).await;
    let cpu = server.cpu()?;
    let (mut latencies, mut posted) = (Vec::new(), 0);
    while let Some(done) = tasks.join_next().await {
        let (some, all) = done.map_err(io::Error::other)??;
        latencies.extend(some);
        posted += all;
    }
    let secs = warm.elapsed().as_secs_f64();
    received.reach(posted * MEMBERS as u64).await?;
    let cpu = server.cpu()?.saturating_sub(cpu);
    let posts = latencies.len() as f64;
    followers.abort_all();
    server.stop().await?;
    Ok(Run {
        per_sec: posts / secs,
        latency: Spread::of_millis(&mut latencies),
        cpu_micros: cpu.as_secs_f64() * 1e6 / posts,
    })
}

/// Starts a server with so many rooms of four.
pub async fn start(choice: Choice, database: &Database, rooms: usize) -> io::Result<(Server, Vec<Member>)> {
    match choice {
        Choice::Parlor => parlor(database, rooms).await,
        Choice::Synapse => synapse(database, rooms).await,
    }
}

async fn parlor(database: &Database, rooms: usize) -> io::Result<(Server, Vec<Member>)> {
    let store = database.open().await?;
    let rooms = seed::many_rooms(&store, rooms, MEMBERS).await?;
    store.close().await.map_err(io::Error::other)?;
    let server = Server::start(server::parlor(&sibling("parlor"), database.dir.path(), None, &[])).await?;
    let members = rooms.iter().flat_map(|room| {
        let of_room = room.members.iter();
        of_room.map(|user| Member { token: seed::token(SECRET, *user), room: room.id.to_string() })
    });
    Ok((server, members.collect()))
}

async fn synapse(database: &Database, rooms: usize) -> io::Result<(Server, Vec<Member>)> {
    let directory = database.dir.path();
    let addr = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    std::fs::write(directory.join("homeserver.yaml"), configuration(addr, directory).to_string())?;
    std::fs::write(directory.join("log.yaml"), json!({ "version": 1, "root": { "level": "ERROR" } }).to_string())?;
    let mut command = Command::new(environment().join("bin/python"));
    command.args(["-m", "synapse.app.homeserver", "-c", "homeserver.yaml"]).current_dir(directory);
    let server = Server::start_at(command, addr).await?;
    let mut client = Client::connect(addr, None).await?;
    let mut members = Vec::with_capacity(rooms * MEMBERS);
    for room in 0..rooms {
        let mut id = String::new();
        for member in 0..MEMBERS {
            let account = json!({ "username": format!("user-{room}-{member}"), "password": "for measuring only",
                "auth": { "type": "m.login.dummy" } });
            let token = asked(&mut client, "POST", "/register", &account, "access_token").await?;
            let mut client = Client::connect(addr, Some(&token)).await?;
            let (path, body) = match member {
                0 => ("/createRoom".to_owned(), json!({ "preset": "public_chat" })),
                _ => (format!("/join/{id}"), json!({})),
            };
            id = asked(&mut client, "POST", &path, &body, "room_id").await?;
            members.push(Member { token, room: id.clone() });
        }
    }
    Ok((server, members))
}

/// YAML, which JSON is.
fn configuration(addr: SocketAddr, directory: &Path) -> Value {
    let off = json!({ "per_second": 1_000_000, "burst_count": 1_000_000 });
    json!({
        "server_name": "bench",
        "listeners": [{ "port": addr.port(), "bind_addresses": ["127.0.0.1"], "type": "http",
            "resources": [{ "names": ["client"] }] }],
        "database": { "name": "sqlite3", "args": { "database": directory.join("homeserver.db") } },
        "media_store_path": directory.join("media"),
        "log_config": directory.join("log.yaml"),
        "pid_file": directory.join("pid"),
        "report_stats": false,
        // The text says that it is none worth keeping.
        "signing_key": "ed25519 bench bm90IGEgc2VjcmV0OiBmb3IgbWVhc3VyaW5nIG9ubHk",
        "macaroon_secret_key": SECRET,
        "trusted_key_servers": [],
        "enable_registration": true,
        "enable_registration_without_verification": true,
        "bcrypt_rounds": 4,
        "presence": { "enabled": false },
        "rc_message": off,
        "rc_registration": off,
        "rc_room_creation": off,
        "rc_joins": { "local": off, "remote": off },
        "rc_joins_per_room": off,
        "rc_login": { "address": off, "account": off, "failed_attempts": off },
    })
}

/// Asks Synapse, and takes one text from the answer.
async fn asked(client: &mut Client, method: &str, path: &str, body: &Value, field: &str) -> io::Result<String> {
    let answer = client.request(method, &format!("{API}{path}"), &body.to_string()).await?;
    let parsed: Value = serde_json::from_str(&answer).map_err(io::Error::other)?;
    parsed[field].as_str().map(str::to_owned).ok_or_else(|| io::Error::other(format!("{path}: {answer}")))
}

/// What is new since then: where that ends, and how many messages there are.
async fn sync(client: &mut Client, since: Option<&str>) -> io::Result<(String, u64)> {
    let since = since.map(|since| format!("&since={since}&timeout={SYNC_MILLIS}")).unwrap_or_default();
    let filter = "%7B%22room%22%3A%7B%22timeline%22%3A%7B%22limit%22%3A1000%7D%7D%7D";
    let answer = client.get(&format!("{API}/sync?filter={filter}{since}")).await?;
    let next = serde_json::from_str::<Value>(&answer).map_err(io::Error::other)?["next_batch"].take();
    let next = next.as_str().ok_or_else(|| io::Error::other(answer.clone()))?.to_owned();
    Ok((next, answer.matches("\"m.room.message\"").count() as u64))
}

async fn follow(mut client: Client, mut since: String, received: Arc<Received>) -> io::Result<()> {
    loop {
        let (next, messages) = sync(&mut client, Some(&since)).await?;
        since = next;
        (0..messages).for_each(|_| received.add(0));
    }
}

/// Posts without a pause until `end`. How long each post from `warm` on took, and how many there were in all.
async fn post(
    choice: Choice,
    mut client: Client,
    room: String,
    warm: Instant,
    end: Instant,
) -> io::Result<(Vec<Duration>, u64)> {
    let (mut latencies, mut posted) = (Vec::new(), 0);
    loop {
        let started = Instant::now();
        // However slow the server is, each has one post that counts.
        if started >= end && !latencies.is_empty() {
            return Ok((latencies, posted));
        }
        match choice {
            Choice::Parlor => drop(client.graphql(POST, variables(&room)).await?),
            Choice::Synapse => {
                let path = format!("/rooms/{room}/send/m.room.message/{posted}");
                let message = json!({ "msgtype": "m.text", "body": BODY });
                asked(&mut client, "PUT", &path, &message, "event_id").await?;
            }
        }
        posted += 1;
        if started >= warm {
            latencies.push(started.elapsed());
        }
    }
}
