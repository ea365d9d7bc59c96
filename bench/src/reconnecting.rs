//! All sockets of a server come back at once: after a network was away for a moment, and after the server was started
//! anew and remembers nothing.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::databases::{Database, Kind};
use crate::delivery::{POST, variables};
use crate::http::Client;
use crate::seed::{self, Room};
use crate::server::{self, SECRET, Server, sibling};
use crate::sockets::{CONNECTING_AT_ONCE, Dialect, Socket};
use crate::stats::Spread;
use crate::table::{Section, Table, Target, figure};

/// Members of a room.
const MEMBERS: usize = 8;

/// Events that each socket has missed.
const MISSED: usize = 10;

/// Between two looks at whether the server has nothing to do.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// How much CPU a server that has nothing to do takes at most between two looks.
const AT_REST: Duration = Duration::from_millis(10);

/// How long it may take to come to rest.
const REST_TIMEOUT: Duration = Duration::from_mins(2);

/// What is asked for of the server's CPU for each socket, in ms: from its memory, and from the log.
const ASKED_MS: [f64; 2] = [0.5, 1.5];

const EVENTS: &str = "subscription ($after: Cursor) { events(after: $after) { __typename cursor \
    ... on MessagePosted { message { id seq body createdAt author { id username displayName } room { id } } } } }";

/// Has so many sockets come back, in rooms of eight, on each kind of database.
pub async fn run(kinds: &[Kind<'_>], sockets: usize) -> io::Result<Section> {
    let mut table = Table::new([
        "database, what the server remembers",
        "sockets",
        "all have caught up after, ms",
        "a socket: p50 ms",
        "p99 ms",
        "ms of CPU per socket",
        "statements per socket",
    ]);
    let mut targets = Vec::new();
    for kind in kinds {
        let returns = come_back(*kind, sockets).await?;
        for ((returned, remembered), asked) in returns.iter().zip(["the last events", "nothing"]).zip(ASKED_MS) {
            table.row([
                format!("{}, {remembered}", kind.name()),
                returned.sockets.to_string(),
                figure(returned.all.as_secs_f64() * 1e3),
                figure(returned.each.p50),
                figure(returned.each.p99),
                figure(returned.cpu_ms),
                figure(returned.statements),
            ]);
            targets.push(Target {
                asked: format!(
                    "≤ {asked} ms of CPU for each of {} sockets that come back after {MISSED} events to a server that \
                     remembers {remembered}: {}",
                    returned.sockets,
                    kind.name()
                ),
                measured: format!("{} ms", figure(returned.cpu_ms)),
                met: returned.cpu_ms <= asked,
            });
        }
    }
    let text = format!(
        "Sockets of as many users, in rooms of {MEMBERS}, are closed; {MISSED} messages are posted to each room; then all come \
         back with the cursor of the last event that they had, {CONNECTING_AT_ONCE} connecting at a time, and each reads up \
         to `Synced`. Once to the same server, which has the last 8,192 events in memory, and once to one that was just \
         started. A socket's time is from connecting to `Synced`; CPU and statements are all of the server's meanwhile, the \
         upgrade and the token included."
    );
    Ok(Section { title: "Coming back".to_owned(), text, tables: vec![table], targets })
}

/// What it took until all were back.
struct Returned {
    sockets: usize,
    all: Duration,
    each: Spread,
    cpu_ms: f64,
    statements: f64,
}

async fn come_back(kind: Kind<'_>, sockets: usize) -> io::Result<[Returned; 2]> {
    let database = kind.create().await?;
    let store = database.open().await?;
    let rooms = seed::many_rooms(&store, sockets.div_ceil(MEMBERS), MEMBERS).await?;
    store.close().await.map_err(io::Error::other)?;
    database.settle().await?;
    let users: Vec<_> = rooms.iter().flat_map(|room| &room.members).map(|user| seed::token(SECRET, *user)).collect();

    let server = start(&database).await?;
    let first = users.iter().map(|token| (token.clone(), Value::Null)).collect();
    let cursors = connect_all(&server, first, 0).await?.cursors;
    post(&server, &rooms).await?;
    rest(&server).await?;
    let back: Vec<_> = users.into_iter().zip(cursors).collect();
    let remembered = measure(&server, back.clone()).await?;
    server.stop().await?;

    let server = start(&database).await?;
    rest(&server).await?;
    let forgotten = measure(&server, back).await?;
    server.stop().await?;
    Ok([remembered, forgotten])
}

async fn start(database: &Database) -> io::Result<Server> {
    Server::start(server::parlor(&sibling("parlor"), database.dir.path(), database.url.as_deref(), &[])).await
}

/// Posts what the sockets miss, all rooms one after the other.
async fn post(server: &Server, rooms: &[Room]) -> io::Result<()> {
    let mut posting = JoinSet::new();
    for room in rooms {
        let addr = server.addr;
        let (token, room) = (seed::token(SECRET, room.members[0]), room.id.to_string());
        posting.spawn(async move {
            let mut client = Client::connect(addr, Some(&token)).await?;
            for _ in 0..MISSED {
                client.graphql(POST, variables(&room)).await?;
            }
            Ok::<_, io::Error>(())
        });
        if posting.len() >= CONNECTING_AT_ONCE
            && let Some(posted) = posting.join_next().await
        {
            posted.map_err(io::Error::other)??;
        }
    }
    while let Some(posted) = posting.join_next().await {
        posted.map_err(io::Error::other)??;
    }
    Ok(())
}

/// Waits until the server has nothing left to do: what it does after a post by itself isn't what is measured.
async fn rest(server: &Server) -> io::Result<()> {
    let end = Instant::now() + REST_TIMEOUT;
    while Instant::now() < end {
        let before = server.cpu()?;
        tokio::time::sleep(BETWEEN_LOOKS).await;
        if server.cpu()?.saturating_sub(before) <= AT_REST {
            return Ok(());
        }
    }
    Err(io::Error::other("the server doesn't come to rest"))
}

async fn measure(server: &Server, back: Vec<(String, Value)>) -> io::Result<Returned> {
    let statements = async || {
        let samples = server.metric("parlor_sql_statements_total").await?;
        Ok::<_, io::Error>(samples.iter().map(|(_, value)| value).sum::<f64>())
    };
    let (count, asked) = (back.len(), statements().await?);
    let (cpu, begun) = (server.cpu()?, Instant::now());
    let mut connected = connect_all(server, back, MISSED).await?;
    let (all, cpu) = (begun.elapsed(), server.cpu()?.saturating_sub(cpu));
    Ok(Returned {
        sockets: count,
        all,
        each: Spread::of_millis(&mut connected.took),
        cpu_ms: cpu.as_secs_f64() * 1e3 / count as f64,
        statements: (statements().await? - asked) / count as f64,
    })
}

struct Connected {
    /// The last that each socket received.
    cursors: Vec<Value>,
    took: Vec<Duration>,
}

/// Connects all with their tokens and cursors, has each read up to `Synced`, and closes them when all have. Each must
/// receive so many messages.
async fn connect_all(server: &Server, sockets: Vec<(String, Value)>, messages: usize) -> io::Result<Connected> {
    let (mut connecting, count) = (JoinSet::new(), sockets.len());
    let mut done: Vec<Option<(Socket, Value, Duration)>> = (0..count).map(|_| None).collect();
    let mut sockets = sockets.into_iter().enumerate();
    loop {
        while connecting.len() < CONNECTING_AT_ONCE
            && let Some((n, (token, after))) = sockets.next()
        {
            let addr = server.addr;
            connecting
                .spawn(async move { Ok::<_, io::Error>((n, catch_up(addr, n, &token, &after, messages).await?)) });
        }
        let Some(caught_up) = connecting.join_next().await else { break };
        let (n, caught_up) = caught_up.map_err(io::Error::other)??;
        done[n] = Some(caught_up);
    }
    let (mut cursors, mut took) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (_open, cursor, time) in done.iter_mut().filter_map(Option::take) {
        cursors.push(cursor);
        took.push(time);
    }
    Ok(Connected { cursors, took })
}

async fn catch_up(
    addr: std::net::SocketAddr,
    n: usize,
    token: &str,
    after: &Value,
    messages: usize,
) -> io::Result<(Socket, Value, Duration)> {
    let begun = Instant::now();
    let mut socket = Socket::subscribe(addr, n, Dialect::GraphQl(EVENTS), token, &json!({ "after": after })).await?;
    let mut came = 0;
    loop {
        let text = socket.next().await?;
        let event: Value = serde_json::from_str(&text).map_err(io::Error::other)?;
        let event = &event["payload"]["data"]["events"];
        match event["__typename"].as_str() {
            Some("Synced") if came == messages => return Ok((socket, event["cursor"].clone(), begun.elapsed())),
            Some("MessagePosted") => came += 1,
            _ => return Err(io::Error::other(format!("after {came} of {messages} messages: {text}"))),
        }
    }
}
