//! The receiver of a webhook, whatever becomes of the node that tells it: it is told every message, and what it is told again
//! has the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::data::Data;
use crate::failover::persist;
use crate::node::Node;
use crate::notifications::Watch;
use crate::proxy::{self, Proxy};
use crate::scenario::{Context, Outcome};
use crate::servers::Postgres;
use crate::support::{Backend, TestUser};

/// Events that are on their way at the same time, so that as many may be told again after a death.
const IN_FLIGHT: usize = 8;

const CREATE: &str = "mutation($url: String!) { createWebhook(input: { url: $url, query: \"subscription { events { \
                      ... on MessagePosted { message { body } } } }\" }) { webhook { id } } }";

/// What a receiver was told: the texts with the ids under which they came, one for each time.
pub type Told = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// A receiver, which serves as long as this lives.
pub struct Receiver {
    pub url: String,
    pub told: Told,
    _serving: JoinSet<()>,
}

impl Receiver {
    /// Starts one.
    pub async fn start() -> Self {
        let (told, mut serving) = (Told::default(), JoinSet::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/", listener.local_addr().expect("it has an address"));
        let app = Router::new().fallback(receive).with_state(told.clone());
        serving.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { url, told, _serving: serving }
    }

    /// Waits until all these were told. Returns how many never were.
    pub async fn skipped(&self, posted: &BTreeSet<String>) -> usize {
        let begun = Instant::now();
        loop {
            let told: BTreeSet<String> = self.told.lock().expect("no panic").keys().cloned().collect();
            let skipped = posted.difference(&told).count();
            if skipped == 0 || begun.elapsed() > Duration::from_mins(1) {
                return skipped;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What was told.
    pub fn tally(&self) -> Tally {
        let told = self.told.lock().expect("no panic");
        let ids: BTreeSet<&String> = told.values().flatten().collect();
        Tally {
            again: told.values().map(|ids| ids.len() - 1).sum(),
            changed: told.values().filter(|ids| ids.iter().any(|id| *id != ids[0])).count(),
            is_shared: ids.len() < told.len(),
        }
    }
}

/// How things were told.
pub struct Tally {
    /// How many times one was told again.
    pub again: usize,
    /// How many were told under several ids.
    pub changed: usize,
    /// Whether two were told under one id.
    pub is_shared: bool,
}

async fn receive(State(told): State<Told>, headers: HeaderMap, body: axum::Json<Value>) -> StatusCode {
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let data = &body["data"];
    let text = data["message"]["body"].as_str().unwrap_or_default();
    // Of a message, each is notified apart.
    let text = data["user"]["username"].as_str().map_or_else(|| text.to_owned(), |user| format!("{text} to {user}"));
    // A receiver that takes its time leaves more on the way.
    sleep(Duration::from_millis(5)).await;
    told.lock().expect("no panic").entry(text).or_default().push(id);
    StatusCode::NO_CONTENT
}

/// The app's own backend, with a new key.
pub fn backend(data: &Data, node: &Node) -> Backend {
    let mut add = Command::new(env!("CARGO_BIN_EXE_parlor"));
    add.args(["key", "add", "webhooks"]).current_dir(data.dir()).env_clear().env("PARLOR_DATA_DIR", data.data_dir());
    add.envs(data.url().iter().map(|url| ("PARLOR_DATABASE_URL", url)));
    let made = add.output().expect("the program can be run");
    assert!(made.status.success(), "{made:?}");
    Backend::with_key(String::from_utf8_lossy(&made.stdout).trim().to_owned(), node.endpoint())
}

/// The node that tells, as soon as there is one.
async fn teller(nodes: &[Node], except: Option<usize>) -> usize {
    runner(nodes, "webhook:", except).await
}

/// The node that runs a consumer whose name begins so, as soon as there is one.
pub async fn runner(nodes: &[Node], name: &str, except: Option<usize>) -> usize {
    let begins = format!("parlor_consumer_running{{name=\"{name}");
    let begun = Instant::now();
    loop {
        for (n, node) in nodes.iter().enumerate().filter(|(n, _)| Some(*n) != except) {
            // Each consumer on its node.
            let metrics = node.endpoint().get("/metrics").await.text().await.unwrap_or_default();
            if metrics.lines().any(|line| line.starts_with(&begins) && line.ends_with(" 1")) {
                return n;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "no node runs {name}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// What is done to the node that tells.
#[derive(Clone, Copy, PartialEq)]
enum Harm {
    Kill,
    Freeze,
}

/// Three nodes on PostgreSQL. The one that tells is killed in the midst of it, again and again, while somebody posts.
pub async fn the_node_that_tells_is_killed(context: Context) -> Outcome {
    the_node_that_tells_is_harmed(context, Harm::Kill).await
}

/// As the one above, but it is frozen, another one goes on, and it thaws in the midst of what it was doing: it must not set
/// the webhook back.
pub async fn the_node_that_tells_is_frozen(context: Context) -> Outcome {
    the_node_that_tells_is_harmed(context, Harm::Freeze).await
}

async fn the_node_that_tells_is_harmed(context: Context, harm: Harm) -> Outcome {
    let (data, posts) = (context.postgres().await, context.pick(40, 100));
    let rounds = if harm == Harm::Kill { context.pick(3, 20) } else { context.pick(2, 10) };
    let settings = [("PARLOR_WEBHOOK_ALLOW", "127.0.0.0/8".to_owned())];
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::start(&data, &settings).await);
    }
    let receiver = Receiver::start().await;
    backend(&data, &nodes[0]).graphql(CREATE, json!({ "url": receiver.url })).await.data();
    let (ann, bob) = (nodes[0].endpoint().user("ann").await, nodes[0].endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let watch = Watch::of(&data, "webhook:%").await;
    let (mut dice, mut posted, mut after) = (context.dice("moments"), BTreeSet::new(), Duration::ZERO);
    for round in 0..rounds {
        let victim = teller(&nodes, None).await;
        let author = ann.at(nodes[(victim + 1) % 3].endpoint());
        for n in 0..posts {
            let text = format!("{round}-{n}");
            persist(&author, &room, &text).await;
            posted.insert(text);
        }
        sleep(dice.about(Duration::from_millis(30))).await;
        let begun = Instant::now();
        match harm {
            Harm::Kill => nodes[victim].kill().await,
            Harm::Freeze => nodes[victim].freeze(),
        }
        let other = teller(&nodes, Some(victim)).await;
        after = after.max(begun.elapsed());
        match harm {
            Harm::Kill => drop(nodes[victim].up().await),
            Harm::Freeze => {
                // What the other one tells meanwhile stands after what the frozen one has in hand.
                let author = ann.at(nodes[other].endpoint());
                for n in 0..posts / 4 {
                    let text = format!("{round}-while-frozen-{n}");
                    persist(&author, &room, &text).await;
                    posted.insert(text);
                }
                sleep(dice.about(Duration::from_millis(300))).await;
                nodes[victim].thaw();
            }
        }
    }
    let skipped = receiver.skipped(&posted).await;
    let (Tally { again, changed, is_shared }, set_back) = (receiver.tally(), watch.set_back().await);
    let rounds = usize::try_from(rounds).unwrap_or_default();
    // A node that is frozen may thaw with as many on its way as the other has told meanwhile.
    let (done, most, limit) = match harm {
        Harm::Kill => ("killed", IN_FLIGHT * rounds, Duration::from_secs(5)),
        Harm::Freeze => ("frozen", 2 * IN_FLIGHT * rounds, Duration::from_secs(15)),
    };
    let measured = format!(
        "{done} {rounds} times, another node told {after:.1?} later at most; {} messages, {skipped} skipped, {again} told again, \
         {changed} of them under another id, set back by {set_back}",
        posted.len()
    );
    let checked = data.check();
    let asked = format!(
        "every message told, again only under the same id, and at most {} after each; never set back",
        most / rounds
    );
    Outcome::new(asked, measured)
        .expect(skipped == 0, format_args!("{skipped} messages were never told"))
        .expect(changed == 0, format_args!("{changed} messages were told under several ids"))
        .expect(!is_shared, "two messages were told under one id")
        .expect(again <= most, format_args!("{again} messages were told again"))
        .expect(set_back == 0, format_args!("the webhook was set back by {set_back}"))
        .expect(after <= limit, format_args!("nobody told for {after:?}"))
        .expect(checked.is_ok(), format_args!("the database is not whole: {checked:?}"))
}

/// The file is copied while everything is told, the server goes on and tells more, and the copy is put back: what happens
/// from there on is told, under ids that nothing of what is gone has had.
pub async fn the_database_is_restored_with_the_webhooks_place(context: Context) -> Outcome {
    let (data, posts) = (Data::sqlite(), context.pick(20, 300));
    let mut node = Node::start(&data, &[("PARLOR_WEBHOOK_ALLOW", "127.0.0.0/8".to_owned())]).await;
    let receiver = Receiver::start().await;
    backend(&data, &node).graphql(CREATE, json!({ "url": receiver.url })).await.data();
    let (ann, bob) = (node.endpoint().user("ann").await, node.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut posted = BTreeSet::new();
    let mut skipped = 0;
    for part in ["kept", "gone", "after"] {
        for n in 0..posts {
            let text = format!("{part}-{n}");
            persist(&ann, &room, &text).await;
            posted.insert(text);
        }
        skipped += receiver.skipped(&posted).await;
        let (file, copy) = (data.file(), data.dir().join("copy.db"));
        match part {
            "kept" => {
                node.stop().await;
                fs::copy(&file, &copy).expect("it can be copied");
                node.up().await;
            }
            "gone" => {
                node.stop().await;
                fs::copy(&copy, &file).expect("the copy can be put back");
                for of in ["-wal", "-shm"] {
                    let _ = fs::remove_file(data.data_dir().join(format!("parlor.db{of}")));
                }
                node.up().await;
            }
            _ => {}
        }
    }
    let Tally { again, changed, is_shared } = receiver.tally();
    node.stop().await;
    let checked = data.check();
    let measured = format!(
        "{posts} messages kept, {posts} gone, {posts} after; {skipped} skipped, {again} told again, {changed} under another id"
    );
    Outcome::new("every message told, and none under an id of one that is gone", measured)
        .expect(skipped == 0, format_args!("{skipped} messages were never told"))
        .expect(changed == 0, format_args!("{changed} messages were told under several ids"))
        .expect(!is_shared, "two messages were told under one id")
        .expect(checked.is_ok(), format_args!("the database is not whole: {checked:?}"))
}

/// Two nodes reach PostgreSQL by an address that moves. The standby stops following, more is posted and told, the primary dies,
/// the standby is promoted, and the log goes on from where the copy stands, past the place that the webhook had reached: what is
/// posted there must be told, under ids that nothing of what is gone has had.
pub async fn a_standby_that_has_missed_what_was_told_is_promoted(context: Context) -> Outcome {
    let mut primary = tokio::task::block_in_place(|| Postgres::start(true));
    let proxy = Proxy::start(primary.addr(), proxy::Harm::None, context.dice("address")).await;
    let data = Data::postgres(&format!("postgres://parlor@{}/postgres", proxy.addr())).await;
    let settings = [("PARLOR_POLL_MS", "50".to_owned()), ("PARLOR_WEBHOOK_ALLOW", "127.0.0.0/8".to_owned())];
    let nodes = [Node::start(&data, &settings).await, Node::start(&data, &settings).await];
    let receiver = Receiver::start().await;
    backend(&data, &nodes[0]).graphql(CREATE, json!({ "url": receiver.url })).await.data();
    let (ann, bob) = (nodes[0].endpoint().user("ann").await, nodes[0].endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let (rounds, posts) = (context.pick(1, 5), context.pick(20, 60));
    let (mut posted, mut skipped, mut gone, mut slowest) = (BTreeSet::new(), 0, 0, Duration::ZERO);
    for round in 0..rounds {
        let post = async |author: &TestUser, part: &str| {
            let mut texts = BTreeSet::new();
            for n in 0..posts {
                let text = format!("{round}-{part}-{n}");
                persist(author, &room, &text).await;
                texts.insert(text);
            }
            texts
        };
        posted.extend(post(&ann, "kept").await);
        skipped += receiver.skipped(&posted).await;
        let standby = tokio::task::block_in_place(|| primary.standby());
        sleep(Duration::from_secs(1)).await;
        let behind = sea_orm::Database::connect(standby.url("postgres")).await.expect("PostgreSQL can be reached");
        behind.execute_unprepared("ALTER SYSTEM SET primary_conninfo = ''").await.expect("a setting");
        behind.execute_unprepared("SELECT pg_reload_conf()").await.expect("the settings are read again");
        sleep(Duration::from_millis(500)).await;
        let lost = post(&ann, "gone").await;
        gone += lost.len() - receiver.skipped(&lost).await;
        tokio::task::block_in_place(|| primary.stop_at_once());
        behind.execute_unprepared("SELECT pg_promote()").await.expect("it is promoted");
        behind.close().await.expect("the connection closes");
        proxy.redirect(standby.addr());
        primary = standby;
        let promoted = Instant::now();
        // By the node that may not have told.
        posted.extend(post(&ann.at(nodes[1].endpoint()), "after").await);
        skipped += receiver.skipped(&posted).await;
        slowest = slowest.max(promoted.elapsed());
    }
    let Tally { again, changed, is_shared } = receiver.tally();
    let checked = data.check();
    let measured = format!(
        "{rounds} failovers, {gone} messages told and gone, {} others, {skipped} skipped, {again} told again, {changed} of them under \
         another id; all were told {slowest:.1?} after a promotion at most",
        posted.len()
    );
    Outcome::new("every message told, none under an id of one that is gone, 30 s after a promotion", measured)
        .expect(skipped == 0, format_args!("{skipped} messages were never told"))
        .expect(gone > 0, "nothing was told that the standby had missed")
        .expect(changed == 0, format_args!("{changed} messages were told under several ids"))
        .expect(!is_shared, "two messages were told under one id")
        .expect(slowest <= Duration::from_secs(30), format_args!("what was posted was told after {slowest:?}"))
        .expect(checked.is_ok(), format_args!("the database is not whole: {checked:?}"))
}
