//! What the operator does on the command line, while the server runs.

use serde_json::json;

use crate::support::{TestApp, documents};

#[tokio::test]
async fn the_operator_adds_support_users() {
    let app = TestApp::start().await;

    let sue = app.support_user("sue").await;

    let me = sue.graphql("{ me { username type } }", json!({})).await;
    assert_eq!(*me.data(), json!({ "me": { "username": "sue", "type": "SUPPORT" } }));
}

#[tokio::test]
async fn the_operator_cannot_add_a_name_twice() {
    let app = TestApp::start().await;
    app.user("ann").await;

    let output = app.parlor(&["user", "add", "ann", "--type", "consumer"]).await;

    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("taken"), "expected to be told that the name is taken, got {complaint}");
}

#[tokio::test]
async fn the_operator_deletes_a_user_and_the_running_server_ends_the_sessions() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut feed = ann.subscribe().await;

    let output = app.parlor(&["user", "delete", "ann"]).await;

    assert!(output.status.success(), "{output:?}");
    assert_eq!(feed.socket().until_close().await.0, 4403);
    assert_eq!(ann.graphql("{ me { id } }", json!({})).await.error_code(), "UNAUTHENTICATED");
    let input = json!({ "username": "ann", "password": ann.password() });
    assert_eq!(app.anonymous(documents::SIGN_IN, json!({ "input": input })).await.error_code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn the_operator_mints_a_token_that_works_until_it_expires() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;

    let output = app.parlor(&["user", "token", "ann", "--ttl-secs", "3600"]).await;

    assert!(output.status.success(), "{output:?}");
    let token = String::from_utf8(output.stdout).expect("a token is text");
    let me = async || app.with_token(token.trim(), "{ me { id } }", json!({})).await;
    assert_eq!(me().await.text("/me/id"), ann.id);
    app.clock().advance(chrono::TimeDelta::minutes(59));
    assert_eq!(me().await.text("/me/id"), ann.id);
    app.clock().advance(chrono::TimeDelta::minutes(1));
    assert_eq!(me().await.error_code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_setting_that_is_not_understood_stops_the_start_by_name() {
    let app = TestApp::start().await;

    let output = app.parlor(&["serve", "--drain-secs", "soon"]).await;

    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("drain-secs") || complaint.contains("DRAIN_SECS"), "{complaint}");
}
