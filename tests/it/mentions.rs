//! Mentions of users and of rooms.

use serde_json::{Value, json};

use crate::support::{Answer, Feed, Message, Room, TestApp, TestUser};

pub const POST: &str = "mutation($r: ID!, $b: String!, $m: [ID!], $room: Boolean! = false, $c: ID) {
    postMessage(roomId: $r, body: $b, mentions: $m, mentionsRoom: $room, clientId: $c) { message {
        id seq body clientId createdAt editedAt deletedAt author { id } room { id } mentions { id } mentionsRoom } } }";
pub const EDIT: &str = "mutation($m: ID!, $b: String!, $users: [ID!], $room: Boolean) {
    editMessage(messageId: $m, body: $b, mentions: $users, mentionsRoom: $room) { message {
        editedAt mentions { id } mentionsRoom } } }";
const MENTIONS: &str = "subscription($after: Cursor) { events(after: $after) { __typename cursor
    ... on MessagePosted { message { body mentions { id } mentionsRoom } }
    ... on MessageEdited { message { body mentions { id } mentionsRoom } }
    ... on MessageDeleted { message { body mentions { id } mentionsRoom } } } }";

impl TestUser {
    async fn mention(&self, room: &Room, users: &[&TestUser]) -> Message {
        let ids: Vec<_> = users.iter().map(|user| &user.id).collect();
        let answer = self.graphql(POST, json!({ "r": room.id, "b": "look", "m": ids })).await;
        Message::of(&answer["/postMessage/message"])
    }

    async fn mention_room(&self, room: &Room) -> Answer {
        self.graphql(POST, json!({ "r": room.id, "b": "look", "room": true })).await
    }
}

const COUNTS: &str =
    "query($r: ID!) { room(id: $r) { viewer { unreadMentionCount } } viewer { unread { mentions badge } } }";
const LIST: &str = "query($first: Int, $after: String) { viewer { mentions(first: $first, after: $after) {
    nodes { id body viewer { mentioned } } edges { cursor node { id } } pageInfo { hasNextPage endCursor } } } }";

impl TestUser {
    /// The unread mentions in a room, those in all, and the badge.
    async fn mention_counts(&self, room: &Room) -> (i64, i64, i64) {
        let answer = self.graphql(COUNTS, json!({ "r": room.id })).await;
        let count = |pointer: &str| answer.number(pointer);
        (count("/room/viewer/unreadMentionCount"), count("/viewer/unread/mentions"), count("/viewer/unread/badge"))
    }

    /// The ids of all messages that mention the user, by pages of this size.
    async fn mentions(&self, first: i64) -> Vec<String> {
        let (mut ids, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = self.graphql(LIST, json!({ "first": first, "after": after })).await;
            for message in page.list("/viewer/mentions/nodes") {
                assert_eq!(message["viewer"]["mentioned"], true);
                ids.push(message["id"].as_str().expect("an id").to_owned());
            }
            if page["/viewer/mentions/pageInfo/hasNextPage"] == false {
                return ids;
            }
            after = page["/viewer/mentions/pageInfo/endCursor"].clone();
        }
    }
}

/// The ids of these mentions, and whether the room is mentioned.
fn mentioned(message: &Value) -> (Vec<&str>, bool) {
    let ids = message["mentions"].as_array().expect("a list").iter().map(|user| user["id"].as_str().expect("an id"));
    (ids.collect(), message["mentionsRoom"].as_bool().expect("a boolean"))
}

#[tokio::test]
async fn mentions_are_ids_that_follow_the_message() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = ann.initiate_chat([&bob, &kim]).await;
    let after = ann.sync_cursor().await;
    let mut live = kim.subscribe_to(MENTIONS, json!({})).await;

    let message = ann.mention(&room, &[&bob, &bob, &ann]).await;
    let event = live.next_event().await;
    assert_eq!(mentioned(&event.body["message"]), (vec![&*bob.id], false), "each once, and not the author");

    // Without a word of them they stay; the same again changes nothing.
    ann.edit(&message, "look here").await;
    assert_eq!(mentioned(&live.next_event().await.body["message"]), (vec![&*bob.id], false));
    let same = ann.graphql(EDIT, json!({ "m": message.id, "b": "look here", "users": [bob.id, ann.id] })).await;
    let edited_at = same["/editMessage/message/editedAt"].clone();
    let answer = ann.graphql(EDIT, json!({ "m": message.id, "b": "look here", "users": [kim.id], "room": true })).await;
    assert_eq!(mentioned(&answer["/editMessage/message"]), (vec![&*kim.id], true));
    assert_eq!(answer["/editMessage/message/editedAt"], edited_at, "the text is as it was");
    let event = live.next_event().await;
    assert_eq!((event.kind.as_str(), mentioned(&event.body["message"])), ("MessageEdited", (vec![&*kim.id], true)));

    ann.delete(&message).await;
    let event = live.next_event().await;
    assert_eq!((event.kind.as_str(), mentioned(&event.body["message"])), ("MessageDeleted", (vec![], false)));
    let mut replayed = Feed::open(ann.socket().await, MENTIONS, json!({ "after": after })).await;
    assert_eq!(mentioned(&replayed.next_event().await.body["message"]), (vec![], false), "nor on replay");
}

#[tokio::test]
async fn only_members_are_mentioned_and_nobody_learns_who_else_there_is() {
    let app = TestApp::start().await;
    let [ann, bob, eve, gone] = app.users(["ann", "bob", "eve", "gone"]).await;
    let room = ann.initiate_chat([&bob, &gone]).await;
    let message = ann.post(&room, "hello").await;
    let own = gone.post(&room, "bye").await;
    gone.leave(&room).await;

    let nobody = "user_01h455vb4pex5vsknk084sn02q".to_owned();
    let mut answers = Vec::new();
    for id in [&eve.id, &gone.id, &nobody, &"ext:nobody".to_owned()] {
        let posted = ann.graphql(POST, json!({ "r": room.id, "b": "look", "m": [bob.id, id] })).await;
        let edited = ann.graphql(EDIT, json!({ "m": message.id, "b": "hello", "users": [id] })).await;
        for answer in [&posted, &edited] {
            assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "mentions"), "{id}");
        }
        answers.push(posted.error()["message"].clone());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    let many = vec![bob.id.clone(); 51];
    let refused = ann.graphql(POST, json!({ "r": room.id, "b": "look", "m": many })).await;
    assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "mentions"));

    // Who has left keeps the own words, and learns nothing by them of who is there still.
    for change in [json!({ "users": [bob.id] }), json!({ "users": [eve.id] }), json!({ "room": true })] {
        let mut variables = json!({ "m": own.id, "b": "bye" });
        variables.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        let refused = gone.graphql(EDIT, variables).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "mentions"));
    }
    for outsider in [&eve, &gone] {
        let refused = outsider.graphql(POST, json!({ "r": room.id, "b": "look", "m": ["ext:nobody"] })).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("NOT_FOUND", "roomId"));
    }
}

#[tokio::test]
async fn a_client_id_covers_whom_a_message_mentions() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = ann.initiate_chat([&bob, &kim]).await;
    let post = async |users: &[&TestUser], all: bool| {
        let ids: Vec<_> = users.iter().map(|user| &user.id).collect();
        ann.graphql(POST, json!({ "r": room.id, "b": "look", "m": ids, "room": all, "c": "c1" })).await
    };
    let first = post(&[&bob, &kim], false).await;
    assert_eq!(post(&[&kim, &bob], false).await.data(), first.data());
    for (users, all) in [(vec![&bob], false), (vec![], false), (vec![&bob, &kim], true)] {
        assert_eq!(post(&users, all).await.error_field(), "clientId");
    }
    kim.leave(&room).await;
    assert_eq!(post(&[&kim, &bob], false).await["/postMessage/message/id"], first["/postMessage/message/id"]);
}

#[tokio::test]
async fn a_large_room_is_mentioned_by_moderators() {
    let app = TestApp::start().await;
    let crowd = app.crowd("p", 21).await;
    let members: Vec<_> = crowd[1..20].iter().map(|user| json!({ "userId": user.id })).collect();
    let create = "mutation($m: [NewMember!]!) { createRoom(input: { name: \"all\", members: $m }) { room { id } } }";
    let room = Room::of(&crowd[0].graphql(create, json!({ "m": members })).await["/createRoom/room"]);
    let answer = crowd[1].mention_room(&room).await;
    assert_eq!(answer["/postMessage/message/mentionsRoom"], true, "twenty are few");
    let message = Message::of(&answer["/postMessage/message"]);
    let plain = crowd[1].post(&room, "hello").await;

    let add = "mutation($r: ID!, $u: [ID!]!) { addMembers(roomId: $r, userIds: $u) { room { memberCount } } }";
    assert_eq!(
        crowd[0]
            .graphql(add, json!({ "r": room.id, "u": [crowd[20].id] }))
            .await
            .number("/addMembers/room/memberCount"),
        21
    );
    let refused = crowd[1].mention_room(&room).await;
    assert_eq!(refused.error()["extensions"]["reason"], "MODERATOR_NEEDED");
    let refused = crowd[1].graphql(EDIT, json!({ "m": plain.id, "b": "hello", "room": true })).await;
    assert_eq!(refused.error()["extensions"]["reason"], "MODERATOR_NEEDED");
    let kept = crowd[1].graphql(EDIT, json!({ "m": message.id, "b": "look again" })).await;
    assert_eq!(kept["/editMessage/message/mentionsRoom"], true);
    assert_eq!(crowd[0].mention_room(&room).await["/postMessage/message/mentionsRoom"], true);
}

#[tokio::test]
async fn unread_mentions_are_counted_without_what_was_read_deleted_or_blocked() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = ann.initiate_chat([&bob, &kim]).await;
    ann.post(&room, "hello").await;
    let first = ann.mention(&room, &[&bob]).await;
    let second = ann.mention(&room, &[&bob, &kim]).await;
    ann.mention_room(&room).await.data();
    let both = json!({ "r": room.id, "b": "look", "m": [bob.id], "room": true });
    ann.graphql(POST, both).await.data();
    assert_eq!(bob.mention_counts(&room).await, (4, 4, 5));
    assert_eq!(kim.mention_counts(&room).await, (3, 3, 5));
    assert_eq!(ann.mention_counts(&room).await, (0, 0, 0), "one's own are none");

    ann.delete(&second).await;
    assert_eq!((bob.mention_counts(&room).await.0, kim.mention_counts(&room).await.0), (3, 2));
    ann.graphql(EDIT, json!({ "m": first.id, "b": "look", "users": [kim.id] })).await.data();
    assert_eq!((bob.mention_counts(&room).await.0, kim.mention_counts(&room).await.0), (2, 3));
    bob.mark_read(&room, 4).await;
    assert_eq!(bob.mention_counts(&room).await.0, 1);

    let block = "mutation($u: ID!, $b: Boolean!) { blockUser(userId: $u, blocked: $b) { blocked } }";
    kim.graphql(block, json!({ "u": ann.id, "b": true })).await.data();
    assert_eq!(kim.mention_counts(&room).await.0, 0);
    assert_eq!(kim.mentions(10).await.len(), 0);
    kim.graphql(block, json!({ "u": ann.id, "b": false })).await.data();
    assert_eq!(kim.mention_counts(&room).await.0, 3);

    let level = "mutation($r: ID!, $l: NotificationLevel!) { setNotifications(roomId: $r, level: $l) { room { id } } }";
    for (level_wanted, badge) in [("ALL", 4), ("MENTIONS", 3), ("NONE", 3)] {
        kim.graphql(level, json!({ "r": room.id, "l": level_wanted })).await.data();
        assert_eq!(kim.mention_counts(&room).await, (3, 3, badge), "{level_wanted}");
    }
}

#[tokio::test]
async fn mentions_of_all_rooms_are_paged_the_newest_first() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let (one, two) = (ann.initiate_chat([&bob, &kim]).await, ann.initiate_chat([&bob, &kim, &eve]).await);
    let mut sent = Vec::new();
    for n in 0..7 {
        let room = if n % 3 == 0 { &one } else { &two };
        ann.post(room, "between").await;
        sent.push(match n % 2 {
            0 => ann.mention(room, &[&bob]).await.id,
            _ => Message::of(&ann.mention_room(room).await["/postMessage/message"]).id,
        });
    }
    bob.mention_room(&two).await.data();
    sent.reverse();
    for first in [1, 2, 3, 100] {
        assert_eq!(bob.mentions(first).await, sent, "{first}");
    }
    let page = bob.graphql(LIST, json!({ "first": 2 })).await;
    assert_eq!(page["/viewer/mentions/edges/1/cursor"], page["/viewer/mentions/pageInfo/endCursor"]);
    assert_eq!(eve.mentions(100).await.len(), 3, "of the rooms that one is in");

    bob.leave(&two).await;
    assert_eq!(bob.mentions(2).await.len(), 3, "what was left isn't shown");
    ann.delete_room(&one).await;
    app.prune().await;
    assert_eq!(bob.mentions(2).await.len(), 0);
    bob.initiate_chat([&ann, &kim, &eve]).await;
    assert_eq!(bob.mentions(2).await.len(), 4, "who is back sees them again");
    ann.delete_account().await;
    assert_eq!(bob.mentions(2).await.len(), 4);
}
