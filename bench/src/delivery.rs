//! What it costs to deliver an event to a socket, and to hold a socket that waits for one.
//!
//! A number of posts at a time, the next when every socket has got the last. One at a time, each delivery wakes its socket
//! and is written by itself; of several, a socket may take some at once, as in a busy room. CPU is what the server's
//! process used, user and system, posting included.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parlor::store::Store;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Client;
use crate::seed::{self, Room};
use crate::server::{self, SECRET, Server};
use crate::sockets::Sockets;
use crate::stats::{Spread, at_share};
use crate::subject::Subject;

/// What is posted: with what stands around it, a frame of about 330 bytes.
pub const BODY: &str = "Nothing is lost, nothing comes twice, and nothing comes out of order.";

/// A post, in all servers' API.
pub const POST: &str = "mutation ($room: ID!, $body: String!, $client: ID) { \
    postMessage(roomId: $room, body: $body, clientId: $client) { message { id seq } } }";

/// How long a server is left alone before its memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// Who is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rooms.
    pub rooms: usize,
    /// Sockets in each, all of different users.
    pub sockets_each: usize,
}

/// What one run has measured.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Memory per socket, in KiB.
    pub kib_per_socket: f64,
    /// The server's CPU per delivery, in µs.
    pub micros: f64,
    /// Bytes of a frame.
    pub frame_bytes: f64,
    /// Posts in the time.
    pub posts: usize,
    /// From sending a post to the last socket's frame, in ms.
    pub last_socket_ms: Spread,
    /// Share of one core that the server used, and the load.
    pub cores: (f64, f64),
}

/// Rooms and people for one shape. Parlor finds them in its database; other servers need only the names.
pub struct World {
    data: TempDir,
    rooms: Vec<Room>,
}

impl World {
    /// Makes them, on SQLite.
    pub async fn new(shape: Shape) -> io::Result<Self> {
        let data = tempfile::tempdir()?;
        let store = seed::open(&Store::sqlite_url(data.path())).await?;
        let rooms = match shape.rooms {
            1 => vec![seed::one_room(&store, shape.sockets_each).await?],
            rooms => seed::many_rooms(&store, rooms, shape.sockets_each).await?,
        };
        store.close().await.map_err(io::Error::other)?;
        Ok(Self { data, rooms })
    }

    /// A room of this many members, and one of a few.
    pub async fn with_small_room(members: usize, few: usize) -> io::Result<Self> {
        let data = tempfile::tempdir()?;
        let store = seed::open(&Store::sqlite_url(data.path())).await?;
        let rooms = vec![seed::one_room(&store, members).await?, seed::one_room(&store, few).await?];
        store.close().await.map_err(io::Error::other)?;
        Ok(Self { data, rooms })
    }

    /// The rooms.
    pub fn rooms(&self) -> &[Room] {
        &self.rooms
    }

    /// Starts a server here. What an earlier one has written is still there.
    pub async fn start(&self, subject: Subject) -> io::Result<Server> {
        subject.start(self.data.path()).await
    }

    /// Subscribes a socket for each member of each room.
    async fn subscribe(&self, server: &Server, subject: Subject, everybody: bool) -> io::Result<Sockets> {
        let rooms = if everybody { &*self.rooms } else { &[] };
        let subscribers = rooms.iter().flat_map(|room| {
            room.members.iter().map(|member| (seed::token(SECRET, *member), json!({ "room": room.id.to_string() })))
        });
        let sockets = Sockets::subscribe(server.addr, subject.dialect(), subscribers).await?;
        sockets.received.reach(subject.greetings * sockets.len() as u64).await?;
        Ok(sockets)
    }
}

/// How a server is driven.
#[derive(Clone, Copy, Debug)]
pub struct Drive {
    /// How long, about.
    pub time: Duration,
    /// Posts under way at once, to rooms in turn; the next when all sockets have got all of them.
    pub at_once: usize,
}

/// Measures one server with the rooms and people of this world, driven in each of these ways. With nobody `listened` only
/// posting is measured, as if each post went to all the same.
pub async fn measure(world: &World, subject: Subject, drives: &[Drive], listened: bool) -> io::Result<Vec<Run>> {
    let server = world.start(subject).await?;
    let at_once = drives.iter().map(|drive| drive.at_once).max().unwrap_or(1);
    let mut posters = Posters::connect(&server, &world.rooms, at_once).await?;
    tokio::time::sleep(SETTLE).await;
    let empty = server.resident_kib()?;
    let mut sockets = world.subscribe(&server, subject, listened).await?;
    tokio::time::sleep(SETTLE).await;
    let kib_per_socket = server.resident_kib()?.saturating_sub(empty) as f64 / sockets.len() as f64;

    // Each once, so that what is made at first need is there.
    for first in (0..posters.len()).step_by(at_once) {
        posters.post(first, at_once, &sockets).await?;
    }
    let mut runs = Vec::with_capacity(drives.len());
    for drive in drives {
        let (frames, bytes) = sockets.received.so_far();
        let (cpu, own, begun) = (server.cpu()?, server::cpu(std::process::id())?, Instant::now());
        let (mut latencies, mut first, mut posts) = (Vec::new(), 0, 0);
        while begun.elapsed() < drive.time {
            let (posted, took) = posters.post(first, drive.at_once, &sockets).await?;
            latencies.push(took);
            posts += posted;
            first = (first + posted) % posters.len();
        }
        let (cpu, own, took) =
            (server.cpu()?.saturating_sub(cpu), server::cpu(std::process::id())?.saturating_sub(own), begun.elapsed());
        let (more_frames, more_bytes) = sockets.received.so_far();
        let (frames, bytes) = ((more_frames - frames) as f64, (more_bytes - bytes) as f64);
        sockets.all_open()?;
        let deliveries = if listened { frames } else { (posts * world.rooms[0].members.len()) as f64 };
        runs.push(Run {
            kib_per_socket,
            micros: cpu.as_secs_f64() * 1e6 / deliveries,
            frame_bytes: bytes / frames,
            posts,
            last_socket_ms: Spread::of_millis(&mut latencies),
            cores: (cpu.as_secs_f64() / took.as_secs_f64(), own.as_secs_f64() / took.as_secs_f64()),
        });
    }
    drop(sockets);
    server.stop().await?;
    Ok(runs)
}

/// Connections that post: the room of each, and how many are in it.
struct Posters(Vec<(Client, String, u64)>);

impl Posters {
    /// One for each room, of its first member; more of further members until there are as many as post at once.
    async fn connect(server: &Server, rooms: &[Room], at_once: usize) -> io::Result<Self> {
        let mut clients = Vec::with_capacity(rooms.len());
        let all = rooms.iter().map(|room| room.members.len()).min().unwrap_or(0);
        for member in 0..all.min(at_once.div_ceil(rooms.len())) {
            for room in rooms {
                let token = seed::token(SECRET, room.members[member]);
                let client = Client::connect(server.addr, Some(&token)).await?;
                clients.push((client, room.id.to_string(), room.members.len() as u64));
            }
        }
        Ok(Self(clients))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    /// Has some post at once and waits until all sockets of their rooms have got it. How many did, and how long it took.
    async fn post(&mut self, first: usize, count: usize, sockets: &Sockets) -> io::Result<(usize, Duration)> {
        let (before, begun) = (sockets.received.so_far().0, Instant::now());
        let last = self.0.len().min(first + count);
        let posters = &mut self.0[first..last];
        let frames: u64 = if sockets.len() == 0 { 0 } else { posters.iter().map(|(_, _, members)| members).sum() };
        let posts = posters.iter_mut().map(|(client, room, _)| client.graphql(POST, variables(room)));
        let posted = futures_util::future::try_join_all(posts).await?.len();
        sockets.received.reach(before + frames).await?;
        Ok((posted, begun.elapsed()))
    }
}

/// The variables of a post, which is another one each time.
pub fn variables(room: &str) -> Value {
    static POSTS: AtomicU64 = AtomicU64::new(0);
    json!({ "room": room, "body": BODY, "client": POSTS.fetch_add(1, Ordering::Relaxed).to_string() })
}

/// The middle one of several runs, by CPU per delivery.
pub fn middle(runs: &mut [Run]) -> Option<Run> {
    runs.sort_by(|a, b| a.micros.total_cmp(&b.micros));
    at_share(runs, 0.5).copied()
}
