//! Webhooks on several nodes: one tells, and the next when that dies; whichever node a key speaks to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{SECRET, stop};
use crate::support::{Backend, Database, Process, within};
use crate::webhooks::{POSTS, Receiver};

async fn node(database: &Database) -> Process {
    Process::start(database, &[("PARLOR_TOKEN_SECRET", SECRET), ("PARLOR_WEBHOOK_ALLOW", "127.0.0.0/8")]).await
}

async fn backend(database: &Database, node: &Process) -> Backend {
    let made = database.parlor(&["key", "add", "backend"]).output().await.expect("the program can be run");
    assert!(made.status.success(), "{made:?}");
    Backend::with_key(String::from_utf8(made.stdout).expect("text").trim().to_owned(), node.endpoint())
}

/// Whether this node tells a webhook.
async fn tells(node: &Process) -> bool {
    let text = node.endpoint().get("/metrics").await.text().await.expect("metrics are text");
    text.lines().any(|line| line.starts_with("parlor_consumer_running{name=\"webhook:") && line.ends_with(" 1"))
}

async fn teller(nodes: &[Process]) -> usize {
    within("one node to tell", async {
        loop {
            for (n, node) in nodes.iter().enumerate() {
                if tells(node).await {
                    return n;
                }
            }
        }
    })
    .await
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn one_of_two_nodes_tells_and_the_other_when_that_is_killed() {
    let database = Database::new().await;
    let mut nodes = vec![node(&database).await, node(&database).await];
    let (ann, bob) = (nodes[0].endpoint().user("ann").await, nodes[1].endpoint().user("bob").await);
    let (backend, receiver) = (backend(&database, &nodes[0]).await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, false).await;
    let room = ann.initiate_chat([&bob]).await;
    let first = teller(&nodes).await;
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for n in 0..20 {
        ann.at(nodes[n % 2].endpoint()).post(&room, &format!("before {n:02}")).await;
        let told = receiver.next().await;
        assert!(ids.entry(told.text().to_owned()).or_default().insert(told.id), "one node tells it");
    }
    assert!(!tells(&nodes[1 - first]).await);

    nodes.remove(first).kill().await;
    let left = &nodes[0];
    for n in 0..20 {
        ann.at(left.endpoint()).post(&room, &format!("after {n:02}")).await;
    }
    while ids.len() < 40 {
        let told = receiver.next().await;
        ids.entry(told.text().to_owned()).or_default().insert(told.id);
    }
    assert!(ids.values().all(|ids| ids.len() == 1), "what is told again has the same id: {ids:?}");

    // A key that speaks to another node than the one that tells is heard.
    let other = node(&database).await;
    backend.at(other.endpoint()).update_webhook(&id, json!({ "ordered": true })).await.data();
    backend.at(other.endpoint()).delete_webhook(&id).await.data();
    within("the webhook to stop", async { while tells(left).await {} }).await;
    ann.at(other.endpoint()).post(&room, "to nobody").await;
    assert!(receiver.rest().iter().all(|told| told.text() != "to nobody"));
    stop([nodes.remove(0), other]).await;
}
