//! No statement of everyday use reads a table from end to end: each is explained by the database it runs on.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Feed, Room, Statements, TestApp, TestUser, documents};

/// What a list of conversations shows, and more.
const CONVERSATIONS: &str = "query Conversations($after: String) { syncCursor rooms(first: 2, after: $after) {
  nodes { id initiator { id } members(first: 8) { nodes { user { id displayName } lastReadSeq } }
    lastMessage { id body author { id } readBy { readAt } } viewer { unreadCount } }
  pageInfo { endCursor } } }";

/// Everything that can be found by its id.
const NODES: &str = "query Nodes($ids: [ID!]!, $user: ID!) { me { id } user(id: $user) { id }
  nodes(ids: $ids) { __typename ... on Room { viewer { muted } } ... on Message { room { id } author { id } } } }";

/// A page of messages, whichever is asked for, with all that is shown of one.
const PAGE: &str =
    "query Page($room: ID!, $first: Int, $after: String, $last: Int, $before: String, $from: Int, $to: Int) {
  room(id: $room) { messages(first: $first, after: $after, last: $last, before: $before, fromSeq: $from, toSeq: $to) {
    nodes { id seq body author { id displayName } readBy { user { id } } } pageInfo { startCursor endCursor } } } }";

/// A server that is watched, whose tail reads nothing on its own, and three users who share three rooms.
struct Town {
    app: TestApp,
    statements: Statements,
    users: [TestUser; 3],
    rooms: Vec<Room>,
}

impl Town {
    async fn start() -> Self {
        let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
        let users = app.users(["ann", "bob", "eve"]).await;
        let [ann, bob, eve] = &users;
        let rooms =
            vec![ann.initiate_chat([bob]).await, ann.initiate_chat([eve]).await, ann.initiate_chat([bob, eve]).await];
        for room in &rooms {
            post_many(ann, room, 10).await;
        }
        let statements = app.watch_statements();
        Self { app, statements, users, rooms }
    }

    async fn restart(&mut self) {
        self.app.restart().await;
        self.statements = self.app.watch_statements();
    }

    /// Fails if anything that ran since the last call reads a whole table, or nothing ran.
    async fn expect_no_scan(&mut self, doing: &str) {
        let ran = self.statements.expect_no_scan(&self.app, doing).await;
        assert!(ran > 0, "{doing} runs statements");
    }
}

async fn post_many(user: &TestUser, room: &Room, count: usize) {
    join_all((0..count).map(|n| async move { user.post(room, &format!("one of many {n}")).await })).await;
}

#[tokio::test]
async fn reading_goes_by_indexes() {
    let mut town = Town::start().await;
    let (bob, room) = (town.users[1].clone(), town.rooms[0].clone());

    let answer = bob.graphql(CONVERSATIONS, json!({})).await;
    let after = answer["/rooms/pageInfo/endCursor"].clone();
    town.expect_no_scan("a list of conversations").await;
    bob.graphql(CONVERSATIONS, json!({ "after": after })).await.data();
    town.expect_no_scan("its second page").await;

    let message = &bob.messages(&room).await[0];
    let ids = json!({ "ids": [room.id, message.id, bob.id], "user": bob.id });
    bob.graphql(NODES, ids).await.data();
    town.expect_no_scan("finding by ids").await;

    let page = bob.graphql(PAGE, json!({ "room": room.id, "first": 5 })).await;
    let (start, end) = (&page["/room/messages/pageInfo/startCursor"], &page["/room/messages/pageInfo/endCursor"]);
    bob.graphql(PAGE, json!({ "room": room.id, "first": 5, "after": end })).await.data();
    bob.graphql(PAGE, json!({ "room": room.id, "last": 5 })).await.data();
    bob.graphql(PAGE, json!({ "room": room.id, "last": 5, "before": start })).await.data();
    bob.graphql(PAGE, json!({ "room": room.id, "from": 3, "to": 6 })).await.data();
    bob.graphql(documents::MEMBERS, json!({ "roomId": room.id, "first": 1 })).await.data();
    town.expect_no_scan("pages of messages and members").await;

    for search in ["ann", "The", "bo the"] {
        let page = bob.graphql(documents::USERS, json!({ "search": search, "first": 1 })).await;
        let after = &page["/users/pageInfo/endCursor"];
        bob.graphql(documents::USERS, json!({ "search": search, "first": 100, "after": after })).await.data();
        town.expect_no_scan("searching for people").await;
    }
    for text in ["of many", "o", "many 3"] {
        const FOUND: &str = "query($text: String!, $room: ID, $after: String) {
            search(text: $text, roomId: $room, first: 2, after: $after) {
                nodes { message { id body room { id } author { id } } } pageInfo { endCursor } } }";
        let page = bob.graphql(FOUND, json!({ "text": text })).await;
        let after = json!({ "text": text, "after": page["/search/pageInfo/endCursor"], "room": room.id });
        bob.graphql(FOUND, after).await.data();
        town.expect_no_scan("searching for messages").await;
    }
    ways_in(&mut town).await;
}

/// Open rooms and invites, all that is read and written of them.
async fn ways_in(town: &mut Town) {
    const CREATE: &str = "mutation($input: CreateRoomInput!) { createRoom(input: $input) { room { id } } }";
    let [ann, bob, eve] = town.users.clone();
    let mut rooms = Vec::new();
    for name in ["One of many rooms", "Another of many"] {
        let input = json!({ "input": { "name": name, "joinPolicy": "OPEN" } });
        rooms.push(ann.graphql(CREATE, input).await.text("/createRoom/room/id").to_owned());
    }
    for search in [None, Some("many"), Some("m of an")] {
        let page = bob.graphql(documents::OPEN_ROOMS, json!({ "search": search, "first": 1 })).await;
        let after = &page["/openRooms/pageInfo/endCursor"];
        bob.graphql(documents::OPEN_ROOMS, json!({ "search": search, "first": 100, "after": after })).await.data();
        town.expect_no_scan("listing open rooms").await;
    }
    let link = ann.graphql(documents::CREATE_INVITE, json!({ "roomId": rooms[0], "maxUses": 9 })).await;
    let code = json!({ "code": link["/createInvite/invite/code"] });
    bob.graphql(documents::INVITE_BY_CODE, code.clone()).await.data();
    bob.graphql(documents::JOIN_ROOM, code).await.data();
    eve.graphql(documents::JOIN_ROOM, json!({ "roomId": rooms[0] })).await.data();
    town.expect_no_scan("links").await;
    for user in [&bob, &eve] {
        ann.graphql(documents::CREATE_INVITE, json!({ "roomId": rooms[1], "userId": user.id })).await.data();
    }
    let asked = bob.graphql(documents::INVITES, json!({ "first": 1 })).await;
    let after = json!({ "first": 1, "after": asked["/viewer/invites/pageInfo/endCursor"] });
    bob.graphql(documents::INVITES, after).await.data();
    let invites = ann.graphql(documents::ROOM_INVITES, json!({ "roomId": rooms[1] })).await;
    assert_eq!(invites.list("/room/viewer/invites").len(), 2);
    bob.graphql(documents::JOIN_ROOM, json!({ "inviteId": asked["/viewer/invites/nodes/0/id"] })).await.data();
    eve.block(&ann, true).await;
    eve.block(&ann, false).await;
    ann.graphql(documents::CREATE_INVITE, json!({ "roomId": rooms[1], "userId": eve.id })).await.data();
    ann.delete_room(&Room { id: rooms[1].clone() }).await;
    town.expect_no_scan("inviting, joining and blocking").await;
}

#[tokio::test]
async fn writing_goes_by_indexes() {
    let mut town = Town::start().await;
    let [ann, bob, eve] = town.users.clone();
    let room = town.rooms[0].clone();

    let message = bob.post(&room, "hello").await;
    town.expect_no_scan("posting").await;
    bob.post_as(&room, "once", "hello").await;
    bob.post_as(&room, "once", "hello").await;
    town.expect_no_scan("posting again under a client id").await;
    ann.mark_read(&room, message.seq).await;
    town.expect_no_scan("marking read").await;

    let react = "mutation($m: ID!, $on: Boolean!) { setReaction(messageId: $m, emoji: \"+\", on: $on) { message {
        reactions { emoji count users { id } } viewer { reactions } } } }";
    for on in [true, false, true] {
        ann.graphql(react, json!({ "m": message.id, "on": on })).await.data();
    }
    town.expect_no_scan("reacting").await;
    bob.edit(&message, "goodbye").await;
    bob.delete(&message).await;
    ann.mute(&room, true).await;
    town.expect_no_scan("editing, deleting and muting").await;

    bob.initiate_chat([&eve]).await;
    bob.leave(&room).await;
    bob.initiate_chat([&ann]).await;
    ann.delete_room(&room).await;
    town.expect_no_scan("opening, leaving and deleting rooms").await;
    town.app.prune().await;
    town.expect_no_scan("letting go of what is old").await;

    let phone = eve.sign_in().await;
    phone.graphql(documents::REFRESH_SESSION, json!({ "token": phone.refresh_token })).await.data();
    phone.sign_in().await.sign_out().await;
    eve.graphql(documents::SESSIONS, json!({ "first": 2 })).await.data();
    town.app.write_uses().await;
    let passwords = json!({ "current": eve.password(), "new": "another horse battery" });
    eve.graphql(documents::CHANGE_PASSWORD, passwords).await.data();
    eve.graphql(documents::END_OTHER_SESSIONS, json!({})).await.data();
    eve.delete_account().await;
    let said = bob.post(&town.rooms[2], "so long").await;
    bob.post(&town.rooms[2], "and thanks").await;
    let mut feed = ann.subscribe().await;
    bob.leave(&town.rooms[2]).await;
    let unsaid = json!({ "id": said.id });
    bob.graphql("mutation($id: ID!) { deleteMessage(messageId: $id) { message { id } } }", unsaid).await.data();
    bob.graphql("mutation { deleteAccount(messages: DELETE) { userId } }", json!({})).await.data();
    while feed.next_event().await.kind != "MessageDeleted" {}
    while feed.next_event().await.kind != "MessageDeleted" {}
    town.expect_no_scan("signing in and out, and deleting an account").await;
}

#[tokio::test]
async fn catching_up_goes_by_indexes() {
    let mut town = Town::start().await;
    let [ann, bob, eve] = town.users.clone();
    let (quiet, busy) = (&town.rooms[0].clone(), &town.rooms[2].clone());
    let cursor = bob.sync_cursor().await;
    let old = ann.messages(busy).await;

    ann.post(quiet, "missed").await;
    // It remembers nothing then, and has to look.
    town.restart().await;
    bob.subscribe_after(&cursor).await.until_synced().await;
    town.expect_no_scan("resuming after one missed event").await;
    let posted = json!({ "roomId": quiet.id, "after": cursor });
    Feed::open(bob.socket().await, documents::MESSAGE_POSTED, posted).await.next_data().await;
    let posted = json!({ "after": cursor });
    Feed::open(bob.socket().await, documents::MESSAGE_POSTED, posted).await.next_data().await;
    town.expect_no_scan("resuming with new messages only").await;

    post_many(&ann, busy, 101).await;
    ann.edit(&old[3], "rewritten").await;
    eve.mark_read(busy, 50).await;
    bob.mute(quiet, true).await;
    bob.leave(quiet).await;
    bob.initiate_chat([&eve]).await;
    let missed = bob.subscribe_after(&cursor).await.until_synced().await;
    assert!(missed.iter().any(|event| event.kind == "RoomGap"), "expected a gap, got {missed:#?}");
    assert!(missed.iter().any(|event| event.kind == "RoomLeft"), "expected a room left, got {missed:#?}");
    town.expect_no_scan("resuming after a gap and changes of all kinds").await;

    // The cursor of an empty log.
    let from_the_start = bob.subscribe_after("AQAAAAAAAAAAAAAAAA").await.until_synced().await;
    assert!(!from_the_start.is_empty(), "expected everything");
    town.expect_no_scan("resuming from the start").await;
}
