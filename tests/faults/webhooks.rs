//! The receiver of a webhook, whatever becomes of the node that tells it: it is told every message, and what it is told again
//! has the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::data::Data;
use crate::failover::persist;
use crate::node::Node;
use crate::scenario::{Context, Outcome};
use crate::support::Backend;

/// Events that are on their way at the same time, so that as many may be told again after a death.
const IN_FLIGHT: usize = 8;

const CREATE: &str = "mutation($url: String!) { createWebhook(input: { url: $url, query: \"subscription { events { \
                      ... on MessagePosted { message { body } } } }\" }) { webhook { id } } }";

/// What a receiver was told: the texts with the ids under which they came, one for each time.
type Told = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

async fn receive(State(told): State<Told>, headers: HeaderMap, body: axum::Json<Value>) -> StatusCode {
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let text = body["data"]["message"]["body"].as_str().unwrap_or_default().to_owned();
    // A receiver that takes its time leaves more on the way.
    sleep(Duration::from_millis(5)).await;
    told.lock().expect("no panic").entry(text).or_default().push(id);
    StatusCode::NO_CONTENT
}

/// The app's own backend, with a new key.
fn backend(data: &Data, node: &Node) -> Backend {
    let mut add = Command::new(env!("CARGO_BIN_EXE_parlor"));
    add.args(["key", "add", "webhooks"]).current_dir(data.dir()).env_clear().env("PARLOR_DATA_DIR", data.data_dir());
    add.envs(data.url().iter().map(|url| ("PARLOR_DATABASE_URL", url)));
    let made = add.output().expect("the program can be run");
    assert!(made.status.success(), "{made:?}");
    Backend::with_key(String::from_utf8_lossy(&made.stdout).trim().to_owned(), node.endpoint())
}

/// The node that tells, as soon as there is one.
async fn teller(nodes: &[Node], except: Option<usize>) -> usize {
    let begun = Instant::now();
    loop {
        for (n, node) in nodes.iter().enumerate().filter(|(n, _)| Some(*n) != except) {
            // The consumers of webhooks, and `purge`, each on its node.
            let metrics = node.endpoint().get("/metrics").await.text().await.unwrap_or_default();
            let tells =
                |line: &str| line.starts_with("parlor_consumer_running{name=\"webhook:") && line.ends_with(" 1");
            if metrics.lines().any(tells) {
                return n;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "no node tells");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Three nodes on PostgreSQL. The one that tells is killed in the midst of it, again and again, while somebody posts.
pub async fn the_node_that_tells_is_killed(context: Context) -> Outcome {
    let (data, rounds, posts) = (context.postgres().await, context.pick(3, 20), context.pick(40, 100));
    let settings = [("PARLOR_WEBHOOK_ALLOW", "127.0.0.0/8".to_owned())];
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::start(&data, &settings).await);
    }
    let (told, mut serving) = (Told::default(), JoinSet::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/", listener.local_addr().expect("it has an address"));
    let app = Router::new().fallback(receive).with_state(told.clone());
    serving.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
    backend(&data, &nodes[0]).graphql(CREATE, json!({ "url": url })).await.data();
    let (ann, bob) = (nodes[0].endpoint().user("ann").await, nodes[0].endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let (mut dice, mut posted, mut after_death) = (context.dice("moments"), BTreeSet::new(), Duration::ZERO);
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
        nodes[victim].kill().await;
        teller(&nodes, Some(victim)).await;
        after_death = after_death.max(begun.elapsed());
        nodes[victim].up().await;
    }
    let begun = Instant::now();
    let skipped = loop {
        let told: BTreeSet<String> = told.lock().expect("no panic").keys().cloned().collect();
        let skipped = posted.difference(&told).count();
        if skipped == 0 || begun.elapsed() > Duration::from_mins(1) {
            break skipped;
        }
        sleep(Duration::from_millis(50)).await;
    };
    let told = told.lock().expect("no panic").clone();
    let again: usize = told.values().map(|ids| ids.len() - 1).sum();
    let changed = told.values().filter(|ids| ids.iter().any(|id| *id != ids[0])).count();
    let ids: BTreeSet<&String> = told.values().flatten().collect();
    let rounds = usize::try_from(rounds).unwrap_or_default();
    let measured = format!(
        "killed {rounds} times, another node told {after_death:.1?} later at most; {} messages, {skipped} skipped, {again} told \
         again, {changed} of them under another id",
        posted.len()
    );
    let checked = data.check();
    Outcome::new("every message told, again only under the same id, and at most 8 after each death", measured)
        .expect(skipped == 0, format_args!("{skipped} messages were never told"))
        .expect(changed == 0, format_args!("{changed} messages were told under several ids"))
        .expect(ids.len() == told.len(), "two messages were told under one id")
        .expect(again <= IN_FLIGHT * rounds, format_args!("{again} messages were told again"))
        .expect(after_death <= Duration::from_secs(5), format_args!("nobody told for {after_death:?} after a death"))
        .expect(checked.is_ok(), format_args!("the database is not whole: {checked:?}"))
}
