//! The index while two nodes post, edit and delete.

use futures_util::future::join_all;
use serde_json::json;

use super::{nodes, stop};
use crate::support::{Database, TestUser, within};

/// So many messages the index waits for others with.
const FEW: [&str; 4] = ["0", "1", "2", "3"];

const BEHIND: &str = "SELECT CAST(count(*) AS text) FROM message, search_state \
    WHERE search_state.form = 0 OR position > upto";

/// What an older node has posted is found once it has its position.
const WITHOUT_POSITION: &str = "SELECT CAST(count(*) AS text) FROM message WHERE position IS NULL";

async fn indexed(database: &Database) {
    within("messages to have positions", async {
        while database.text(WITHOUT_POSITION, WITHOUT_POSITION).await != "0" {}
    })
    .await;
    within("the index to be complete", async { while !FEW.contains(&&*database.text(BEHIND, BEHIND).await) {} }).await;
}

/// That the index has nothing but what the messages say now.
async fn expect_whole(database: &Database) {
    let output = database.parlor(&["check"]).output().await.expect("the program can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

async fn count(user: &TestUser, text: &str) -> usize {
    user.graphql(FIND, json!({ "text": text })).await.list("/search/nodes").len()
}

const FIND: &str = "query($text: String!) { search(text: $text, first: 100) { nodes { message { body } } } }";

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn what_two_nodes_edit_and_delete_while_it_is_indexed_is_found_as_it_is() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let (here, there) = (ann.at(a.endpoint()), ann.at(b.endpoint()));
    for round in 0..8 {
        let said = join_all((0..20).map(|n| {
            let (device, room) = (if n % 2 == 0 { &here } else { &there }, &room);
            async move { device.post(room, &format!("before{round} {n}")).await }
        }))
        .await;
        join_all(said.iter().enumerate().map(|(n, message)| {
            let device = if n % 3 == 0 { &here } else { &there };
            async move {
                if n % 4 == 0 {
                    device.delete(message).await;
                } else {
                    device.edit(message, &format!("after{round} {n}")).await;
                }
            }
        }))
        .await;
        let found = bob.graphql(FIND, json!({ "text": format!("before{round}") })).await;
        assert_eq!(found.list("/search/nodes").len(), 0, "round {round}");
    }
    indexed(&database).await;
    for round in 0..8 {
        for device in [&bob.at(a.endpoint()), &bob.at(b.endpoint())] {
            let found = device.graphql(FIND, json!({ "text": format!("after{round}") })).await;
            assert_eq!(found.list("/search/nodes").len(), 15, "round {round}");
        }
    }
    stop([a, b]).await;
    expect_whole(&database).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn what_nodes_of_an_older_version_post_is_found() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    // They know of no such column.
    database
        .execute(
            "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.position := NULL; RETURN NEW; END $$",
        )
        .await;
    database.execute("CREATE TRIGGER forget BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION forget()").await;
    for n in 0..10 {
        ann.post(&room, &format!("older {n}")).await;
    }
    indexed(&database).await;
    let found = bob.graphql(FIND, json!({ "text": "older" })).await;
    assert_eq!(found.list("/search/nodes").len(), 10);
    stop([a, b]).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn who_edits_or_deletes_waits_for_no_step_of_the_index_and_the_step_adds_what_is_said_then() {
    const WAITING: &str = "SELECT CAST(count(*) AS text) FROM pg_locks \
        WHERE locktype = 'advisory' AND objid = 777 AND NOT granted AND database = \
        (SELECT oid FROM pg_database WHERE datname = current_database())";
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut said = Vec::new();
    for n in 0..8 {
        said.push(ann.post(&room, &format!("before {n}")).await);
    }
    indexed(&database).await;
    // A step that has read its messages waits, for longer than a server waits for a lock.
    database
        .execute(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = '30s' AS \
             $$ BEGIN PERFORM pg_advisory_xact_lock(777); RETURN NEW; END $$",
        )
        .await;
    database.execute("CREATE TRIGGER wait BEFORE INSERT ON search_segment FOR EACH ROW EXECUTE FUNCTION wait()").await;
    let held = database.hold("SELECT pg_advisory_xact_lock(777)").await;
    for n in 8..24 {
        said.push(ann.post(&room, &format!("before {n}")).await);
    }
    within("a step to wait", async { while database.text(WAITING, WAITING).await != "1" {} }).await;
    let there = ann.at(b.endpoint());
    for n in (0..24).step_by(4) {
        there.edit(&said[n], &format!("after {n}")).await;
        ann.delete(&said[n + 1]).await;
    }
    assert_eq!(database.text(WAITING, WAITING).await, "1", "it still waits");
    assert_eq!((count(&bob, "before").await, count(&bob, "after").await), (12, 6));
    held.rollback().await.expect("it ends");
    for n in 0..8 {
        ann.post(&room, &format!("later {n}")).await;
    }
    indexed(&database).await;
    assert_eq!((count(&bob, "before").await, count(&bob, "after").await), (12, 6));
    stop([a, b]).await;
    expect_whole(&database).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn commands_and_a_node_that_fill_the_index_at_the_same_time_add_each_message_once() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    for n in 0..40 {
        ann.post(&room, &format!("needle {n}")).await;
    }
    let rebuilding = join_all((0..4).map(|_| async {
        let output = database.parlor(&["search", "rebuild"]).output().await.expect("the program can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }));
    let posting = async {
        for n in 40..80 {
            let device = ann.at(if n % 2 == 0 { a.endpoint() } else { b.endpoint() });
            let message = device.post(&room, &format!("needle {n}")).await;
            if n % 4 == 0 {
                device.edit(&message, &format!("needle {n} again")).await;
            }
        }
    };
    tokio::join!(rebuilding, posting);
    indexed(&database).await;
    assert_eq!((count(&bob, "needle").await, count(&bob, "again").await), (80, 10));
    stop([a, b]).await;
    expect_whole(&database).await;
}
