//! What each mutation and query is charged for, once for each field, whatever it is called.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{limited, send};
use crate::support::{Room, TestUser, documents};

const JSON: &str = "application/json";

/// How many of these fields were answered, and how many were limited.
fn counted(body: &Value) -> (usize, usize) {
    let data = body["data"].as_object().map_or(0, |data| data.values().filter(|field| !field.is_null()).count());
    let errors = body["errors"]
        .as_array()
        .map_or(0, |errors| errors.iter().filter(|error| error["extensions"]["code"] == "RATE_LIMITED").count());
    (data, errors)
}

/// A document with this selection five times.
fn five_times(operation: &str, selection: &str) -> String {
    let fields: Vec<String> = (0..5).map(|n| format!("a{n}: {selection}")).collect();
    format!("{operation} {{ {} }}", fields.join(" "))
}

async fn pair(app: &crate::support::TestApp) -> (TestUser, TestUser, Room) {
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    (ann, bob, room)
}

#[tokio::test]
async fn posts_are_charged_once_for_each_field_and_refused_by_http() {
    let app = limited(|limits| limits.posts = "1/h burst 7".parse().expect("a rate")).await;
    let (ann, bob, room) = pair(&app).await;
    for n in 0..4 {
        ann.post(&room, &n.to_string()).await;
    }
    let document =
        five_times("mutation", &format!(r#"postMessage(roomId: "{}", body: "x") {{ message {{ id }} }}"#, room.id));
    let answer = send(app.endpoint(), Some(&ann.access_token), JSON, &document, json!({})).await;
    assert!(answer.body["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{:#}", answer.body);
    let millis = answer.retry_after_ms();
    assert!((3_500_000..=3_600_000).contains(&millis), "{millis}");
    assert_eq!(ann.messages(&room).await.len(), 7, "as many as are allowed, and no more");
    bob.post(&room, "another user").await;
    assert!(app.refusals("limit_posts").await >= 1.0);
}

#[tokio::test]
async fn queries_are_charged_once_for_each_field_at_the_root() {
    let app = limited(|limits| limits.reads = "1/h burst 12".parse().expect("a rate")).await;
    let (ann, bob, _) = pair(&app).await;
    let document = five_times("query", &format!(r#"user(id: "{}") {{ id }}"#, bob.id));
    let mut answered = 0;
    for _ in 0..3 {
        let answer = ann.graphql(&document, json!({})).await;
        let (fields, limited) = counted(&answer.body);
        assert_eq!(fields + limited, 5, "{:#}", answer.body);
        answered += fields;
    }
    assert_eq!(answered, 12);
    for document in [
        "{ me { id } }",
        "{ rooms { nodes { id } } }",
        "{ users { nodes { id } } }",
        "{ node(id: \"room_00000000000000000000000000\") { id } }",
        "{ nodes(ids: []) { id } }",
        "{ room(id: \"room_00000000000000000000000000\") { id } }",
    ] {
        assert_eq!(ann.graphql(document, json!({})).await.error_code(), "RATE_LIMITED", "{document}");
    }
}

#[tokio::test]
async fn every_change_has_a_limit() {
    let app = limited(|limits| {
        for rates in [&mut limits.writes, &mut limits.marks, &mut limits.typing] {
            *rates = "1/h burst 1".parse().expect("a rate");
        }
    })
    .await;
    let (ann, _, room) = pair(&app).await;
    let message = ann.post(&room, "hello").await;
    // The room was the one write.
    let variables = json!({ "roomId": room.id, "messageId": message.id, "body": "x", "muted": true });
    for document in [
        documents::EDIT_MESSAGE,
        documents::DELETE_MESSAGE,
        documents::MUTE_ROOM,
        documents::LEAVE_ROOM,
        documents::DELETE_ROOM,
        documents::SIGN_OUT,
        documents::DELETE_ACCOUNT,
    ] {
        assert_eq!(ann.graphql(document, variables.clone()).await.error_code(), "RATE_LIMITED", "{document}");
    }
    let typing = "mutation($roomId: ID!) { setTyping(roomId: $roomId) { roomId } }";
    for document in [documents::MARK_READ, typing] {
        let variables = json!({ "roomId": room.id, "seq": 1 });
        ann.graphql(document, variables.clone()).await.data();
        assert_eq!(ann.graphql(document, variables).await.error_code(), "RATE_LIMITED", "{document}");
    }
    assert_eq!(ann.messages(&room).await, [message], "nothing was changed");
}

#[tokio::test]
async fn a_rooms_posts_are_bounded_and_strangers_cannot_use_them_up() {
    let app = limited(|limits| limits.room_posts = "1/h burst 4".parse().expect("a rate")).await;
    let (ann, bob, room) = pair(&app).await;
    let eve = app.user("eve").await;
    let other = eve.initiate_chat([&ann]).await;
    for _ in 0..10 {
        let answer = eve.graphql(documents::POST_MESSAGE, json!({ "roomId": room.id, "body": "x" })).await;
        assert_eq!(answer.error_code(), "NOT_FOUND");
    }
    let posts = join_all((0..4).flat_map(|n| {
        let (room, body) = (&room, n.to_string());
        [&ann, &bob].map(|user| {
            let body = body.clone();
            async move { user.graphql(documents::POST_MESSAGE, json!({ "roomId": room.id, "body": body })).await }
        })
    }))
    .await;
    let limited = posts.iter().filter(|answer| answer.body["errors"][0]["extensions"]["code"] == "RATE_LIMITED");
    assert_eq!(limited.count(), 4);
    assert_eq!(ann.messages(&room).await.len(), 4);
    ann.post(&other, "another room").await;
}

#[tokio::test]
async fn only_rooms_that_are_new_are_charged_as_such() {
    let app = limited(|limits| limits.new_rooms = "1/h burst 2".parse().expect("a rate")).await;
    let [ann, bob, eve, kim] = app.users(["ann", "bob", "eve", "kim"]).await;
    for other in [&bob, &eve] {
        assert!(ann.initiate([other], "CONSUMER_TO_CONSUMER").await.1);
    }
    for other in [&bob, &eve, &bob] {
        assert!(!ann.initiate([other], "CONSUMER_TO_CONSUMER").await.1);
    }
    let variables = json!({ "userIds": [kim.id], "type": "CONSUMER_TO_CONSUMER" });
    assert_eq!(ann.graphql(documents::INITIATE_CHAT, variables).await.error_code(), "RATE_LIMITED");
    assert!(kim.initiate([&ann], "CONSUMER_TO_CONSUMER").await.1);
}
