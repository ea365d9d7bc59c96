//! A proxy before PostgreSQL whose connections fall silent: no byte passes any more, and nothing is closed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// A proxy in front of one server. It ends with all its connections when dropped.
pub struct Wire {
    url: String,
    state: Arc<State>,
    _connections: JoinSet<()>,
}

#[derive(Default)]
struct State {
    /// How many connections were made so far.
    made: AtomicUsize,
    /// The connections made before this many are silent.
    silent: AtomicUsize,
    /// The COMMIT of the next append is the last that its connection passes.
    swallow_commit: AtomicBool,
    /// Messages to the server, each after an answer of its: how often somebody waited for the way there and back, other
    /// than to ask for a claim.
    round_trips: AtomicUsize,
    /// How many milliseconds each message to the server takes.
    delay_ms: AtomicU64,
}

impl Wire {
    /// A proxy before the server of this URL.
    pub async fn before(url: &str) -> Self {
        let (scheme_and_user, rest) = url.split_once('@').expect("the address names a user");
        let (server, database) = rest.split_once('/').expect("the address names a database");
        let server: SocketAddr = server.parse().expect("the server has an address");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let addr = listener.local_addr().expect("the listener has an address");
        let url = format!("{scheme_and_user}@{addr}/{database}");
        let (state, mut accepting) = (Arc::<State>::default(), JoinSet::new());
        let shared = state.clone();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let state = shared.clone();
                let number = state.made.fetch_add(1, Ordering::SeqCst);
                connections.spawn(async move {
                    if let Ok(server) = TcpStream::connect(server).await {
                        connection(client, server, number, &state).await;
                    }
                });
            }
        });
        Self { url, state, _connections: accepting }
    }

    /// The address of the database through this proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on nothing passes through the connections that are open. New ones work.
    pub fn fall_silent(&self) {
        self.state.silent.store(self.state.made.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// How often a client of this proxy waited for an answer so far.
    pub fn round_trips(&self) -> usize {
        self.state.round_trips.load(Ordering::SeqCst)
    }

    /// From now on each message takes so long to the server, as through a network.
    pub fn delay(&self, by: Duration) {
        let millis = by.as_millis().try_into().expect("a delay of a test is short");
        self.state.delay_ms.store(millis, Ordering::SeqCst);
    }

    /// The COMMIT of the next append reaches the server, and its connection falls silent before the answer. Other
    /// transactions, such as those that prune, pass: they come when they like.
    pub fn swallow_the_answer_to_a_commit(&self) {
        self.state.swallow_commit.store(true, Ordering::SeqCst);
    }
}

async fn connection(client: TcpStream, server: TcpStream, number: usize, state: &State) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (appends, swallowed) = (AtomicBool::new(false), AtomicBool::new(false));
    let is_silent = || swallowed.load(Ordering::SeqCst) || number < state.silent.load(Ordering::SeqCst);
    let (waits, claims) = (AtomicBool::new(false), AtomicBool::new(false));
    let delay = || Duration::from_millis(state.delay_ms.load(Ordering::SeqCst));
    let watch = |bytes: &[u8]| {
        let says = |words: &[u8]| bytes.windows(words.len()).any(|window| window == words);
        // A connection for a claim has no other purpose, and asks for it whenever it comes to it.
        if says(b"pg_try_advisory_lock") {
            claims.store(true, Ordering::SeqCst);
        }
        if !waits.swap(true, Ordering::SeqCst) && !claims.load(Ordering::SeqCst) {
            state.round_trips.fetch_add(1, Ordering::SeqCst);
        }
        // An append begins with it. So does a migration, which has its connection for itself and is over before tests
        // use the switch.
        if says(b"pg_advisory_xact_lock") {
            appends.store(true, Ordering::SeqCst);
        }
        if says(b"COMMIT")
            && appends.swap(false, Ordering::SeqCst)
            && state.swallow_commit.swap(false, Ordering::SeqCst)
        {
            swallowed.store(true, Ordering::SeqCst);
        }
    };
    // When one side ends, so does the other.
    tokio::select! {
        () = pass(from_client, to_server, delay, &is_silent, watch) => {}
        () = pass(from_server, to_client, || Duration::ZERO, &is_silent, |_| waits.store(false, Ordering::SeqCst)) => {}
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: impl Fn() -> Duration,
    is_silent: impl Fn() -> bool,
    see: impl Fn(&[u8]),
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else {
            // A silent network doesn't pass on the end of a connection, either.
            if is_silent() {
                std::future::pending::<()>().await;
            }
            return;
        };
        if is_silent() {
            return std::future::pending().await;
        }
        see(&buffer[..read]);
        sleep(delay()).await;
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
