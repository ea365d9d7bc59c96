//! One consumer of a name over all nodes, whatever becomes of the node on which it runs.

use std::time::{Duration, Instant};

use tokio::process::Command;

use super::{nodes, stop};
use crate::support::{Database, Process, TestUser, within};

/// How soon another node goes on after the one with the consumer has died, as docs/operating.md says.
const AFTER_DEATH: Duration = Duration::from_secs(5);

/// How soon after it was frozen or cut off.
const AFTER_SILENCE: Duration = Duration::from_secs(15);

/// Messages of deleted rooms.
const LEFT: &str =
    "SELECT count(*)::text FROM message JOIN room ON room.id = message.room_id WHERE room.deleted_at IS NOT NULL";
const PLACE: &str = "SELECT COALESCE((SELECT position FROM consumer WHERE name = 'purge'), 0)::text";
const HEAD: &str = "SELECT max(position)::text FROM event";

async fn number(database: &Database, sql: &str) -> i64 {
    database.text(sql, sql).await.parse().expect("a number")
}

/// Whether the consumer runs on this node.
async fn runs(node: &Process) -> bool {
    // On a connection of its own: one that was open while a node was frozen is closed when the node wakes up.
    let asked = async { reqwest::get(node.endpoint().url("/metrics")).await?.text().await };
    let text = within("the metrics", asked).await.expect("metrics are text");
    text.lines().any(|line| line == "parlor_consumer_running{name=\"purge\"} 1")
}

/// The one of these nodes on which the consumer runs, as soon as there is one.
async fn runner(nodes: &[Process]) -> usize {
    within("one node to run the consumer", async {
        loop {
            for (n, node) in nodes.iter().enumerate() {
                if runs(node).await {
                    return n;
                }
            }
        }
    })
    .await
}

async fn signal(node: &Process, signal: &str) {
    let sent = Command::new("kill").args([signal, &node.id().to_string()]).status().await;
    assert!(sent.expect("there is a kill program").success());
}

/// Has a room deleted, and waits until what it leaves is gone.
async fn delete_a_room(database: &Database, ann: &TestUser, bob: &TestUser) {
    let room = ann.initiate_chat([bob]).await;
    ann.post(&room, "soon gone").await;
    ann.delete_room(&room).await;
    within("what the room has left to be gone", async { while number(database, LEFT).await > 0 {} }).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn one_of_three_nodes_runs_it_and_the_next_one_when_that_is_killed_or_stopped() {
    let database = Database::new().await;
    let mut all: Vec<Process> = nodes::<3>(&database, None).await.into();
    let (ann, bob) = (all[0].endpoint().user("ann").await, all[0].endpoint().user("bob").await);
    for killed in [true, false] {
        let first = runner(&all).await;
        delete_a_room(&database, &ann.at(all[0].endpoint()), &bob).await;
        for (n, node) in all.iter().enumerate() {
            assert_eq!(runs(node).await, n == first, "one alone runs it");
        }
        let node = all.remove(first);
        let ended = Instant::now();
        if killed {
            node.kill().await;
        } else {
            assert!(node.terminate().await.status.success());
        }
        runner(&all).await;
        assert!(ended.elapsed() < AFTER_DEATH, "another went on after {:?}", ended.elapsed());
        delete_a_room(&database, &ann.at(all[0].endpoint()), &bob).await;
    }
    stop(all).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_node_that_was_frozen_does_not_set_the_others_back() {
    let database = Database::new().await;
    let mut all: Vec<Process> = nodes::<2>(&database, None).await.into();
    let frozen = all.remove(runner(&all).await);
    let (ann, bob) = (all[0].endpoint().user("ann").await, all[0].endpoint().user("bob").await);
    signal(&frozen, "-STOP").await;
    let stopped = Instant::now();
    runner(&all).await;
    assert!(stopped.elapsed() < AFTER_SILENCE, "the other went on after {:?}", stopped.elapsed());
    delete_a_room(&database, &ann, &bob).await;
    within("the consumer to be at the head", async {
        while number(&database, PLACE).await < number(&database, HEAD).await {}
    })
    .await;
    let before = number(&database, PLACE).await;

    signal(&frozen, "-CONT").await;
    within("the frozen node to notice", async {
        while runs(&frozen).await {
            assert!(number(&database, PLACE).await >= before);
        }
    })
    .await;
    assert!(runs(&all[0]).await, "the other goes on");
    delete_a_room(&database, &ann, &bob).await;
    within("the consumer to move", async { while number(&database, PLACE).await <= before {} }).await;
    all.push(frozen);
    stop(all).await;
}
