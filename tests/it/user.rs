//! People: finding them, and looking things up by id.

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestUser, documents};

async fn found(user: &TestUser, search: &str) -> Vec<String> {
    let answer = user.graphql(documents::USERS, json!({ "search": search, "first": 100 })).await;
    names(&answer)
}

fn names(answer: &Answer) -> Vec<String> {
    let name = |node: &Value| node["username"].as_str().expect("a user has a name").to_owned();
    answer.list("/users/nodes").iter().map(name).collect()
}

async fn sign_up(app: &TestApp, username: &str, display_name: &str) -> TestUser {
    let input = json!({ "username": username, "password": "long enough", "displayName": display_name });
    let answer = app.anonymous(documents::SIGN_UP, json!({ "input": input })).await;
    TestUser::from_session(app.endpoint().clone(), &answer["/signUp"])
}

#[tokio::test]
async fn people_are_found_by_the_beginning_of_either_name() {
    let app = TestApp::start().await;
    let ann = sign_up(&app, "ann", "Zoe Ångström").await;
    sign_up(&app, "annika", "Berta").await;
    sign_up(&app, "bob", "Ännchen").await;
    sign_up(&app, "zed", "100% _real_").await;

    for (search, expected) in [
        ("an", &["ann", "annika"][..]),
        ("ANN", &["ann", "annika"]),
        ("b", &["bob", "annika"]),
        ("zoe Å", &["ann"]),
        ("ZO", &["ann"]),
        ("z", &["zed", "ann"]),
        ("änn", &["bob"]),
        ("ÄNN", &["bob"]),
        ("nn", &[]),
        ("100%", &["zed"]),
        ("%", &[]),
        ("_", &[]),
        ("", &["ann", "annika", "bob", "zed"]),
        ("  ann  ", &["ann", "annika"]),
    ] {
        assert_eq!(found(&ann, search).await, expected, "{search:?}");
    }
}

#[tokio::test]
async fn pages_of_people_meet_without_gap_or_overlap() {
    let app = TestApp::start().await;
    let crowd = app.crowd("p", 7).await;
    let user = &crowd[0];
    let all = found(user, "p").await;

    let mut pages = Vec::new();
    let mut after = Value::Null;
    loop {
        let answer = user.graphql(documents::USERS, json!({ "search": "p", "first": 3, "after": after })).await;
        let info = answer["/users/pageInfo"].clone();
        assert_eq!(info["hasPreviousPage"], !after.is_null());
        pages.push(names(&answer));
        if info["hasNextPage"] != true {
            break;
        }
        after = info["endCursor"].clone();
    }

    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    assert_eq!(pages.concat(), all);
}

#[tokio::test]
async fn a_user_is_shown_to_everybody_who_is_signed_in() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;

    let document = "query($id: ID!) { user(id: $id) { id username displayName type createdAt } }";
    let answer = ann.graphql(document, json!({ "id": bob.id })).await;

    assert_eq!(answer.text("/user/username"), "bob");
    assert_eq!(answer.text("/user/displayName"), "The bob");
    let created_at = answer.text("/user/createdAt");
    let parsed = chrono::DateTime::parse_from_rfc3339(created_at).expect("times are RFC 3339");
    assert!(created_at.ends_with('Z'), "times are UTC");
    assert!((app.clock().now() - parsed.to_utc()).num_seconds() < 60);
}

#[tokio::test]
async fn a_node_is_any_thing_by_its_id() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "hello").await;

    for (id, kind) in [(&bob.id, "User"), (&room.id, "Room"), (&message.id, "Message")] {
        let answer = ann.graphql("query($id: ID!) { node(id: $id) { __typename id } }", json!({ "id": id })).await;
        assert_eq!(*answer.data(), json!({ "node": { "__typename": kind, "id": id } }));
    }
}

#[tokio::test]
async fn nodes_come_in_the_order_asked_with_null_for_what_cannot_be_seen() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "hello").await;
    let unknown = "user_00000000000000000000000000";
    let ids = json!([message.id, unknown, bob.id, room.id, bob.id]);
    let document = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";

    let of_ann = ann.graphql(document, json!({ "ids": ids })).await;
    let of_eve = eve.graphql(document, json!({ "ids": ids })).await;

    let node = |id: &str| json!({ "id": id });
    let (message, bob, room) = (node(&message.id), node(&bob.id), node(&room.id));
    assert_eq!(*of_ann.data(), json!({ "nodes": [message, null, bob, room, bob] }));
    assert_eq!(*of_eve.data(), json!({ "nodes": [null, null, bob, null, bob] }));
}

#[tokio::test]
async fn an_id_that_is_none_is_refused_by_name() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;

    for (document, id, field) in [
        ("query($id: ID!) { user(id: $id) { id } }", "room_00000000000000000000000000", "id"),
        ("query($id: ID!) { room(id: $id) { id } }", "user_00000000000000000000000000", "id"),
        ("query($id: ID!) { user(id: $id) { id } }", "7", "id"),
        ("query($id: ID!) { node(id: $id) { id } }", "", "id"),
        ("query($id: ID!) { nodes(ids: [$id]) { id } }", "nothing", "ids"),
    ] {
        let answer = ann.graphql(document, json!({ "id": id })).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", field), "{document} {id:?}");
    }
}

#[tokio::test]
async fn more_nodes_than_a_page_are_refused() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let ids = vec![ann.id.clone(); 101];
    let document = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";

    let answer = ann.graphql(document, json!({ "ids": ids })).await;
    assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "ids"));
    assert!(answer.error_message().contains("100"), "the limit is told: {}", answer.error_message());

    let answer = ann.graphql(document, json!({ "ids": ids[..100] })).await;
    assert_eq!(answer.list("/nodes").len(), 100);
}
