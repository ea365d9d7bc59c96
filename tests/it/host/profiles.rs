//! Names and pictures: who may change them, and who is told.

use serde_json::{Value, json};

use crate::presence::watch;
use crate::support::{Answer, Feed, TestApp, TestUser};

const UPDATE: &str = "mutation($name: String, $url: String) { updateProfile(displayName: $name, avatarUrl: $url) {
    user { id displayName avatarUrl } } }";

async fn rename(user: &TestUser, name: &str) -> Answer {
    user.graphql(UPDATE, json!({ "name": name })).await
}

/// The next event that isn't about presence, which must be that this user has changed: the user as it is shown.
async fn expect_changed(feed: &mut Feed, user: &str) -> Value {
    let event = feed.next_event().await;
    assert_eq!((&*event.kind, &event.body["user"]["id"]), ("UserChanged", &json!(user)), "{event:#?}");
    event.body["user"].clone()
}

#[tokio::test]
async fn a_name_and_a_picture_are_the_users_own_and_those_who_see_the_user_are_told() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let (mut own, mut bobs, mut eves) = (watch(&ann).await, watch(&bob).await, watch(&eve).await);

    let answer = ann.graphql(UPDATE, json!({ "name": " Ann  Lee ", "url": "https://example.com/a.png" })).await;
    assert_eq!(answer["/updateProfile/user/avatarUrl"], "https://example.com/a.png");
    assert_eq!(answer["/updateProfile/user/displayName"], "Ann  Lee");
    for feed in [&mut own, &mut bobs] {
        let shown = expect_changed(feed, &ann.id).await;
        assert_eq!(shown["displayName"], "Ann  Lee");
    }
    let found = bob.graphql("{ users(search: \"lee\") { edges { node { id } } } }", json!({})).await;
    assert_eq!(found.list("/users/edges").len(), 1);

    // Left out, a field stays; null removes the picture; a name can't be removed.
    let url = "mutation { updateProfile(avatarUrl: null, displayName: null) { user { displayName avatarUrl } } }";
    let answer = ann.graphql(url, json!({})).await;
    assert_eq!(answer["/updateProfile/user"], json!({ "displayName": "Ann  Lee", "avatarUrl": null }));
    expect_changed(&mut bobs, &ann.id).await;
    rename(&ann, "Ann  Lee").await.data();
    ann.graphql("mutation { updateProfile { user { id } } }", json!({})).await.data();
    // Nothing new is no event, and a stranger is told of nothing.
    let (marker, alone) = (ann.post(&room, "marker").await, eve.initiate_chat([&bob]).await);
    bobs.expect_silence_until(&marker).await;
    let marker = eve.post(&alone, "marker").await;
    eves.until_posted(&marker).await.iter().for_each(|event| assert_ne!(event.kind, "UserChanged"));
}

#[tokio::test]
async fn a_name_or_picture_that_is_not_acceptable_changes_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let before = ann.graphql("{ me { displayName avatarUrl } }", json!({})).await.data().clone();
    for (variables, field) in [
        (json!({ "name": "" }), "displayName"),
        (json!({ "name": "\u{200b}" }), "displayName"),
        (json!({ "name": "a\u{202e}b" }), "displayName"),
        (json!({ "name": "x".repeat(65) }), "displayName"),
        (json!({ "name": "Fine", "url": "javascript:alert(1)" }), "avatarUrl"),
        (json!({ "name": "Fine", "url": "" }), "avatarUrl"),
    ] {
        let answer = ann.graphql(UPDATE, variables.clone()).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", field), "{variables}");
    }
    assert_eq!(ann.graphql("{ me { displayName avatarUrl } }", json!({})).await.data(), &before);
}

#[tokio::test]
async fn where_profiles_are_the_apps_only_its_backend_writes_them() {
    let app = TestApp::start_with(|config| config.profiles = Some(false)).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    ann.initiate_chat([&bob]).await;
    let answer = rename(&ann, "Support").await;
    assert_eq!(answer.error_code(), "FORBIDDEN");
    assert_eq!(answer.error()["extensions"]["reason"], "PROFILES_OFF");

    let backend = app.backend("backend").await;
    let mut bobs = watch(&bob).await;
    let answer = backend.acting_for(&ann.id, UPDATE, json!({ "name": "Ann" })).await;
    assert_eq!(answer["/updateProfile/user/displayName"], "Ann");
    assert_eq!(expect_changed(&mut bobs, &ann.id).await["displayName"], "Ann");
    backend.upsert(json!([{ "id": ann.id, "custom": { "vip": true } }])).await;
    assert_eq!(expect_changed(&mut bobs, &ann.id).await["custom"], json!({ "vip": true }));
    backend.upsert(json!([{ "id": ann.id, "active": false }])).await;
    assert!(expect_changed(&mut bobs, &ann.id).await["deactivatedAt"].is_string());
}
