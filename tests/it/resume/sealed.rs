//! What cursors say to those who don't know the secret: nothing.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parlor::position::{Cursor, CursorText, Position};
use serde_json::json;

use crate::support::{Event, Feed, Socket, TestApp, TestUser, documents};

/// The first form of a cursor, which anybody can make.
fn plain(position: i64, tag: u32) -> String {
    CursorText::Plain(Cursor { position: Position(position), tag: tag.into() }).to_string()
}

/// What the first events say after resuming by these cursors, of the connection and of the subscription's argument.
async fn answer(user: &TestUser, init: Option<&str>, after: Option<&str>) -> Vec<String> {
    let socket = Socket::connect(user.endpoint(), Some(&user.access_token), init).await;
    let mut feed = Feed::open(socket, documents::EVENTS, json!({ "after": after })).await;
    let first = feed.next_event().await;
    if first.kind != "ResyncRequired" {
        return vec![first.kind];
    }
    let reason = first.body["resyncBecause"].as_str().expect("a reason").to_owned();
    vec![first.kind, reason, feed.next_event().await.kind]
}

/// The one answer to what isn't a cursor of this server, but looks like one.
const UNREADABLE: [&str; 3] = ["ResyncRequired", "FOREIGN", "Synced"];

#[tokio::test]
async fn a_stranger_learns_nothing_of_private_messages_between_two_cursors() {
    let app = TestApp::start().await;
    let [ann, bob, stranger] = app.users(["ann", "bob", "stranger"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut asked: Vec<Vec<String>> = Vec::new();
    for posts in [7, 1, 0] {
        let mut cursors = Vec::new();
        for _ in 0..20 {
            cursors.push(stranger.sync_cursor().await);
        }
        asked.push(cursors);
        for n in 0..posts {
            ann.post(&room, &format!("private {n}")).await;
        }
    }
    let mut feed = stranger.subscribe_after(&stranger.sync_cursor().await).await;
    feed.until_synced().await;
    asked.push(vec![stranger.sync_cursor().await, feed.cursor.expect("Synced has one")]);

    // Those who know the secret can tell, so there is something to be kept.
    let places: Vec<i64> = asked.iter().map(|cursors| app.place(&cursors[0]).position.0).collect();
    assert_eq!(places.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>(), [7, 1, 0]);
    // The others can't even tell whether two cursors are of one place.
    let texts: BTreeSet<&String> = asked.iter().flatten().collect();
    assert_eq!(texts.len(), asked.iter().map(Vec::len).sum::<usize>(), "each text is another");
    for text in texts {
        assert!(matches!(text.parse(), Ok(CursorText::Sealed(..))), "{text} can be read without the secret");
    }
}

#[tokio::test]
async fn the_cursor_of_an_event_is_one_text_for_all_who_receive_it() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let before = ann.sync_cursor().await;
    let (mut hers, mut his) = (ann.subscribe_after(&before).await, bob.subscribe().await);
    hers.until_synced().await;
    ann.post(&room, "hello").await;

    let live = [hers.next_of("MessagePosted").await.cursor, his.next_of("MessagePosted").await.cursor];
    let replayed = bob.subscribe_after(&before).await.next_of("MessagePosted").await.cursor;

    assert_eq!(live, [replayed.clone(), replayed]);
}

#[tokio::test]
async fn a_cursor_of_another_secret_needs_a_resync_and_nothing_else() {
    let mut app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;
    ann.post(&room, "hello").await;
    let cursor = feed.next_of("MessagePosted").await.cursor;

    app.stop().await;
    app.configure(|config| config.token_secret = Some("another secret, of at least 32 bytes".into()));
    app.resume().await;
    let (ann, bob) = (ann.sign_in().await, bob.sign_in().await);

    assert_eq!(answer(&bob, None, Some(&cursor)).await, UNREADABLE);
    assert_eq!(answer(&bob, Some(&cursor), None).await, UNREADABLE);
    let mut feed = bob.subscribe_after(&cursor).await;
    let fresh = feed.next_of("ResyncRequired").await.cursor;
    let posted = ann.post(&room, "on another secret").await;
    let mut again = bob.subscribe_after(&fresh).await;
    assert_eq!(again.until_synced().await.iter().map(Event::message).collect::<Vec<_>>(), [posted]);
    let refused = posts_after(&bob, &cursor).await;
    assert_eq!(refused, json!({ "code": "CONFLICT", "field": "after" }));
}

/// The extensions of the error with which `messagePosted` refuses this cursor.
async fn posts_after(user: &TestUser, cursor: &str) -> serde_json::Value {
    let mut socket = user.socket().await;
    socket.subscribe(documents::MESSAGE_POSTED, &json!({ "after": cursor })).await;
    socket.next_json().await["payload"][0]["extensions"].clone()
}

#[tokio::test]
async fn a_cursor_of_the_first_form_counts_while_the_log_holds_its_very_event() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;
    ann.post(&room, "seen").await;
    let seen = app.place(&feed.next_of("MessagePosted").await.cursor);
    let missed = ann.post(&room, "missed").await;
    let last = app.place(&feed.next_of("MessagePosted").await.cursor);
    let old = CursorText::Plain(seen).to_string();

    let mut resumed = bob.subscribe_after(&old).await;
    assert_eq!(resumed.until_synced().await.iter().map(Event::message).collect::<Vec<_>>(), [missed]);
    assert_eq!(answer(&bob, Some(&old), None).await, ["MessagePosted"]);

    app.prune().await;
    assert_eq!(answer(&bob, None, Some(&old)).await, UNREADABLE, "its event is no longer kept");
    // The last event is always kept.
    assert_eq!(answer(&bob, None, Some(&CursorText::Plain(last).to_string())).await, ["Synced"]);
}

#[tokio::test]
async fn made_up_cursors_get_one_answer_so_that_nobody_finds_the_end_of_the_log() {
    let app = TestApp::start().await;
    let [ann, bob, stranger] = app.users(["ann", "bob", "stranger"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 0..5 {
        ann.post(&room, &format!("private {n}")).await;
    }
    let own = stranger.sync_cursor().await;
    let end = app.place(&own).position.0;
    // The log has a beginning, too.
    app.execute("DELETE FROM event WHERE position = 1").await;

    for position in [0, 1, 2, end - 1, end, end + 1, end + 1_000, i64::MAX] {
        let made_up = plain(position, 7);
        for (init, after) in [(None, Some(&*made_up)), (Some(&*made_up), None), (Some(&*own), Some(&*made_up))] {
            assert_eq!(answer(&stranger, init, after).await, UNREADABLE, "{position}, by {init:?} and {after:?}");
        }
        assert_eq!(answer(&stranger, Some(&made_up), Some(&own)).await, ["Synced"], "only what counts is looked at");
        assert_eq!(posts_after(&stranger, &made_up).await, json!({ "code": "CONFLICT", "field": "after" }));
    }
}

#[tokio::test]
async fn the_cursors_of_pages_cannot_be_read_either() {
    const USERS: &str =
        "query($after: String) { users(first: 1, after: $after) { nodes { username } pageInfo { endCursor } } }";
    let mut app = TestApp::start().await;
    let [ann, _] = app.users(["ann", "bob"]).await;
    let page = async |user: &TestUser, after: Option<&str>| user.graphql(USERS, json!({ "after": after })).await;
    let first = page(&ann, None).await;
    let end = first.text("/users/pageInfo/endCursor").to_owned();
    let bytes = URL_SAFE_NO_PAD.decode(&end).expect("base64url");
    assert!(!bytes.windows(3).any(|bytes| bytes == b"ann"), "{bytes:?}");

    assert_eq!(page(&ann, Some(&end)).await.text("/users/nodes/0/username"), "bob");
    // The form that was given out before.
    assert_eq!(page(&ann, Some(&URL_SAFE_NO_PAD.encode("ann"))).await.text("/users/nodes/0/username"), "bob");

    app.stop().await;
    app.configure(|config| config.token_secret = Some("another secret, of at least 32 bytes".into()));
    app.resume().await;
    let refused = page(&ann.sign_in().await, Some(&end)).await;
    assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "after"));
}
