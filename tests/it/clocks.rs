//! Clocks that are wrong: what is in the log follows its order, and nobody's clock prunes it.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::json;

use crate::presence::presence;
use crate::support::{Database, Message, Process, TestApp, within};

const READ_BY: &str = "query($id: ID!) { room(id: $id) { messages(first: 10) { nodes { readBy { readAt } } } } }";

#[tokio::test]
async fn rooms_are_listed_in_the_order_of_their_posts_whatever_the_clock_does() {
    let app = TestApp::start().await;
    let [ann, bob, eve, zoe] = app.users(["ann", "bob", "eve", "zoe"]).await;
    let rooms = join_all([&bob, &eve, &zoe].map(|other| ann.initiate_chat([other]))).await;
    // The clock was ahead, by less than tokens are good for, and is set right: the log's time stands nearly still.
    app.clock().advance(TimeDelta::minutes(9));
    ann.post(&rooms[0], "ahead").await;
    app.clock().advance(TimeDelta::minutes(-9));
    for round in 0..3 {
        for room in [&rooms[1], &rooms[0], &rooms[2]] {
            ann.post(room, &round.to_string()).await;
            let listed = ann.rooms().await;
            assert_eq!(listed[0].id, room.id, "the room of the latest post comes first");
        }
    }
    // Many in one transaction are in the order of their numbers.
    join_all((0..20).map(|_| ann.post(&rooms[1], "together"))).await;
    let mut messages = ann.messages(&rooms[1]).await;
    messages.sort_by_key(|message| message.seq);
    let time = |message: &Message| message.created_at.parse::<DateTime<Utc>>().expect("a time");
    assert!(messages.is_sorted_by(|a, b| time(a) < time(b)), "{messages:#?}");
}

#[tokio::test]
async fn a_clock_far_ahead_prunes_nothing() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let cursor = bob.sync_cursor().await;
    ann.post(&room, "missed").await;
    if app.database_url().starts_with("sqlite:") {
        // On PostgreSQL the test's clock moves the database's as well; see `nodes`.
        app.clock().advance(TimeDelta::days(365));
        app.prune_kept(TimeDelta::days(30)).await;
        app.clock().advance(TimeDelta::days(-365));
    }
    let missed = bob.subscribe_after(&cursor).await.until_synced().await;
    assert_eq!(missed.len(), 1, "{missed:#?}");
}

#[tokio::test]
async fn when_a_message_was_read_does_not_change_when_events_are_pruned() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 1..=3 {
        ann.post(&room, "hello").await;
        bob.mark_read(&room, n).await;
    }
    let read = ann.graphql(READ_BY, json!({ "id": room.id })).await.data().clone();
    app.prune().await;
    assert_eq!(*ann.graphql(READ_BY, json!({ "id": room.id })).await.data(), read);
}

#[tokio::test]
async fn who_was_connected_when_the_server_was_killed_was_last_seen_then() {
    let database = Database::new().await;
    let node = Process::start(&database, &[]).await;
    let ann = node.endpoint().user("ann").await;
    let visited = DateTime::from_timestamp_micros(node_time(&database).await).expect("a time");
    let _socket = ann.socket().await;
    within("the visit to be written", async {
        while seen(&database).await == "never" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    node.kill().await;

    let node = Process::start(&database, &[]).await;
    let bob = node.endpoint().user("bob").await;
    let (online, last_seen) = presence(&bob, &ann).await;
    assert!(!online);
    assert!(last_seen.is_some_and(|at| at >= visited), "seen {last_seen:?}, and visited at {visited}");
    assert!(node.terminate().await.status.success());
}

/// When ann was last seen, as the database has it.
async fn seen(database: &Database) -> String {
    let text = |cast: &str| format!("SELECT COALESCE({cast}, 'never') FROM \"user\" WHERE username = 'ann'");
    database.text(&text("last_seen_at"), &text("last_seen_at::text")).await
}

/// The time at which ann signed up.
async fn node_time(database: &Database) -> i64 {
    let sqlite = "SELECT CAST(CAST(strftime('%s', created_at) AS integer) * 1000000 AS text) FROM \"user\"";
    let postgres = "SELECT (floor(extract(epoch FROM created_at)) * 1000000)::bigint::text FROM \"user\"";
    database.text(sqlite, postgres).await.parse().expect("a number")
}
