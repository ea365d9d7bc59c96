//! Missing more than is replayed: a gap says where, before anything else is replayed, and can be filled.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Event, Model, Room, TestApp, TestUser, documents, verify};

async fn post_many(user: &TestUser, room: &Room, count: usize) {
    join_all((0..count).map(|n| async move { user.post(room, &format!("one of many {n}")).await })).await;
}

fn gap(event: &Event) -> (String, i64, i64) {
    assert_eq!(event.kind, "RoomGap", "expected a gap, got {event:#?}");
    let seq = |name: &str| event.body[name].as_i64().expect("a seq");
    (event.room_id(), seq("fromSeq"), seq("toSeq"))
}

#[tokio::test]
async fn a_hundred_events_of_a_room_are_replayed_and_one_more_is_a_gap() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "seen").await;
    let cursor = bob.sync_cursor().await;
    post_many(&ann, &room, 100).await;

    let mut feed = bob.subscribe_after(&cursor).await;
    let missed = feed.until_synced().await;
    let seqs: Vec<i64> = missed.iter().map(|event| event.message().seq).collect();
    assert_eq!(seqs, (2..=101).collect::<Vec<i64>>());

    ann.post(&room, "one more").await;
    let mut feed = bob.subscribe_after(&cursor).await;
    let missed = feed.until_synced().await;
    assert_eq!(missed.iter().map(gap).collect::<Vec<_>>(), [(room.id, 2, 102)]);
    let again = app.place(&missed[0].cursor);
    assert_eq!(again, app.place(&cursor), "who resumes from the gap is told of it again");
}

#[tokio::test]
async fn a_gap_reaches_down_to_the_oldest_message_that_was_changed_in_it() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut old = Vec::new();
    for n in 0..10 {
        old.push(ann.post(&room, &format!("old {n}")).await);
    }
    for (change, from) in [("edit", 8), ("delete", 5)] {
        let cursor = bob.sync_cursor().await;
        let mut model = Model::fetch(&bob).await;
        post_many(&ann, &room, 60).await;
        if change == "edit" {
            ann.edit(&old[7], "rewritten").await;
        } else {
            ann.delete(&old[4]).await;
        }
        post_many(&ann, &room, 60).await;

        let mut feed = bob.subscribe_after(&cursor).await;
        let missed = feed.until_synced().await;

        let newest = ann.messages(&room).await.last().expect("many").seq;
        assert_eq!(missed.iter().map(gap).collect::<Vec<_>>(), [(room.id.clone(), from, newest)]);
        model.apply_all(&bob, &missed).await;
        verify(&bob, &model).await;
    }
}

#[tokio::test]
async fn a_gap_without_messages_is_empty_and_still_told() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    post_many(&ann, &room, 3).await;
    let cursor = ann.sync_cursor().await;
    let mut model = Model::fetch(&ann).await;
    for _ in 0..51 {
        bob.leave(&room).await;
        bob.initiate_chat([&ann, &eve]).await;
    }
    bob.mark_read(&room, 2).await;

    let mut feed = ann.subscribe_after(&cursor).await;
    let missed = feed.until_synced().await;

    assert_eq!(missed.iter().map(gap).collect::<Vec<_>>(), [(room.id, 4, 3)]);
    model.apply_all(&ann, &missed).await;
    verify(&ann, &model).await;
}

#[tokio::test]
async fn a_gap_comes_before_what_is_replayed_of_other_rooms() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (busy, calm) = (ann.initiate_chat([&bob]).await, eve.initiate_chat([&bob]).await);
    let cursor = bob.sync_cursor().await;
    let mut model = Model::fetch(&bob).await;
    let first = eve.post(&calm, "first").await;
    post_many(&ann, &busy, 110).await;
    let last = eve.post(&calm, "last").await;
    bob.mute(&calm, true).await;

    let mut feed = bob.subscribe_after(&cursor).await;
    let missed = feed.until_synced().await;

    assert_eq!(gap(&missed[0]), (busy.id.clone(), 1, 110));
    assert_eq!([missed[1].message(), missed[2].message()], [first, last]);
    assert_eq!((missed[3].kind.as_str(), missed.len()), ("RoomMuted", 4));
    model.apply_all(&bob, &missed).await;
    verify(&bob, &model).await;
}

#[tokio::test]
async fn a_gap_of_a_room_that_one_joined_meanwhile_comes_after_the_joining() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let cursor = bob.sync_cursor().await;
    let mut model = Model::fetch(&bob).await;
    let room = ann.initiate_chat([&bob]).await;
    post_many(&ann, &room, 120).await;

    let mut feed = bob.subscribe_after(&cursor).await;
    let missed = feed.until_synced().await;

    assert_eq!((missed[0].kind.as_str(), missed[0].room_id(), missed.len()), ("RoomJoined", room.id.clone(), 2));
    assert_eq!(gap(&missed[1]), (room.id, 1, 120));
    model.apply_all(&bob, &missed).await;
    verify(&bob, &model).await;
}

#[tokio::test]
async fn of_more_than_a_thousand_events_in_all_some_rooms_are_gaps_and_none_is_silent() {
    const ROOMS: usize = 12;
    const EACH: usize = 95;
    const POST_FIVE: &str = "mutation($id: ID!) { a: postMessage(roomId: $id, body: \"a\") { __typename }
        b: postMessage(roomId: $id, body: \"b\") { __typename } c: postMessage(roomId: $id, body: \"c\") { __typename }
        d: postMessage(roomId: $id, body: \"d\") { __typename } e: postMessage(roomId: $id, body: \"e\") { __typename } }";
    let app = TestApp::start().await;
    let bob = app.user("bob").await;
    let others = app.crowd("other", ROOMS).await;
    let rooms = join_all(others.iter().map(|other| other.initiate_chat([&bob]))).await;
    let cursor = bob.sync_cursor().await;
    let mut model = Model::fetch(&bob).await;
    join_all(others.iter().zip(&rooms).map(async |(other, room)| {
        for _ in 0..EACH / 5 {
            other.graphql(POST_FIVE, json!({ "id": room.id })).await.data();
        }
    }))
    .await;

    let mut feed = crate::support::Feed::open(bob.socket().await, documents::EVENTS, json!({ "after": cursor })).await;
    let missed = feed.until_synced().await;

    let begin = missed.iter().take_while(|event| event.kind == "RoomGap").count();
    let (gaps, replayed) = missed.split_at(begin);
    assert!(replayed.iter().all(|event| event.kind == "MessagePosted"), "gaps come first");
    assert!(replayed.len() <= 1_000, "{} were replayed", replayed.len());
    assert!(!gaps.is_empty(), "1,140 were missed");
    for room in &rooms {
        let gap_of_room = gaps.iter().map(gap).find(|(id, ..)| *id == room.id);
        let seqs: Vec<i64> =
            replayed.iter().map(Event::message).filter(|it| it.room_id == room.id).map(|it| it.seq).collect();
        match gap_of_room {
            Some((_, from, to)) => assert_eq!((from, to, seqs.len()), (1, 95, 0)),
            None => assert_eq!(seqs, (1..=95).collect::<Vec<i64>>()),
        }
    }
    model.apply_all(&bob, &missed).await;
    verify(&bob, &model).await;
}

#[tokio::test]
async fn a_gap_reaches_down_to_whatever_stood_around_a_message_and_was_changed() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = ann.initiate_chat([&bob, &kim]).await;
    let mut old = Vec::new();
    for n in 1..=12 {
        old.push(ann.post(&room, &format!("old {n}")).await);
    }
    let react =
        "mutation($m: ID!, $on: Boolean!) { setReaction(messageId: $m, emoji: \"+\", on: $on) { message { id } } }";
    let pin = "mutation($m: ID!, $on: Boolean!) { pinMessage(messageId: $m, pinned: $on) { room { id } } }";
    let reply =
        "mutation($r: ID!, $m: ID!) { postMessage(roomId: $r, body: \"so\", replyToId: $m) { message { id } } }";
    kim.graphql(reply, json!({ "r": room.id, "m": old[1].id })).await.data();
    let of = |n: usize, on: bool| json!({ "m": old[n - 1].id, "on": on });
    let mention = |n: usize, users: Value| json!({ "m": old[n - 1].id, "b": format!("old {n}"), "users": users });
    let delete = documents::DELETE_MESSAGE;
    for (user, document, variables, from) in [
        (&kim, react, of(11, true), 11),
        (&kim, react, of(11, false), 11),
        (&ann, pin, of(9, true), 9),
        (&ann, crate::mentions::EDIT, mention(7, json!([kim.id])), 7),
        (&ann, crate::mentions::EDIT, mention(7, json!([])), 7),
        (&ann, pin, of(9, false), 9),
        // Its answer, which shows it, is behind it.
        (&ann, delete, json!({ "messageId": old[1].id }), 2),
    ] {
        let cursor = bob.sync_cursor().await;
        let mut model = Model::fetch(&bob).await;
        post_many(&ann, &room, 60).await;
        user.graphql(document, variables).await.data();
        // What happened later to a newer one doesn't hide it.
        kim.graphql(react, of(12, from % 2 == 0)).await.data();
        post_many(&ann, &room, 60).await;
        let missed = bob.subscribe_after(&cursor).await.until_synced().await;
        let newest = ann.messages(&room).await.last().expect("many").seq;
        assert_eq!(missed.iter().map(gap).collect::<Vec<_>>(), [(room.id.clone(), from, newest)], "{document}");
        model.apply_all(&bob, &missed).await;
        verify(&bob, &model).await;
    }
    // Of two on one side of the many, the older one counts, whichever was touched last.
    let cursor = bob.sync_cursor().await;
    kim.graphql(react, of(4, true)).await.data();
    ann.graphql(pin, of(3, true)).await.data();
    kim.graphql(react, of(10, true)).await.data();
    post_many(&ann, &room, 120).await;
    let missed = bob.subscribe_after(&cursor).await.until_synced().await;
    assert_eq!(missed[0].body["fromSeq"], 3);
}
