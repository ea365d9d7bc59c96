//! Rooms of two that one has left, which hides them, and larger ones that only oneself comes back to.

use std::time::Duration;

use futures_util::future::join_all;
use parlor::config::Directory;
use serde_json::{Value, json};

use crate::presence::{expect_presence, watch};
use crate::support::{Answer, Event, Feed, Model, Room, TestApp, TestUser, documents, verify};

const BY_ROOM: &str = "mutation Reenter($roomId: ID!) { initiateChat(roomId: $roomId) { isNew room { id } } }";

const WHO: &str = "query Who($id: ID!) { room(id: $id) { memberCount
    members { nodes { userId joinedAt lastReadSeq } } formerMembers { nodes { userId user { id } lastReadSeq } }
    foundingMembers { nodes { userId } pageInfo { hasNextPage } } messages { nodes { readBy { user { id } } } } } }";

async fn reenter(user: &TestUser, room: &Room) -> Answer {
    user.graphql(BY_ROOM, json!({ "roomId": room.id })).await
}

async fn try_to_post(user: &TestUser, room: &Room, client_id: &str) -> Answer {
    let variables = json!({ "roomId": room.id, "body": "is anybody there?", "clientId": client_id });
    user.graphql(documents::POST_MESSAGE, variables).await
}

#[track_caller]
fn expect_nobody_there(answer: &Answer) {
    let reason = &answer.body["errors"][0]["extensions"]["reason"];
    assert_eq!((answer.error_code(), reason), ("FORBIDDEN", &json!("NOBODY_THERE")), "{answer:#?}");
}

fn ids(answer: &Answer, list: &str) -> Vec<String> {
    let nodes = answer.list(&format!("/room/{list}/nodes"));
    nodes.iter().map(|node| node["userId"].as_str().expect("an id").to_owned()).collect()
}

fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| &*event.kind).collect()
}

#[tokio::test]
async fn leaving_a_room_of_two_hides_it_and_the_other_notices_nothing() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "hello").await;
    bob.mark_read(&room, 1).await;
    let before = ann.graphql(WHO, json!({ "id": room.id })).await;
    let (mut hers, mut his) = (ann.subscribe().await, bob.sign_in().await.subscribe().await);

    bob.leave(&room).await;

    let left = his.next_of("RoomLeft").await;
    assert_eq!((left.room_id(), &left.body["leftBecause"]), (room.id.clone(), &json!("HIDDEN")));
    assert_eq!(bob.rooms().await, []);
    assert_eq!(bob.graphql(documents::ROOM, json!({ "roomId": room.id })).await["/room"], Value::Null);
    let node = bob.graphql("query($id: ID!) { node(id: $id) { id } }", json!({ "id": room.id })).await;
    assert_eq!(node["/node"], Value::Null);
    for (document, variables) in [
        (documents::POST_MESSAGE, json!({ "roomId": room.id, "body": "hello" })),
        (documents::MARK_READ, json!({ "roomId": room.id, "seq": 1 })),
        (documents::LEAVE_ROOM, json!({ "roomId": room.id })),
    ] {
        assert_eq!(bob.graphql(document, variables).await.error_code(), "NOT_FOUND");
    }
    let after = ann.graphql(WHO, json!({ "id": room.id })).await;
    assert_eq!(after.body, before.body, "the other sees a member who has read it");
    assert_eq!((&after["/room/memberCount"], ids(&after, "formerMembers").len()), (&json!(2), 0));
    let carol = app.user("carol").await;
    let aside = carol.initiate_chat([&ann]).await;
    hers.next_of("RoomJoined").await;
    let marker = carol.post(&aside, "nothing came before this").await;
    hers.expect_silence_until(&marker).await;
}

#[tokio::test]
async fn the_next_message_brings_a_hidden_room_back_with_all_that_was_said() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "one").await;
    bob.mark_read(&room, 1).await;
    ann.post(&room, "two").await;
    bob.mute(&room, true).await;
    let joined = ann.graphql(WHO, json!({ "id": room.id })).await["/room/members"].clone();
    let (mut model, mut feed) = (Model::fetch(&bob).await, bob.subscribe().await);
    let mut hers = ann.subscribe().await;
    bob.leave(&room).await;

    let marker = ann.post(&room, "three").await;

    let events = feed.until_posted(&marker).await;
    assert_eq!(kinds(&events), ["RoomLeft", "RoomJoined", "RoomMuted", "MessagePosted"]);
    model.apply_all(&bob, &events).await;
    verify(&bob, &model).await;
    assert_eq!(bob.messages(&room).await.len(), 3);
    assert_eq!(bob.unread(&room).await, (2, 1));
    assert_eq!(kinds(&hers.until_posted(&marker).await), ["MessagePosted"]);
    let nodes = |members: &Value| -> Vec<Value> {
        members["nodes"].as_array().expect("members").iter().map(|node| node["joinedAt"].clone()).collect()
    };
    let again = ann.graphql(WHO, json!({ "id": room.id })).await["/room/members"].clone();
    assert_eq!(nodes(&again), nodes(&joined), "nothing shows that it was hidden");
    bob.post(&room, "back again").await;
}

#[tokio::test]
async fn either_of_the_two_brings_it_back_by_initiating_by_whatever_name() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for (hiders, opener, by_room) in [
        (vec![&bob], &bob, false),
        (vec![&bob], &bob, true),
        (vec![&bob], &ann, false),
        (vec![&bob], &ann, true),
        (vec![&ann, &bob], &bob, false),
        (vec![&ann, &bob], &ann, true),
    ] {
        join_all(hiders.iter().map(|user| user.leave(&room))).await;
        for user in &hiders {
            assert_eq!(user.rooms().await, []);
        }
        if by_room {
            let back = reenter(opener, &room).await;
            assert_eq!((back.text("/initiateChat/room/id"), &back["/initiateChat/isNew"]), (&*room.id, &json!(false)));
        } else {
            let other = if opener.id == ann.id { &bob } else { &ann };
            assert_eq!(opener.initiate([other], "CONSUMER_TO_CONSUMER").await, (room.clone(), false));
        }
        for user in [&ann, &bob] {
            assert_eq!(user.rooms().await, std::slice::from_ref(&room), "{by_room}");
        }
    }
    let checked = app.parlor(&["check"]).await;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[tokio::test]
async fn posts_of_one_batch_bring_a_room_back_once_and_its_hider_may_be_among_the_authors() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    bob.leave(&room).await;
    let mut feed = bob.subscribe().await;
    let mut model = Model::fetch(&bob).await;

    let held = app.hold_writes().await;
    let posts = join_all((0..8).map(async |n| ann.post(&room, &format!("{n}")).await));
    let release = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        held.rollback().await.expect("the lock is let go");
    };
    let (posted, ()) = tokio::join!(posts, release);
    bob.post(&room, "mine").await;
    let marker = ann.post(&room, "marker").await;

    let events = feed.until_posted(&marker).await;
    assert_eq!((kinds(&events)[0], events.len()), ("RoomJoined", posted.len() + 3));
    model.apply_all(&bob, &events).await;
    verify(&bob, &model).await;
}

#[tokio::test]
async fn who_is_away_while_a_room_is_hidden_and_comes_back_catches_up_with_it() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "before").await;
    for (posts_before, posts_after) in [(0, 1), (1, 1), (1, 0), (2, 150)] {
        let (mut model, cursor) = (Model::fetch(&bob).await, bob.sync_cursor().await);
        for _ in 0..posts_before {
            ann.post(&room, "unseen").await;
        }
        bob.leave(&room).await;
        for _ in 0..posts_after {
            ann.post(&room, "and back").await;
        }
        let missed = bob.subscribe_after(&cursor).await.until_synced().await;
        model.apply_all(&bob, &missed).await;
        verify(&bob, &model).await;
        assert_eq!(bob.rooms().await.len(), usize::from(posts_after > 0));
        bob.initiate_chat([&ann]).await;
    }
}

#[tokio::test]
async fn what_was_subscribed_to_in_a_room_ends_when_it_is_hidden() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let after = bob.sync_cursor().await;
    let asked = json!({ "roomId": room.id, "after": after });
    let mut posts = Feed::open(bob.socket().await, documents::MESSAGE_POSTED, asked).await;
    ann.post(&room, "one").await;
    posts.next_data().await;

    bob.leave(&room).await;
    ann.post(&room, "two").await;

    let end = posts.socket().next_json().await;
    assert_eq!(end["type"], "complete", "{end:#}");
}

#[tokio::test]
async fn whoever_hides_a_room_is_found_and_seen_online_by_the_other_as_before() {
    let app = TestApp::start_with(|config| config.directory = Directory::Sharers).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let backend = app.backend("backend").await;
    let asked = json!({ "userIds": [bob.id], "type": "CONSUMER_TO_CONSUMER" });
    let opened = backend.acting_for(&ann.id, documents::INITIATE_CHAT, asked).await;
    let room = Room::of(&opened["/initiateChat/room"]);
    bob.leave(&room).await;
    let mut feed = watch(&ann).await;

    for (user, other) in [(&ann, &bob), (&bob, &ann)] {
        let found = user.graphql("query($id: ID!) { user(id: $id) { id } }", json!({ "id": other.id })).await;
        assert_eq!(found.text("/user/id"), other.id);
        let found = user.graphql(documents::USERS, json!({ "search": other.username, "first": 5 })).await;
        assert_eq!(found.list("/users/nodes").len(), 1);
    }
    let _online = bob.socket().await;
    expect_presence(&mut feed, &bob, true).await;
}

#[tokio::test]
async fn nobody_posts_into_a_room_that_all_others_have_left() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    let first = ann.post_as(&room, "first", "is anybody there?").await;
    bob.leave(&room).await;
    ann.post(&room, "eve is").await;
    eve.leave(&room).await;

    expect_nobody_there(&try_to_post(&ann, &room, "second").await);
    let repeated = try_to_post(&ann, &room, "first").await;
    assert_eq!(repeated.text("/postMessage/message/id"), first.id, "what was posted is posted");
    assert_eq!(try_to_post(&bob, &room, "third").await.error_code(), "NOT_FOUND");
    let who = ann.graphql(WHO, json!({ "id": room.id })).await;
    assert_eq!((&who["/room/memberCount"], ids(&who, "members")), (&json!(1), vec![ann.id.clone()]));
    let mut expected = vec![bob.id.clone(), eve.id.clone()];
    expected.sort();
    let mut former = ids(&who, "formerMembers");
    former.sort();
    assert_eq!(former, expected);
    assert_eq!(ids(&who, "foundingMembers").len(), 3);
    assert!(who.list("/room/formerMembers/nodes").iter().all(|member| member["lastReadSeq"].is_null()));

    // Only they themselves come back.
    ann.initiate_chat([&bob, &eve]).await;
    reenter(&ann, &room).await.data();
    expect_nobody_there(&try_to_post(&ann, &room, "fourth").await);
    assert_eq!(reenter(&eve, &room).await.text("/initiateChat/room/id"), room.id);
    assert_eq!(eve.messages(&room).await.len(), 2);
    try_to_post(&ann, &room, "fifth").await.data();
}

#[tokio::test]
async fn nobody_posts_to_a_deleted_account() {
    let app = TestApp::start().await;
    let [ann, bob, eve, kim] = app.users(["ann", "bob", "eve", "kim"]).await;
    let (plain, hidden, hider) =
        (ann.initiate_chat([&bob]).await, ann.initiate_chat([&eve]).await, ann.initiate_chat([&kim]).await);
    eve.post(&hidden, "mine").await;
    eve.leave(&hidden).await;
    ann.leave(&hider).await;
    let mut feed = ann.subscribe().await;

    for user in [&bob, &eve] {
        user.delete_account().await;
        assert_eq!(feed.next_of("MemberLeft").await.user_id(), user.id);
    }
    kim.delete_account().await;

    for room in [&plain, &hidden] {
        expect_nobody_there(&try_to_post(&ann, room, "c").await);
        assert_eq!(ann.graphql(WHO, json!({ "id": room.id })).await["/room/memberCount"], 1);
    }
    assert_eq!(reenter(&ann, &hider).await.text("/initiateChat/room/id"), hider.id);
    expect_nobody_there(&try_to_post(&ann, &hider, "c").await);
    let checked = app.parlor(&["check"]).await;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[tokio::test]
async fn a_room_is_gone_for_whoever_had_hidden_it_once_it_is_deleted() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    bob.leave(&room).await;
    ann.delete_room(&room).await;

    assert_eq!(reenter(&bob, &room).await.error_code(), "NOT_FOUND");
    let (other, is_new) = bob.initiate([&ann], "CONSUMER_TO_CONSUMER").await;
    assert!(is_new && other != room);
    let checked = app.parlor(&["check"]).await;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[tokio::test]
async fn a_room_to_go_back_into_is_named_in_one_way() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let document = "mutation($userIds: [ID!], $type: RoomType, $roomId: ID) {
        initiateChat(userIds: $userIds, type: $type, roomId: $roomId) { room { id } } }";
    for (variables, field) in [
        (json!({}), "userIds"),
        (json!({ "type": "CONSUMER_TO_CONSUMER" }), "userIds"),
        (json!({ "userIds": [bob.id] }), "type"),
        (json!({ "userIds": [bob.id], "type": "CONSUMER_TO_CONSUMER", "roomId": room.id }), "roomId"),
        (json!({ "type": "CONSUMER_TO_CONSUMER", "roomId": room.id }), "roomId"),
    ] {
        let answer = ann.graphql(document, variables.clone()).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", field), "{variables}");
    }
    let eve = app.user("eve").await;
    let strange = reenter(&eve, &room).await;
    assert_eq!((strange.error_code(), strange.error_field()), ("NOT_FOUND", "roomId"));
}

#[tokio::test]
async fn former_members_are_named_beside_what_they_said() {
    let app = TestApp::start_with(|config| config.directory = Directory::None).await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let backend = app.backend("backend").await;
    let asked = json!({ "userIds": [bob.id, eve.id], "type": "CONSUMER_TO_CONSUMER" });
    let opened = backend.acting_for(&ann.id, documents::INITIATE_CHAT, asked).await;
    let room = Room::of(&opened["/initiateChat/room"]);
    bob.post(&room, "said").await;
    bob.leave(&room).await;

    let document = "query($id: ID!) { room(id: $id) { formerMembers { nodes { user { username } } }
        messages { nodes { author { username } } } } }";
    let seen = ann.graphql(document, json!({ "id": room.id })).await;
    assert_eq!(seen.text("/room/messages/nodes/0/author/username"), "bob");
    assert_eq!(seen.text("/room/formerMembers/nodes/0/user/username"), "bob");
}
