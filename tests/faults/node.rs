//! One server process, which can be killed, frozen and started again on the same port.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::data::Data;
use crate::servers::free_port;
use crate::support::Endpoint;

/// The secret that signs tokens on every node.
pub const SECRET: &str = "the same on every node, at least 32 bytes";

/// How long a node may take to become ready.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A node, running or not.
pub struct Node {
    command: Box<dyn Fn() -> Command + Send + Sync>,
    child: Option<Child>,
    endpoint: Endpoint,
}

impl Node {
    /// Starts a node on this data with these settings, and waits until it is ready.
    pub async fn start(data: &Data, settings: &[(&str, String)]) -> Self {
        let mut node = Self::new(data, settings);
        node.up().await;
        node
    }

    /// A node that isn't started yet.
    pub fn new(data: &Data, settings: &[(&str, String)]) -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let log = data.dir().join(format!("node-{}.log", addr.port()));
        let (dir, data_dir, url) = (data.dir().to_owned(), data.data_dir(), data.url().map(str::to_owned));
        let settings: Vec<(String, String)> =
            data.files().iter().chain(settings).map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let command = move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
            command.args(["serve", "--listen", &addr.to_string()]);
            command.current_dir(&dir).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
            command.env("PARLOR_DATA_DIR", &data_dir).env("PARLOR_TOKEN_SECRET", SECRET).env("PARLOR_DRAIN_SECS", "0");
            command.env("PARLOR_LIMITS", "off");
            command.envs(url.iter().map(|url| ("PARLOR_DATABASE_URL", url)));
            command.envs(settings.iter().map(|(name, value)| (name, value)));
            let log = File::options().create(true).append(true).open(&log).expect("the log can be opened");
            command.stdin(Stdio::null()).stdout(log.try_clone().expect("the log can be shared")).stderr(log);
            command.kill_on_drop(true);
            command
        };
        Self { command: Box::new(command), child: None, endpoint: Endpoint::new(addr) }
    }

    /// Starts the process, and returns how long it took to become ready.
    pub async fn up(&mut self) -> Duration {
        let started = Instant::now();
        self.child = Some((self.command)().spawn().expect("the program can be run"));
        while !self.ready().await {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("the process can be asked"));
            assert!(ended.is_none(), "the node ended while it started: {ended:?}");
            assert!(started.elapsed() < START_TIMEOUT, "the node wasn't ready in {START_TIMEOUT:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        started.elapsed()
    }

    /// Starts the process, and waits until it answers, ready or not.
    pub async fn up_though_unready(&mut self) {
        let started = Instant::now();
        self.child = Some((self.command)().spawn().expect("the program can be run"));
        while self.endpoint.http.get(self.endpoint.url("/livez")).send().await.is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("the process can be asked"));
            assert!(ended.is_none(), "the node ended while it started: {ended:?}");
            assert!(started.elapsed() < START_TIMEOUT, "the node didn't answer in {START_TIMEOUT:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn ready(&self) -> bool {
        let asked = self.endpoint.http.get(self.endpoint.url("/readyz")).timeout(Duration::from_secs(1)).send().await;
        asked.is_ok_and(|response| response.status() == 200)
    }

    /// Kills the process (`kill -9`).
    pub async fn kill(&mut self) {
        let mut child = self.child.take().expect("the node runs");
        child.kill().await.expect("the process was there");
    }

    /// Stops the process in good order.
    pub async fn stop(&mut self) {
        self.signal("-TERM");
        let mut child = self.child.take().expect("the node runs");
        let ended = tokio::time::timeout(START_TIMEOUT, child.wait()).await;
        ended.expect("the node stops in time").expect("the process ends");
    }

    /// Freezes the process (SIGSTOP), until [`Node::thaw`].
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets the process continue (SIGCONT).
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = std::process::Command::new("kill").args([signal, &self.pid().to_string()]).status();
        assert!(sent.expect("there is a kill program").success(), "the signal was not sent");
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("the node runs")
    }

    /// Memory that the process holds, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it holds memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// The sum of a metric over its labels.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.endpoint.get("/metrics").await.text().await.expect("metrics are text");
        let samples = text.lines().filter_map(|line| line.rsplit_once(' '));
        let samples = samples.filter(|(key, _)| key.split('{').next() == Some(name));
        samples.map(|(_, value)| value.parse::<f64>().expect("a sample ends with a number")).sum()
    }

    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its address.
    pub fn addr(&self) -> SocketAddr {
        self.endpoint.addr
    }
}
