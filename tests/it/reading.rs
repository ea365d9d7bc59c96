//! Reading: marks, receipts and unread counts.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Feed, Message, Room, TestApp, TestUser, documents};

mod counted;

/// Who has read each message, by `seq`, and when.
async fn receipts(user: &TestUser, room: &Room) -> Vec<Vec<(String, DateTime<Utc>)>> {
    let answer = user.graphql(documents::READ_BY, json!({ "roomId": room.id })).await;
    let receipt = |receipt: &Value| {
        let at = receipt["readAt"].as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
        let user = receipt["user"]["id"].as_str().expect("a reader is a user");
        (user.to_owned(), at.expect("a receipt has a time").to_utc())
    };
    let of_message =
        |message: &Value| message["readBy"].as_array().expect("receipts are a list").iter().map(receipt).collect();
    answer.list("/room/messages/nodes").iter().map(of_message).collect()
}

#[tokio::test]
async fn a_mark_never_moves_back() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 1..=5 {
        ann.post(&room, &format!("message {n}")).await;
    }
    assert_eq!(bob.unread(&room).await, (5, 0));

    let answer = bob.mark_read(&room, 3).await;
    assert_eq!(answer["/markRead/room/viewer"], json!({ "unreadCount": 2, "lastReadSeq": 3, "muted": false }));
    for lower in [0, 2, 3] {
        bob.mark_read(&room, lower).await;
        assert_eq!(bob.unread(&room).await, (2, 3), "{lower}");
    }
    bob.mark_read(&room, 5).await;
    assert_eq!(bob.unread(&room).await, (0, 5));
}

#[tokio::test]
async fn a_mark_beyond_the_newest_message_is_refused_by_field() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "only one").await;

    for seq in [2, -1, i32::MAX, i32::MIN] {
        let answer = bob.graphql(documents::MARK_READ, json!({ "roomId": room.id, "seq": seq })).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "seq"), "{seq}");
    }
    assert_eq!(bob.unread(&room).await, (1, 0));
}

#[tokio::test]
async fn posting_counts_as_reading() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "one").await;
    ann.post(&room, "two").await;

    bob.post(&room, "three").await;

    assert_eq!(bob.unread(&room).await, (0, 3));
    assert_eq!(ann.unread(&room).await, (1, 2));
}

/// Posts what was written when `seen` was the last message that the user had seen.
async fn post_late(user: &TestUser, room: &Room, seen: usize, client_id: Option<&str>) -> Message {
    let body = format!("written after {seen}");
    let variables = json!({ "roomId": room.id, "body": body, "seenSeq": seen, "clientId": client_id });
    Message::of(&user.graphql(documents::POST_LATE, variables).await["/postMessage/message"])
}

#[tokio::test]
async fn a_post_that_waited_marks_only_what_was_seen_before_it() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 1..=3 {
        ann.post(&room, &format!("message {n}")).await;
    }

    let posted = post_late(&bob, &room, 1, Some("late")).await;
    assert_eq!((posted.seq, bob.unread(&room).await), (4, (2, 1)));
    assert_eq!(post_late(&bob, &room, 1, Some("late")).await, posted, "it is posted once");
    assert_eq!(bob.unread(&room).await, (2, 1));
    let read: Vec<usize> = receipts(&ann, &room).await.iter().map(Vec::len).collect();
    assert_eq!(read, [1, 0, 0, 0], "the author of the messages sees the same");

    post_late(&bob, &room, 0, None).await;
    assert_eq!(bob.unread(&room).await, (2, 1), "a mark never moves back");
    bob.mark_read(&room, 3).await;
    assert_eq!(bob.unread(&room).await, (0, 3), "one's own are not unread");
    bob.delete(&posted).await;
    assert_eq!(bob.unread(&room).await, (0, 3), "nor are they counted twice when they are deleted");
    post_late(&bob, &room, 5, None).await;
    assert_eq!(bob.unread(&room).await, (0, 6), "all was seen");
    ann.post(&room, "message 7").await;
    post_late(&bob, &room, 99, None).await;
    assert_eq!(bob.unread(&room).await, (0, 8), "what isn't there yet can't have been missed");
    ann.post(&room, "message 9").await;
    bob.post(&room, "without a word").await;
    assert_eq!(bob.unread(&room).await, (0, 10));
    let refused = json!({ "roomId": room.id, "body": "x", "seenSeq": -1 });
    let refused = bob.graphql(documents::POST_LATE, refused).await;
    assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "seenSeq"));
}

#[tokio::test]
async fn a_deleted_message_is_not_unread() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let first = ann.post(&room, "one").await;
    ann.post(&room, "two").await;
    let third = ann.post(&room, "three").await;

    ann.delete(&third).await;
    assert_eq!(bob.unread(&room).await, (2, 0));
    bob.mark_read(&room, 1).await;
    ann.delete(&first).await;
    assert_eq!(bob.unread(&room).await, (1, 1), "one that was read counts no less");
}

#[tokio::test]
async fn a_message_tells_who_read_it_and_when_they_first_did() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    for n in 1..=3 {
        ann.post(&room, &format!("message {n}")).await;
    }
    let start = app.clock().now();
    bob.mark_read(&room, 2).await;
    app.clock().advance(TimeDelta::seconds(60));
    bob.mark_read(&room, 3).await;
    app.clock().advance(TimeDelta::seconds(60));
    eve.post(&room, "what did I miss?").await;

    let receipts = receipts(&ann, &room).await;

    let readers = |seq: usize| receipts[seq - 1].iter().map(|(user, _)| user.as_str()).collect::<Vec<_>>();
    assert_eq!(
        (1..=4).map(readers).collect::<Vec<_>>(),
        [vec![&*bob.id, &*eve.id], vec![&bob.id, &eve.id], vec![&bob.id, &eve.id], vec![],]
    );
    let minute = |seq: usize, reader: usize| (receipts[seq - 1][reader].1 - start).num_minutes();
    assert_eq!([minute(1, 0), minute(2, 0), minute(3, 0)], [0, 0, 1], "when bob first read as far");
    assert_eq!([minute(1, 1), minute(2, 1), minute(3, 1)], [2, 2, 2], "eve read by posting");
}

#[tokio::test]
async fn the_author_and_former_members_are_no_readers() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    ann.post(&room, "hello").await;
    join_all([&ann, &bob, &eve].map(|user| user.mark_read(&room, 1))).await;

    eve.leave(&room).await;

    let readers: Vec<String> = receipts(&bob, &room).await.remove(0).into_iter().map(|(user, _)| user).collect();
    assert_eq!(readers, [bob.id]);
}

#[tokio::test]
async fn a_room_too_large_for_receipts_shows_none_but_counts_all_the_same() {
    let app = TestApp::start_with(|config| config.receipts_max_members = 2).await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (small, large) = tokio::join!(ann.initiate_chat([&bob]), ann.initiate_chat([&bob, &eve]));
    for room in [&small, &large] {
        ann.post(room, "hello").await;
        bob.mark_read(room, 1).await;
        assert_eq!(bob.unread(room).await, (0, 1));
    }

    assert_eq!(receipts(&ann, &small).await[0].len(), 1);
    assert_eq!(receipts(&ann, &large).await[0].len(), 0);
}

#[tokio::test]
async fn marks_that_race_end_at_the_highest() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 1..=20 {
        ann.post(&room, &format!("message {n}")).await;
    }

    join_all([7, 19, 3, 12, 1, 18, 19, 5].map(|seq| bob.mark_read(&room, seq))).await;

    assert_eq!(bob.unread(&room).await, (1, 19));
}

#[tokio::test]
async fn beyond_the_bound_of_receipts_nobody_is_told_how_far_others_have_read_by_any_way() {
    const WAYS: &str = "subscription Ways($after: Cursor) { events(after: $after) { __typename cursor
        ... on MessagePosted { authorMember { lastReadSeq } message { id } }
        ... on MemberJoined { lastReadSeq memberEdge { node { lastReadSeq } } }
        ... on ReadMarksMoved { marks { seq member { lastReadSeq } } } } }";
    let app = TestApp::start_with(|config| config.receipts_max_members = 3).await;
    let crowd = app.crowd("p", 4).await;
    let small = crowd[0].initiate_chat(&crowd[1..3]).await;
    let large = crowd[0].initiate_chat(&crowd[1..]).await;
    let members = "query($id: ID!) { room(id: $id) { viewer { lastReadSeq } members { nodes { lastReadSeq } } } }";

    for (room, told) in [(&small, json!(1)), (&large, Value::Null)] {
        crowd[0].post(room, "one").await;
        crowd[1].mark_read(room, 1).await;
        let cursor = crowd[0].sync_cursor().await;
        crowd[1].leave(room).await;
        crowd[1].initiate_chat(crowd.iter().take(if told.is_null() { 4 } else { 3 })).await;
        crowd[1].post(room, "two").await;
        let mut feed = Feed::open(crowd[0].socket().await, WAYS, json!({ "after": cursor })).await;
        let joined = feed.next_event().await;
        let joined = if joined.kind == "MemberLeft" { feed.next_event().await } else { joined };
        assert_eq!(joined.kind, "MemberJoined", "{joined:#?}");
        let mark = if told.is_null() { Value::Null } else { json!(2) };
        assert_eq!(joined.body["lastReadSeq"], mark, "as it is now: {joined:#?}");
        assert_eq!(joined.body["memberEdge"]["node"]["lastReadSeq"], joined.body["lastReadSeq"]);
        let posted = feed.next_event().await;
        assert_eq!(posted.kind, "MessagePosted");
        assert_eq!(posted.body["authorMember"]["lastReadSeq"], if told.is_null() { Value::Null } else { json!(2) });
        if !told.is_null() {
            crowd[0].mark_read(room, 2).await;
            let moved = feed.until(|event| event.kind == "ReadMarksMoved").await.pop().expect("it came");
            assert_eq!(moved.body["marks"][0]["member"]["lastReadSeq"], 2);
        }

        let answer = crowd[1].graphql(members, json!({ "id": room.id })).await;
        assert_eq!(answer["/room/viewer/lastReadSeq"], 2);
        let nodes = answer.list("/room/members/nodes");
        assert!(nodes.iter().all(|node| node["lastReadSeq"].is_null() == told.is_null()), "{nodes:#?}");
    }
}

#[tokio::test]
async fn a_mark_in_a_room_that_is_gone_is_not_found_whatever_it_says() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (left, deleted) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&bob, &eve]).await);
    for room in [&left, &deleted] {
        ann.post(room, "one").await;
    }
    bob.leave(&left).await;
    ann.delete_room(&deleted).await;
    app.prune().await;

    for room in [&left, &deleted] {
        for seq in [0, 1, 2, -1, i32::MAX] {
            let answer = bob.graphql(documents::MARK_READ, json!({ "roomId": room.id, "seq": seq })).await;
            assert_eq!((answer.error_code(), answer.error_field()), ("NOT_FOUND", "roomId"), "{seq}");
        }
    }
}
