//! Blocks: between two nothing new is said, and nobody else notices.

use std::time::Duration;

use parlor::ephemeral::EphemeralLimits;
use serde_json::{Value, json};

use crate::presence::{expect_presence, expect_typing, set_typing, watch};
use crate::support::{Answer, Room, TestApp, TestUser, documents};

#[track_caller]
fn expect_blocked(answer: &Answer) {
    assert_eq!((answer.error_code(), &answer.error()["extensions"]["reason"]), ("FORBIDDEN", &json!("BLOCKED")));
    assert_eq!(answer.error()["message"], "one of you has blocked the other", "it isn't said who");
}

async fn try_post(user: &TestUser, room: &Room, client_id: Option<&str>, body: &str) -> Answer {
    let variables = json!({ "roomId": room.id, "body": body, "clientId": client_id });
    user.graphql(documents::POST_MESSAGE, variables).await
}

async fn try_initiate(user: &TestUser, others: &[&TestUser]) -> Answer {
    let ids: Vec<&str> = others.iter().map(|other| &*other.id).collect();
    user.graphql(documents::INITIATE_CHAT, json!({ "userIds": ids, "type": "CONSUMER_TO_CONSUMER" })).await
}

async fn blocked(user: &TestUser) -> Vec<String> {
    let answer = user.graphql(documents::BLOCKED_USERS, json!({ "first": 100 })).await;
    let id = |node: &Value| node["id"].as_str().expect("a user has an id").to_owned();
    answer.list("/viewer/blockedUsers/nodes").iter().map(id).collect()
}

#[tokio::test]
async fn between_two_of_whom_one_blocks_the_other_nothing_new_is_said() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (room, group) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&bob, &eve]).await);
    let first = bob.post_as(&room, "1", "hello").await;
    let own = ann.post(&room, "go away").await;

    ann.block(&bob, true).await;

    for user in [&ann, &bob] {
        expect_blocked(&try_post(user, &room, None, "new").await);
        expect_blocked(&try_post(user, &room, Some("2"), "new").await);
    }
    expect_blocked(&try_initiate(&ann, &[&bob]).await);
    expect_blocked(&try_initiate(&bob, &[&ann]).await);
    let edit = json!({ "messageId": first.id, "body": "worse" });
    expect_blocked(&bob.graphql(documents::EDIT_MESSAGE, edit).await);
    assert_eq!(bob.edit(&first, "hello").await, first, "the same text is no news");
    let again = try_post(&bob, &room, Some("1"), "hello").await;
    assert_eq!(again.text("/postMessage/message/id"), first.id, "what was said before is answered again");
    assert_eq!(try_post(&bob, &room, Some("1"), "other").await.error_code(), "CONFLICT");
    assert_eq!(try_post(&eve, &room, None, "x").await.error_code(), "NOT_FOUND");
    // What is there stays to be read and to be deleted, and larger rooms go on.
    assert_eq!(bob.messages(&room).await.len(), 2);
    bob.mark_read(&room, 2).await;
    bob.delete(&first).await;
    ann.delete(&own).await;
    bob.post(&group, "still here").await;
    ann.post(&group, "so am I").await;
    assert_eq!(try_initiate(&bob, &[&ann, &eve]).await.text("/initiateChat/room/id"), group.id);

    ann.block(&bob, false).await;
    bob.post(&room, "sorry").await;
    assert_eq!(try_initiate(&bob, &[&ann]).await.text("/initiateChat/room/id"), room.id);
}

#[tokio::test]
async fn who_is_blocked_opens_no_new_room_with_who_blocks() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    ann.block(&bob, true).await;

    for others in [&[&ann][..], &[&ann, &eve]] {
        expect_blocked(&try_initiate(&bob, others).await);
    }
    expect_blocked(&try_initiate(&ann, &[&bob]).await);
    let (group, _) = ann.initiate([&bob, &eve], "CONSUMER_TO_CONSUMER").await;
    bob.post(&group, "she asked me in").await;
    // A room for three is none of two, whoever is left in it.
    eve.leave(&group).await;
    bob.post(&group, "alone together").await;
}

#[tokio::test]
async fn the_operators_answers_reach_everybody() {
    let app = TestApp::start().await;
    let [ann, sue] = [app.user("ann").await, app.support_user("sue").await];
    let (room, _) = ann.initiate([&sue], "CONSUMER_TO_SUPPORT").await;
    ann.block(&sue, true).await;
    sue.post(&room, "your ticket").await;
    ann.post(&room, "thanks").await;
}

#[tokio::test]
async fn only_the_own_sockets_are_told_and_only_of_what_is_new() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    let cursor = ann.sync_cursor().await;
    let second = ann.sign_in().await;
    let mut own = [ann.subscribe().await, second.subscribe().await];
    let mut bobs = bob.subscribe().await;

    ann.block(&bob, true).await;
    ann.block(&bob, true).await;
    ann.block(&eve, false).await;
    for feed in &mut own {
        let event = feed.next_event().await;
        assert_eq!((&*event.kind, event.user_id()), ("BlocksChanged", bob.id.clone()));
        assert_eq!(event.body["blocked"], true);
    }
    ann.block(&bob, false).await;
    let marker = eve.post(&room, "marker").await;
    bobs.expect_silence_until(&marker).await;
    for feed in &mut own {
        let event = feed.next_event().await;
        assert_eq!((&*event.kind, &event.body["blocked"]), ("BlocksChanged", &json!(false)));
        feed.expect_silence_until(&marker).await;
    }
    // What was missed is shown as it is now, from the memory of the hub and from the log.
    for again in 0..2 {
        let missed = ann.subscribe_after(&cursor).await.until_synced().await;
        let blocks: Vec<&Value> =
            missed.iter().filter(|it| it.kind == "BlocksChanged").map(|it| &it.body["blocked"]).collect();
        assert_eq!(blocks, [&json!(false), &json!(false)], "{again}: {missed:#?}");
        if again == 0 {
            app.execute("UPDATE event SET tag = tag").await;
        }
    }
    let none = bob.subscribe_after(&bob.sync_cursor().await).await.until_synced().await;
    assert!(none.is_empty());
}

#[tokio::test]
async fn the_list_is_the_viewers_own_and_holds_who_is_there() {
    let app = TestApp::start().await;
    let [ann, bob, eve, kim] = app.users(["ann", "bob", "eve", "kim"]).await;
    for other in [&bob, &eve, &kim] {
        ann.block(other, true).await;
    }
    let page = ann.graphql(documents::BLOCKED_USERS, json!({ "first": 2 })).await;
    assert_eq!(page["/viewer/blockedUsers/pageInfo/hasNextPage"], true);
    let after = page.text("/viewer/blockedUsers/pageInfo/endCursor");
    let rest = ann.graphql(documents::BLOCKED_USERS, json!({ "after": after })).await;
    assert_eq!(rest.list("/viewer/blockedUsers/nodes").len(), 1);
    assert!(blocked(&bob).await.is_empty(), "nobody sees by whom they are blocked");

    kim.delete_account().await;
    let mut expected = [bob.id.clone(), eve.id.clone()];
    expected.sort();
    let mut ids = blocked(&ann).await;
    ids.sort();
    assert_eq!(ids, expected);

    let room = bob.initiate_chat([&eve]).await;
    ann.delete_account().await;
    bob.post(&room, "go on").await;
    assert_eq!(app.text("SELECT CAST(count(*) AS text) FROM block", "SELECT count(*)::text FROM block").await, "0");
}

#[tokio::test]
async fn what_cannot_be_blocked_looks_as_if_it_were_not_there() {
    let app = TestApp::start_with(|config| config.directory = parlor::config::Directory::Sharers).await;
    let [ann, bob, eve, kim] = app.users(["ann", "bob", "eve", "kim"]).await;
    let backend = app.backend("backend").await;
    let document = "mutation($u: [ID!]!) { initiateChat(userIds: $u, type: CONSUMER_TO_CONSUMER) { room { id } } }";
    let made = backend.acting_for(&ann.id, document, json!({ "u": [bob.id, kim.id] })).await;
    let room = Room { id: made.text("/initiateChat/room/id").to_owned() };
    let ask =
        async |id: &str, on: bool| ann.graphql(documents::BLOCK_USER, json!({ "userId": id, "blocked": on })).await;
    let unknown = "user_00000000000000000000000000";
    for on in [true, false] {
        let (stranger, nobody) = (ask(&eve.id, on).await, ask(unknown, on).await);
        assert_eq!((stranger.error_code(), stranger.error_field()), ("NOT_FOUND", "userId"));
        assert_eq!(stranger.body, nobody.body);
        let own = ask(&ann.id, on).await;
        assert_eq!((own.error_code(), own.error_field()), ("BAD_USER_INPUT", "userId"));
    }
    // Who is no longer seen can be let go all the same.
    ann.block(&bob, true).await;
    bob.leave(&room).await;
    ann.block(&bob, false).await;
    assert_eq!(ask(&bob.id, true).await.error_code(), "NOT_FOUND");
}

#[tokio::test]
async fn deleting_the_account_is_no_way_out_of_a_block() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let backend = app.backend("backend").await;
    let made = backend.upsert(json!([{ "externalId": "7", "displayName": "Bob" }])).await;
    let was = made[0]["user"]["id"].as_str().expect("an id").to_owned();
    ann.graphql(documents::BLOCK_USER, json!({ "userId": "ext:7", "blocked": true })).await.data();
    backend.acting_for("ext:7", documents::DELETE_ACCOUNT, json!({})).await.data();
    assert!(blocked(&ann).await.is_empty());

    let made = backend.upsert(json!([{ "externalId": "7", "displayName": "Bob" }])).await;
    let now = made[0]["user"]["id"].as_str().expect("an id").to_owned();
    assert_ne!(was, now);
    assert_eq!(blocked(&ann).await, [now]);
    let open = json!({ "userIds": [ann.id], "type": "CONSUMER_TO_CONSUMER" });
    expect_blocked(&backend.acting_for("ext:7", documents::INITIATE_CHAT, open).await);
}

#[tokio::test]
async fn neither_of_the_two_is_told_that_the_other_types_or_comes_and_goes_and_in_a_group_both_are() {
    let limits = EphemeralLimits { linger: Duration::from_millis(200), ..EphemeralLimits::default() };
    let app = TestApp::start_with_limits(limits, |_| {}).await;
    let [ann, bob, eve, kim] = app.users(["ann", "bob", "eve", "kim"]).await;
    let (room, group) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&kim, &eve]).await);
    ann.block(&bob, true).await;
    let (mut bobs, mut kims) = (watch(&bob).await, watch(&kim).await);

    let phone = watch(&ann).await;
    expect_presence(&mut kims, &ann, true).await;
    set_typing(&ann, &room).await.data();
    set_typing(&ann, &group).await.data();
    expect_typing(&mut kims, &ann, &group, true).await;
    drop(phone);
    expect_typing(&mut kims, &ann, &group, false).await;
    expect_presence(&mut kims, &ann, false).await;
    let mut laptop = watch(&ann).await;
    set_typing(&bob, &room).await.data();
    // Who blocks isn't told either, and a name is told as before.
    bob.graphql("mutation { updateProfile(displayName: \"Bobby\") { user { id } } }", json!({})).await.data();
    assert_eq!(laptop.next_of_all().await.kind, "UserChanged");
    assert_eq!(bobs.next_of_all().await.kind, "UserChanged", "the own, and nothing of ann before it");

    ann.block(&bob, false).await;
    set_typing(&ann, &room).await.data();
    expect_typing(&mut bobs, &ann, &room, true).await;
    drop(laptop);
    expect_presence(&mut kims, &ann, true).await;
    loop {
        let event = bobs.next_of_all().await;
        if event.kind == "PresenceChanged" {
            assert_eq!(event.body["user"]["id"], ann.id);
            break;
        }
        assert_eq!(event.kind, "TypingChanged");
    }
}
