//! A server for one test.

use std::net::Ipv4Addr;
use std::process::Output;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::try_join_all;
use parlor::clock::Clock;
use parlor::config::Config;
use parlor::delivery::WaitLimits;
use parlor::ephemeral::EphemeralLimits;
use parlor::position::{Cursor, CursorCodec, Resume};
use parlor::secret::Secret;
use parlor::server::{self, Running, Tuning};
use parlor::store::Held;
use sea_orm::DatabaseTransaction;
use tokio::io::AsyncWriteExt;

use super::bucket::Bucket;
use super::database::Database;
use super::endpoint::Endpoint;
use super::{Statements, within};

/// A server in this process with a database of its own, reached over TCP.
pub struct TestApp {
    server: Option<Running>,
    /// Held open, so that the port stays reserved while the server restarts; connections wait until it is back.
    listener: std::net::TcpListener,
    config: Config,
    tuning: Tuning,
    clock: Clock,
    database: Database,
    /// Where it keeps files, if not in a directory.
    bucket: Option<Bucket>,
    endpoint: Endpoint,
}

impl TestApp {
    /// Starts a server with the default settings.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a server with other settings.
    pub async fn start_with(configure: impl FnOnce(&mut Config)) -> Self {
        Self::start_with_limits(EphemeralLimits::default(), configure).await
    }

    /// Starts a server that keeps files in this bucket.
    pub async fn start_in(bucket: Bucket) -> Self {
        let mut app = Self::start_with(|config| bucket.configure(config)).await;
        app.bucket = Some(bucket);
        app
    }

    /// Starts a server with other settings and other limits of presence and typing.
    pub async fn start_with_limits(ephemeral: EphemeralLimits, configure: impl FnOnce(&mut Config)) -> Self {
        Self::start_tuned(Tuning { ephemeral, ..Tuning::default() }, configure).await
    }

    /// Starts a server whose subscriptions wait for their database only for a moment.
    pub async fn start_impatient() -> Self {
        let waiting = WaitLimits { at_least: Duration::from_millis(500), spread: Duration::from_millis(500) };
        Self::start_tuned(Tuning { waiting, ..Tuning::default() }, |_| {}).await
    }

    /// Starts a server with other settings and other times.
    pub async fn start_tuned(tuning: Tuning, configure: impl FnOnce(&mut Config)) -> Self {
        Self::start_all(Database::new().await, tuning, configure).await
    }

    /// Starts a server on this database.
    pub async fn start_on(database: Database) -> Self {
        Self::start_all(database, Tuning::default(), |_| {}).await
    }

    async fn start_all(database: Database, tuning: Tuning, configure: impl FnOnce(&mut Config)) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        listener.set_nonblocking(true).expect("the listener can be made non-blocking");
        let addr = listener.local_addr().expect("the listener has an address");
        let mut config = Config { listen: addr, drain_secs: 0, ..Config::default() };
        database.configure(&mut config);
        // Tests are faster than people. Those of the limits switch them on.
        config.limits.enabled = false;
        configure(&mut config);
        let mut app = Self {
            server: None,
            listener,
            config,
            tuning,
            clock: Clock::default(),
            database,
            bucket: None,
            endpoint: Endpoint::new(addr),
        };
        app.resume().await;
        app
    }

    /// Stops the server in good order. Requests and sockets then wait until [`Self::resume`].
    pub async fn stop(&mut self) {
        let server = self.server.take().expect("the server runs");
        within("the server to stop", Box::pin(server.shutdown())).await.expect("the server stops in good order");
    }

    /// Starts the server again on the same data and the same port.
    pub async fn resume(&mut self) {
        let listener = self.listener.try_clone().expect("the listener can be shared");
        let listener = tokio::net::TcpListener::from_std(listener).expect("the listener is usable");
        let started = Box::pin(server::start_with(&self.config, listener, self.clock.clone(), self.tuning));
        self.server = Some(within("the server to start", started).await.expect("the server starts"));
    }

    /// Stops the server in good order and starts it again.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.resume().await;
    }

    /// Starts the server again, with its files in this bucket.
    pub async fn restart_in(&mut self, bucket: Bucket) {
        self.stop().await;
        bucket.configure(&mut self.config);
        self.bucket = Some(bucket);
        self.resume().await;
    }

    /// Changes the settings with which the server starts again.
    pub fn configure(&mut self, configure: impl FnOnce(&mut Config)) {
        configure(&mut self.config);
    }

    /// What a cursor says to those who know the server's secret.
    pub fn place(&self, cursor: &str) -> Cursor {
        let secret = match &self.config.token_secret {
            Some(secret) => Secret::new(secret.as_str()).expect("the server accepts it"),
            None => Secret::load_or_create(&self.config.data_dir).expect("the server has made it"),
        };
        match CursorCodec::new(secret.bytes()).open(cursor.parse().expect("a cursor")) {
            Resume::At(cursor) => cursor,
            other => panic!("{cursor} is not of this server: {other:?}"),
        }
    }

    /// The server's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The server's address.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The response to a GET.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.endpoint.get(path).await
    }

    /// The sum of a metric over its labels; with labels in braces behind the name, the one sample that has just these.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = within("the metrics", self.get("/metrics").await.text()).await.expect("metrics are text");
        let samples = text.lines().filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            (key == name || key.split('{').next() == Some(name))
                .then(|| value.parse::<f64>().expect("a sample ends with a number"))
        });
        let samples: Vec<f64> = samples.collect();
        assert!(!samples.is_empty(), "expected a metric {name}");
        samples.iter().sum()
    }

    /// Runs the command line with `arguments` on this server's data.
    pub async fn parlor(&self, arguments: &[&str]) -> Output {
        self.parlor_with_input(arguments, "").await
    }

    /// Runs the command line with `arguments` on this server's data, and `input` to read.
    pub async fn parlor_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.database.parlor(arguments);
        command.envs(self.bucket.iter().flat_map(Bucket::settings));
        let mut child = command.spawn().expect("the program can be run");
        let mut stdin = child.stdin.take().expect("the program has an input");
        // A program that reads nothing may end before it is written to.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let ended = within(format_args!("parlor {arguments:?} to end"), child.wait_with_output()).await;
        ended.expect("the program's output can be read")
    }

    /// The statements that the server runs from now on. Can be called once for each start of the server.
    pub fn watch_statements(&self) -> Statements {
        let server = self.server.as_ref().expect("the server runs");
        Statements(server.state().store.watch().expect("nobody else watches"))
    }

    /// Has the server prune everything that is older than now, in the way it prunes old rows.
    pub async fn prune(&self) {
        self.prune_kept(TimeDelta::zero()).await;
    }

    /// Has the server prune everything that is older than this, in the way it prunes old rows.
    pub async fn prune_kept(&self, keep: TimeDelta) {
        let server = self.server.as_ref().expect("the server runs");
        server.state().chat.prune(keep).await.expect("old rows can be pruned");
    }

    /// Has the timers fire that are due, in the way the server does it all the time.
    pub async fn fire_timers(&self) {
        let server = self.server.as_ref().expect("the server runs");
        server.state().chat.fire_timers().await.expect("timers fire");
    }

    /// Has the server delete files that nobody can fetch any more, in the way it does it every minute.
    pub async fn collect_files(&self) {
        self.try_collect_files().await.expect("files can be deleted");
    }

    /// As [`Self::collect_files`], where the storage may fail.
    pub async fn try_collect_files(&self) -> Result<(), parlor::chat::Error> {
        let server = self.server.as_ref().expect("the server runs");
        server.state().chat.collect_files().await.map(drop)
    }

    /// The directory of files.
    pub fn files_dir(&self) -> std::path::PathBuf {
        self.database.files_dir()
    }

    /// The names of what is where files are kept, whether it is whole or not.
    pub async fn kept_files(&self) -> Vec<String> {
        if let Some(bucket) = &self.bucket {
            return bucket.files().await;
        }
        let folders = std::fs::read_dir(self.database.files_dir()).into_iter().flatten().flatten();
        let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten());
        files.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
    }

    /// Has the server write when sessions were last used, in the way it does every few minutes.
    pub async fn write_uses(&self) {
        let state = self.server.as_ref().expect("the server runs").state();
        let connected = state.delivery.hub().connected_sessions();
        state.chat.write_uses(connected).await.expect("times can be written");
    }

    /// The address of the server's database.
    pub fn database_url(&self) -> String {
        self.database.url()
    }

    /// Runs one SQL statement on the server's database, on a connection of its own.
    pub async fn execute(&self, sql: &str) {
        self.database.execute(sql).await;
    }

    /// The text that one SQL statement returns, given for either database.
    pub async fn text(&self, sqlite: &str, postgres: &str) -> String {
        self.database.text(sqlite, postgres).await
    }

    /// Keeps the server from writing until the transaction ends.
    pub async fn hold_writes(&self) -> DatabaseTransaction {
        self.database.hold_writes().await
    }

    /// Keeps requests from reading until these transactions end, because they hold all the connections.
    pub async fn hold_reads(&self) -> Vec<Held> {
        let store = &self.server.as_ref().expect("the server runs").state().store;
        let held = try_join_all((0..self.config.database_connections).map(|_| store.read().hold())).await;
        held.expect("the connections are free")
    }

    /// As [`Self::hold_reads`], and keeps the hub and the tail from reading, too.
    pub async fn hold_all_reads(&self) -> Vec<Held> {
        let mut held = self.hold_reads().await;
        let followers = self.server.as_ref().expect("the server runs").state().store.for_followers();
        for _ in 0..2 {
            held.push(followers.read().hold().await.expect("the connections come free"));
        }
        held
    }
}
