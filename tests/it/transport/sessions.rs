//! Sockets end when those who opened them may no longer be there.

use serde_json::json;

use crate::support::{Feed, Socket, TestApp, documents};

#[tokio::test]
async fn signing_out_ends_the_sockets_of_that_session_alone() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let tablet = bob.sign_in().await;
    let mut hers = ann.subscribe().await;
    let mut of_phone = [bob.subscribe().await, bob.subscribe().await];
    let mut idle = bob.socket().await;
    let mut of_tablet = tablet.subscribe().await;

    bob.sign_out().await;

    for feed in &mut of_phone {
        assert_eq!(feed.socket().until_close().await, (4403, "Session ended".to_owned()));
    }
    assert_eq!(idle.next_close().await.0, 4403);
    let marker = ann.post(&room, "still there?").await;
    of_tablet.expect_silence_until(&marker).await;
    hers.expect_silence_until(&marker).await;
}

#[tokio::test]
async fn signing_out_over_the_socket_itself_ends_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    socket.subscribe(documents::SIGN_OUT, &json!({})).await;
    assert_eq!(socket.until_close().await.0, 4403);
}

#[tokio::test]
async fn a_refresh_token_that_was_replaced_ends_the_sockets_of_its_session() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    let variables = json!({ "token": ann.refresh_token });
    app.anonymous(documents::REFRESH_SESSION, variables.clone()).await.data();
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next_json().await, json!({ "type": "pong" }), "a refresh ends nothing");
    app.clock().advance(chrono::TimeDelta::seconds(61));

    assert_eq!(app.anonymous(documents::REFRESH_SESSION, variables).await.error_code(), "UNAUTHENTICATED");

    assert_eq!(socket.next_close().await.0, 4403);
}

#[tokio::test]
async fn deleting_the_account_ends_all_sockets_of_the_user() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    ann.initiate_chat([&bob]).await;
    let mut sockets = [bob.socket().await, bob.sign_in().await.socket().await];
    let mut feed = bob.subscribe().await;
    let mut hers = ann.subscribe().await;

    bob.delete_account().await;

    for socket in &mut sockets {
        assert_eq!(socket.next_close().await, (4403, "Session ended".to_owned()));
    }
    assert_eq!(feed.socket().until_close().await.0, 4403);
    assert_eq!(hers.next_of("MemberLeft").await.user_id(), bob.id);
}

#[tokio::test]
async fn a_user_deleted_by_another_process_loses_its_sockets_within_a_second() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    ann.initiate_chat([&bob]).await;
    let mut socket = bob.socket().await;
    let mut hers = ann.subscribe().await;

    let output = app.parlor(&["user", "delete", "bob"]).await;
    assert!(output.status.success(), "{output:?}");
    let deleted = tokio::time::Instant::now();

    assert_eq!(socket.next_close().await.0, 4403);
    assert!(deleted.elapsed().as_millis() < 1_000, "after {:?}", deleted.elapsed());
    assert_eq!(hers.next_of("MemberLeft").await.user_id(), bob.id);
}

async fn minted_token(app: &TestApp, name: &str, ttl_secs: &str) -> String {
    let output = app.parlor(&["user", "token", name, "--ttl-secs", ttl_secs]).await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("a token is text").trim().to_owned()
}

#[tokio::test]
async fn a_socket_of_a_token_without_a_session_ends_when_the_token_expires() {
    let app = TestApp::start().await;
    app.user("ann").await;
    // A token's end is cut to the whole second, and the program has to end before it is used.
    let token = minted_token(&app, "ann", "5").await;
    let mut socket = Socket::connect(app.endpoint(), Some(&token), None).await;
    assert!(socket.ack["sessionId"].is_null());

    assert_eq!(socket.next_close().await, (4403, "Session expired".to_owned()));
}

#[tokio::test]
async fn a_socket_of_a_token_without_a_session_ends_with_the_account() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    ann.initiate_chat([&bob]).await;
    let token = minted_token(&app, "bob", "3600").await;
    let socket = Socket::connect(app.endpoint(), Some(&token), None).await;
    let mut feed = Feed::open(socket, documents::EVENTS, json!({})).await;
    feed.until_synced().await;

    bob.delete_account().await;

    assert_eq!(feed.socket().until_close().await.0, 4403);
}

#[tokio::test]
async fn a_socket_outlives_the_access_token_of_its_session() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;

    app.clock().advance(chrono::TimeDelta::minutes(11));
    let ann = ann.sign_in().await;

    let marker = ann.post(&room, "still there?").await;
    feed.expect_silence_until(&marker).await;
}
