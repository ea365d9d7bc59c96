//! How many durable posts per second, and how the Scribe batches them.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::http::Client;
use crate::server::{Server, release_binary};

const SIGN_UP: &str = "mutation ($input: SignUpInput!) { signUp(input: $input) { accessToken user { id } } }";
const INITIATE: &str = "mutation ($users: [ID!]!) { \
    initiateChat(userIds: $users, type: CONSUMER_TO_CONSUMER) { room { id } } }";
const POST: &str = "mutation ($room: ID!, $body: String!, $client: ID) { \
    postMessage(roomId: $room, body: $body, clientId: $client) { message { id seq } } }";

/// What to measure.
#[derive(Args)]
pub struct Options {
    /// Clients, each of which posts as soon as its last post is answered; several may be given, run one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    posters: Vec<usize>,
    /// Rooms over which the posters are spread
    #[arg(long, default_value_t = 1)]
    rooms: usize,
    /// Seconds to measure for each number of posters, after one to warm up
    #[arg(long, default_value_t = 10)]
    secs: u64,
    /// Directory on the disk to measure
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A PostgreSQL database, empty, in place of SQLite
    #[arg(long)]
    database_url: Option<String>,
    /// The server's binary
    #[arg(long)]
    program: Option<PathBuf>,
}

/// Measures and prints a table.
pub async fn run(options: &Options) -> io::Result<()> {
    let program = options.program.clone().unwrap_or_else(release_binary);
    println!("| posters | posts/s | p50 ms | p99 ms | commits/s | posts per commit: mean | median bucket |");
    println!("|--:|--:|--:|--:|--:|--:|--:|");
    for posters in &options.posters {
        let server = Server::start(&program, options.dir.as_deref(), options.database_url.as_deref()).await?;
        measure(&server, *posters, options).await?;
    }
    Ok(())
}

async fn measure(server: &Server, posters: usize, options: &Options) -> io::Result<()> {
    let clients = clients(server.addr, posters, options.rooms).await?;
    let warm = Instant::now() + Duration::from_secs(1);
    let end = warm + Duration::from_secs(options.secs);
    let mut tasks = JoinSet::new();
    for (poster, (client, room)) in clients.into_iter().enumerate() {
        tasks.spawn(post(client, room, poster, warm, end));
    }
    tokio::time::sleep_until(warm.into()).await;
    let before = server.metric("parlor_append_batch_size").await?;
    let mut latencies = Vec::new();
    while let Some(posted) = tasks.join_next().await {
        latencies.extend(posted.map_err(io::Error::other)??);
    }
    let after = server.metric("parlor_append_batch_size").await?;
    let grown = |name: &str| {
        let value = |samples: &[(String, f64)]| samples.iter().find(|(key, _)| key == name).map_or(0.0, |(_, v)| *v);
        value(&after) - value(&before)
    };
    let (commits, commands) = (grown("parlor_append_batch_size_count"), grown("parlor_append_batch_size_sum"));
    let median = ["1", "2", "4", "8", "16", "32", "64", "128", "256"]
        .into_iter()
        .find(|le| grown(&format!("parlor_append_batch_size_bucket{{le=\"{le}\"}}")) >= commits / 2.0)
        .unwrap_or("-");
    latencies.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let index = (latencies.len() as f64 * share) as usize;
        latencies.get(index).copied().unwrap_or_default().as_secs_f64() * 1_000.0
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds and counts are small")]
    let (secs, posts) = (options.secs as f64, latencies.len() as f64);
    println!(
        "| {posters} | {:.0} | {:.2} | {:.2} | {:.0} | {:.1} | ≤{median} |",
        posts / secs,
        at(0.5),
        at(0.99),
        commits / secs,
        commands / commits
    );
    Ok(())
}

/// Signs up one user per poster and opens the rooms. Each client comes with the room that it posts to.
async fn clients(addr: SocketAddr, posters: usize, rooms: usize) -> io::Result<Vec<(Client, String)>> {
    let mut users = Vec::with_capacity(posters + 1);
    for n in 0..=posters {
        let input = json!({ "username": format!("poster{n}"), "password": "a password", "displayName": "Poster" });
        let answer = Client::connect(addr, None).await?.graphql(SIGN_UP, json!({ "input": input })).await?;
        users.push((text(&answer["signUp"]["user"]["id"])?, text(&answer["signUp"]["accessToken"])?));
    }
    // One who only listens, so that a single poster has somebody to talk to.
    let (listener, _) = users.pop().ok_or(io::ErrorKind::NotFound)?;
    let mut clients = Vec::with_capacity(posters);
    for members in users.chunks(posters.div_ceil(rooms)) {
        let mut ids: Vec<&str> = members.iter().map(|(id, _)| id.as_str()).collect();
        ids.push(&listener);
        let mut first = Client::connect(addr, Some(&members[0].1)).await?;
        let room = text(&first.graphql(INITIATE, json!({ "users": ids })).await?["initiateChat"]["room"]["id"])?;
        for (_, token) in members {
            clients.push((Client::connect(addr, Some(token)).await?, room.clone()));
        }
    }
    Ok(clients)
}

/// Posts without a pause until `end`. How long each post from `warm` on took.
async fn post(
    mut client: Client,
    room: String,
    poster: usize,
    warm: Instant,
    end: Instant,
) -> io::Result<Vec<Duration>> {
    let (mut latencies, mut n) = (Vec::new(), 0_u64);
    loop {
        let started = Instant::now();
        if started >= end {
            return Ok(latencies);
        }
        n += 1;
        let body = format!("{n}: nothing is lost, nothing comes twice, and nothing comes out of order");
        client.graphql(POST, json!({ "room": room, "body": body, "client": format!("{poster}-{n}") })).await?;
        if started >= warm {
            latencies.push(started.elapsed());
        }
    }
}

fn text(value: &Value) -> io::Result<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| io::Error::other("the answer is not whole"))
}
