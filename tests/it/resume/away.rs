//! A database that goes away for a moment: subscriptions wait for it, and nobody is told of an error.

use futures_util::future::join_all;
use serde_json::json;

use crate::servers::Postgres;
use crate::support::{Database, Message, Process, SUBPROTOCOL, Socket, TestApp, TestUser, documents, within};

const WAITING: &str = "parlor_subscriptions_waiting";

/// Waits until so many subscriptions wait for the database.
async fn until_waiting(app: &TestApp, count: f64) {
    within(format_args!("{count} subscriptions to wait"), async {
        while (app.metric(WAITING).await - count).abs() > 0.5 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_missed_is_shown_once_the_database_can_be_read_again() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let cursor = bob.sync_cursor().await;
    let mut missed = Vec::new();
    for n in 0..3 {
        missed.push(ann.post(&room, &format!("missed {n}")).await);
    }

    app.execute("ALTER TABLE member RENAME TO elsewhere").await;
    let (mut after, mut now) = (bob.subscribe_after(&cursor).await, bob.socket().await);
    let now_id = now.subscribe("subscription { messagePosted { seq } }", &json!({})).await;
    until_waiting(&app, 2.0).await;
    app.execute("ALTER TABLE elsewhere RENAME TO member").await;

    let shown: Vec<Message> = after.until_synced().await.iter().map(crate::support::Event::message).collect();
    assert_eq!(shown, missed);
    until_waiting(&app, 0.0).await;
    let live = ann.post(&room, "live").await;
    assert_eq!(after.next_message().await, live);
    let next = now.next_json().await;
    assert_eq!(next["type"], "next", "{next:#}");
    assert_eq!((&next["id"], &next["payload"]["data"]["messagePosted"]["seq"]), (&json!(now_id), &json!(live.seq)));
}

#[tokio::test]
async fn after_a_minute_the_socket_is_closed_so_that_its_client_tries_elsewhere() {
    let app = TestApp::start_impatient().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let cursor = ann.sync_cursor().await;
    ann.initiate_chat([&bob]).await;
    let (mut after, mut now) = (ann.socket().await, ann.socket().await);
    app.execute("ALTER TABLE member RENAME TO elsewhere").await;
    after.subscribe(documents::EVENTS, &json!({ "after": cursor })).await;
    now.subscribe("subscription { messagePosted { seq } }", &json!({})).await;
    // No `error` comes before it, after which a client would not try again.
    for mut socket in [after, now] {
        assert_eq!(socket.next_close().await, (1013, "Try again later".to_owned()));
    }
    until_waiting(&app, 0.0).await;
}

#[tokio::test]
async fn a_client_that_goes_away_while_its_subscription_waits_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    app.execute("ALTER TABLE member RENAME TO elsewhere").await;
    let id = socket.subscribe(documents::EVENTS, &json!({})).await;
    until_waiting(&app, 1.0).await;
    socket.send(&json!({ "id": id, "type": "complete" })).await;
    until_waiting(&app, 0.0).await;
}

#[tokio::test]
async fn a_token_that_was_verified_connects_while_the_database_is_away_and_any_other_is_to_come_again() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    ann.sync_cursor().await;
    let other = ann.sign_in().await;
    app.execute("ALTER TABLE session RENAME TO elsewhere").await;
    let mut refused = Socket::open(app.endpoint(), Some(SUBPROTOCOL)).await;
    refused.send(&json!({ "type": "connection_init", "payload": { "authorization": other.access_token } })).await;
    assert_eq!(refused.next_close().await.0, 1013, "it may be valid");
    let mut feed = ann.subscribe().await;
    let room = ann.initiate_chat([&bob]).await;
    assert_eq!(feed.next_of("RoomJoined").await.room_id(), room.id);
}

/// Posts until it is answered.
async fn post(user: &TestUser, room: &str, name: &str) -> bool {
    let variables = json!({ "roomId": room, "body": name, "clientId": name });
    let answer = user.graphql(documents::POST_MESSAGE, variables).await;
    // What is shown of the message may be refused field by field.
    let errors = answer.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(errors.iter().all(|error| error["extensions"]["code"] == "UNAVAILABLE"), "{:#}", answer.body);
    errors.is_empty()
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn postgresql_that_stops_and_starts_again_ends_no_subscription() {
    let mut server = Postgres::start(true);
    let database = Database::on(&server).await;
    let node = Process::start(&database, &[]).await;
    let [ann, bob] = [node.endpoint().user("ann").await, node.endpoint().user("bob").await];
    let room = ann.initiate_chat([&bob]).await;
    let start = bob.sync_cursor().await;
    let mut feeds = join_all((0..5).map(|_| bob.subscribe())).await;
    let mut names = Vec::new();
    for round in 0..3 {
        for n in 0..10 {
            names.push(format!("{round}/{n}"));
            assert!(post(&ann, &room.id, &names[names.len() - 1]).await);
        }
        server.stop_at_once();
        let name = format!("{round}/through it");
        assert!(!post(&ann, &room.id, &name).await, "there is no database");
        // Two that begin now: one that missed everything, and one that is new.
        feeds.push(bob.subscribe_after(&start).await);
        server.resume();
        within("a post to be accepted", async { while !post(&ann, &room.id, &name).await {} }).await;
        names.push(name);
    }
    for feed in &mut feeds {
        for name in &names {
            assert_eq!(&feed.next_message().await.body, name, "once, in order, on the socket that it began with");
        }
    }
    let output = node.terminate().await;
    let log = String::from_utf8(output.stderr).expect("the log is text");
    let told = log.lines().filter(|line| line.contains("subscriptions wait")).count();
    assert!(told <= 3, "at most one line an outage:\n{log}");
}
