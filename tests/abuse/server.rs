//! The attacked server: the built program on an SQLite file.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::servers::free_port;
use crate::support::{Endpoint, Room, TestUser};

const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A text as long as a message may be.
pub const LARGE: usize = 16 * 1024;

/// A server and its data, which are gone when it is dropped.
pub struct Server {
    dir: TempDir,
    child: Child,
    endpoint: Endpoint,
}

/// A server with two users and their room.
pub struct Scene {
    /// The server.
    pub server: Server,
    /// Has posted large messages.
    pub ann: TestUser,
    /// The attacker.
    pub eve: TestUser,
    /// Of both.
    pub room: Room,
    /// Where the attacker's stream stood before the messages.
    pub after: String,
}

impl Server {
    /// A server without data.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let child = serve(&dir, addr, &[]);
        Self { dir, child, endpoint: Endpoint::new(addr) }.ready().await
    }

    /// A server on which so many large messages were posted before it was started with its limits.
    pub async fn with_messages(count: usize) -> Scene {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let child = serve(&dir, addr, &[("PARLOR_LIMITS", "off")]);
        let mut server = Self { dir, child, endpoint: Endpoint::new(addr) }.ready().await;
        let users = [server.user("ann").await, server.user("eve").await];
        let room = users[0].initiate_chat([&users[1]]).await;
        let after = users[1].sync_cursor().await;
        let body = "x".repeat(LARGE);
        for _ in 0..count / 50 {
            join_all((0..50).map(|_| users[0].post(&room, &body))).await;
        }
        server.child.kill().await.expect("the process was there");
        server.child = serve(&server.dir, addr, &[]);
        let [ann, eve] = users;
        Scene { server: server.ready().await, ann, eve, room, after }
    }

    async fn ready(mut self) -> Self {
        let started = Instant::now();
        while !self.is_ready().await {
            let ended = self.child.try_wait().expect("the process can be asked");
            assert!(ended.is_none(), "the server ended while it started: {ended:?}");
            assert!(started.elapsed() < START_TIMEOUT, "the server wasn't ready in {START_TIMEOUT:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self
    }

    /// Whether `/readyz` says 200.
    pub async fn is_ready(&self) -> bool {
        let asked = self.endpoint.http.get(self.endpoint.url("/readyz")).timeout(Duration::from_secs(5)).send().await;
        asked.is_ok_and(|response| response.status() == 200)
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Signs up a user.
    pub async fn user(&self, name: &str) -> TestUser {
        self.endpoint.user(name).await
    }

    /// Whether the process lives.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// Resident memory now, in MiB.
    pub fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most resident memory since [`Self::forget_peak`], in MiB.
    pub fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// From now on, [`Self::peak`] is what comes.
    pub fn forget_peak(&self) {
        std::fs::write(self.proc("clear_refs"), "5").expect("the peak can be reset");
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux reports it");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of KiB") / 1024
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id().expect("the process runs"))
    }
}

fn serve(dir: &TempDir, addr: SocketAddr, settings: &[(&str, &str)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
    command.args(["serve", "--listen", &addr.to_string()]).current_dir(dir.path());
    command.env_clear().env("PARLOR_DATA_DIR", dir.path().join("data")).env("PARLOR_LOG", "error");
    command.envs(settings.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("the program can be run")
}
