//! Wires the parts together, starts them, and stops them in the order in which they need each other.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt;
use sea_orm::{DbBackend, DbErr};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chat::Chat;
use crate::chat::retention::Upkeep;
use crate::chat::session::token::Tokens;
use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::{Delivery, Execute, Hub};
use crate::graphql;
use crate::http::guard::{Guard, Limits};
use crate::http::router::router;
use crate::http::serve::serve;
use crate::http::{Edge, EdgeParts};
use crate::log::doorbell::{Broker, Doorbell, DoorbellError};
use crate::log::scribe::Commits;
use crate::log::{self, Scribe, Tail};
use crate::position::Position;
use crate::secret::Secret;
use crate::store::Store;
use crate::store::check::{self, CheckError, Report};
use crate::telemetry::Metrics;

mod following;
mod live;

use following::Following;

/// How often old rows are let go of.
const UPKEEP: Duration = Duration::from_mins(1);

/// What is still connected this long after the time for draining ends at once.
const GRACE: Duration = Duration::from_secs(5);

/// How long the tasks behind the connections may take to end.
const BACKGROUND_GRACE: Duration = Duration::from_secs(10);

/// Why the server can't start, or didn't stop well.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory can't be made.
    #[error("the data directory {} can't be made: {source}", path.display())]
    DataDir {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The secrets can't be read or made.
    #[error("the secrets in {} can't be used: {source}", path.display())]
    Secrets {
        /// The directory that holds them.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database can't be opened, migrated or read.
    #[error("the database can't be used: {0}")]
    Database(#[from] DbErr),
    /// The broker's settings can't be right.
    #[error("{0}")]
    Broker(#[from] DoorbellError),
    /// The scribe or the tail broke down, which is a defect: without them nothing is written or delivered.
    #[error("a part of the server broke down; the log says which")]
    Halted,
    /// The listener has no address.
    #[error("can't listen: {0}")]
    Listen(#[from] io::Error),
}

/// The rules over an open database, and the scribe that writes for them. The command line needs no more than this.
pub struct Core {
    /// The rules.
    pub chat: Chat,
    /// The database, migrated.
    pub store: Store,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    scribe: JoinHandle<()>,
    stop_scribe: CancellationToken,
    /// Cancelled when the scribe has ended, and by [`start`] when the tail has.
    halted: CancellationToken,
}

impl Core {
    /// Opens the database, which is made or migrated if need be, and starts the scribe on `tasks`. Works beside a
    /// running server: its tail finds in the log what is written here.
    ///
    /// # Errors
    /// When the data directory, the secrets or the database can't be used.
    pub async fn open(config: &Config, clock: Clock, tasks: &TaskTracker) -> Result<(Self, Commits), StartError> {
        let path = &config.data_dir;
        make_private_dir(path).map_err(|source| StartError::DataDir { path: path.clone(), source })?;
        let secret = match &config.token_secret {
            Some(text) => Secret::new(text.as_str()).map_err(io::Error::other),
            None => Secret::load_or_create(path),
        };
        let secret = secret.map_err(|source| StartError::Secrets { path: path.clone(), source })?;
        let tokens = Tokens::new(&secret);
        let metrics = Arc::new(Metrics::new());
        let store = open_store(config, &metrics).await?;
        store.migrate().await?;

        let (scribe, handle, commits) = Scribe::new(store.clone(), clock.clone(), metrics.clone());
        let (stop_scribe, halted) = (CancellationToken::new(), CancellationToken::new());
        let writing = halting(scribe.run(stop_scribe.clone()), &halted);
        let scribe = match store.backend() {
            DbBackend::Sqlite => on_own_thread(tasks, writing)?,
            _ => tasks.spawn(writing),
        };
        let chat = Chat::new(store.clone(), clock, handle, tokens, config.receipts_max_members);
        Ok((Self { chat, store, metrics, scribe, stop_scribe, halted }, commits))
    }

    /// Writes what is queued, then closes the database.
    ///
    /// # Errors
    /// When the database reports one on closing.
    pub async fn close(self) -> Result<(), StartError> {
        self.finish_writing().await.close().await.map_err(StartError::Database)
    }

    async fn finish_writing(self) -> Store {
        self.stop_scribe.cancel();
        if let Err(error) = self.scribe.await {
            tracing::error!(%error, "the scribe did not end by itself");
        }
        self.store
    }
}

/// A server that serves.
pub struct Running {
    addr: SocketAddr,
    core: Core,
    edge: Edge,
    tasks: TaskTracker,
    stop_tail: CancellationToken,
}

/// Starts a server on a listener that is already bound, so that a test can listen on port 0.
///
/// # Errors
/// When the data directory, the secrets or the database can't be used.
pub async fn start(config: &Config, listener: TcpListener, clock: Clock) -> Result<Running, StartError> {
    let addr = listener.local_addr()?;
    let tasks = TaskTracker::new();
    let (core, commits) = Core::open(config, clock.clone(), &tasks).await?;
    let Core { chat, store, metrics, halted, .. } = &core;
    let live = live::new(config, clock.clone(), metrics.clone());
    let chat = &chat.clone().with_live(live.clone(), config.live_max_members);

    let schema = graphql::schema(chat.clone());
    let execute: Execute = {
        let schema = schema.clone();
        Arc::new(move |request| schema.execute_stream(request).boxed())
    };
    let head = log::head(store).await?;
    let hub = Hub::new(store.clone(), clock, head, commits.head.clone(), metrics.clone(), live.clone());
    let delivery = Delivery::new(Arc::new(hub), execute, tasks.clone(), metrics.clone());

    let stop_tail = CancellationToken::new();
    let doorbell = Doorbell::open(broker(config).as_ref()).await?;
    let rung = Arc::new(Notify::new());
    let poll = Duration::from_millis(config.poll_ms.into());
    tasks.spawn(listen(doorbell.clone(), commits.head.clone(), rung.clone(), stop_tail.clone()));
    live::run(&tasks, &live, delivery.hub(), &doorbell, &stop_tail);
    let following = Arc::new(Following { chat: chat.clone(), hub: delivery.hub().clone() });
    let tail = Tail::new(store.clone(), metrics.clone(), following, head, commits, rung, poll);
    tasks.spawn(halting(tail.run(stop_tail.clone()), halted));
    let keep = TimeDelta::days(config.keep_events_days.into());
    tasks.spawn(keep_up(chat.clone(), keep, stop_tail.clone()));

    let edge = Edge::from(EdgeParts {
        chat: chat.clone(),
        schema,
        guard: Guard::new(Limits::default()),
        delivery,
        doorbell,
        store: store.clone(),
        metrics: metrics.clone(),
        allowed_origins: config.allowed_origins.clone(),
        drain_time: Duration::from_secs(config.drain_secs.into()),
        keepalive_secs: config.keepalive_secs,
        drain: CancellationToken::new(),
        end: CancellationToken::new(),
        connections: TaskTracker::new(),
        halted: halted.clone(),
    });
    edge.connections.spawn(serve(listener, router(edge.clone()), edge.clone()));
    Ok(Running { addr, core, edge, tasks, stop_tail })
}

/// Does the work on a thread and a runtime of its own, so that no request is in its way: each step of a transaction, and the
/// return of its connection, would otherwise wait for whatever the server's threads are at. Not for connections that are
/// sockets, which belong to the runtime that opened them.
fn on_own_thread(
    tasks: &TaskTracker,
    work: impl Future<Output = ()> + Send + 'static,
) -> Result<JoinHandle<()>, io::Error> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(tasks.spawn_blocking(move || {
        runtime.block_on(async {
            work.await;
            // The connection is still on its way back into the pool, which is to close it.
            while runtime.metrics().num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        });
    }))
}

/// Does the work, and cancels `halted` when it is over, however it ended.
fn halting<W: Future<Output = ()>>(work: W, halted: &CancellationToken) -> impl Future<Output = ()> + use<W> {
    let halted = halted.clone().drop_guard();
    async move {
        let _halted = halted;
        work.await;
    }
}

fn broker(config: &Config) -> Option<Broker> {
    let url = config.nats_url.clone()?;
    Some(Broker { url, credentials: config.nats_credentials.clone(), ca: config.nats_ca.clone() })
}

/// Has the doorbell rung and answered, until cancelled.
async fn listen(doorbell: Doorbell, head: watch::Receiver<Position>, rung: Arc<Notify>, stop: CancellationToken) {
    if let Err(error) = doorbell.run(head, rung, stop).await {
        tracing::error!(%error, "other nodes are not heard of but by the poll");
    }
}

/// Does the upkeep now and then, until cancelled.
async fn keep_up(chat: Chat, keep: TimeDelta, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(UPKEEP);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => {}
        }
        match chat.upkeep(keep).await {
            Ok(done) if done == Upkeep::default() => {}
            Ok(Upkeep { events, messages, sessions }) => {
                tracing::info!(events, messages, sessions, "let go of old rows");
            }
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "the upkeep was given up"),
        }
    }
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Everything that request handlers have: the rules, the metrics, the database.
    #[must_use]
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// The clock by which it lives.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.core.chat.clock()
    }

    /// Stops in good order: no more connections; requests finish and sockets are closed, within the configured time
    /// and a little more; what is queued is written; what is written is delivered to nobody any more; the database is
    /// closed.
    ///
    /// # Errors
    /// When the database reports one on closing.
    pub async fn shutdown(self) -> Result<(), StartError> {
        let Self { core, edge, tasks, stop_tail, .. } = self;
        edge.drain.cancel();
        edge.connections.close();
        if tokio::time::timeout(edge.drain_time + GRACE, edge.connections.wait()).await.is_err() {
            tracing::warn!(connections = edge.connections.len(), "connections are ended before they are done");
            edge.end.cancel();
        }
        let store = core.finish_writing().await;
        stop_tail.cancel();
        // Rendering ends when the last who holds its groups is gone.
        drop(edge);
        tasks.close();
        if tokio::time::timeout(BACKGROUND_GRACE, tasks.wait()).await.is_err() {
            tracing::warn!(tasks = tasks.len(), "background tasks did not end in time");
        }
        store.close().await.map_err(StartError::Database)
    }
}

/// Serves until `shutdown` comes, then stops in good order. Says on standard output where it is to be found.
///
/// # Errors
/// When the server can't start, or the database can't be closed.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), StartError> {
    let running = start(&config, listener, Clock::default()).await?;
    // Nobody has to read it.
    let _ = writeln!(io::stdout(), "{}", banner(running.addr(), &config));
    let halted = tokio::select! {
        () = shutdown => false,
        () = running.edge.halted.cancelled() => true,
    };
    tracing::info!(drain_secs = config.drain_secs, "stopping");
    running.shutdown().await?;
    tracing::info!("stopped");
    if halted { Err(StartError::Halted) } else { Ok(()) }
}

/// Verifies the database that is configured, beside running servers or without one, and changes nothing.
///
/// # Errors
/// When the database is not there, can't be read, or is of another version than this program.
pub async fn check(config: &Config) -> Result<Report, CheckError> {
    check::run(&database_url(config)).await
}

async fn open_store(config: &Config, metrics: &Metrics) -> Result<Store, DbErr> {
    let statements = metrics.sql_statements.clone();
    let on_statement = Arc::new(move || statements.inc());
    Store::connect(&database_url(config), config.database_connections, on_statement).await
}

/// The database that is configured, by default the file in the data directory.
fn database_url(config: &Config) -> String {
    config.database_url.clone().unwrap_or_else(|| Store::sqlite_url(&config.data_dir))
}

/// The directory holds secrets: if it is made now, only its owner may look into it.
fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn banner(addr: SocketAddr, config: &Config) -> String {
    let reached = if addr.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], addr.port())) } else { addr };
    let data_dir = config.data_dir.display();
    let data = match config.database_url.as_deref() {
        None => format!("{data_dir} (SQLite, secrets)"),
        Some(url) => format!("{}, secrets in {data_dir}", without_secrets(url)),
    };
    format!(
        "Parlor {version} is listening on {addr}\n  API         http://{reached}/graphql (WebSocket: ws://{reached}/graphql)\n  \
         Playground  http://{reached}/graphql, in a browser\n  Data        {data}",
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// A URL without its user, password and parameters.
fn without_secrets(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_tells_where_and_no_password() {
        let config =
            Config { database_url: Some("postgres://u:secret@db/parlor?password=secret".into()), ..Config::default() };
        let banner = banner(([0, 0, 0, 0], 4000).into(), &config);
        assert!(
            banner.contains("http://127.0.0.1:4000/graphql") && banner.contains("postgres://db/parlor"),
            "{banner}"
        );
        assert!(!banner.contains("secret@") && !banner.contains("password"), "{banner}");
    }
}
