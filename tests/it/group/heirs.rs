//! Who owns a group after its last owner.

use serde_json::{Value, json};

use super::group;
use crate::support::{Room, TestApp, TestUser, documents};

/// What each member is, by the user, as this one is shown it.
async fn roles(user: &TestUser, room: &Room) -> Vec<(String, String)> {
    let document = "query($id: ID!) { room(id: $id) { members(first: 100) { nodes { role userId } } } }";
    let answer = user.graphql(document, json!({ "id": room.id })).await;
    let text = |node: &Value, field: &str| node[field].as_str().expect("a text").to_owned();
    answer.list("/room/members/nodes").iter().map(|node| (text(node, "userId"), text(node, "role"))).collect()
}

async fn owners(user: &TestUser, room: &Room) -> Vec<String> {
    let roles = roles(user, room).await;
    let mut owners: Vec<String> = roles.into_iter().filter(|(_, role)| role == "OWNER").map(|(user, _)| user).collect();
    owners.sort();
    owners
}

#[tokio::test]
async fn a_group_is_never_left_without_an_owner() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = group(&ann, &bob, &kim).await;

    ann.leave(&room).await;
    assert_eq!(owners(&kim, &room).await, [&*bob.id], "the moderator comes before the member");
    bob.graphql(documents::DELETE_ACCOUNT, json!({})).await.data();
    assert_eq!(owners(&kim, &room).await, [&*kim.id]);
    kim.delete_room(&room).await;
}

#[tokio::test]
async fn who_is_switched_off_leaves_the_room_to_somebody_who_is_not() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let backend = app.backend("backend").await;
    let room = group(&ann, &bob, &kim).await;
    backend.upsert(json!([{ "id": bob.id, "active": false }])).await;
    backend.upsert(json!([{ "id": ann.id, "active": false }])).await;
    let mut expected = [&*ann.id, &*kim.id];
    expected.sort_unstable();
    assert_eq!(owners(&kim, &room).await, expected, "whoever is switched off may come back");
    kim.leave(&room).await;
}

#[tokio::test]
async fn one_of_several_owners_leaves_no_heir() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let members = json!([{ "userId": bob.id, "role": "OWNER" }, { "userId": kim.id }]);
    let room = ann.create(json!({ "members": members })).await;
    ann.leave(&room).await;
    assert_eq!(owners(&kim, &room).await, [&*bob.id]);
    // A room of the app's has no owner, and needs none.
    let backend = app.backend("backend").await;
    let input = json!({ "members": [{ "userId": bob.id }, { "userId": kim.id }] });
    let made = Room::of(&backend.create(input).await.data()["createRoom"]["room"]);
    bob.leave(&made).await;
    assert_eq!(owners(&kim, &made).await, Vec::<String>::new());
}
