//! What a role doesn't do.

use serde_json::json;

use super::{group, reason};
use crate::support::{TestApp, documents};

#[tokio::test]
async fn what_is_told_as_a_permission_is_what_the_mutations_do() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = group(&ann, &bob, &kim).await;
    ann.update(&room, json!({ "postingPolicy": "MODERATORS" })).await.data();
    let words = ann.post(&room, "by ann").await;

    let all = [
        "POST",
        "REACT",
        "MENTION_ROOM",
        "PIN",
        "DELETE_MESSAGES",
        "UPDATE_ROOM",
        "ADD_MEMBERS",
        "REMOVE_MEMBERS",
        "INVITE",
        "SET_ROLES",
        "DELETE_ROOM",
    ];
    assert_eq!(ann.standing(&room).await, json!({ "role": "OWNER", "permissions": all }));
    assert_eq!(bob.standing(&room).await, json!({ "role": "MODERATOR", "permissions": all[..9] }));
    assert_eq!(kim.standing(&room).await, json!({ "role": "MEMBER", "permissions": ["REACT"] }));
    let roles = "query($id: ID!) { room(id: $id) { rolePermissions { role permissions } } }";
    let roles = kim.graphql(roles, json!({ "id": room.id })).await.data()["room"]["rolePermissions"].clone();
    assert_eq!(
        roles,
        json!([
            { "role": "OWNER", "permissions": all }, { "role": "MODERATOR", "permissions": all[..9] },
            { "role": "MEMBER", "permissions": ["REACT"] },
        ])
    );

    let posting = kim.graphql(documents::POST_MESSAGE, json!({ "roomId": room.id, "body": "let me" })).await;
    assert_eq!(reason(&posting), "MODERATOR_NEEDED");
    assert_eq!(reason(&kim.update(&room, json!({ "name": "Mine" })).await), "MODERATOR_NEEDED");
    let deleting = kim.graphql(documents::DELETE_MESSAGE, json!({ "messageId": words.id })).await;
    assert_eq!(reason(&deleting), "MODERATOR_NEEDED");
    for who in [&kim, &bob] {
        let deleting = who.graphql(documents::DELETE_ROOM, json!({ "roomId": room.id })).await;
        assert_eq!(reason(&deleting), "OWNER_NEEDED");
    }
    let editing = bob.graphql(documents::EDIT_MESSAGE, json!({ "messageId": words.id, "body": "not mine" })).await;
    assert_eq!(editing.error_code(), "FORBIDDEN", "nobody puts words into another's mouth");
    assert!(bob.delete(&words).await.deleted_at.is_some(), "a moderator deletes what others wrote");

    ann.update(&room, json!({ "postingPolicy": "EVERYONE" })).await.data();
    assert_eq!(kim.post(&room, "at last").await.seq, 2);
}

#[tokio::test]
async fn a_direct_room_has_no_name_and_users_write_no_data_of_the_apps() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let direct = ann.initiate_chat([&bob]).await;
    let room = group(&ann, &bob, &kim).await;
    assert_eq!(reason(&ann.update(&direct, json!({ "name": "Us" })).await), "DIRECT_ROOM");
    assert_eq!(reason(&ann.update(&room, json!({ "custom": { "verified": true } })).await), "SERVER_KEY_NEEDED");
    for input in [
        json!({ "name": "" }),
        json!({ "name": "\u{202e}x" }),
        json!({ "topic": "x".repeat(501) }),
        json!({ "avatarUrl": "javascript:1" }),
    ] {
        assert_eq!(ann.update(&room, input.clone()).await.error_code(), "BAD_USER_INPUT", "{input}");
        assert_eq!(ann.try_create(input.clone()).await.error_code(), "BAD_USER_INPUT", "{input}");
    }
}

#[tokio::test]
async fn nobody_is_put_into_a_room_who_is_gone_switched_off_or_not_to_be_found() {
    let app = TestApp::start_with(|config| config.directory = parlor::config::Directory::Sharers).await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let backend = app.backend("shop").await;
    let with = |user: &str| json!({ "members": [{ "userId": user }] });
    let stranger = ann.try_create(with(&bob.id)).await;
    let nobody = ann.try_create(with("user_00000000000000000000000000")).await;
    assert_eq!(stranger.error_code(), "NOT_FOUND");
    assert_eq!(stranger.body, nobody.body, "whom one can't find looks as if absent");
    backend
        .graphql(super::CREATE, json!({ "input": { "members": [{ "userId": ann.id }, { "userId": bob.id }] } }))
        .await
        .data();
    ann.try_create(with(&bob.id)).await.data();

    backend.upsert(json!([{ "id": kim.id, "active": false }])).await;
    let off = backend.graphql(super::CREATE, json!({ "input": with(&kim.id) })).await;
    assert_eq!(reason(&off), "DEACTIVATED");
    bob.graphql(documents::DELETE_ACCOUNT, json!({})).await.data();
    assert_eq!(ann.try_create(with(&bob.id)).await.error_code(), "NOT_FOUND");
    let many: Vec<_> = (0..101).map(|_| json!({ "userId": ann.id })).collect();
    assert_eq!(ann.try_create(json!({ "members": many })).await.error_code(), "BAD_USER_INPUT");
}
