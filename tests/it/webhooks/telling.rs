//! What is told, how it is signed, and in which order.

use chrono::TimeDelta;
use serde_json::json;

use super::{POSTS, Receiver, app};
use crate::support::within;

#[tokio::test]
async fn a_receiver_is_told_what_the_document_asks_signed_and_nothing_else() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("backend").await, Receiver::start().await);
    let before = ann.initiate_chat([&bob]).await;
    ann.post(&before, "before").await;
    let (_, secret) = backend.webhook(&receiver, POSTS, false).await;
    bob.mark_read(&before, 1).await;
    bob.mute(&before, true).await;
    let second = app.clock().now().timestamp();
    let posted = ann.post(&before, "hello").await;

    let told = receiver.next().await;
    assert_eq!(told.signed_by(&secret), [true]);
    let place = app.place(told.body["cursor"].as_str().expect("a cursor"));
    assert_eq!(told.id, format!("evt_{}_{:08x}", place.position.0, place.tag));
    assert!((second..=app.clock().now().timestamp()).contains(&told.timestamp), "{} since {second}", told.timestamp);
    let expected = json!({
        "type": "message.posted",
        "timestamp": told.body["timestamp"],
        "cursor": told.body["cursor"],
        "audience": { "roomId": before.id, "userId": null },
        "data": {
            "cursor": told.body["cursor"],
            "message": { "id": posted.id, "body": "hello", "author": { "username": "ann" } },
        },
    });
    assert_eq!(told.body, expected);
    ann.post(&before, "last").await;
    assert_eq!(receiver.next().await.text(), "last", "reading and muting are told to nobody");
    app.until_metric("parlor_webhook_attempts_total", 2.0).await;
}

#[tokio::test]
async fn joining_and_leaving_are_a_members_for_those_who_are_nobody() {
    let app = app().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (backend, receiver) = (app.backend("backend").await, Receiver::start().await);
    let query = "subscription { events { ... on MemberJoined { room { id } user { username } by { username } }
        ... on MemberLeft { room { id } userId } ... on RoomLeft { roomId reason } ... on RoomJoined { room { id } } } }";
    backend.webhook(&receiver, query, true).await;
    let group =
        "mutation($members: [NewMember!]!) { createRoom(input: { name: \"g\", members: $members }) { room { id } } }";
    let made = ann.graphql(group, json!({ "members": [{ "userId": bob.id }] })).await;
    let room = made.text("/createRoom/room/id").to_owned();
    let mut joined = Vec::new();
    for _ in 0..2 {
        let told = receiver.next().await;
        assert_eq!(told.kind(), "member.joined");
        assert_eq!(told.body["data"]["room"]["id"], *room);
        assert!(told.body["audience"]["userId"].is_string());
        joined.push(told.body["data"]["user"]["username"].as_str().expect("a name").to_owned());
    }
    joined.sort();
    assert_eq!(joined, ["ann", "bob"]);
    let add = "mutation($room: ID!, $user: ID!) { addMembers(roomId: $room, userIds: [$user]) { room { id } } }";
    ann.graphql(add, json!({ "room": room, "user": eve.id })).await.data();
    let told = receiver.next().await;
    assert_eq!((told.kind(), &told.body["data"]["by"]["username"]), ("member.joined", &json!("ann")));
    let remove = "mutation($room: ID!, $user: ID!) { removeMember(roomId: $room, userId: $user) { room { id } } }";
    ann.graphql(remove, json!({ "room": room, "user": eve.id })).await.data();
    let told = receiver.next().await;
    assert_eq!((told.kind(), &told.body["data"]["userId"]), ("member.left", &json!(eve.id)));
    ann.graphql("mutation($room: ID!) { deleteRoom(roomId: $room) { roomId } }", json!({ "room": room })).await.data();
    let told = receiver.next().await;
    assert_eq!((told.kind(), &told.body["data"]["reason"]), ("room.left", &json!("DELETED")));
}

#[tokio::test]
async fn an_ordered_webhook_is_told_in_order_and_any_is_told_all() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, ordered, parallel) = (app.backend("b").await, Receiver::start().await, Receiver::start().await);
    backend.webhook(&ordered, POSTS, true).await;
    backend.webhook(&parallel, POSTS, false).await;
    let room = ann.initiate_chat([&bob]).await;
    let texts: Vec<String> = (0..40).map(|n| format!("{n:02}")).collect();
    for text in &texts {
        ann.post(&room, text).await;
    }
    let (mut in_order, mut any) = (Vec::new(), Vec::new());
    for _ in 0..texts.len() {
        in_order.push(ordered.next().await.text().to_owned());
        any.push(parallel.next().await.text().to_owned());
    }
    assert_eq!(in_order, texts);
    any.sort();
    assert_eq!(any, texts);
}

#[tokio::test]
async fn a_restart_loses_nothing_and_repeats_under_the_same_id() {
    let mut app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, false).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "one").await;
    let first = receiver.next_with("one").await;
    backend.until(&id, "nothing to wait", |said| said["behindSecs"] == 0).await;
    app.stop().await;
    app.execute("UPDATE consumer SET position = 0, tag = 0 WHERE name LIKE 'webhook:%'").await;
    app.resume().await;
    assert_eq!(receiver.next_with("one").await.id, first.id);
    ann.post(&room, "two").await;
    assert_ne!(receiver.next_with("two").await.id, first.id);
}

#[tokio::test]
async fn a_new_secret_signs_beside_the_old_one_for_a_day() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, old) = backend.webhook(&receiver, POSTS, false).await;
    let room = ann.initiate_chat([&bob]).await;
    let rotated = backend.update_webhook(&id, json!({ "rotateSecret": true })).await;
    let new = rotated.text("/updateWebhook/secret").to_owned();
    assert_ne!(new, old);
    ann.post(&room, "both").await;
    let told = receiver.next().await;
    assert_eq!((told.signed_by(&new), told.signed_by(&old)), (vec![true, false], vec![false, true]));
    assert_eq!(backend.update_webhook(&id, json!({})).await["/updateWebhook/secret"], json!(null), "it is shown once");
    app.clock().advance(TimeDelta::hours(25));
    let ann = app.sign_in("ann").await;
    ann.post(&room, "one").await;
    let told = receiver.next().await;
    assert_eq!((told.signed_by(&new), told.signed_by(&old)), (vec![true], vec![false]));
    let stored = app.text("SELECT count(*) || '' FROM webhook", "SELECT count(*)::text FROM webhook").await;
    assert_eq!(stored, "1");
}

#[tokio::test]
async fn what_happened_after_a_cursor_is_told_again() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, true).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut told = Vec::new();
    for text in ["one", "two", "three"] {
        ann.post(&room, text).await;
        told.push(receiver.next().await);
    }
    let after = told[0].body["cursor"].as_str().expect("a cursor");
    backend.replay_webhook(&id, Some(after), None).await.data();
    for earlier in &told[1..] {
        let again = receiver.next().await;
        assert_eq!((&again.id, again.text()), (&earlier.id, earlier.text()));
    }
    ann.post(&room, "four").await;
    assert_eq!(receiver.next().await.text(), "four");
    app.prune().await;
    let refused = backend.replay_webhook(&id, Some(after), None).await;
    assert_eq!((refused.error_code(), refused.error_field()), ("CONFLICT", "after"));
}

#[tokio::test]
async fn a_change_is_followed_at_once_and_what_is_deleted_or_disabled_is_told_nothing() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let backend = app.backend("b").await;
    let (here, there) = (Receiver::start().await, Receiver::start().await);
    let (id, secret) = backend.webhook(&here, POSTS, true).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "here").await;
    here.next_with("here").await;
    let query = "subscription { events { ... on MessageDeleted { message { id } } ... on MessagePosted { at } } }";
    backend.update_webhook(&id, json!({ "url": there.url, "query": query })).await.data();
    let message = ann.post(&room, "there").await;
    let told = there.next().await;
    assert_eq!((told.kind(), told.signed_by(&secret)), ("message.posted", vec![true]));
    ann.delete(&message).await;
    assert_eq!(there.next().await.kind(), "message.deleted");
    backend.update_webhook(&id, json!({ "enabled": false })).await.data();
    ann.post(&room, "while it is disabled").await;
    assert_eq!(backend.said_of(&id).await["state"], "DISABLED");
    backend.update_webhook(&id, json!({ "enabled": true })).await.data();
    assert_eq!(there.next().await.kind(), "message.posted", "it goes on where it had stopped");
    backend.delete_webhook(&id).await.data();
    ann.post(&room, "to nobody").await;
    let left = "SELECT count(*) || '' FROM consumer WHERE name LIKE 'webhook:%'";
    assert_eq!(app.text(left, left).await, "0");
    within("the webhook to stop", async {
        while app.get("/metrics").await.text().await.expect("text").contains("name=\"webhook:") {}
    })
    .await;
    assert_eq!(here.rest().len() + there.rest().len(), 0);
}
