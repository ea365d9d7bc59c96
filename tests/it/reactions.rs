//! Reactions to messages.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Message, Model, TestApp, TestUser, documents, verify};

mod storm;

const REACT: &str = "mutation($m: ID!, $e: String!, $on: Boolean! = true) {
    setReaction(messageId: $m, emoji: $e, on: $on) { message { id reactions { emoji count users { id } }
        viewer { reactions } } } }";

impl TestUser {
    async fn react(&self, message: &Message, emoji: &str, on: bool) -> Answer {
        self.graphql(REACT, json!({ "m": message.id, "e": emoji, "on": on })).await
    }
}

/// Kinds and how many there are of each.
fn kinds(answer: &Answer) -> Vec<(&str, i64)> {
    let kinds = answer.list("/setReaction/message/reactions").iter();
    kinds.map(|kind| (kind["emoji"].as_str().expect("a text"), kind["count"].as_i64().expect("a count"))).collect()
}

fn changes(event: &Value) -> BTreeSet<(String, String, bool)> {
    let changes = event["changes"].as_array().expect("changes").iter();
    let text = |change: &Value, name: &str| change[name].as_str().expect("a text").to_owned();
    changes.map(|it| (text(it, "userId"), text(it, "emoji"), it["on"] == true)).collect()
}

#[tokio::test]
async fn members_react_and_every_socket_is_told_what_has_changed() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = ann.initiate_chat([&bob, &kim]).await;
    let message = ann.post(&room, "hello").await;
    let after = kim.sync_cursor().await;
    let (mut feed, mut model) = (kim.subscribe().await, Model::fetch(&kim).await);

    assert_eq!(kinds(&bob.react(&message, "❤️", true).await), [("❤", 1)]);
    assert_eq!(kinds(&ann.react(&message, "👍", true).await), [("❤", 1), ("👍", 1)]);
    let answer = kim.react(&message, "❤", true).await;
    assert_eq!(kinds(&answer), [("❤", 2), ("👍", 1)], "with U+FE0F and without are one");
    assert_eq!(answer["/setReaction/message/viewer/reactions"], json!(["❤"]));
    let users = &answer["/setReaction/message/reactions/0/users"];
    assert_eq!(*users, json!([{ "id": bob.id }, { "id": kim.id }]), "the first comes first");
    for (user, emoji) in [(&bob, "❤"), (&ann, "👍"), (&kim, "❤")] {
        let event = feed.next_event().await;
        assert_eq!(event.kind, "ReactionsChanged");
        assert_eq!(changes(&event.body), BTreeSet::from([(user.id.clone(), emoji.to_owned(), true)]));
        model.apply(&kim, &event).await;
    }
    bob.react(&message, "❤", true).await.data();
    bob.react(&message, "🎉", false).await.data();
    assert_eq!(kinds(&bob.react(&message, "❤", false).await), [("❤", 1), ("👍", 1)]);
    let event = feed.next_event().await;
    assert_eq!(
        changes(&event.body),
        BTreeSet::from([(bob.id.clone(), "❤".to_owned(), false)]),
        "what is so is no event"
    );
    model.apply(&kim, &event).await;
    assert_eq!(kinds(&kim.react(&message, "❤", false).await), [("👍", 1)]);
    assert_eq!(kinds(&kim.react(&message, "❤", true).await), [("👍", 1), ("❤", 1)], "it comes last now");

    let end = ann.post(&room, "end").await;
    model.follow(&kim, &mut feed, &end).await;
    verify(&kim, &model).await;
    assert_eq!(model.rooms[&room.id].unread_count, 2, "a reaction is nothing to read");
    let missed = kim.subscribe_after(&after).await.until_synced().await;
    let missed: Vec<_> = missed.iter().filter(|event| event.kind == "ReactionsChanged").collect();
    let so: BTreeSet<_> = missed.iter().flat_map(|event| changes(&event.body)).filter(|(.., on)| *on).collect();
    let expected = [(ann.id.clone(), "👍".to_owned(), true), (kim.id.clone(), "❤".to_owned(), true)];
    assert_eq!(so, BTreeSet::from(expected), "the changes of all events together are what is so");
}

#[tokio::test]
async fn what_is_no_reaction_is_refused_and_loses_nothing() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "hello").await;
    for emoji in ["", " ", "a b", "\u{200b}", "\u{202e}👍", &"x".repeat(65)] {
        let refused = ann.react(&message, emoji, true).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "emoji"), "{emoji:?}");
    }
    for n in 0..20 {
        ann.react(&message, &format!(":{n}:"), true).await.data();
    }
    let refused = bob.react(&message, "👍", true).await;
    assert_eq!((refused.error_code(), refused.error_field()), ("CONFLICT", "emoji"));
    assert_eq!(kinds(&bob.react(&message, ":7:", true).await)[7], (":7:", 2), "one that is there may be joined");
    ann.react(&message, ":3:", false).await.data();
    bob.react(&message, "👍", true).await.data();

    for on in [true, false] {
        let foreign = eve.react(&message, "👍", on).await;
        let absent = eve.graphql(REACT, json!({ "m": "msg_00000000000000000000000000", "e": "👍", "on": on })).await;
        assert_eq!((&foreign.body, foreign.error_field()), (&absent.body, "messageId"));
    }
    bob.leave(&room).await;
    assert_eq!(bob.react(&message, "👍", false).await.error_code(), "NOT_FOUND", "who has left says nothing more");
    ann.delete(&message).await;
    assert_eq!(ann.react(&message, "👍", true).await.error_code(), "CONFLICT");
    let shown = ann.graphql(documents::MESSAGES, json!({ "roomId": room.id, "last": 1 })).await;
    assert_eq!(shown["/room/messages/nodes/0/reactions"], json!([]), "with the text its reactions go");
}

#[tokio::test]
async fn who_may_say_nothing_does_not_react_either_and_takes_back_what_was_said() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "hello").await;
    bob.react(&message, "👍", true).await.data();
    ann.block(&bob, true).await;
    for (who, emoji) in [(&bob, "❤"), (&ann, "❤")] {
        let refused = who.react(&message, emoji, true).await;
        assert_eq!(refused.body["errors"][0]["extensions"]["reason"], "BLOCKED");
    }
    assert_eq!(kinds(&bob.react(&message, "👍", false).await), []);

    let create = "mutation($u: ID!) { createRoom(input: { members: [{ userId: $u }] }) { room { id } } }";
    ann.block(&bob, false).await;
    let made = ann.graphql(create, json!({ "u": bob.id })).await;
    let group = crate::support::Room::of(&made.data()["createRoom"]["room"]);
    let said = ann.post(&group, "rules").await;
    let policy = "mutation($r: ID!) { updateRoom(roomId: $r, input: { postingPolicy: MODERATORS }) { room { id } } }";
    ann.graphql(policy, json!({ "r": group.id })).await.data();
    bob.react(&said, "👍", true).await.data();
    let until = (app.clock().now() + TimeDelta::hours(1)).to_rfc3339();
    let timeout =
        "mutation($r: ID!, $u: ID!, $t: DateTime) { timeoutMember(roomId: $r, userId: $u, until: $t) { room { id } } }";
    ann.graphql(timeout, json!({ "r": group.id, "u": bob.id, "t": until })).await.data();
    assert_eq!(bob.react(&said, "❤", true).await.body["errors"][0]["extensions"]["reason"], "TIMED_OUT");
    assert_eq!(kinds(&bob.react(&said, "👍", false).await), []);
}

#[tokio::test]
async fn reactions_of_whoever_has_left_or_is_deleted_count_and_name_nobody_who_is_gone() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let room = ann.initiate_chat([&bob, &kim, &eve]).await;
    let message = ann.post(&room, "hello").await;
    let (mut feed, mut model) = (ann.subscribe().await, Model::fetch(&ann).await);
    for (user, emoji) in [(&bob, "👍🏽"), (&kim, "👍🏽"), (&kim, "👍"), (&bob, "👩‍❤️‍👨"), (&kim, "👩‍❤‍👨")]
    {
        user.react(&message, emoji, true).await.data();
    }
    bob.leave(&room).await;
    kim.delete_account().await;
    let answer = ann.react(&message, "👩‍❤️‍👨", true).await;
    assert_eq!(kinds(&answer), [("👍🏽", 2), ("👍", 1), ("👩‍❤‍👨", 3)], "with another skin it is another");
    let users: Vec<_> =
        answer.list("/setReaction/message/reactions").iter().map(|kind| kind["users"].clone()).collect();
    assert_eq!(users, [json!([{ "id": bob.id }]), json!([]), json!([{ "id": bob.id }, { "id": ann.id }])]);
    for on in [true, false] {
        assert_eq!(bob.react(&message, "👍🏽", on).await.error_code(), "NOT_FOUND");
        assert_eq!(kim.react(&message, "👍", on).await.error_code(), "UNAUTHENTICATED");
    }
    let end = ann.post(&room, "end").await;
    model.follow(&ann, &mut feed, &end).await;
    verify(&ann, &model).await;
    assert!(app.parlor(&["check"]).await.status.success());
}

#[tokio::test]
async fn a_message_that_everybody_reacts_to_is_told_of_by_few_events() {
    const USERS: usize = 60;
    let app = TestApp::start().await;
    let crowd = app.crowd("fan", USERS).await;
    let room = crowd[0].initiate_chat(&crowd[1..]).await;
    let message = crowd[0].post(&room, "we won").await;
    let (mut feed, mut model) = (crowd[0].subscribe().await, Model::fetch(&crowd[0]).await);

    let held = app.hold_writes().await;
    let storm = join_all(crowd.iter().flat_map(|user| ["🎉", "👏"].map(|emoji| user.react(&message, emoji, true))));
    let letting_go = async {
        tokio::task::yield_now().await;
        held.rollback().await.expect("writes go on");
    };
    let (answers, ()) = tokio::join!(storm, letting_go);
    for answer in &answers {
        answer.data();
    }
    let end = crowd[1].post(&room, "end").await;
    let events = feed.until_posted(&end).await;
    let told: Vec<_> = events.iter().filter(|event| event.kind == "ReactionsChanged").collect();
    let all: BTreeSet<_> = told.iter().flat_map(|event| changes(&event.body)).collect();
    assert_eq!(all.len(), 2 * USERS, "who did what is told of each");
    assert!(told.len() <= USERS, "{} events for {} reactions", told.len(), 2 * USERS);
    model.apply_all(&crowd[0], &events).await;
    verify(&crowd[0], &model).await;
    assert_eq!(model.rooms[&room.id].reactions[&1].iter().map(|(_, count)| count).sum::<i64>(), 120);
    let ten = crowd[9].react(&message, "🎉", true).await;
    assert_eq!(ten["/setReaction/message/reactions/0/users"].as_array().expect("users").len(), 10);
}

#[tokio::test]
async fn a_gap_begins_at_the_oldest_message_that_was_reacted_to() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut posted = Vec::new();
    for n in 0..8 {
        posted.push(ann.post(&room, &format!("{n}")).await);
    }
    let (after, mut model) = (bob.sync_cursor().await, Model::fetch(&bob).await);
    for n in 0..130 {
        ann.react(&posted[2 + n % 3], "👍", n % 2 == 0).await.data();
    }
    let end = ann.post(&room, "end").await;
    let events = bob.subscribe_after(&after).await.until_synced().await;
    let gap = events.iter().find(|event| event.kind == "RoomGap").expect("a gap");
    assert_eq!((&gap.body["fromSeq"], &gap.body["toSeq"]), (&json!(3), &json!(end.seq)));
    model.apply_all(&bob, &events).await;
    verify(&bob, &model).await;
}
