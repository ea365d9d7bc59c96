//! Wires the parts together, starts them, and stops them in the order of their dependencies.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::{Broker, BrokerError, BrokerSettings};
use crate::chat::words::WordList;
use crate::chat::{Chat, Directory, Policy, PushServices, Quotas};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::delivery::{Delivery, Execute, Hub, WaitLimits};
use crate::ephemeral::{Ephemeral, EphemeralLimits, notifier, peers};
use crate::graphql::{self, Contract};
use crate::http::answers::Answers;
use crate::http::doubts::Doubts;
use crate::http::encoding::Compressor;
use crate::http::guard::{self, Guard};
use crate::http::pages::Pages;
use crate::http::router::router;
use crate::http::serve::serve;
use crate::http::{AppParts, AppState, engine};
use crate::issuers::Issuers;
use crate::limits::Limits;
use crate::log::recent::Memory;
use crate::log::{self, Tail, doorbell};
use crate::position::Position;
use crate::store::check::{self, CheckError, Report};
use crate::store::{ServerLock, in_background};
use crate::turns::Turns;
use crate::website::AllowedWebsites;

mod banner;
mod consumers;
mod core;
mod erasure;
mod files;
mod notifications;
mod presence;
mod retention;
mod timers;
mod uses;
mod webhooks;

use consumers::Readers;
pub use core::{Core, StartError};
use webhooks::WebhookParts;

/// How long after the time for draining connections that are still open are ended.
const GRACE: Duration = Duration::from_secs(5);

/// How long the tasks behind the connections may take to end.
const BACKGROUND_GRACE: Duration = Duration::from_secs(10);

/// A running server.
pub struct Running {
    addr: SocketAddr,
    core: Core,
    state: AppState,
    tasks: TaskTracker,
    stop_tail: CancellationToken,
    lock: Option<ServerLock>,
}

/// Starts a server on a listener that is already bound, so that a test can listen on port 0.
///
/// # Errors
/// When the data directory, the secrets or the database can't be used, or another server has the SQLite file open.
pub async fn start(config: &Config, listener: TcpListener, clock: Clock) -> Result<Running, StartError> {
    start_with(config, listener, clock, Tuning::default()).await
}

/// What tests set otherwise, because they can't wait for the default times. It is no setting.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tuning {
    /// The limits of presence and typing.
    pub ephemeral: EphemeralLimits,
    /// For how long a subscription waits for the database.
    pub waiting: WaitLimits,
    /// How long after a message those are notified who are connected. `None`: 15 s.
    pub notify_later: Option<Duration>,
    /// How long telling the app's backend of notifications may hold up others. `None`: 20 s.
    pub notify_backend: Option<Duration>,
}

/// As [`start`], with other times.
///
/// The parts are wired from below: the rules over the database, presence and typing, the hub that follows the log, and
/// the edge. The tail begins at the same head of the log as the hub, so that no event is missed between them.
///
/// The future is boxed here: an `async fn` is compiled where it is first polled, so that every program and every binary of
/// tests would compile the whole server by itself.
///
/// # Errors
/// As [`start`].
pub fn start_with(
    config: &Config,
    listener: TcpListener,
    clock: Clock,
    tuning: Tuning,
) -> BoxFuture<'_, Result<Running, StartError>> {
    wire(config, listener, clock, tuning).boxed()
}

async fn wire(config: &Config, listener: TcpListener, clock: Clock, tuning: Tuning) -> Result<Running, StartError> {
    let addr = listener.local_addr()?;
    let tasks = TaskTracker::new();
    core::make_data_dir(config)?;
    let lock = ServerLock::take(&core::database_url(config))?;
    let (core, commits) = Core::open(config, clock.clone(), &tasks).await?;
    let (store, metrics) = (&core.store, &core.metrics);
    let ephemeral = Arc::new(Ephemeral::new(tuning.ephemeral, clock.clone(), metrics.clone()));
    let issuers = Arc::new(Issuers::open(&config.issuer, &clock, &tasks)?);
    let chat = rules(config, &core, &ephemeral, &issuers)?;
    let chat = files::keep(config, &core, chat, &tasks)?;
    let notify = notifications::open(config, &core, &chat, tuning.notify_later).await?;
    let chat = chat.with_push_key(notify.push_key());

    let (webhooks, chat) = WebhookParts::wire(config, &core, chat)?;
    let schema = graphql::schema(chat.clone(), core.cursors.clone());
    let execute: Execute = {
        let schema = schema.clone();
        Arc::new(move |request| schema.execute_stream(request).map(engine::executed).boxed())
    };
    let webhook_execute = execute.clone();
    let head = log::head(store).await?;
    let hub = Hub::new(store.clone(), clock, head, commits.head.clone(), metrics.clone(), ephemeral.clone());
    let delivery = Delivery::new(
        Arc::new(hub),
        execute,
        graphql::events::event_type,
        tasks.clone(),
        metrics.clone(),
        tuning.waiting,
    );

    let stop_tail = CancellationToken::new();
    let broker = Broker::connect(broker_settings(config).as_ref()).await?;
    let rung = Arc::new(Notify::new());
    let poll = Duration::from_millis(config.poll_ms.into());
    tasks.spawn(listen(broker.clone(), commits.head.clone(), rung.clone(), stop_tail.clone()));
    tasks.spawn(peers::run(ephemeral.clone(), broker.clone(), stop_tail.clone()));
    tasks.spawn(notifier::run(ephemeral.clone(), delivery.hub().clone(), stop_tail.clone()));
    // The token cache observes before the hub closes the sockets of an ended session, so that the client can't connect
    // again with its token.
    let memory = Arc::new(Memory::after(head));
    let mut observers: Vec<Arc<dyn log::Observer>> = vec![chat.token_cache().clone(), memory.clone()];
    let readers = Readers { memory: &memory, poll, tasks: &tasks, stop: &stop_tail };
    let webhooks = webhooks.start(&core, &chat, webhook_execute, &readers);
    notify.tell_backend(webhooks.notifier(tuning.notify_backend));
    let (consumers, lags) = consumers::start(&core, &notify, &readers);
    observers.extend(consumers);
    observers.push(webhooks);
    let hub = delivery.hub().clone();
    let pulse = commits.pulse.clone();
    let tail = Tail::new(store.for_followers(), metrics.clone(), observers, hub, head, commits, rung, poll);
    tasks.spawn(core::halting(tail.run(stop_tail.clone()), &core.halted));
    keep_house(config, &core, &chat, delivery.hub(), &tasks, &stop_tail);
    let stop = stop_tail.clone();
    tasks.spawn(async move { issuers.keep_fresh(stop).await });

    let refusals = metrics.refusals.clone();
    let limits = Arc::new(Limits::new(&config.limits, move |reason| refusals.with_label_values(&[reason]).inc()));
    let sweeping = {
        let (limits, stop) = (Arc::clone(&limits), stop_tail.clone());
        async move { limits.sweep(stop).await }
    };
    tasks.spawn(sweeping);

    let state = AppState::from(AppParts {
        chat,
        schema,
        cursors: core.cursors.clone(),
        contract: Contract::new(),
        guard: Guard::new(guard::Limits::default()),
        turns: Turns::new(engine::EXECUTIONS_PER_USER),
        answers: Answers::default(),
        compressor: Compressor::default(),
        delivery,
        ephemeral,
        broker,
        store: store.clone(),
        pulse,
        lags,
        poll,
        metrics: metrics.clone(),
        allowed_origins: AllowedWebsites::new(&config.allowed_origins),
        allowed_headers: config.allowed_headers.clone(),
        pages: Pages { playground: config.shows_playground(), sample_app: config.shows_sample_app() },
        trusted_proxies: config.trusted_proxies.clone(),
        limits,
        doubts: Doubts::new(config.limits.enabled),
        drain_time: Duration::from_secs(config.drain_secs.into()),
        keepalive_secs: config.keepalive_secs,
        drain: CancellationToken::new(),
        end: CancellationToken::new(),
        connections: TaskTracker::new(),
        halted: core.halted.clone(),
    });
    state.connections.spawn(serve(listener, router(state.clone()), state.clone()));
    Ok(Running { addr, core, state, tasks, stop_tail, lock })
}

/// The rules under these settings.
fn rules(config: &Config, core: &Core, ephemeral: &Arc<Ephemeral>, issuers: &Arc<Issuers>) -> Result<Chat, StartError> {
    let in_force = config.limits.in_force();
    let quotas = Quotas { sessions: in_force.sessions, rooms: in_force.rooms };
    let directory = match config.directory {
        config::Directory::All => Directory::All,
        config::Directory::Sharers => Directory::Sharers,
        config::Directory::None => Directory::None,
    };
    let policy = Policy { accounts: config.has_accounts(), directory, profiles: config.has_profiles() };
    let words = config.words.as_deref().map(WordList::read).transpose()?;
    let fcm = config.fcm_account.is_some();
    let push = PushServices { hosts: config.push_hosts.clone(), fcm, ..PushServices::default() };
    let chat = core.chat.clone().with_presence(ephemeral.clone()).with_quotas(quotas).with_policy(policy);
    Ok(chat.with_word_list(words).with_issuers(issuers.clone()).with_push_services(push))
}

/// Starts what a node does by itself every now and then.
fn keep_house(
    config: &Config,
    core: &Core,
    chat: &Chat,
    hub: &Arc<Hub>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let poll = Duration::from_millis(config.poll_ms.into());
    let keep = TimeDelta::days(config.keep_events_days.into());
    let (store, metrics) = (&core.store, &core.metrics);
    tasks.spawn(in_background(timers::run(chat.clone(), store.clone(), metrics.clone(), poll, stop.clone())));
    tasks.spawn(in_background(store.clone().look_after_file(stop.clone())));
    tasks.spawn(in_background(retention::run(chat.clone(), keep, stop.clone())));
    tasks.spawn(in_background(erasure::run(chat.clone(), stop.clone())));
    tasks.spawn(in_background(files::look(chat.clone(), stop.clone())));
    tasks.spawn(in_background(files::collect(chat.clone(), store.clone(), stop.clone())));
    tasks.spawn(in_background(uses::run(chat.clone(), hub.clone(), stop.clone())));
}

fn broker_settings(config: &Config) -> Option<BrokerSettings> {
    let url = config.nats_url.clone()?;
    Some(BrokerSettings { url, credentials: config.nats_credentials.clone(), ca: config.nats_ca.clone() })
}

/// Runs the doorbell until cancelled.
async fn listen(broker: Broker, head: watch::Receiver<Position>, rung: Arc<Notify>, stop: CancellationToken) {
    let listening: Result<(), BrokerError> = doorbell::run(broker, head, rung, stop).await;
    if let Err(error) = listening {
        tracing::error!(%error, "the doorbell failed; commits of other nodes are noticed only by polling");
    }
}

impl Running {
    /// The address on which it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Everything that request handlers use: the rules, the metrics, the database.
    #[must_use]
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// The clock of the server.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.core.chat.clock()
    }

    /// Shuts down gracefully. First it accepts no more connections, lets requests finish and closes sockets, within the
    /// configured time and [`GRACE`]. Then it writes what is queued, without delivering it to anybody any more, and
    /// closes the database.
    ///
    /// # Errors
    /// When the database reports one on closing.
    pub async fn shutdown(self) -> Result<(), StartError> {
        let Self { core, state, tasks, stop_tail, lock, .. } = self;
        state.drain.cancel();
        state.connections.close();
        if tokio::time::timeout(state.drain_time + GRACE, state.connections.wait()).await.is_err() {
            tracing::warn!(connections = state.connections.len(), "closing connections that did not end in time");
            state.end.cancel();
        }
        let store = core.finish_writing().await;
        stop_tail.cancel();
        // Rendering ends when the last owner of its groups is dropped.
        drop(state);
        tasks.close();
        if tokio::time::timeout(BACKGROUND_GRACE, tasks.wait()).await.is_err() {
            tracing::warn!(tasks = tasks.len(), "background tasks did not end in time");
        }
        let closed = store.close().await.map_err(StartError::Database);
        drop(lock);
        closed
    }
}

/// Serves until `shutdown` resolves or a part of the server has broken down, then shuts down gracefully. Prints its
/// addresses to standard output.
///
/// # Errors
/// When the server can't start, a part of it has broken down, or the database can't be closed.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), StartError> {
    let running = start(&config, listener, Clock::default()).await?;
    // Standard output may be closed.
    let _ = writeln!(io::stdout(), "{}", banner::banner(running.addr(), &config, running.state.pages));
    let halted = tokio::select! {
        () = shutdown => false,
        () = running.state.halted.cancelled() => true,
    };
    tracing::info!(drain_secs = config.drain_secs, "stopping");
    running.shutdown().await?;
    tracing::info!("stopped");
    if halted { Err(StartError::Halted) } else { Ok(()) }
}

/// Verifies the database that is configured and, if asked to, that the storage of files has what it says, beside running
/// servers or without one, and changes nothing.
///
/// # Errors
/// When the database is not there, can't be read, or is of another version than this program.
#[must_use]
pub fn check(config: &Config, with_files: bool) -> BoxFuture<'_, Result<Report, CheckError>> {
    check_all(config, with_files).boxed()
}

async fn check_all(config: &Config, with_files: bool) -> Result<Report, CheckError> {
    let url = core::database_url(config);
    let mut report = check::run(&url).await?;
    if with_files {
        files::check(config, &url, &mut report).await?;
    }
    Ok(report)
}
