//! Clients in other languages, as their users write them: graphql-ws with several subscriptions on one socket.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::data::Data;
use crate::node::Node;
use crate::oracle::Findings;
use crate::proxy::{Harm, Proxy};
use crate::receiver::{Connection, Log};
use crate::scenario::{Context, Outcome};
use crate::support::Event;
use crate::truth;

/// How often the connection is cut at least, and how many messages are posted at least meanwhile.
const CUTS: usize = 30;
const POSTS: usize = 300;

/// How long that may take.
const CUT_TIME: Duration = Duration::from_secs(30);

/// How long installing the packages may take.
const INSTALL_TIME: Duration = Duration::from_mins(1);

/// How long the last message may take to reach every subscription, reconnects included; and one that may lose it.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(1));

/// About the bytes that one subscription receives between two cuts.
const BYTES_BETWEEN_CUTS: usize = 2_000;

/// What a client keeps of cursors.
#[derive(Clone, Copy, Debug)]
pub enum Keeps {
    /// For each subscription the cursor of its last event.
    BySubscription,
    /// One cursor for the whole socket, that of the last event of any subscription.
    BySocket,
}

/// What several subscriptions on one socket received.
pub struct Several {
    /// How often the socket was cut.
    pub cuts: usize,
    /// How many messages were posted.
    pub posts: usize,
    /// Whether the last message reached every subscription.
    pub settled: bool,
    /// The oracle's findings.
    pub findings: Findings,
}

/// Two and ten subscriptions of graphql-ws on one socket, each with its own cursor in its `extensions`, which is updated
/// in place. The connection is cut at any byte, again and again.
pub async fn several_subscriptions_on_one_socket_are_cut(context: Context) -> Outcome {
    let two = run(&context, 2, Keeps::BySubscription).await;
    let ten = run(&context, 10, Keeps::BySubscription).await;
    let asked = format!("{CUTS} cuts and {POSTS} posts, with 2 and with 10 subscriptions");
    let measured = format!("{} cuts and {} posts, {} cuts and {} posts", two.cuts, two.posts, ten.cuts, ten.posts);
    [two, ten].into_iter().fold(Outcome::new(asked, measured), |outcome, several| {
        outcome
            .expect(several.cuts >= CUTS, "too few were cut")
            .expect(several.settled, "the last post did not reach every subscription in time")
            .clean(several.findings)
    })
}

/// Cuts the socket of so many subscriptions while messages are posted.
pub async fn run(context: &Context, count: usize, keeps: Keeps) -> Several {
    let packages = packages().await;
    let data = Data::sqlite();
    let node = Node::start(&data, &[]).await;
    let dice = context.dice("sockets").nth(count);
    let proxy = Proxy::start(node.addr(), Harm::CutBelow(2 * BYTES_BETWEEN_CUTS * count), dice).await;
    let (ann, bob) = (node.endpoint().user("ann").await, node.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let logs: Arc<[Log]> = (0..count).map(|_| Log::default()).collect();
    let url = format!("ws://{}/graphql", proxy.addr());
    let (keeps, patience) = match keeps {
        Keeps::BySubscription => ("subscription", PATIENCE.0),
        Keeps::BySocket => ("socket", PATIENCE.1),
    };
    let (count, start) = (count.to_string(), bob.sync_cursor().await);
    let (client, lines) = node_js(packages, "several.mjs", &[&url, &bob.access_token, &start, &count, keeps]);
    let mut reading = JoinSet::new();
    reading.spawn(read(lines, logs.clone()));

    let (begun, mut posts) = (Instant::now(), 0);
    while (posts < POSTS || proxy.ended() < CUTS) && begun.elapsed() < CUT_TIME {
        ann.post(&room, &format!("{posts}")).await;
        posts += 1;
        sleep(Duration::from_millis(10)).await;
    }
    let cuts = proxy.ended();
    proxy.set(Harm::None);
    let last = ann.post(&room, "last").await;
    let settled = timeout(patience, async {
        while !logs.iter().all(|log| log.has(&last, i64::MAX)) {
            sleep(Duration::from_millis(50)).await;
        }
    });
    let settled = settled.await.is_ok();
    drop(client);
    reading.join_next().await.expect("it is read").expect("every line can be read");
    let receivers: Vec<_> = logs.iter().map(|log| log.judged(&bob.id)).collect();
    Several { cuts, posts: posts + 1, settled, findings: truth::judge(&data, &receivers).await }
}

/// Keeps what the client prints, until it ends.
async fn read(mut lines: Lines<BufReader<ChildStdout>>, logs: Arc<[Log]>) {
    while let Some(line) = lines.next_line().await.expect("the client's output can be read") {
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("expected JSON, got {line}"));
        let log = line["subscription"].as_u64().and_then(|n| logs.get(usize::try_from(n).ok()?));
        let log = log.unwrap_or_else(|| panic!("expected a subscription, got {line}"));
        if let Some(after) = line["after"].as_str() {
            log.lock().push(Connection { after: after.to_owned(), events: Vec::new() });
        } else if let Some(event) = line.get("event") {
            let mut connections = log.lock();
            let connection = connections.last_mut().expect("events come after the beginning");
            connection.events.push((Instant::now(), Event::of(event)));
        } else {
            log.blame(line["fault"].to_string());
        }
    }
}

/// A script in Node.js with these packages, and the lines that it prints. It ends when it is dropped.
fn node_js(packages: &Path, script: &str, arguments: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut command = Command::new("node");
    command.arg(packages.join(script)).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("Node.js can be run");
    let output = child.stdout.take().expect("it is piped");
    (child, BufReader::new(output).lines())
}

/// A directory with the scripts, the modules that docs/clients.md shows, and the packages of `tests/clients`.
async fn packages() -> &'static Path {
    static PACKAGES: OnceCell<PathBuf> = OnceCell::const_new();
    PACKAGES
        .get_or_init(|| async {
            let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
            let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
            std::fs::create_dir_all(to.join("snippets")).expect("a directory can be made");
            for (from, to) in [("faults/clients", to.clone()), ("clients/snippets", to.join("snippets"))] {
                for file in std::fs::read_dir(tests.join(from)).expect("the scripts are there") {
                    let file = file.expect("the scripts can be listed");
                    std::fs::copy(file.path(), to.join(file.file_name())).expect("a script can be copied");
                }
            }
            for file in ["package.json", "package-lock.json", ".npmrc"] {
                std::fs::copy(tests.join("clients").join(file), to.join(file)).expect("a file can be copied");
            }
            let mut npm = Command::new("npm");
            npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--silent"]);
            npm.current_dir(&to).stdin(Stdio::null()).kill_on_drop(true);
            let installed = timeout(INSTALL_TIME, npm.status()).await;
            let installed = installed.unwrap_or_else(|_| panic!("npm ci was not done in {INSTALL_TIME:?}"));
            assert!(installed.expect("npm can be run").success(), "npm ci failed in {}", to.display());
            to
        })
        .await
}
