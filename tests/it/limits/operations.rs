//! Operations on a socket wait to be within the limits, in order.

use std::time::Duration;

use serde_json::{Value, json};

use super::limited;
use crate::support::{Frame, Socket, TestApp, TestUser, documents};

/// Sends so many posts together, each with its number as its text and as its id.
async fn send_outbox(socket: &mut Socket, room: &str, posts: usize) {
    for n in 0..posts {
        let variables = json!({ "roomId": room, "body": n.to_string() });
        let payload = json!({ "query": documents::POST_MESSAGE, "variables": variables });
        socket.send(&json!({ "id": n.to_string(), "type": "subscribe", "payload": payload })).await;
    }
}

async fn pair(app: &TestApp) -> (TestUser, TestUser, String) {
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    (ann, bob, room.id)
}

/// The next message with this id and type, past those of others.
async fn until(socket: &mut Socket, id: &str, r#type: &str) -> Value {
    loop {
        let message = socket.next_json().await;
        if message["id"] == id && message["type"] == r#type {
            return message;
        }
        assert_ne!(message["type"], "error", "{message:#}");
    }
}

#[tokio::test]
async fn an_outbox_of_seventy_posts_on_one_socket_arrives_in_order_under_the_default_limits() {
    let app = TestApp::start_with(|config| config.limits.enabled = true).await;
    let (ann, bob, room) = pair(&app).await;
    let mut socket = ann.socket().await;
    send_outbox(&mut socket, &room, 70).await;

    let mut completed = Vec::new();
    while completed.len() < 70 {
        let message = socket.next_json().await;
        assert!(message["type"] != "error" && message["payload"].get("errors").is_none(), "{message:#}");
        if message["type"] == "complete" {
            completed.push(message["id"].as_str().expect("an id").to_owned());
        }
    }

    let expected: Vec<String> = (0..70).map(|n| n.to_string()).collect();
    assert_eq!(completed, expected);
    let answer = bob.graphql(documents::MESSAGES, json!({ "roomId": room, "last": 100 })).await;
    let bodies: Vec<&str> =
        answer.list("/room/messages/nodes").iter().map(|message| message["body"].as_str().expect("text")).collect();
    assert_eq!(bodies, expected);
}

#[tokio::test]
async fn posts_that_wait_keep_nothing_else_of_the_socket_from_running() {
    let app = limited(|limits| limits.posts = "4/s burst 1".parse().expect("a rate")).await;
    let (ann, _, room) = pair(&app).await;
    let mut socket = ann.socket().await;
    send_outbox(&mut socket, &room, 40).await;
    for (id, document) in [
        ("query", "{ me { id } }"),
        ("read", "mutation { muteRoom(roomId: \"ROOM\", muted: true) { room { id } } }"),
        ("events", "subscription { events { cursor } }"),
    ] {
        let payload = json!({ "query": document.replace("ROOM", &room) });
        socket.send(&json!({ "id": id, "type": "subscribe", "payload": payload })).await;
        until(&mut socket, id, "next").await;
    }
    // What has not begun is taken out again by its client, and the socket is still read.
    for n in 0..40 {
        socket.send(&json!({ "id": n.to_string(), "type": "complete" })).await;
    }
    send_outbox(&mut socket, &room, 1).await;
    until(&mut socket, "0", "complete").await;
    assert!(
        ann.graphql(documents::MESSAGES, json!({ "roomId": room, "last": 100 }))
            .await
            .list("/room/messages/nodes")
            .len()
            < 20
    );
}

#[tokio::test]
async fn an_operation_waits_for_fifteen_seconds_at_most_and_is_refused_then() {
    let app = limited(|limits| limits.posts = "1/h burst 1".parse().expect("a rate")).await;
    let (ann, _, room) = pair(&app).await;
    let mut socket = ann.socket().await;
    send_outbox(&mut socket, &room, 2).await;
    until(&mut socket, "0", "complete").await;
    // The next cell is an hour away, so waiting wouldn't help.
    let refused = until(&mut socket, "1", "next").await;
    let error = &refused["payload"]["errors"][0];
    assert_eq!((&error["extensions"]["code"], &error["path"][0]), (&json!("RATE_LIMITED"), &json!("postMessage")));
    assert!(error["extensions"]["retryAfterMs"].as_u64().is_some_and(|millis| millis > 3_500_000), "{error:#}");
    until(&mut socket, "1", "complete").await;
}

#[tokio::test]
async fn requests_complexity_and_subscriptions_wait_as_well() {
    let app = limited(|limits| {
        limits.requests = "20/s burst 2".parse().expect("a rate");
        limits.reads = "20/s burst 2".parse().expect("a rate");
        limits.complexity = "2500/s burst 500".parse().expect("a rate");
    })
    .await;
    let (ann, ..) = pair(&app).await;
    let ann = ann.at(&app.endpoint().calling_from("203.0.113.1"));
    let mut socket = ann.socket().await;
    for n in 0..10 {
        let document = if n % 2 == 0 { "{ me { id } }" } else { "subscription { events { cursor } }" };
        let payload = json!({ "query": document });
        socket.send(&json!({ "id": n.to_string(), "type": "subscribe", "payload": payload })).await;
    }
    let mut heard = std::collections::BTreeSet::new();
    while heard.len() < 10 {
        let message = socket.next_json().await;
        assert!(message["type"] != "error" && message["payload"].get("errors").is_none(), "{message:#}");
        heard.insert(message["id"].as_str().expect("an id").to_owned());
    }
}

#[tokio::test]
async fn a_socket_on_which_too_much_waits_is_not_read_and_lives_on() {
    let app = TestApp::start_with(|config| {
        config.limits.enabled = true;
        config.limits.posts = "20/s burst 1".parse().expect("a rate");
        config.keepalive_secs = 1;
    })
    .await;
    let (ann, _, room) = pair(&app).await;
    let mut socket = ann.socket().await;
    // More than may wait, and more than three pings' time to work off.
    send_outbox(&mut socket, &room, 240).await;
    let (mut completed, mut pings) = (0, 0);
    while completed < 240 {
        match socket.next_frame().await {
            Frame::Json(message) => {
                assert!(message["type"] != "error" && message["payload"].get("errors").is_none(), "{message:#}");
                completed += usize::from(message["type"] == "complete");
            }
            Frame::Ping => pings += 1,
            Frame::Closed(code, reason) => panic!("closed after {completed}: {code} {reason}"),
        }
    }
    assert!(pings > 0, "{:?} passed without a ping", Duration::from_secs(12));
}
