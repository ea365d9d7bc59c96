//! A storm of reactions in a large room: what it leaves in the log, what reaches each socket, and what posts cost before and
//! after it.

use std::io;
use std::time::{Duration, Instant};

use parlor::log::Kind;
use parlor::store::Store;
use parlor::store::entity::event;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::databases::{self, Database};
use crate::delivery::{POST, variables};
use crate::http::Client;
use crate::seed::{self, Room};
use crate::server::{self, SECRET, Server, sibling};
use crate::servers::{Nats, Postgres};
use crate::sockets::{Dialect, Sockets};
use crate::table::{Section, Table, Target, figure};

/// Reactions of each member, each of another kind: as many kinds as half of what a message may have.
const EACH: usize = 10;

/// Messages among which a storm spreads that isn't about one.
const MESSAGES: usize = 50;

/// What a reaction may cost each socket, in bytes: who did what takes about 90.
const ASKED_BYTES: f64 = 200.0;

/// How much more a post may cost after the storm than before it.
const ASKED_RATIO: f64 = 1.15;

const REACT: &str = "mutation ($message: ID!, $emoji: String!) { \
    setReaction(messageId: $message, emoji: $emoji) { message { id } } }";

/// What a chat shows of messages and reactions.
const EVENTS: &str = "subscription { events { __typename cursor \
    ... on MessagePosted { message { id seq body createdAt author { id username displayName } room { id } } } \
    ... on ReactionsChanged { message { id reactions { emoji count } } changes { userId emoji on } } } }";

/// How large a storm is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Members of the room. Each has a socket, and reacts ten times, the next time as soon as it is answered.
    pub members: usize,
    /// How long posts are measured before and after.
    pub posting: Duration,
}

/// Storms on SQLite, and on PostgreSQL by two nodes, each about one message and about many.
pub async fn run(postgres: &Postgres, size: Size) -> io::Result<Section> {
    Nats::installed().map_err(|missing| io::Error::other(missing.0))?;
    let nats = tokio::task::block_in_place(Nats::start);
    let mut table = Table::new([
        "database, nodes, messages",
        "reactions/s",
        "batches",
        "events",
        "reactions per event",
        "frames per socket",
        "bytes per socket and reaction",
        "servers' µs of CPU per reaction",
        "per delivered post before",
        "after",
    ]);
    let mut targets = Vec::new();
    for (kind, nodes) in [(databases::Kind::Sqlite, 1), (databases::Kind::Postgres(postgres), 2)] {
        for messages in [1, MESSAGES] {
            let storm = Nodes::start(kind, nodes, &nats, size).await?.storm(messages, size).await?;
            let name = format!("{}, {nodes}, {messages}", kind.name());
            eprintln!("reactions, {name}: {} events", storm.events);
            let per_event = storm.reactions as f64 / storm.events as f64;
            let micros = storm.cpu.as_secs_f64() * 1e6 / storm.reactions as f64;
            let figures = [storm.bytes_each, micros, storm.before, storm.after].map(figure);
            let counts = [
                figure(storm.reactions as f64 / storm.took.as_secs_f64()),
                storm.batches.to_string(),
                storm.events.to_string(),
                figure(per_event),
                storm.events.to_string(),
            ];
            table.row([name.clone()].into_iter().chain(counts).chain(figures));
            targets.extend(asked(&name, messages, &storm));
        }
    }
    Ok(Section {
        title: "A storm of reactions".to_owned(),
        text: format!(
            "Each of the room's {} members reacts {EACH} times, to one message or to {MESSAGES} in turn, each time as soon as the \
             last is answered; each has a socket with `events` and selects the counts and who has done what. A batch is what \
             one commit takes; all its reactions to one message are one event. Before and after it one member posts, the \
             next time when all sockets have got the last: µs of the servers' CPU per delivery.",
            size.members
        ),
        tables: vec![table],
        targets,
    })
}

fn asked(name: &str, messages: usize, storm: &Storm) -> Vec<Target> {
    let events = Target {
        asked: format!("at most an event per batch and message that is reacted to: {name}"),
        measured: format!("{} events, {} batches, {} reactions", storm.events, storm.batches, storm.reactions),
        met: storm.events <= storm.batches * messages as u64 && storm.events < storm.reactions,
    };
    let posts = Target {
        asked: format!("a delivered post costs ≤ {ASKED_RATIO}× what it did before the storm: {name}"),
        measured: format!(
            "{}× ({} and {} µs)",
            figure(storm.after / storm.before),
            figure(storm.after),
            figure(storm.before)
        ),
        met: storm.after <= ASKED_RATIO * storm.before,
    };
    let bytes = Target {
        asked: format!("≤ {ASKED_BYTES} bytes per socket and reaction: {name}"),
        measured: figure(storm.bytes_each),
        met: storm.bytes_each <= ASKED_BYTES,
    };
    // Where each is about another message, the counts of that come with it.
    if messages == 1 { vec![events, bytes, posts] } else { vec![events, posts] }
}

/// What one storm was.
struct Storm {
    reactions: u64,
    batches: u64,
    events: u64,
    took: Duration,
    bytes_each: f64,
    cpu: Duration,
    /// µs of CPU per delivered post.
    before: f64,
    after: f64,
}

/// Nodes with a room, each of whose members has a socket at one of them.
struct Nodes {
    database: Database,
    store: Store,
    servers: Vec<Server>,
    room: Room,
    sockets: Vec<Sockets>,
    /// Kept until they end.
    dirs: Vec<TempDir>,
}

impl Nodes {
    async fn start(kind: databases::Kind<'_>, nodes: usize, nats: &Nats, size: Size) -> io::Result<Self> {
        let database = kind.create().await?;
        let store = database.open().await?;
        let room = seed::one_room(&store, size.members).await?;
        let mut all = Self { database, store, servers: Vec::new(), room, sockets: Vec::new(), dirs: Vec::new() };
        for n in 0..nodes {
            let dir = tempfile::tempdir()?;
            let url = nats.url();
            let settings = [("PARLOR_NATS_URL", &*url)];
            let (own, settings) =
                if nodes == 1 { (all.database.dir.path(), &settings[..0]) } else { (dir.path(), &settings[..]) };
            let command = server::parlor(&sibling("parlor"), own, all.database.url.as_deref(), settings);
            all.servers.push(Server::start(command).await?);
            let members = all.room.members.iter().skip(n).step_by(nodes);
            let members = members.map(|user| (seed::token(SECRET, *user), json!({})));
            let addr = all.servers[n].addr;
            let sockets = Sockets::subscribe(addr, Dialect::GraphQl(EVENTS), members.collect::<Vec<_>>()).await?;
            sockets.received.reach(sockets.len() as u64).await?;
            all.sockets.push(sockets);
            all.dirs.push(dir);
        }
        Ok(all)
    }

    /// Has everybody react to so many messages, and measures it.
    async fn storm(mut self, messages: usize, size: Size) -> io::Result<Storm> {
        let mut author = self.client(0).await?;
        let mut ids = Vec::with_capacity(messages);
        for _ in 0..messages {
            ids.push(self.post(&mut author).await?);
        }
        let before = self.posting(&mut author, size.posting).await?;
        let batches = self.batches().await?;
        let (cpu, frames) = (self.cpu()?, self.received());
        let mut reacting = JoinSet::new();
        for n in 0..self.room.members.len() {
            let (mut client, ids) = (self.client(n).await?, ids.clone());
            reacting.spawn(async move {
                for kind in 0..EACH {
                    let message = &ids[(n + kind) % ids.len()];
                    client.graphql(REACT, json!({ "message": message, "emoji": format!(":{kind}:") })).await?;
                }
                Ok::<_, io::Error>(())
            });
        }
        let begun = Instant::now();
        while let Some(reacted) = reacting.join_next().await {
            reacted.map_err(io::Error::other)??;
        }
        let took = begun.elapsed();
        let told = event::Entity::find().filter(event::Column::Kind.eq(Kind::ReactionsChanged));
        let events = told.count(self.store.read()).await.map_err(io::Error::other)?;
        for (sockets, (frames, _)) in self.sockets.iter().zip(&frames) {
            sockets.received.reach(frames + events * sockets.len() as u64).await?;
        }
        let (cpu, batches) = (self.cpu()?.saturating_sub(cpu), self.batches().await? - batches);
        let bytes: u64 = self.received().iter().zip(&frames).map(|((_, now), (_, then))| now - then).sum();
        let reactions = (self.room.members.len() * EACH) as u64;
        let after = self.posting(&mut author, size.posting).await?;
        for sockets in &mut self.sockets {
            sockets.all_open()?;
        }
        self.sockets.clear();
        for server in self.servers {
            server.stop().await?;
        }
        let bytes_each = bytes as f64 / (self.room.members.len() as u64 * reactions) as f64;
        Ok(Storm { reactions, batches, events, took, bytes_each, cpu, before, after })
    }

    /// µs of CPU per delivered post, of which one comes when all sockets have got the last.
    async fn posting(&self, author: &mut Client, time: Duration) -> io::Result<f64> {
        let (cpu, begun, mut posts) = (self.cpu()?, Instant::now(), 0);
        while begun.elapsed() < time {
            self.post(author).await?;
            posts += 1;
        }
        let cpu = self.cpu()?.saturating_sub(cpu);
        Ok(cpu.as_secs_f64() * 1e6 / (posts * self.room.members.len()) as f64)
    }

    /// Posts, and waits until all have got it. The message's id.
    async fn post(&self, author: &mut Client) -> io::Result<Value> {
        let before = self.received();
        let mut posted = author.graphql(POST, variables(&self.room.id.to_string())).await?;
        for (sockets, (frames, _)) in self.sockets.iter().zip(before) {
            sockets.received.reach(frames + sockets.len() as u64).await?;
        }
        Ok(posted["postMessage"]["message"]["id"].take())
    }

    /// A client of this member, at the node where its socket is.
    async fn client(&self, member: usize) -> io::Result<Client> {
        let addr = self.servers[member % self.servers.len()].addr;
        Client::connect(addr, Some(&seed::token(SECRET, self.room.members[member]))).await
    }

    fn received(&self) -> Vec<(u64, u64)> {
        self.sockets.iter().map(|sockets| sockets.received.so_far()).collect()
    }

    fn cpu(&self) -> io::Result<Duration> {
        self.servers.iter().map(Server::cpu).sum()
    }

    /// How many times anything was committed.
    async fn batches(&self) -> io::Result<u64> {
        let mut batches = 0.0;
        for server in &self.servers {
            let samples = server.metric("parlor_append_batch_size_count").await?;
            batches += samples.iter().map(|(_, value)| value).sum::<f64>();
        }
        Ok(batches as u64)
    }
}
