//! `messagePosted`: new messages and nothing else.

use serde_json::{Value, json};

use crate::support::{Feed, Message, TestApp, TestUser, documents};

/// Subscribes to new messages from this cursor on, so that nothing depends on when the subscription has begun.
async fn posts(user: &TestUser, room: Option<&str>, after: &str) -> Feed {
    Feed::open(user.socket().await, documents::MESSAGE_POSTED, json!({ "roomId": room, "after": after })).await
}

async fn next(feed: &mut Feed) -> Message {
    Message::of(&feed.next_data().await["messagePosted"])
}

#[tokio::test]
async fn posts_of_all_rooms_that_are_not_muted_come() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let eve = app.user("eve").await;
    let (loud, still) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&bob, &eve]).await);
    bob.mute(&still, true).await;
    let mut feed = posts(&bob, None, &bob.sync_cursor().await).await;

    ann.post(&still, "unheard").await;
    let heard = ann.post(&loud, "heard").await;
    assert_eq!(next(&mut feed).await, heard);

    bob.mute(&still, false).await;
    let heard = ann.post(&still, "heard now").await;
    assert_eq!(next(&mut feed).await, heard);

    bob.mute(&loud, true).await;
    ann.edit(&heard, "no post").await;
    ann.post(&loud, "unheard").await;
    let own = bob.post(&still, "one's own").await;
    assert_eq!(next(&mut feed).await, own);

    let joined = eve.initiate_chat([&bob]).await;
    let heard = eve.post(&joined, "of a room that was opened since").await;
    assert_eq!(next(&mut feed).await, heard);

    bob.leave(&still).await;
    ann.post(&still, "behind bob's back").await;
    let heard = eve.post(&joined, "again").await;
    assert_eq!(next(&mut feed).await, heard);
}

#[tokio::test]
async fn a_room_can_be_listened_to_as_soon_as_it_is_there() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let others = app.crowd("other", 20).await;
    let cursor = ann.sync_cursor().await;
    for other in &others {
        let room = ann.initiate_chat([other]).await;
        let (mut anns, mut others) =
            (posts(&ann, Some(&room.id), &cursor).await, posts(other, Some(&room.id), &cursor).await);
        let message = ann.post(&room, "hello").await;
        assert_eq!([next(&mut anns).await, next(&mut others).await], [message.clone(), message]);
    }
}

#[tokio::test]
async fn posts_of_one_room_come_muted_or_not() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (one, other) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&bob, &eve]).await);
    bob.mute(&one, true).await;
    let mut feed = posts(&bob, Some(&one.id), &bob.sync_cursor().await).await;

    ann.post(&other, "elsewhere").await;
    let first = ann.post(&one, "here").await;
    bob.mute(&one, false).await;
    ann.post(&other, "elsewhere").await;
    let second = ann.post(&one, "here again").await;

    assert_eq!([next(&mut feed).await, next(&mut feed).await], [first, second]);
}

#[tokio::test]
async fn a_missed_post_comes_as_it_is_now_and_with_a_cursor_to_resume_from() {
    const DOCUMENT: &str = "subscription($after: Cursor) { messagePosted(after: $after) { seq body cursor } }";
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut cursor = Value::from(bob.sync_cursor().await);
    let message = ann.post(&room, "with a tpyo").await;
    ann.edit(&message, "without a typo").await;
    let gone = ann.post(&room, "never said").await;
    ann.delete(&gone).await;

    for (seq, body) in [(1, "without a typo"), (2, "")] {
        let socket = bob.socket().await;
        let mut feed = Feed::open(socket, DOCUMENT, json!({ "after": cursor })).await;
        let posted = feed.next_data().await["messagePosted"].clone();
        assert_eq!((&posted["seq"], &posted["body"]), (&json!(seq), &json!(body)));
        cursor = posted["cursor"].clone();
    }
}

#[tokio::test]
async fn a_room_of_others_is_not_found_as_if_it_did_not_exist() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (others, left) = (ann.initiate_chat([&bob]).await, eve.initiate_chat([&ann]).await);
    let deleted = eve.initiate_chat([&bob]).await;
    eve.leave(&left).await;
    eve.delete_room(&deleted).await;
    let mut socket = eve.socket().await;

    let mut refusals = Vec::new();
    for room in [others.id.as_str(), &left.id, &deleted.id, "room_01h455vb4pex5vsknk084sn02q"] {
        let id = socket.subscribe(documents::MESSAGE_POSTED, &json!({ "roomId": room })).await;
        let mut refusal = socket.next_json().await;
        assert_eq!((&refusal["type"], &refusal["id"]), (&json!("error"), &json!(id)));
        assert_eq!(refusal["payload"][0]["extensions"], json!({ "code": "NOT_FOUND", "field": "roomId" }));
        refusals.push(refusal["payload"].take());
    }
    assert!(refusals.windows(2).all(|pair| pair[0] == pair[1]), "expected one answer, got {refusals:#?}");

    let id = socket.subscribe(documents::MESSAGE_POSTED, &json!({ "roomId": ann.id })).await;
    let refusal = socket.next_json().await;
    assert_eq!((&refusal["type"], &refusal["id"]), (&json!("error"), &json!(id)));
    assert_eq!(refusal["payload"][0]["extensions"], json!({ "code": "BAD_USER_INPUT", "field": "roomId" }));
}

#[tokio::test]
async fn several_operations_share_a_socket() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (one, other) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&bob, &eve]).await);
    let after = bob.sync_cursor().await;
    let mut socket = bob.socket().await;
    let all = socket.subscribe(documents::MESSAGE_POSTED, &json!({ "after": after })).await;
    let here = socket.subscribe(documents::MESSAGE_POSTED, &json!({ "after": after, "roomId": one.id })).await;
    let events = socket.subscribe(documents::EVENTS, &json!({ "after": after })).await;
    let again = socket.subscribe(documents::EVENTS, &json!({ "after": after })).await;

    let (first, second) = (ann.post(&other, "there").await, ann.post(&one, "here").await);

    let mut seen: Vec<(String, String)> = Vec::new();
    while seen.len() < 7 {
        let frame = socket.next_json().await;
        let data = &frame["payload"]["data"];
        let message = data.pointer("/messagePosted").or(data.pointer("/events/message"));
        if let Some(message) = message {
            seen.push((frame["id"].as_str().expect("an id").to_owned(), Message::of(message).id));
        }
    }
    let of = |operation: &str| -> Vec<&str> {
        seen.iter().filter(|(id, _)| id == operation).map(|(_, message)| &**message).collect()
    };
    assert_eq!(of(&here), [&*second.id]);
    for operation in [all, events, again] {
        assert_eq!(of(&operation), [&*first.id, &*second.id], "of {operation}");
    }
}

#[tokio::test]
async fn more_than_is_replayed_is_refused_rather_than_left_out() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let after = bob.sync_cursor().await;
    for n in 0..101 {
        ann.post(&room, &format!("{n}")).await;
    }

    let mut socket = bob.socket().await;
    socket.subscribe(documents::MESSAGE_POSTED, &json!({ "after": after })).await;

    let refusal = socket.next_json().await;
    assert_eq!(refusal["type"], "error", "{refusal:#}");
    assert_eq!(refusal["payload"][0]["extensions"], json!({ "code": "CONFLICT", "field": "after" }));
}

/// The frame that ends the subscription, behind these messages.
async fn expect_end(feed: &mut Feed, posted: &[Message]) {
    for message in posted {
        assert_eq!(next(feed).await, *message);
    }
    let frame = feed.socket().next_json().await;
    assert_eq!(frame["type"], "complete", "{frame:#}");
}

#[tokio::test]
async fn listening_to_a_room_ends_with_the_room_and_listening_to_all_goes_on() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let kim = app.user("kim").await;
    let (left, deleted, other) =
        (ann.initiate_chat([&bob, &kim]).await, ann.initiate_chat([&bob, &eve]).await, bob.initiate_chat([&eve]).await);
    let now = bob.sync_cursor().await;
    let mut of_left = [posts(&bob, Some(&left.id), &now).await, posts(&bob, Some(&left.id), &now).await];
    let (mut of_deleted, mut eves) =
        (posts(&bob, Some(&deleted.id), &now).await, posts(&eve, Some(&deleted.id), &now).await);
    let (mut of_other, mut of_all) = (posts(&bob, Some(&other.id), &now).await, posts(&bob, None, &now).await);
    let mut anns = posts(&ann, Some(&left.id), &now).await;

    // What has received something has begun.
    let in_left = [ann.post(&left, "one").await, ann.post(&left, "two").await];
    for feed in &mut of_left {
        assert_eq!(next(feed).await, in_left[0]);
    }
    bob.leave(&left).await;
    for feed in &mut of_left {
        expect_end(feed, &in_left[1..]).await;
    }
    let first = ann.post(&deleted, "one").await;
    assert_eq!([next(&mut of_deleted).await, next(&mut eves).await], [first.clone(), first.clone()]);
    let second = bob.post(&deleted, "two").await;
    ann.delete_room(&deleted).await;
    let in_deleted = [first, second];
    expect_end(&mut of_deleted, &in_deleted[1..]).await;
    expect_end(&mut eves, &in_deleted[1..]).await;

    let after = ann.post(&left, "behind bob's back").await;
    for expected in in_left.iter().chain([&after]) {
        assert_eq!(next(&mut anns).await, *expected);
    }
    let heard = eve.post(&other, "still here").await;
    assert_eq!(next(&mut of_other).await, heard);
    for expected in in_left.into_iter().chain(in_deleted).chain([heard]) {
        assert_eq!(next(&mut of_all).await, expected);
    }
}

#[tokio::test]
async fn listening_to_a_room_ends_with_the_account_of_its_last_other_member_only_for_that_member() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    eve.leave(&room).await;
    let mut anns = posts(&ann, Some(&room.id), &ann.sync_cursor().await).await;

    bob.delete_account().await;

    // Nobody else was there.
    eve.initiate_chat([&ann, &bob]).await;
    let heard = ann.post(&room, "somebody is back").await;
    assert_eq!(next(&mut anns).await, heard);
}
