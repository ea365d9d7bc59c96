//! What a server with limits costs per request that it refuses, next to one that it serves.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::databases::Kind;
use crate::delivery::{POST, variables};
use crate::http::Client;
use crate::seed;
use crate::server::{SECRET, Server, parlor, sibling};
use crate::table::{Section, Table, figure};

/// Clients, each of which sends its next request as soon as the last one is answered.
const CLIENTS: usize = 8;

/// How long they send before it is counted.
const WARM_UP: Duration = Duration::from_millis(300);

/// A limit that is used up by the first request.
const ONE: &str = "1/h burst 1";

const ME: &str = "{ me { id } }";

/// One kind of request, and the limit that refuses it.
struct Case {
    name: &'static str,
    /// The setting; without one, nothing is refused.
    limit: Option<&'static str>,
    posts: bool,
    /// What is in each answer but the first.
    answered: &'static str,
}

static CASES: [Case; 6] = [
    Case { name: "query, served", limit: None, posts: false, answered: "\"data\":{\"me\"" },
    Case {
        name: "query, refused by the address's requests",
        limit: Some("PARLOR_LIMITS_REQUESTS"),
        posts: false,
        answered: "RATE_LIMITED",
    },
    Case {
        name: "query, refused by the user's complexity",
        limit: Some("PARLOR_LIMITS_COMPLEXITY"),
        posts: false,
        answered: "RATE_LIMITED",
    },
    Case {
        name: "query, refused by the user's reads",
        limit: Some("PARLOR_LIMITS_READS"),
        posts: false,
        answered: "RATE_LIMITED",
    },
    Case { name: "post, served", limit: None, posts: true, answered: "\"data\":{\"postMessage\"" },
    Case {
        name: "post, refused by the user's posts",
        limit: Some("PARLOR_LIMITS_POSTS"),
        posts: true,
        answered: "RATE_LIMITED",
    },
];

/// Measures each kind for this long.
pub async fn run(time: Duration) -> io::Result<Section> {
    let mut table = Table::new(["request", "requests/s", "server's µs of CPU per request"]);
    for case in &CASES {
        let (per_sec, micros) = measure(case, time).await?;
        table.row([case.name.to_owned(), figure(per_sec), figure(micros)]);
    }
    Ok(Section {
        title: "Refusing".to_owned(),
        text: format!(
            "{CLIENTS} clients of one user at one address, each of which sends its next request when the last one is answered, \
             by HTTP on connections that are kept, for {} s. A refusal by the address reads nothing of the request but its \
             headers; one by complexity also verifies the token and the document; one of a field executes the operation, \
             without a statement.",
            time.as_secs_f64()
        ),
        tables: vec![table],
        targets: Vec::new(),
    })
}

/// Answers per second, and the server's CPU for each.
async fn measure(case: &'static Case, time: Duration) -> io::Result<(f64, f64)> {
    let database = Kind::Sqlite.create().await?;
    let store = database.open().await?;
    let room = seed::one_room(&store, 2).await?;
    store.close().await.map_err(io::Error::other)?;
    let mut settings = vec![("PARLOR_TRUSTED_PROXIES", "127.0.0.1")];
    // `parlor` has switched all limits off. The one that is on is the only one that is near.
    if let Some(limit) = case.limit {
        settings.extend(OTHERS.iter().map(|other| (*other, "off")).filter(|(other, _)| *other != limit));
        settings.extend([("PARLOR_LIMITS", "on"), (limit, ONE)]);
    }
    let command = parlor(&sibling("parlor"), database.dir.path(), database.url.as_deref(), &settings);
    let server = Server::start(command).await?;
    let user = *room.members.first().ok_or_else(|| io::Error::other("the room has no members"))?;
    let token = seed::token(SECRET, user);
    let (room, warm) = (room.id.to_string(), Instant::now() + WARM_UP);
    let end = warm + time;
    let mut tasks = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = Client::connect(server.addr, Some(&token)).await?.forwarded_for("203.0.113.1");
        tasks.spawn(send(client, case, room.clone(), warm, end));
    }
    tokio::time::sleep_until(warm.into()).await;
    let cpu = server.cpu()?;
    let mut answers = 0;
    while let Some(sent) = tasks.join_next().await {
        answers += sent.map_err(io::Error::other)??;
    }
    let cpu = server.cpu()?.saturating_sub(cpu);
    server.stop().await?;
    Ok((answers as f64 / time.as_secs_f64(), cpu.as_secs_f64() * 1e6 / answers as f64))
}

/// The limits that one of these requests meets.
const OTHERS: [&str; 5] = [
    "PARLOR_LIMITS_REQUESTS",
    "PARLOR_LIMITS_COMPLEXITY",
    "PARLOR_LIMITS_READS",
    "PARLOR_LIMITS_POSTS",
    "PARLOR_LIMITS_ROOM_POSTS",
];

/// Sends without a pause until `end`. How many were answered from `warm` on, all as the case has it.
async fn send(mut client: Client, case: &'static Case, room: String, warm: Instant, end: Instant) -> io::Result<usize> {
    let mut answers = 0;
    loop {
        let started = Instant::now();
        if started >= end {
            return Ok(answers);
        }
        let (query, variables) = if case.posts { (POST, variables(&room)) } else { (ME, Value::Null) };
        let body = json!({ "query": query, "variables": variables }).to_string();
        let answer = client.post(&body).await?;
        if started >= warm {
            if !answer.contains(case.answered) {
                return Err(io::Error::other(format!("{}: {answer}", case.name)));
            }
            answers += 1;
        }
    }
}
