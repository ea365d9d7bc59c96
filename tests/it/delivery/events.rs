//! Each kind of event, from the mutation that causes it to the sockets that are told.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Event, Feed, Room, TestApp, TestUser, documents};

/// The next event of each of these feeds, which must be of this kind and about this room.
async fn each(feeds: &mut [Feed], kind: &str, room: &Room) -> Vec<Event> {
    let mut events = Vec::new();
    for feed in feeds {
        let event = feed.next_of(kind).await;
        assert_eq!(event.room_id(), room.id, "expected {kind} of another room");
        events.push(event);
    }
    events
}

/// Shows that nothing has come to these feeds, by a room that the poster shares with all of them.
async fn expect_silence(feeds: &mut [Feed], poster: &TestUser, aside: &Room) {
    let marker = poster.post(aside, "nothing came before this").await;
    for feed in feeds {
        feed.expect_silence_until(&marker).await;
    }
}

#[tokio::test]
async fn every_event_reaches_every_socket_of_every_member_and_nobody_else() {
    let app = TestApp::start().await;
    let [ann, bob, dan, eve] = app.users(["ann", "bob", "dan", "eve"]).await;
    let (aside, within) = (eve.initiate_chat([&dan]).await, ann.initiate_chat([&bob]).await);
    let (laptop, tablet) = (ann.sign_in().await, bob.sign_in().await);
    let mut members = Vec::new();
    for device in [&ann, &ann, &laptop, &bob, &tablet] {
        members.push(device.subscribe().await);
    }
    let mut others = [dan.subscribe().await, dan.subscribe().await, eve.subscribe().await];

    let room = ann.initiate_chat([&bob, &dan]).await;
    each(&mut members, "RoomJoined", &room).await;
    each(&mut others[..2], "RoomJoined", &room).await;

    dan.leave(&room).await;
    for event in each(&mut members, "MemberLeft", &room).await {
        assert_eq!(event.user_id(), dan.id);
    }
    for event in each(&mut others[..2], "RoomLeft", &room).await {
        assert_eq!(event.body["leftBecause"], "LEFT");
    }

    let posted = ann.post(&room, "hello").await;
    for event in each(&mut members, "MessagePosted", &room).await {
        assert_eq!(event.message(), posted);
    }
    let edited = ann.edit(&posted, "hello there").await;
    for event in each(&mut members, "MessageEdited", &room).await {
        assert_eq!(event.message(), edited);
    }
    bob.mark_read(&room, 1).await;
    for event in each(&mut members, "ReadMarksMoved", &room).await {
        assert_eq!(event.marks(), [(bob.id.clone(), 1)]);
    }
    let deleted = ann.delete(&posted).await;
    for event in each(&mut members, "MessageDeleted", &room).await {
        assert_eq!((event.message(), deleted.body.as_str()), (deleted.clone(), ""));
    }
    expect_silence(&mut others, &eve, &aside).await;

    assert_eq!(dan.initiate_chat([&ann, &bob]).await, room);
    for event in each(&mut members, "MemberJoined", &room).await {
        assert_eq!(event.user_id(), dan.id);
    }
    each(&mut others[..2], "RoomJoined", &room).await;
    bob.post(&room, "welcome back").await;
    each(&mut members, "MessagePosted", &room).await;
    each(&mut others[..2], "MessagePosted", &room).await;

    ann.delete_room(&room).await;
    for event in [each(&mut members, "RoomLeft", &room).await, each(&mut others[..2], "RoomLeft", &room).await].concat()
    {
        assert_eq!(event.body["leftBecause"], "DELETED");
    }
    expect_silence(&mut others, &eve, &aside).await;
    expect_silence(&mut members, &bob, &within).await;
}

#[tokio::test]
async fn cursors_grow_from_event_to_event_and_are_the_same_for_all() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let mut feeds = [ann.subscribe().await, bob.subscribe().await];
    let room = ann.initiate_chat([&bob]).await;
    each(&mut feeds, "RoomJoined", &room).await;

    for n in 0..5 {
        ann.post(&room, &format!("{n}")).await;
    }

    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let [hers, his] = &each(&mut feeds, "MessagePosted", &room).await[..] else { panic!("two feeds, two events") };
        assert_eq!((&hers.cursor, &hers.body), (&his.cursor, &his.body));
        assert!(seen.insert(hers.cursor.clone()), "no two events have one cursor");
    }
}

#[tokio::test]
async fn muting_is_told_to_ones_own_sockets_and_changes_nothing_twice() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (room, tablet) = (ann.initiate_chat([&bob]).await, bob.sign_in().await);
    let mut hers = [ann.subscribe().await];
    let mut his = Vec::new();
    for device in [&bob, &tablet] {
        his.push(device.subscribe_to(documents::EVENTS_WITH_VIEWER, json!({})).await);
    }

    for (muted, told) in [(true, true), (true, false), (false, true), (false, false)] {
        bob.mute(&room, muted).await;
        if told {
            for event in each(&mut his, "RoomMuted", &room).await {
                assert_eq!(event.body["room"]["viewer"]["muted"], muted);
            }
        }
        expect_silence(&mut his, &ann, &room).await;
        let marker = ann.post(&room, "another").await;
        for feed in &mut his {
            feed.expect_silence_until(&marker).await;
        }
        assert_eq!(hers[0].next_message().await.body, "nothing came before this");
        hers[0].expect_silence_until(&marker).await;
    }
}

#[tokio::test]
async fn what_changes_nothing_is_told_to_nobody() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let first = ann.post_as(&room, "once", "hello").await;
    let gone = ann.post(&room, "gone").await;
    ann.delete(&gone).await;
    bob.mark_read(&room, 2).await;
    let mut feeds = [ann.subscribe().await, bob.subscribe().await];

    bob.initiate_chat([&ann]).await;
    ann.post_as(&room, "once", "hello").await;
    ann.edit(&first, "hello").await;
    ann.delete(&gone).await;
    bob.mark_read(&room, 1).await;
    let refused = bob.graphql(documents::DELETE_ROOM, json!({ "roomId": room.id })).await;
    assert_eq!(refused.error_code(), "FORBIDDEN");

    expect_silence(&mut feeds, &ann, &room).await;
}

#[tokio::test]
async fn a_room_that_is_opened_again_after_its_deletion_is_another() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let mut feed = bob.subscribe().await;
    let room = ann.initiate_chat([&bob]).await;
    ann.delete_room(&room).await;
    let again = ann.initiate_chat([&bob]).await;

    assert_eq!(feed.next_of("RoomJoined").await.room_id(), room.id);
    assert_eq!(feed.next_of("RoomLeft").await.room_id(), room.id);
    assert_eq!(feed.next_of("RoomJoined").await.room_id(), again.id);
    assert_ne!(room, again);
    let refused = ann.graphql(documents::POST_MESSAGE, json!({ "roomId": room.id, "body": "anybody?" })).await;
    assert_eq!(refused.error_code(), "NOT_FOUND");
    expect_silence(&mut [feed], &ann, &again).await;
}

#[tokio::test]
async fn a_deleted_account_leaves_its_rooms_before_the_eyes_of_the_others() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let rooms = [ann.initiate_chat([&bob]).await, ann.initiate_chat([&bob, &eve]).await];
    let aside = ann.initiate_chat([&eve]).await;
    let mut feeds = [ann.subscribe().await, eve.subscribe().await];

    bob.delete_account().await;

    let mut left = vec![feeds[0].next_of("MemberLeft").await, feeds[0].next_of("MemberLeft").await];
    left.push(feeds[1].next_of("MemberLeft").await);
    for event in &left {
        assert_eq!((event.user_id(), event.body["user"].is_null()), (bob.id.clone(), true));
    }
    let mut of: Vec<String> = left.iter().map(Event::room_id).collect();
    assert_eq!(of.pop(), Some(rooms[1].id.clone()));
    of.sort();
    let mut expected = rooms.map(|room| room.id);
    expected.sort();
    assert_eq!(of, expected);
    expect_silence(&mut feeds, &ann, &aside).await;
}

#[tokio::test]
async fn who_leaves_while_posts_go_on_is_told_of_nothing_after_the_end() {
    const ROUNDS: usize = 15;
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    let mut feeds = Vec::new();
    for document in [documents::EVENTS, documents::EVENTS_WITH_VIEWER] {
        feeds.push(bob.subscribe_to(document, json!({})).await);
    }

    for _ in 0..ROUNDS {
        tokio::join!(join_all((0..8).map(|_| ann.post(&room, "while bob leaves"))), bob.leave(&room));
        bob.initiate_chat([&ann, &eve]).await;
    }
    let marker = ann.post(&room, "marker").await;

    for feed in &mut feeds {
        let mut is_in = true;
        let mut ends = 0;
        for event in feed.until_posted(&marker).await {
            match &*event.kind {
                "RoomJoined" => is_in = true,
                "RoomLeft" => {
                    assert!(is_in, "the end is told once");
                    is_in = false;
                    ends += 1;
                }
                kind => assert!(is_in || kind == "Synced", "{kind} came after the end"),
            }
        }
        assert_eq!(ends, ROUNDS);
    }
}
