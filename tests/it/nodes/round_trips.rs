//! How often an append waits for PostgreSQL: each time is a way there and back.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Database, Process, Room, TestUser, Wire};

/// The lock and the head of the log; what the rules read; all that is written; the commit.
const AN_APPEND: usize = 4;

/// Posts from one client, or from many at once.
const POSTS: usize = 64;

/// Who posts at once, each so many as one user's executions run together.
const POSTERS: usize = 16;

/// How far the database is away while many post at once: the others reach the queue during the first append, however
/// busy the machine is.
const FAR: Duration = Duration::from_millis(100);

/// Takes nothing else from the database than the append.
const POST: &str = "mutation Post($roomId: ID!, $body: String!, $clientId: ID) {
  postMessage(roomId: $roomId, body: $body, clientId: $clientId) { message { id } } }";

/// As [`POST`].
const MARK: &str = "mutation Mark($roomId: ID!, $seq: Int!) { markRead(roomId: $roomId, seq: $seq) { room { id } } }";

async fn post(user: &TestUser, room: &Room, n: usize) {
    let variables = json!({ "roomId": room.id, "body": format!("number {n}"), "clientId": n.to_string() });
    user.graphql(POST, variables).await.data();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn an_append_of_any_size_goes_there_and_back_four_times() {
    let database = Database::new().await;
    let wire = Wire::before(&database.url()).await;
    // Does what one node at a time does, on connections of its own: the other only asks now and then whether it may.
    let keeper = Process::start(&database, &[("PARLOR_DATABASE_URL", &database.url())]).await;
    // The tail reads nothing on its own.
    let node = Process::start(&database, &[("PARLOR_DATABASE_URL", wire.url()), ("PARLOR_POLL_MS", "60000")]).await;
    let (ann, bob) = (node.endpoint().user("ann").await, node.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    // Statements are prepared, and tokens are known.
    post(&ann, &room, 0).await;
    bob.mark_read(&room, 1).await;

    let before = wire.round_trips();
    for n in 1..=POSTS {
        post(&ann, &room, n).await;
    }
    let alone = wire.round_trips() - before;
    assert!((3 * POSTS..=AN_APPEND * POSTS + POSTS / 2).contains(&alone), "{alone} for {POSTS} posts");

    let before = wire.round_trips();
    bob.graphql(MARK, json!({ "roomId": room.id, "seq": POSTS })).await.data();
    let marked = wire.round_trips() - before;
    assert!((3..=AN_APPEND + 3).contains(&marked), "{marked} for a mark");

    // While one append is under way, the others queue for the next, which takes all of them.
    let names: Vec<String> = (0..POSTERS).map(|n| format!("poster{n}")).collect();
    let posters = join_all(names.iter().map(|name| node.endpoint().user(name))).await;
    let hall = ann.initiate_chat(&posters).await;
    join_all(posters.iter().map(|poster| post(poster, &hall, 0))).await;
    wire.delay(FAR);
    let before = wire.round_trips();
    join_all((0..POSTS).map(|n| post(&posters[n % POSTERS], &hall, n / POSTERS + 1))).await;
    let together = wire.round_trips() - before;
    assert!(together <= alone / 3, "{together} for {POSTS} posts together, {alone} for as many alone");
    assert!(node.terminate().await.status.success());
    assert!(keeper.terminate().await.status.success());
}
