//! What a storm leaves behind: the memory of the server's process, as Linux counts it.

use std::fmt;
use std::fs;
use std::net::Ipv4Addr;
use std::thread::available_parallelism;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Database, Process, documents, within};

/// Sign-ups of one storm, all of which may wait at the same time.
const STORM: usize = 40;

/// Memory of one hashing, in KiB (`chat::user::password`).
const HASHING_KIB: usize = 19 * 1024;

/// What a storm may take besides the memory to hash in, in KiB: connections, the database's pages, tokens.
const ELSEWHERE_KIB: usize = 48 * 1024;

/// A process's memory.
#[derive(Clone, Copy)]
struct Memory {
    /// What it takes now, in KiB.
    now_kib: usize,
    /// The most that it took since [`reset_peak`], in KiB.
    peak_kib: usize,
}

impl Memory {
    fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
        let kib = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the system says so");
            line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
        };
        Self { now_kib: kib("VmRSS:"), peak_kib: kib("VmHWM:") }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB, peak {} MiB", self.now_kib / 1024, self.peak_kib / 1024)
    }
}

/// From now on the peak is what the process takes from now on (`proc_pid_clear_refs(5)`).
fn reset_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the process is ours");
}

/// Signs up this many users at the same time, each from an address of its own, and returns the memory afterwards.
async fn storm(server: &Process, name: &str, users: usize) -> Memory {
    reset_peak(server.id());
    let endpoint = server.endpoint();
    let sign_ups = (0..users).map(|n| async move {
        let username = format!("{name}{n}");
        let input = json!({ "username": username, "password": format!("open, {username}"), "displayName": username });
        let request = endpoint.http.post(endpoint.url("/graphql")).header("x-forwarded-for", format!("198.51.100.{n}"));
        let request = request.json(&json!({ "query": documents::SIGN_UP, "variables": { "input": input } }));
        let answer: serde_json::Value = request.send().await?.json().await?;
        assert!(answer.get("errors").is_none(), "{answer}");
        Ok::<(), reqwest::Error>(())
    });
    for signed_up in within("the storm to be over", join_all(sign_ups)).await {
        signed_up.expect("the server answers");
    }
    let memory = Memory::of(server.id());
    println!("{name}: {memory}");
    memory
}

async fn start(database: &Database) -> (Process, Memory) {
    let proxy = Ipv4Addr::LOCALHOST.to_string();
    let server = Process::start(database, &[("PARLOR_TRUSTED_PROXIES", &proxy)]).await;
    let memory = Memory::of(server.id());
    println!("start: {memory}");
    (server, memory)
}

#[tokio::test]
async fn a_storm_of_sign_ups_takes_no_more_memory_than_the_one_before() {
    let database = Database::new().await;
    let (server, start) = start(&database).await;
    // As many as may be hashed at the same time: `Passwords::default`.
    let turns = available_parallelism().map_or(1, usize::from).min(4);

    let first = storm(&server, "first", STORM).await;
    let second = storm(&server, "second", STORM).await;

    let most = start.now_kib + turns * HASHING_KIB + ELSEWHERE_KIB;
    assert!(first.peak_kib <= most, "{first}; with {turns} hashings at a time, {} MiB are enough", most / 1024);
    assert!(second.peak_kib * 10 <= first.peak_kib * 11, "first {first}; second {second}");
}

#[tokio::test]
async fn sign_ups_one_after_the_other_take_the_memory_of_one() {
    let database = Database::new().await;
    let (server, start) = start(&database).await;

    let mut last = start;
    for n in 0..STORM {
        last = storm(&server, &format!("single{n}-"), 1).await;
    }

    let most = start.now_kib + HASHING_KIB + ELSEWHERE_KIB;
    assert!(last.now_kib <= most, "{last}; {} MiB are enough", most / 1024);
}
