//! Connections to the database that fall silent: nothing comes through them any more, and nothing says so.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Answer, Database, Process, Room, TestUser, Wire, documents, within};

/// Within this time everything works again.
const BACK: Duration = Duration::from_secs(15);

/// A node that reaches its database through the wire.
async fn node(database: &Database) -> (Wire, Process) {
    let wire = Wire::before(&database.url()).await;
    let node = Process::start(database, &[("PARLOR_DATABASE_URL", wire.url())]).await;
    (wire, node)
}

async fn post(user: &TestUser, room: &Room, client_id: &str) -> Answer {
    let variables = json!({ "roomId": room.id, "body": "hello", "clientId": client_id });
    user.graphql(documents::POST_MESSAGE, variables).await
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_node_whose_connections_fall_silent_is_unready_and_back_within_15_s() {
    let database = Database::new().await;
    let (wire, node) = node(&database).await;
    let (ann, bob) = (node.endpoint().user("ann").await, node.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;
    let cursor = bob.sync_cursor().await;

    wire.fall_silent();
    let silent = Instant::now();
    let statuses = Mutex::new(Vec::new());
    let watch = async {
        while statuses.lock().expect("a list").last() != Some(&200) || silent.elapsed() < Duration::from_secs(8) {
            let status = node.endpoint().get("/readyz").await.status().as_u16();
            statuses.lock().expect("a list").push(status);
        }
    };
    let posts = async {
        let mut answer = post(&ann, &room, "1").await;
        while answer.body.get("errors").is_some() {
            assert_eq!(answer.error_code(), "UNAVAILABLE");
            answer = post(&ann, &room, "1").await;
        }
        silent.elapsed()
    };
    let listens = async {
        let mut resumed = bob.subscribe_after(&cursor).await;
        assert_eq!(resumed.next_message().await.body, "hello");
        assert_eq!(feed.next_message().await.body, "hello");
        silent.elapsed()
    };
    let ((), posted, heard) = tokio::join!(within("the node to be ready again", watch), posts, listens);

    assert!(posted < BACK, "posts failed for {posted:?}");
    assert!(heard < BACK, "nothing was heard for {heard:?}");
    let statuses = statuses.into_inner().expect("a list");
    assert!(statuses.contains(&503), "the node was ready all the time: {} answers", statuses.len());
    assert_eq!(ann.messages(&room).await.len(), 1);
    println!("posted again after {posted:?}, heard again after {heard:?}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_commit_without_an_answer_is_told_as_unknown_and_its_client_id_finds_the_message() {
    let database = Database::new().await;
    let (wire, node) = node(&database).await;
    let (ann, bob) = (node.endpoint().user("ann").await, node.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;

    wire.swallow_the_answer_to_a_commit();
    let unknown = post(&ann, &room, "1").await;
    assert_eq!(unknown.error_code(), "UNAVAILABLE");
    assert!(unknown.error_message().contains("may have taken effect"), "{unknown:?}");

    let again = post(&ann, &room, "1").await;
    let message = again.text("/postMessage/message/id");
    assert_eq!(feed.next_message().await.id, message);
    let messages = ann.messages(&room).await;
    assert_eq!(messages.iter().map(|message| &*message.id).collect::<Vec<_>>(), [message]);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_session_whose_end_has_an_unknown_outcome_is_not_remembered() {
    let database = Database::new().await;
    let (wire, node) = node(&database).await;
    let ann = node.endpoint().user("ann").await;
    // Its token is verified and remembered from here on.
    ann.sync_cursor().await;

    wire.swallow_the_answer_to_a_commit();
    let unknown = ann.graphql(documents::SIGN_OUT, json!({})).await;
    assert_eq!(unknown.error_code(), "UNAVAILABLE");
    let refused = ann.graphql("{ syncCursor }", json!({})).await;
    assert_eq!(refused.error_code(), "UNAUTHENTICATED");
}
