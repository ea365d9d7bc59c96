//! A proxy that does harm, between clients and a server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::dice::Dice;

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Nothing.
    None,
    /// Cuts each connection after some number of bytes from the server, below this one.
    CutBelow(usize),
    /// Lets no byte through any more, and keeps the connections open.
    Hold,
    /// Of the messages that clients publish to a broker, three in ten each are dropped, doubled, and sent after the
    /// next one.
    Doorbells,
    /// Of the messages that clients publish to a broker, none comes through.
    Silence,
}

/// Counts of what came through.
#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    ended: AtomicUsize,
    /// Chunks of bytes from the server.
    answers: AtomicUsize,
    published: AtomicUsize,
}

/// A proxy in front of one server. It ends with all its connections when dropped.
pub struct Proxy {
    addr: SocketAddr,
    server: watch::Sender<SocketAddr>,
    harm: watch::Sender<Harm>,
    silenced: Arc<watch::Sender<usize>>,
    silence_at: Arc<AtomicUsize>,
    counts: Arc<Counts>,
    _connections: JoinSet<()>,
}

impl Proxy {
    /// A proxy in front of this server.
    pub async fn start(server: SocketAddr, harm: Harm, dice: Dice) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let addr = listener.local_addr().expect("the listener has an address");
        let (server, to) = watch::channel(server);
        let (sender, harm) = watch::channel(harm);
        let (silenced, silent) = watch::channel(0);
        let (silenced, silence_at) = (Arc::new(silenced), Arc::new(AtomicUsize::new(usize::MAX)));
        let (counts, mut accepting) = (Arc::<Counts>::default(), JoinSet::new());
        let shared = counts.clone();
        let (to_be_silenced, at) = (silenced.clone(), silence_at.clone());
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            for n in 0.. {
                let Ok((client, _)) = listener.accept().await else { continue };
                shared.accepted.store(n + 1, Ordering::Relaxed);
                let (mut to, dice, counts) = (to.clone(), dice.nth(n), shared.clone());
                let fate = Fate {
                    n,
                    harm: harm.clone(),
                    silenced: silent.clone(),
                    silence_at: at.clone(),
                    to_be_silenced: to_be_silenced.clone(),
                };
                connections.spawn(async move {
                    let at = *to.borrow_and_update();
                    let Ok(server) = TcpStream::connect(at).await else { return };
                    tokio::select! {
                        () = connection(client, server, fate, dice, &counts) => {}
                        _ = to.changed() => {}
                    }
                    counts.ended.fetch_add(1, Ordering::Relaxed);
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { addr, server, harm: sender, silenced, silence_at, counts, _connections: accepting }
    }

    /// A proxy in front of the broker at this address, for nodes that ring through it.
    pub async fn before_broker(url: &str, harm: Harm, dice: Dice) -> Self {
        let at = url.strip_prefix("nats://").and_then(|at| at.parse().ok()).expect("an address of NATS");
        Self::start(at, harm, dice).await
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Changes what it does, from now on.
    pub fn set(&self, harm: Harm) {
        self.harm.send_replace(harm);
    }

    /// Cuts all connections; new ones are connected to this server.
    pub fn redirect(&self, server: SocketAddr) {
        self.server.send_replace(server);
    }

    /// Cuts all connections once.
    pub fn cut(&self) {
        self.server.send_modify(|_| {});
    }

    /// Lets no byte more through the connections that there are now, and keeps them open. New ones work.
    pub fn silence(&self) {
        self.silenced.send_replace(self.counts.accepted.load(Ordering::Relaxed));
    }

    /// As [`Self::silence`], when the server has answered so often from now on; that answer is lost as well.
    pub fn silence_at_answer(&self, answers: usize) {
        let at = self.counts.answers.load(Ordering::Relaxed) + answers;
        self.silence_at.store(at, Ordering::Relaxed);
    }

    /// How many connections have ended.
    pub fn ended(&self) -> usize {
        self.counts.ended.load(Ordering::Relaxed)
    }

    /// How much was published through it to a broker.
    pub fn published(&self) -> usize {
        self.counts.published.load(Ordering::Relaxed)
    }
}

/// What is done to one connection.
#[derive(Clone)]
struct Fate {
    /// The connection's number.
    n: usize,
    harm: watch::Receiver<Harm>,
    /// Connections with a lower number are silent.
    silenced: watch::Receiver<usize>,
    /// The answer at which all that there are fall silent.
    silence_at: Arc<AtomicUsize>,
    to_be_silenced: Arc<watch::Sender<usize>>,
}

impl Fate {
    fn harm(&self) -> Harm {
        *self.harm.borrow()
    }

    /// Counts an answer, and has all connections fall silent if it is the one.
    fn answer(&self, counts: &Counts) {
        let answers = counts.answers.fetch_add(1, Ordering::Relaxed) + 1;
        if answers == self.silence_at.load(Ordering::Relaxed) {
            self.to_be_silenced.send_replace(counts.accepted.load(Ordering::Relaxed));
        }
    }

    fn holds(&self) -> bool {
        self.harm() == Harm::Hold || self.n < *self.silenced.borrow()
    }
}

async fn connection(client: TcpStream, server: TcpStream, fate: Fate, mut dice: Dice, counts: &Counts) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let budget = match fate.harm() {
        Harm::CutBelow(bytes) => Some(dice.below(bytes) + 1),
        _ => None,
    };
    let up = async {
        if matches!(fate.harm(), Harm::Doorbells | Harm::Silence) {
            publish(from_client, to_server, fate.harm.clone(), dice, counts).await;
        } else {
            pass(from_client, to_server, &fate, None, || {}).await;
        }
    };
    // When one side ends, the other one is cut in the middle of whatever it was sending.
    tokio::select! {
        () = up => {}
        () = pass(from_server, to_client, &fate, budget, || fate.answer(counts)) => {}
    }
}

/// `came`: called for each chunk of bytes, before it is passed on.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    fate: &Fate,
    mut budget: Option<usize>,
    came: impl Fn(),
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        came();
        while fate.holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let passed = budget.map_or(read, |left| left.min(read));
        if to.write_all(&buffer[..passed]).await.is_err() {
            return;
        }
        if let Some(left) = &mut budget {
            *left -= passed;
            if *left == 0 {
                return;
            }
        }
    }
}

/// Passes on what a client sends to a NATS server, and does harm to what it publishes.
/// <https://docs.nats.io/reference/reference-protocols/nats-protocol>
async fn publish(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    harm: watch::Receiver<Harm>,
    mut dice: Dice,
    counts: &Counts,
) {
    let (mut buffer, mut late) = (Vec::new(), Vec::<u8>::new());
    loop {
        let Some(length) = whole_operation(&buffer) else {
            if !matches!(from.read_buf(&mut buffer).await, Ok(1..)) {
                return;
            }
            continue;
        };
        let operation: Vec<u8> = buffer.drain(..length).collect();
        let mut passed = Vec::new();
        let published = is_publication(&operation);
        counts.published.fetch_add(usize::from(published), Ordering::Relaxed);
        match (*harm.borrow(), dice.below(10)) {
            _ if !published => passed = operation,
            (Harm::Silence, _) | (Harm::Doorbells, 0..3) => {}
            (Harm::Doorbells, 3..6) => passed = operation.repeat(2),
            (Harm::Doorbells, 6..9) => late.extend(operation),
            _ => passed = operation,
        }
        if !passed.is_empty() {
            passed.append(&mut late);
        }
        if to.write_all(&passed).await.is_err() {
            return;
        }
    }
}

fn is_publication(operation: &[u8]) -> bool {
    operation.starts_with(b"PUB ") || operation.starts_with(b"HPUB ")
}

/// The length of the first operation, if all of it is there.
fn whole_operation(buffer: &[u8]) -> Option<usize> {
    let line = buffer.windows(2).position(|pair| pair == b"\r\n")? + 2;
    if !is_publication(buffer) {
        return Some(line);
    }
    let text = std::str::from_utf8(&buffer[..line]).ok()?;
    let payload: usize = text.split_ascii_whitespace().last()?.parse().ok()?;
    let length = line + payload + 2;
    (buffer.len() >= length).then_some(length)
}
