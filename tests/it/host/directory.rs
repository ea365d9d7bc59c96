//! Whom users find, by every way of naming a user; and accounts of the server's own.

use parlor::config::Directory;
use serde_json::{Value, json};

use crate::support::{TestApp, TestUser, documents};

/// Every way in which a user can find another: what each finds.
async fn found(by: &TestUser, other: &TestUser) -> Vec<bool> {
    let document = "query($id: ID!, $ext: ID!) { users(first: 100) { nodes { id } } user(id: $id) { id }
        node(id: $id) { id } nodes(ids: [$id, $ext]) { id } external: user(id: $ext) { id } }";
    let external = format!("ext:{}", other.username);
    let answer = by.graphql(document, json!({ "id": other.id, "ext": external })).await;
    let listed = answer.list("/users/nodes").iter().any(|user| user["id"] == *other.id);
    let mut found = vec![listed];
    found.extend(["/user", "/node", "/nodes/0", "/nodes/1", "/external"].map(|at| answer[at] != Value::Null));
    for named in [&other.id, &external] {
        let variables = json!({ "userIds": [named], "type": "CONSUMER_TO_CONSUMER" });
        let opened = by.graphql(documents::INITIATE_CHAT, variables).await;
        let refused = opened.body.get("errors").is_some();
        if refused {
            let unknown = json!({ "userIds": ["ext:nobody"], "type": "CONSUMER_TO_CONSUMER" });
            let unknown = by.graphql(documents::INITIATE_CHAT, unknown).await;
            assert_eq!(opened.body, unknown.body, "as if there were none");
        }
        found.push(!refused);
    }
    found
}

async fn world(directory: Directory) -> (TestApp, [TestUser; 4]) {
    let app = TestApp::start_with(|config| config.directory = directory).await;
    let users = app.users(["ann", "bob", "kim", "eve"]).await;
    let backend = app.backend("backend").await;
    let known: Vec<Value> = users.iter().map(|user| json!({ "id": user.id, "externalId": user.username })).collect();
    backend.upsert(json!(known)).await;
    let [ann, bob, kim, eve] = users;
    let (ann, bob, kim, eve) = (ann.sign_in().await, bob.sign_in().await, kim.sign_in().await, eve.sign_in().await);
    let variables = json!({ "userIds": [bob.id, kim.id], "type": "CONSUMER_TO_CONSUMER" });
    let opened = backend.acting_for(&ann.id, documents::INITIATE_CHAT, variables).await;
    let room = crate::support::Room::of(&opened["/initiateChat/room"]);
    kim.leave(&room).await;
    (app, [ann, bob, kim, eve])
}

#[tokio::test]
async fn by_default_everybody_finds_everybody() {
    let (_app, [ann, bob, kim, eve]) = world(Directory::All).await;
    for other in [&bob, &kim, &eve] {
        assert!(found(&ann, other).await.into_iter().all(|found| found));
    }
}

#[tokio::test]
async fn sharers_find_each_other_and_nobody_else_by_no_door() {
    let (_app, [ann, bob, kim, eve]) = world(Directory::Sharers).await;
    for other in [&kim, &eve] {
        assert!(!found(&ann, other).await.into_iter().any(|found| found), "{}", other.username);
        assert!(!found(other, &ann).await.into_iter().any(|found| found), "{}", other.username);
    }
    assert!(found(&ann, &bob).await.into_iter().all(|found| found));
    assert_eq!(
        eve.graphql("{ me { id } users { nodes { id } } }", json!({})).await.data(),
        &json!({ "me": { "id": eve.id }, "users": { "nodes": [{ "id": eve.id }] } })
    );
}

#[tokio::test]
async fn without_a_directory_those_of_ones_rooms_can_be_looked_up_and_only_a_key_opens_rooms() {
    let (app, [ann, bob, kim, eve]) = world(Directory::None).await;
    for other in [&kim, &eve] {
        assert!(!found(&ann, other).await.into_iter().any(|found| found), "{}", other.username);
    }
    assert_eq!(found(&ann, &bob).await, [false, true, true, true, true, true, false, false]);
    let backend = app.backend("other").await;
    let variables = json!({ "userIds": [eve.id], "type": "CONSUMER_TO_CONSUMER" });
    assert!(backend.acting_for(&ann.id, documents::INITIATE_CHAT, variables).await.data().is_object());
}

#[tokio::test]
async fn where_the_app_has_its_users_nobody_signs_up_or_in() {
    let mut app = TestApp::start().await;
    let ann = app.user("ann").await;
    app.stop().await;
    app.configure(|config| config.accounts = Some(false));
    app.resume().await;
    let input = json!({ "username": "ann", "password": ann.password() });
    let signed_in = app.anonymous(documents::SIGN_IN, json!({ "input": input })).await;
    for answer in [signed_in, app.sign_up("bob").await] {
        let extensions = &answer.error()["extensions"];
        assert_eq!((answer.error_code(), &extensions["reason"]), ("FORBIDDEN", &json!("ACCOUNTS_OFF")));
    }
    assert_eq!(ann.graphql("{ me { id } }", json!({})).await["/me/id"], json!(ann.id), "sessions go on");
    let backend = app.backend("backend").await;
    backend.upsert(json!([{ "externalId": "42" }])).await;
    let token = backend.token("ext:42").await;
    assert_eq!(app.with_token(&token, "{ me { externalId } }", json!({})).await["/me/externalId"], json!("42"));
}
