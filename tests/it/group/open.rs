//! Open rooms: everybody finds them, and joins by oneself.

use serde_json::{Value, json};

use super::group;
use crate::support::{Answer, Model, Room, TestApp, TestUser, documents, verify};

impl TestUser {
    /// The answer to `joinRoom`.
    pub(super) async fn join(&self, way: Value) -> Answer {
        self.graphql(documents::JOIN_ROOM, way).await
    }

    async fn open_rooms(&self, search: Option<&str>) -> Vec<String> {
        let answer = self.graphql(documents::OPEN_ROOMS, json!({ "search": search, "first": 100 })).await;
        answer.list("/openRooms/nodes").iter().map(|room| room["name"].as_str().unwrap_or("-").to_owned()).collect()
    }
}

async fn open(user: &TestUser, name: &str) -> Room {
    user.create(json!({ "name": name, "joinPolicy": "OPEN" })).await
}

#[tokio::test]
async fn whoever_finds_an_open_room_joins_it_and_the_others_are_told() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = open(&ann, "Gardening").await;
    ann.post(&room, "before").await;
    let (mut model, mut feed) = (Model::fetch(&ann).await, ann.subscribe().await);
    let (mut eves_model, mut eves) = (Model::fetch(&eve).await, eve.subscribe().await);

    let joined = eve.join(json!({ "roomId": room.id })).await;
    assert_eq!(joined["/joinRoom/room"], json!({ "id": room.id, "memberCount": 2 }));
    assert_eq!(eve.standing(&room).await["role"], "MEMBER");
    assert_eq!(eve.unread(&room).await.0, 0, "what was said before is no news");
    assert_eq!(eve.messages(&room).await.len(), 1);
    let again = eve.join(json!({ "roomId": room.id })).await;
    assert_eq!(again["/joinRoom/room/memberCount"], json!(2));

    let end = bob_joins_and_ends(&bob, &room).await;
    model.follow(&ann, &mut feed, &end).await;
    verify(&ann, &model).await;
    eves_model.follow(&eve, &mut eves, &end).await;
    verify(&eve, &eves_model).await;
}

async fn bob_joins_and_ends(bob: &TestUser, room: &Room) -> crate::support::Message {
    bob.join(json!({ "roomId": room.id })).await.data();
    bob.post(room, "end").await
}

#[tokio::test]
async fn a_room_that_is_not_open_looks_as_if_absent_to_whoever_would_join_it() {
    let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let closed = group(&ann, &bob, &kim).await;
    let direct = ann.initiate_chat([&bob]).await;
    let left = kim.initiate_chat([&eve]).await;
    eve.leave(&left).await;
    let deleted = open(&ann, "Gone").await;
    ann.delete_room(&deleted).await;
    let shut = open(&ann, "Shut").await;
    ann.update(&shut, json!({ "joinPolicy": "INVITE" })).await.data();
    eve.sync_cursor().await;
    let mut statements = app.watch_statements();

    let mut seen = Vec::new();
    for id in ["room_00000000000000000000000000", &closed.id, &direct.id, &left.id, &deleted.id, &shut.id] {
        statements.texts();
        let answer = eve.join(json!({ "roomId": id })).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("NOT_FOUND", "roomId"), "{id}");
        seen.push((answer.status, answer.body, statements.texts()));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
    for way in [json!({}), json!({ "roomId": closed.id, "code": "x" }), json!({ "inviteId": null })] {
        assert_eq!(eve.join(way.clone()).await.error_code(), "BAD_USER_INPUT", "{way}");
    }
    assert_eq!(kim.join(json!({ "roomId": closed.id })).await.text("/joinRoom/room/id"), closed.id, "who is in it is");
    assert_eq!(eve.rooms().await, [], "nothing was changed by asking");
}

#[tokio::test]
async fn who_left_comes_back_as_a_plain_member_and_a_key_brings_in_only_whom_it_acts_for() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let backend = app.backend("shop").await;
    let input = json!({ "name": "Club", "joinPolicy": "OPEN", "members": [{ "userId": bob.id, "role": "OWNER" }] });
    let room = ann.create(input).await;
    bob.mute(&room, true).await;
    bob.leave(&room).await;
    ann.post(&room, "meanwhile").await;
    bob.join(json!({ "roomId": room.id })).await.data();
    assert_eq!(bob.standing(&room).await["role"], "MEMBER");
    ann.post(&room, "hello").await;

    let alone = backend.graphql(documents::JOIN_ROOM, json!({ "roomId": room.id })).await;
    assert_eq!(super::reason(&alone), "USER_NEEDED");
    let acting = backend.acting_for(&eve.id, documents::JOIN_ROOM, json!({ "roomId": room.id })).await;
    assert_eq!(acting["/joinRoom/room/memberCount"], json!(3));
    backend.upsert(json!([{ "id": bob.id, "active": false }])).await;
    let off = backend.acting_for(&bob.id, documents::JOIN_ROOM, json!({ "roomId": room.id })).await;
    assert_eq!(super::reason(&off), "DEACTIVATED");
}

#[tokio::test]
async fn open_rooms_are_found_by_the_beginnings_of_words_and_others_are_not() {
    let app = TestApp::start().await;
    let [ann, eve] = app.users(["ann", "eve"]).await;
    let lisbon = open(&ann, "Trip to Lisbon").await;
    for name in ["Lissabon für Anfänger", "Garden trip"] {
        open(&ann, name).await;
    }
    ann.create(json!({ "joinPolicy": "OPEN" })).await;
    ann.create(json!({ "name": "Secret trip" })).await;

    assert_eq!(eve.open_rooms(None).await, ["-", "Garden trip", "Lissabon für Anfänger", "Trip to Lisbon"]);
    assert_eq!(eve.open_rooms(Some("  ")).await.len(), 4);
    assert_eq!(eve.open_rooms(Some("lis")).await, ["Trip to Lisbon", "Lissabon für Anfänger"]);
    assert_eq!(eve.open_rooms(Some("TRIP l")).await, ["Trip to Lisbon"]);
    assert_eq!(eve.open_rooms(Some("anfänger")).await, ["Lissabon für Anfänger"]);
    for nothing in ["rip", "secret", "%", "lisbon garden"] {
        assert_eq!(eve.open_rooms(Some(nothing)).await, [""; 0], "{nothing}");
    }

    ann.update(&lisbon, json!({ "name": "Porto" })).await.data();
    assert_eq!(eve.open_rooms(Some("lisb")).await, [""; 0]);
    assert_eq!(eve.open_rooms(Some("port")).await, ["Porto"]);
    ann.update(&lisbon, json!({ "joinPolicy": "INVITE" })).await.data();
    assert_eq!(eve.open_rooms(Some("port")).await, [""; 0]);
    ann.update(&lisbon, json!({ "joinPolicy": "OPEN" })).await.data();
    assert_eq!(eve.open_rooms(Some("port")).await, ["Porto"]);
    ann.delete_room(&lisbon).await;
    assert_eq!(eve.open_rooms(None).await.len(), 3);
    assert_eq!(eve.open_rooms(Some("port")).await, [""; 0]);

    let long = "x".repeat(65);
    for search in [&*long, "a\u{1}b"] {
        let refused = eve.graphql(documents::OPEN_ROOMS, json!({ "search": search })).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "search"));
    }
}

#[tokio::test]
async fn pages_of_open_rooms_follow_each_other_without_a_hole_and_name_nobody() {
    let app = TestApp::start().await;
    let [ann, eve] = app.users(["ann", "eve"]).await;
    for n in 0..7 {
        open(&ann, &format!("Room {n} of rooms")).await;
    }
    for search in [None, Some("room")] {
        let (mut names, mut after) = (Vec::new(), Value::Null);
        loop {
            let asked = json!({ "search": search, "first": 3, "after": after });
            let answer = eve.graphql(documents::OPEN_ROOMS, asked).await;
            names.extend(answer.list("/openRooms/nodes").iter().map(|room| room["name"].clone()));
            after = answer["/openRooms/pageInfo/endCursor"].clone();
            if answer["/openRooms/pageInfo/hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(names.len(), 7, "{search:?}");
        let mixed = json!({ "search": if search.is_some() { None } else { Some("room") }, "after": after });
        assert_eq!(eve.graphql(documents::OPEN_ROOMS, mixed).await.error_code(), "BAD_USER_INPUT");
    }
    let asked = eve.graphql("{ openRooms { nodes { members { nodes { userId } } } } }", json!({})).await;
    assert_eq!(asked.error_code(), "GRAPHQL_VALIDATION_FAILED", "a preview has no members");
}
