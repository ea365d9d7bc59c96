//! Groups: rooms with a name and roles.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Backend, Message, Model, Room, TestApp, TestUser, verify};

mod heirs;
mod invites;
mod links;
mod members;
mod moderation;
mod open;
mod refusals;

const CREATE: &str = "mutation($input: CreateRoomInput!) { createRoom(input: $input) { isNew room {
    id kind type externalId name topic avatarUrl custom memberCount postingPolicy initiator { id }
    members(first: 100) { nodes { role user { id } } } rolePermissions { role permissions } } } }";

const UPDATE: &str = "mutation($id: ID!, $input: UpdateRoomInput!) { updateRoom(roomId: $id, input: $input) { room {
    name topic avatarUrl custom postingPolicy } } }";

const VIEWER: &str = "query($id: ID!) { room(id: $id) { viewer { role permissions } } }";

const ADD: &str = "mutation($room: ID!, $users: [ID!]!) { addMembers(roomId: $room, userIds: $users) {
    added { id } room { memberCount } } }";

const REMOVE: &str = "mutation($room: ID!, $user: ID!) { removeMember(roomId: $room, userId: $user) {
    userId room { memberCount } } }";

const SET_ROLE: &str = "mutation($room: ID!, $user: ID!, $role: RoomRole!) {
    setMemberRole(roomId: $room, userId: $user, role: $role) { member { role userId } } }";

const BAN: &str = "mutation($room: ID!, $user: ID!, $banned: Boolean! = true, $until: DateTime, $reason: String) {
    banMember(roomId: $room, userId: $user, banned: $banned, until: $until, reason: $reason) {
        userId ban { userId reason until bannedBy { id } } room { memberCount } } }";

const TIMEOUT: &str = "mutation($room: ID!, $user: ID!, $until: DateTime) {
    timeoutMember(roomId: $room, userId: $user, until: $until) { member { timeoutUntil } } }";

impl TestUser {
    /// The answer to `createRoom`.
    async fn try_create(&self, input: Value) -> Answer {
        self.graphql(CREATE, json!({ "input": input })).await
    }

    /// A new group.
    pub async fn create(&self, input: Value) -> Room {
        Room::of(&self.try_create(input).await.data()["createRoom"]["room"])
    }

    /// The answer to `updateRoom`.
    async fn update(&self, room: &Room, input: Value) -> Answer {
        self.graphql(UPDATE, json!({ "id": room.id, "input": input })).await
    }

    /// The answer to `addMembers`.
    pub async fn add(&self, room: &Room, users: &[&TestUser]) -> Answer {
        let users: Vec<&str> = users.iter().map(|user| &*user.id).collect();
        self.graphql(ADD, json!({ "room": room.id, "users": users })).await
    }

    /// The answer to `removeMember`.
    pub async fn remove(&self, room: &Room, user: &Self) -> Answer {
        self.graphql(REMOVE, json!({ "room": room.id, "user": user.id })).await
    }

    /// The answer to `setMemberRole`.
    async fn set_role(&self, room: &Room, user: &Self, role: &str) -> Answer {
        self.graphql(SET_ROLE, json!({ "room": room.id, "user": user.id, "role": role })).await
    }

    /// The answer to `banMember`, for good.
    pub async fn ban(&self, room: &Room, user: &Self) -> Answer {
        self.graphql(BAN, json!({ "room": room.id, "user": user.id })).await
    }

    /// The answer to `banMember` that ends a ban.
    pub async fn unban(&self, room: &Room, user: &Self) -> Answer {
        self.graphql(BAN, json!({ "room": room.id, "user": user.id, "banned": false })).await
    }

    /// The answer to `timeoutMember`.
    async fn time_out(&self, room: &Room, user: &Self, until: Option<&str>) -> Answer {
        self.graphql(TIMEOUT, json!({ "room": room.id, "user": user.id, "until": until })).await
    }

    async fn standing(&self, room: &Room) -> Value {
        self.graphql(VIEWER, json!({ "id": room.id })).await.data()["room"]["viewer"].clone()
    }
}

impl Backend {
    async fn create(&self, input: Value) -> Answer {
        self.graphql(CREATE, json!({ "input": input })).await
    }
}

/// Why something was forbidden.
#[track_caller]
fn reason(answer: &Answer) -> &str {
    assert_eq!(answer.error_code(), "FORBIDDEN", "{answer:?}");
    answer.body["errors"][0]["extensions"]["reason"].as_str().unwrap_or_else(|| panic!("a reason in {answer:?}"))
}

/// A group of ann, who owns it, bob, a moderator, and kim, a member.
async fn group(ann: &TestUser, bob: &TestUser, kim: &TestUser) -> Room {
    let members = json!([{ "userId": bob.id, "role": "MODERATOR" }, { "userId": kim.id }]);
    ann.create(json!({ "name": "Trip", "members": members })).await
}

#[tokio::test]
async fn a_group_has_a_name_and_roles_and_all_its_members_are_in_it() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let (mut bobs, mut kims) = (bob.subscribe().await, kim.subscribe().await);
    let members = json!([
        { "userId": bob.id, "role": "MODERATOR" }, { "userId": kim.id },
        { "userId": bob.id }, { "userId": ann.id, "role": "MEMBER" },
    ]);
    let input = json!({ "name": " Trip ", "topic": "Where to?", "avatarUrl": "https://a/t.png", "members": members });
    let answer = ann.try_create(input).await;
    let (made, room) = (&answer.data()["createRoom"], &answer.data()["createRoom"]["room"]);
    assert_eq!(made["isNew"], true);
    assert_eq!((&room["kind"], &room["name"], &room["topic"]), (&json!("GROUP"), &json!("Trip"), &json!("Where to?")));
    assert_eq!((&room["memberCount"], &room["custom"], &room["externalId"]), (&json!(3), &json!({}), &Value::Null));
    let mut roles: Vec<(&str, &str)> = room["members"]["nodes"]
        .as_array()
        .expect("members")
        .iter()
        .map(|member| (member["user"]["id"].as_str().expect("an id"), member["role"].as_str().expect("a role")))
        .collect();
    roles.sort_unstable();
    let mut expected = vec![(&*ann.id, "OWNER"), (&*bob.id, "MODERATOR"), (&*kim.id, "MEMBER")];
    expected.sort_unstable();
    assert_eq!(roles, expected, "of two roles the higher counts, and the maker is the owner");

    let room = Room::of(room);
    for feed in [&mut bobs, &mut kims] {
        assert_eq!(feed.next_event().await.room_id(), room.id);
    }
    assert_eq!(kim.post(&room, "hello").await.seq, 1);
    assert_eq!(bobs.next_message().await.body, "hello");
}

#[tokio::test]
async fn two_groups_of_the_same_people_are_two_rooms_and_a_direct_room_beside_them_stays_their_one() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let direct = ann.initiate_chat([&bob]).await;
    let input = json!({ "members": [{ "userId": bob.id }] });
    let (one, other) = (ann.create(input.clone()).await, ann.create(input).await);
    assert_ne!(one.id, other.id);
    assert_eq!(bob.initiate_chat([&ann]).await.id, direct.id);
    assert_eq!(
        ann.standing(&direct).await,
        json!({ "role": "MEMBER", "permissions": ["POST", "REACT", "MENTION_ROOM", "PIN", "DELETE_ROOM"] })
    );
    let permissions = ["POST", "REACT", "MENTION_ROOM", "PIN"];
    assert_eq!(bob.standing(&direct).await, json!({ "role": "MEMBER", "permissions": permissions }));
}

#[tokio::test]
async fn the_same_client_id_makes_one_room_however_often_it_is_sent() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let input = json!({ "clientId": "c1", "name": "Trip" });
    let again = join_all((0..5).map(|_| ann.try_create(input.clone()))).await;
    let made: Vec<&Value> = again.iter().map(|answer| &answer.data()["createRoom"]).collect();
    let ids: BTreeSet<&str> = made.iter().filter_map(|made| made["room"]["id"].as_str()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(made.iter().filter(|made| made["isNew"] == true).count(), 1);
    let room = Room::of(&made[0]["room"]);
    assert_ne!(bob.create(input.clone()).await.id, room.id, "it is the maker's own name");

    ann.leave(&room).await;
    assert_eq!(ann.try_create(input.clone()).await.error_code(), "CONFLICT", "it is no longer the maker's to see");
    let gone = ann.create(json!({ "clientId": "c2" })).await;
    ann.delete_room(&gone).await;
    assert_ne!(ann.create(json!({ "clientId": "c2" })).await.id, gone.id, "a deleted room is none");
}

#[tokio::test]
async fn the_apps_own_id_finds_or_makes_a_room_and_only_the_backend_may_say_it() {
    let app = TestApp::start().await;
    let [ann, eve] = app.users(["ann", "eve"]).await;
    let backend = app.backend("shop").await;
    let input = json!({ "externalId": "order:42", "name": "Order 42", "custom": { "total": 7 },
        "members": [{ "userId": ann.id, "role": "OWNER" }] });
    let calls = join_all((0..4).map(|_| backend.create(input.clone()))).await;
    let ids: BTreeSet<_> = calls.iter().map(|answer| answer.text("/createRoom/room/id").to_owned()).collect();
    assert_eq!(ids.len(), 1);
    let room = Room { id: ids.into_iter().next().expect("a room") };
    let found = backend.create(json!({ "externalId": "order:42", "name": "Other", "custom": {} })).await;
    assert_eq!(
        (found.text("/createRoom/room/name"), &found.data()["createRoom"]["isNew"]),
        ("Order 42", &json!(false))
    );
    assert_eq!(found.data()["createRoom"]["room"]["custom"], json!({ "total": 7 }));
    assert_eq!(found.data()["createRoom"]["room"]["initiator"], Value::Null);

    for input in [json!({ "externalId": "order:42" }), json!({ "externalId": "order:43" }), json!({ "custom": {} })] {
        let refused = eve.try_create(input).await;
        assert_eq!(refused.body["errors"][0]["extensions"]["reason"], "SERVER_KEY_NEEDED");
    }
    let acting = backend.acting_for(&eve.id, CREATE, json!({ "input": { "externalId": "order:44" } })).await;
    assert_eq!(acting.data()["createRoom"]["room"]["initiator"]["id"], eve.id.as_str());

    ann.delete_room(&room).await;
    let anew = backend.create(json!({ "externalId": "order:42" })).await;
    assert_eq!(anew.data()["createRoom"]["isNew"], true, "with the room the id is free");
    let ownerless = anew.text("/createRoom/room/id").to_owned();
    let deleted =
        backend.graphql("mutation($id: ID!) { deleteRoom(roomId: $id) { roomId } }", json!({ "id": ownerless })).await;
    assert_eq!(deleted.text("/deleteRoom/roomId"), ownerless, "the key is owner enough");
}

#[tokio::test]
async fn every_member_is_told_that_a_room_was_changed_and_by_whom() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let backend = app.backend("shop").await;
    let room = group(&ann, &bob, &kim).await;
    let after = kim.sync_cursor().await;
    let (mut model, mut feed) = (Model::fetch(&kim).await, kim.subscribe().await);

    let changed = bob.update(&room, json!({ "name": "Lisbon", "topic": null })).await;
    assert_eq!(changed.text("/updateRoom/room/name"), "Lisbon");
    let event = feed.next_event().await;
    assert_eq!((&*event.kind, &event.body["by"]["id"]), ("RoomUpdated", &json!(bob.id)));
    model.apply(&kim, &event).await;
    bob.update(&room, json!({ "name": "Lisbon" })).await.data();
    let input = json!({ "id": room.id, "input": { "custom": { "a": 1 }, "avatarUrl": "https://a/b" } });
    backend.graphql(UPDATE, input).await.data();
    let event = feed.next_event().await;
    assert_eq!((&*event.kind, &event.body["by"]), ("RoomUpdated", &Value::Null), "nothing new is no event");

    let end: Message = ann.post(&room, "end").await;
    model.follow(&kim, &mut feed, &end).await;
    verify(&kim, &model).await;
    let missed = kim.subscribe_after(&after).await.until_synced().await;
    let missed: Vec<String> = missed.into_iter().map(|event| event.kind).collect();
    assert_eq!(missed[..3], ["RoomUpdated", "RoomUpdated", "MessagePosted"]);
}
