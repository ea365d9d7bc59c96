//! Pinned messages.

use serde_json::{Value, json};

use crate::support::{Answer, Feed, Message, Model, Room, TestApp, TestUser, verify};

const PIN: &str = "mutation($m: ID!, $p: Boolean) { pinMessage(messageId: $m, pinned: $p) { room { pinnedMessages {
    message { id body } pinnedBy { id } pinnedAt } } } }";
const PINNED: &str =
    "query($r: ID!) { room(id: $r) { pinnedMessages { message { id body room { id } } pinnedBy { id } } } }";
const PINS: &str = "subscription($after: Cursor) { events(after: $after) { __typename cursor
    ... on PinsChanged { by { id } message { id body } room { pinnedMessages { message { id } } } }
    ... on MessagePosted { message { id } } ... on MessageDeleted { message { id } } } }";

impl TestUser {
    async fn pin(&self, message: &Message, pinned: bool) -> Answer {
        self.graphql(PIN, json!({ "m": message.id, "p": pinned })).await
    }

    /// The ids of the pinned messages, the last pinned first.
    async fn pinned(&self, room: &Room) -> Vec<String> {
        let answer = self.graphql(PINNED, json!({ "r": room.id })).await;
        ids(&answer["/room/pinnedMessages"])
    }
}

fn ids(pins: &Value) -> Vec<String> {
    let pins = pins.as_array().expect("a list").iter();
    pins.map(|pin| pin["message"]["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn pins_are_told_as_a_list_and_end_with_their_message() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let (one, two) = (ann.post(&room, "one").await, bob.post(&room, "two").await);
    let after = ann.sync_cursor().await;
    let mut live = ann.subscribe_to(PINS, json!({})).await;

    ann.pin(&one, true).await.data();
    let answer = bob.pin(&two, true).await;
    assert_eq!(ids(&answer["/pinMessage/room/pinnedMessages"]), [&*two.id, &*one.id]);
    assert_eq!(answer["/pinMessage/room/pinnedMessages/0/pinnedBy/id"], json!(bob.id));
    bob.pin(&two, true).await.data();
    for (by, pinned) in [(&ann, vec![&*one.id]), (&bob, vec![&*two.id, &*one.id])] {
        let event = live.next_event().await;
        assert_eq!((event.kind.as_str(), &event.body["by"]["id"]), ("PinsChanged", &json!(by.id)));
        assert!(ids(&event.body["room"]["pinnedMessages"]).len() >= pinned.len(), "the list is as it is now");
    }

    bob.delete(&two).await;
    assert_eq!(live.next_event().await.kind, "MessageDeleted");
    let event = live.next_event().await;
    assert_eq!((event.kind.as_str(), &event.body["message"]["body"]), ("PinsChanged", &json!("")));
    assert_eq!(ids(&event.body["room"]["pinnedMessages"]), [&*one.id]);
    assert_eq!(bob.pinned(&room).await, [&*one.id]);
    ann.pin(&two, false).await.data();
    ann.pin(&one, false).await.data();
    assert_eq!(live.next_event().await.body["message"]["id"], json!(one.id), "what isn't pinned isn't unpinned");
    assert!(bob.pinned(&room).await.is_empty());
    let refused = ann.pin(&two, true).await;
    assert_eq!((refused.error_code(), refused.error_field()), ("CONFLICT", "messageId"));
    let mut replayed = Feed::open(bob.socket().await, PINS, json!({ "after": after })).await;
    let event = replayed.next_event().await;
    assert_eq!(event.kind, "PinsChanged");
    assert!(ids(&event.body["room"]["pinnedMessages"]).is_empty());
}

#[tokio::test]
async fn a_room_has_at_most_a_hundred_pins() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 0..=100 {
        let message = ann.post(&room, &format!("message {n}")).await;
        let answer = ann.pin(&message, true).await;
        if n == 100 {
            assert_eq!((answer.error_code(), answer.error_field()), ("CONFLICT", "messageId"));
        } else {
            assert_eq!(answer.list("/pinMessage/room/pinnedMessages").len(), n + 1);
        }
    }
}

#[tokio::test]
async fn members_of_a_group_see_what_moderators_pin() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let create = "mutation($u: ID!) { createRoom(input: { members: [{ userId: $u }] }) { room { id } } }";
    let room = Room::of(&ann.graphql(create, json!({ "u": bob.id })).await["/createRoom/room"]);
    let message = bob.post(&room, "rules").await;
    let refused = bob.pin(&message, true).await;
    assert_eq!(refused.error()["extensions"]["reason"], "MODERATOR_NEEDED");
    assert_eq!(eve.pin(&message, true).await.error_code(), "NOT_FOUND");
    ann.pin(&message, true).await.data();
    assert_eq!(bob.pinned(&room).await, [&*message.id]);
    assert_eq!(bob.pin(&message, false).await.error()["extensions"]["reason"], "MODERATOR_NEEDED");
    let mut model = Model::fetch(&ann).await;
    let mut feed = ann.subscribe().await;
    bob.delete(&message).await;
    for _ in 0..2 {
        model.apply(&ann, &feed.next_event().await).await;
    }
    verify(&ann, &model).await;
    assert!(ann.pinned(&room).await.is_empty());
    let other = ann.post(&room, "other").await;
    ann.pin(&other, true).await.data();
    ann.delete_room(&room).await;
    app.prune().await;
    assert_eq!(ann.pin(&other, false).await.error_code(), "NOT_FOUND");
}

#[tokio::test]
async fn a_gap_begins_at_the_oldest_message_that_was_pinned_or_unpinned() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut posted = Vec::new();
    for n in 1..=5 {
        posted.push(ann.post(&room, &format!("{n}")).await);
    }
    for (pinned, seq) in [(true, 4), (false, 4), (true, 2)] {
        let after = bob.sync_cursor().await;
        ann.pin(&posted[seq - 1], pinned).await.data();
        for n in 0..100 {
            ann.post(&room, &format!("more {n}")).await;
        }
        let missed = bob.subscribe_after(&after).await.until_synced().await;
        let from: Vec<_> = missed.iter().map(|event| (event.kind.as_str(), event.body["fromSeq"].clone())).collect();
        assert_eq!(from, [("RoomGap", json!(seq))]);
    }
}
