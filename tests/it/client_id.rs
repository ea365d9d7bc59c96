//! Client ids: a message posted again, for whatever reason, is posted once.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, Room, TestApp, TestUser, documents};

async fn post(user: &TestUser, room: &Room, body: &str, client_id: &str) -> Answer {
    let variables = json!({ "roomId": room.id, "body": body, "clientId": client_id });
    user.graphql(documents::POST_MESSAGE, variables).await
}

#[tokio::test]
async fn a_client_id_used_again_answers_the_same_message() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let posted = ann.post_as(&room, "c1", "hello").await;

    assert_eq!(ann.post_as(&room, "c1", "hello").await, posted);
    assert_eq!(ann.post_as(&room, "c1", " hello\n").await, posted, "the same text but for blanks around it");
    let edited = ann.edit(&posted, "hello there").await;
    assert_eq!(ann.post_as(&room, "c1", "hello").await, edited);
    let deleted = ann.delete(&posted).await;
    assert_eq!(ann.post_as(&room, "c1", "hello").await, deleted);
    app.clock().advance(TimeDelta::days(32));
    let ann = ann.sign_in().await;
    assert_eq!(ann.post_as(&room, "c1", "hello").await, deleted, "next month as well");

    assert_eq!(ann.messages(&room).await.len(), 1);
}

#[tokio::test]
async fn a_client_id_used_for_another_text_is_a_conflict() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let posted = ann.post_as(&room, "c1", "hello").await;
    ann.edit(&posted, "goodbye").await;

    for body in ["Hello", "goodbye", "hello hello"] {
        let answer = post(&ann, &room, body, "c1").await;
        assert_eq!((answer.error_code(), answer.error_field()), ("CONFLICT", "clientId"), "{body}");
    }
    assert_eq!(ann.messages(&room).await.len(), 1);
}

#[tokio::test]
async fn a_client_id_is_the_authors_own_in_each_room() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (room, other) = tokio::join!(ann.initiate_chat([&bob]), ann.initiate_chat([&eve]));

    let first = ann.post_as(&room, "c1", "one").await;
    let second = bob.post_as(&room, "c1", "two").await;
    let third = ann.post_as(&other, "c1", "three").await;

    assert_eq!((first.seq, second.seq, third.seq), (1, 2, 1));
}

#[tokio::test]
async fn a_message_posted_twenty_times_at_once_under_one_client_id_is_one() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;

    let posted = join_all((0..20).map(|_| ann.post_as(&room, "c1", "hello"))).await;

    assert!(posted.iter().all(|message| *message == posted[0]), "{posted:#?}");
    assert_eq!(bob.messages(&room).await, posted[..1]);
    assert_eq!(bob.unread(&room).await, (1, 0));
}

#[tokio::test]
async fn one_client_id_with_two_texts_at_once_is_one_message_and_conflicts() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;

    let bodies = ["heads", "tails"];
    let answers = join_all((0..20).map(|n| post(&ann, &room, bodies[n % 2], "c1"))).await;

    let messages = bob.messages(&room).await;
    assert_eq!(messages.len(), 1);
    for (n, answer) in answers.iter().enumerate() {
        if bodies[n % 2] == messages[0].body {
            assert_eq!(answer.text("/postMessage/message/id"), messages[0].id);
        } else {
            assert_eq!(answer.error_code(), "CONFLICT");
        }
    }
}

#[tokio::test]
async fn a_client_id_has_bounds_and_they_are_told() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;

    for client_id in ["", &"x".repeat(65), "a\nb"] {
        let answer = post(&ann, &room, "hello", client_id).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "clientId"));
    }
    assert_eq!(ann.post_as(&room, &"x".repeat(64), "hello").await.seq, 1);
}
