//! Where a client resumes: by which cursor, given how, and what happens to one that can't be replayed from.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Endpoint, Event, Feed, Room, SUBPROTOCOL, Socket, TestApp, TestUser, documents};

/// Resumes by these cursors: of the connection, of the subscription's extensions, and of its argument.
async fn resumed(user: &TestUser, [init, extension, argument]: [Option<&str>; 3]) -> Feed {
    let socket = Socket::connect(user.endpoint(), Some(&user.access_token), init).await;
    let extensions = json!({ "after": extension });
    Feed::open_with(socket, documents::EVENTS, json!({ "after": argument }), extensions).await
}

fn posted(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.message().seq).collect()
}

/// Five posts, and the cursor before the first and after each.
async fn five_posts(app: &TestApp) -> ([TestUser; 2], Room, Vec<String>) {
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;
    let mut cursors = vec![bob.sync_cursor().await];
    for n in 1..=5 {
        ann.post(&room, &format!("{n}")).await;
        cursors.push(feed.next_of("MessagePosted").await.cursor);
    }
    ([ann, bob], room, cursors)
}

#[tokio::test]
async fn the_argument_is_before_the_extension_and_that_before_the_connection() {
    let app = TestApp::start().await;
    let ([_, bob], _, cursors) = five_posts(&app).await;
    let at = |n: usize| Some(&*cursors[n]);

    for (asked, first) in [
        ([None, None, at(0)], 1),
        ([None, at(1), None], 2),
        ([at(2), None, None], 3),
        ([at(1), None, at(3)], 4),
        ([at(3), None, at(1)], 2),
        ([None, at(1), at(3)], 4),
        ([None, at(3), at(1)], 2),
        ([at(4), at(1), None], 2),
        ([at(1), at(4), None], 5),
        ([at(0), at(2), at(4)], 5),
        ([at(4), at(2), at(0)], 1),
        ([at(5), at(5), at(5)], 6),
        ([Some(""), None, at(3)], 4),
        ([Some(""), None, None], 6),
    ] {
        let mut feed = resumed(&bob, asked).await;
        assert_eq!(posted(&feed.until_synced().await), (first..=5).collect::<Vec<_>>(), "{asked:?}");
        let synced = feed.cursor.as_deref().expect("events carry cursors");
        assert_eq!(app.place(synced), app.place(&cursors[5]), "Synced stands where the last event does");
    }
}

#[tokio::test]
async fn what_was_answered_lies_behind_the_next_cursor_and_comes_before_synced() {
    const POST: &str = "mutation($id: ID!) { postMessage(roomId: $id, body: \"hello\") { __typename } }";
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    // Who is shown the post makes the hub look up what it shows.
    let mut feed = bob.subscribe().await;
    let before = bob.sync_cursor().await;

    let held = app.hold_all_reads().await;
    ann.graphql(POST, json!({ "id": room.id })).await.data();
    let mut resumed = bob.subscribe_after(&before).await;
    let release = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(held);
    };
    let (cursor, missed, ()) = tokio::join!(bob.sync_cursor(), resumed.until_synced(), release);

    assert_eq!(posted(&missed), [1]);
    assert_eq!(app.place(&cursor), app.place(&feed.next_of("MessagePosted").await.cursor));
}

#[tokio::test]
async fn what_happens_between_a_query_and_the_subscription_is_not_lost() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "seen by the query").await;
    let document = "query($id: ID!) { room(id: $id) { messages(last: 9) { nodes { seq } } } syncCursor }";
    let answer = bob.graphql(document, json!({ "id": room.id })).await;
    assert_eq!(answer.list("/room/messages/nodes").len(), 1);

    let between = ann.post(&room, "in between").await;
    let mut feed = bob.subscribe_after(answer.text("/syncCursor")).await;

    let missed = feed.until_synced().await;
    assert_eq!(missed.iter().map(Event::message).collect::<Vec<_>>(), [between]);
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused_by_name() {
    let app = TestApp::start().await;
    let [bob] = app.users(["bob"]).await;
    for wrong in ["garbage", "AQ", "AgAAAAAAAAAAAAAAAA", "-1", "\u{1F600}"] {
        let mut socket = bob.socket().await;
        let id = socket.subscribe(documents::EVENTS, &json!({ "after": wrong })).await;
        let refusal = socket.next_json().await;
        assert_eq!((&refusal["type"], &refusal["id"]), (&json!("error"), &json!(id)), "{refusal:#}");
        assert_eq!(refusal["payload"][0]["extensions"], json!({ "code": "BAD_USER_INPUT", "field": "after" }));

        let (code, reason) = init_with(app.endpoint(), &bob, &json!(wrong)).await;
        assert_eq!(code, 4400, "{reason}");
        assert!(!reason.is_empty() && !reason.contains(wrong), "{reason}");
    }
    assert_eq!(init_with(app.endpoint(), &bob, &json!(1)).await.0, 4400);
}

async fn init_with(endpoint: &Endpoint, user: &TestUser, after: &Value) -> (u16, String) {
    let mut socket = Socket::open(endpoint, Some(SUBPROTOCOL)).await;
    let payload = json!({ "authorization": format!("Bearer {}", user.access_token), "after": after });
    socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
    socket.next_close().await
}

/// Resumes from the cursor and expects to be told why that can't be, and then to be live all the same.
async fn expect_resync(app: &TestApp, [poster, user]: &[TestUser; 2], room: &Room, cursor: &str, reason: &str) {
    let mut feed = user.subscribe_after(cursor).await;
    let resync = feed.next_of("ResyncRequired").await;
    assert_eq!(resync.body["resyncBecause"], reason);
    assert_eq!(app.place(&feed.next_of("Synced").await.cursor), app.place(&resync.cursor));
    let live = poster.post(room, "live again").await;
    feed.expect_silence_until(&live).await;

    // Whoever has fetched everything anew goes on from there as if nothing had been.
    let mut again = user.subscribe_after(&resync.cursor).await;
    assert_eq!(again.until_synced().await.iter().map(Event::message).collect::<Vec<_>>(), [live]);
}

#[tokio::test]
async fn a_cursor_ahead_of_the_log_needs_a_resync() {
    let mut app = TestApp::start().await;
    let (users, room, cursors) = five_posts(&app).await;
    app.stop().await;
    // A message is found at the position at which it was posted, so there is none beyond the log.
    app.execute("DELETE FROM message WHERE position > (SELECT max(position) FROM event) - 2").await;
    app.execute("DELETE FROM event WHERE position > (SELECT max(position) FROM event) - 2").await;
    app.resume().await;

    expect_resync(&app, &users, &room, &cursors[5], "AHEAD").await;
}

#[tokio::test]
async fn a_cursor_of_another_history_needs_a_resync() {
    let mut app = TestApp::start().await;
    let (users, room, cursors) = five_posts(&app).await;
    app.stop().await;
    app.execute("UPDATE event SET tag = tag + 1 WHERE position = (SELECT max(position) FROM event) - 1").await;
    app.resume().await;

    expect_resync(&app, &users, &room, &cursors[4], "FOREIGN").await;
}

#[tokio::test]
async fn a_cursor_at_the_head_of_another_history_needs_a_resync() {
    let mut app = TestApp::start().await;
    let (users, room, cursors) = five_posts(&app).await;
    app.stop().await;
    app.execute("UPDATE event SET tag = tag + 1 WHERE position = (SELECT max(position) FROM event)").await;
    app.resume().await;

    expect_resync(&app, &users, &room, &cursors[5], "FOREIGN").await;
}

#[tokio::test]
async fn a_cursor_older_than_the_log_needs_a_resync() {
    let mut app = TestApp::start().await;
    let (users, room, cursors) = five_posts(&app).await;
    app.stop().await;
    app.execute("DELETE FROM event WHERE position < (SELECT max(position) FROM event) - 2").await;
    app.resume().await;

    expect_resync(&app, &users, &room, &cursors[2], "EXPIRED").await;
    // The oldest event that is kept is as good as any.
    let mut feed = users[1].subscribe_after(&cursors[3]).await;
    assert_eq!(posted(&feed.until_synced().await), [4, 5, 6]);
}

#[tokio::test]
async fn more_of_ones_own_than_is_replayed_needs_a_resync() {
    const TOGGLE_FIVE_TIMES: &str = "mutation($id: ID!, $a: Boolean!, $b: Boolean!) {
        a: muteRoom(roomId: $id, muted: $a) { __typename } b: muteRoom(roomId: $id, muted: $b) { __typename }
        c: muteRoom(roomId: $id, muted: $a) { __typename } d: muteRoom(roomId: $id, muted: $b) { __typename }
        e: muteRoom(roomId: $id, muted: $a) { __typename } }";
    let app = TestApp::start().await;
    let (users, room, cursors) = five_posts(&app).await;
    for n in 0..201 {
        let variables = json!({ "id": room.id, "a": n % 2 == 0, "b": n % 2 == 1 });
        users[1].graphql(TOGGLE_FIVE_TIMES, variables).await.data();
    }

    expect_resync(&app, &users, &room, &cursors[5], "TOO_MUCH").await;
}
