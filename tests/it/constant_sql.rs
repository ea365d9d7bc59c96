//! Lists cost a constant number of SQL statements, whatever their length.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Statements, TestApp, TestUser};

mod around;

/// Rooms with everything that a list of conversations shows, and more.
const CONVERSATIONS: &str = "query Conversations($after: String) { rooms(first: 100, after: $after) {
  nodes {
    id type lastActivityAt initiator { id username }
    members(first: 5) { nodes { user { id displayName presence { online lastSeenAt } } joinedAt lastReadSeq } }
    lastMessage { id seq body author { id displayName } room { id } readBy { user { id } readAt } }
    messages(last: 3) { nodes { seq author { id } readBy { readAt } } }
    viewer { unreadCount lastReadSeq muted }
  }
  pageInfo { hasNextPage endCursor } } }";

/// Takes nothing else from the database than the append.
const POST: &str = "mutation($id: ID!) { postMessage(roomId: $id, body: \"hello\") { message { id } } }";

/// Opens a room with every two of `others`, up to `count` of them, and has somebody post to each.
async fn converse(user: &TestUser, others: &[TestUser], count: usize) {
    let pairs = (0..others.len()).flat_map(|a| (a + 1..others.len()).map(move |b| (a, b)));
    let pairs: Vec<_> = pairs.take(count).collect();
    // As many as one transaction opens well within its time, on a machine that has other things to do.
    for pairs in pairs.chunks(60) {
        join_all(pairs.iter().map(|&(a, b)| async move {
            let room = user.initiate_chat([&others[a], &others[b]]).await;
            let message = others[a].post(&room, "hello").await;
            if a % 2 == 0 {
                user.mark_read(&room, message.seq).await;
            }
        }))
        .await;
    }
}

/// Statements that one page of conversations takes, and the page.
async fn statements(ran: &mut Statements, user: &TestUser, after: &Value) -> (usize, Value) {
    ran.texts();
    let answer = user.graphql(CONVERSATIONS, json!({ "after": after })).await;
    (ran.texts().len(), answer["/rooms"].clone())
}

#[tokio::test]
async fn three_hundred_rooms_take_as_many_statements_as_ten() {
    // The tail must not run statements of its own in between.
    let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let ([few, many], others) = tokio::join!(app.users(["few", "many"]), app.crowd("p", 25));
    converse(&few, &others, 10).await;
    converse(&many, &others, 300).await;

    few.sync_cursor().await;
    many.sync_cursor().await;
    let mut ran = app.watch_statements();
    let (for_ten, ten) = statements(&mut ran, &few, &Value::Null).await;
    assert_eq!(ten["nodes"].as_array().map(Vec::len), Some(10));
    assert!(for_ten >= 4, "the statements are counted");

    let (mut rooms, mut after) = (0, Value::Null);
    loop {
        let (for_a_page, page) = statements(&mut ran, &many, &after).await;
        assert_eq!(for_a_page, for_ten, "after {rooms} rooms");
        rooms += page["nodes"].as_array().map_or(0, Vec::len);
        if page["pageInfo"]["hasNextPage"] != true {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(rooms, 300);
}

#[tokio::test]
async fn hidden_rooms_come_back_by_as_many_statements_however_many_are_posted_to() {
    let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let bob = app.user("bob").await;
    let others = app.crowd("p", 24).await;
    let rooms = join_all(others.iter().map(|other| other.initiate_chat([&bob]))).await;
    let mut taken = Vec::new();
    for count in [4, 24] {
        for room in &rooms {
            bob.leave(room).await;
        }
        let before = app.metric("parlor_sql_statements_total").await;
        let held = app.hold_writes().await;
        let posts = others.iter().zip(&rooms).take(count);
        let posts = join_all(posts.map(async |(other, room)| {
            other.graphql(POST, json!({ "id": room.id })).await.data();
        }));
        let release = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            held.rollback().await.expect("the lock is let go");
        };
        tokio::join!(posts, release);
        taken.push(app.metric("parlor_sql_statements_total").await - before);
        assert_eq!(bob.rooms().await.len(), count);
        for (other, room) in others.iter().zip(&rooms).skip(count) {
            other.post(room, "so that all are back").await;
        }
    }
    // The first may be taken alone, before the others have queued.
    assert!(taken[1] <= taken[0] + 16.0, "{taken:?}");
}
