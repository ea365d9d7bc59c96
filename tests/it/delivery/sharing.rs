//! Rendering once for all who asked alike, and apart for each where the answer depends on who asks.

use futures_util::future::join_all;
use parlor::ephemeral::EphemeralLimits;
use serde_json::{Value, json};

use crate::support::{Feed, Frame, TestApp, TestUser, documents};

const WITH_VIEWER: &str = "subscription($after: Cursor) { events(after: $after) { __typename cursor
    ... on MessagePosted { message { seq room { id viewer { unreadCount lastReadSeq muted } } } } } }";

async fn twenty(users: [&TestUser; 2], document: &str) -> Vec<Feed> {
    join_all((0..20).map(|n| async move { users[n % 2].subscribe_to(document, json!({})).await })).await
}

/// A server that tells nobody who is there, which would be rendered too.
async fn quiet() -> TestApp {
    TestApp::start_with_limits(EphemeralLimits { max_members: 0, ..EphemeralLimits::default() }, |_| {}).await
}

/// How often something was rendered while `work` went on.
async fn renders(app: &TestApp, work: impl Future<Output = ()>) -> f64 {
    let before = app.metric("parlor_renders_total").await;
    work.await;
    app.metric("parlor_renders_total").await - before
}

fn assert_same(one: f64, other: f64) {
    assert!((one - other).abs() < f64::EPSILON, "expected {other}, got {one}");
}

#[tokio::test]
async fn each_viewer_is_shown_the_own_values() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = eve.initiate_chat([&ann, &bob]).await;
    for n in 0..3 {
        eve.post(&room, &format!("{n}")).await;
    }
    ann.mark_read(&room, 2).await;
    bob.mute(&room, true).await;
    let users = [&ann, &bob, &eve];
    let mut feeds = join_all(users.map(|user| user.subscribe_to(WITH_VIEWER, json!({})))).await;

    eve.post(&room, "one more").await;

    for (feed, (unread, read, muted)) in feeds.iter_mut().zip([(2, 2, false), (4, 0, true), (0, 4, false)]) {
        let viewer = feed.next_of("MessagePosted").await.body["message"]["room"]["viewer"].clone();
        assert_eq!(viewer, json!({ "unreadCount": unread, "lastReadSeq": read, "muted": muted }));
    }
}

#[tokio::test]
async fn an_event_is_rendered_once_for_twenty_sockets() {
    let app = quiet().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feeds = twenty([&ann, &bob], documents::EVENTS).await;
    assert_same(app.metric("parlor_render_groups").await, 1.0);

    for n in 0..3 {
        let rendered = renders(&app, async {
            let marker = ann.post(&room, &format!("{n}")).await;
            for feed in &mut feeds {
                feed.expect_silence_until(&marker).await;
            }
        });
        assert_same(rendered.await, 1.0);
    }
    let rendered = renders(&app, async {
        bob.mute(&room, true).await;
        for feed in feeds.iter_mut().skip(1).step_by(2) {
            feed.next_of("RoomMuted").await;
        }
    });
    assert_same(rendered.await, 1.0);
}

#[tokio::test]
async fn an_event_with_viewer_fields_is_rendered_once_for_each_user() {
    let app = quiet().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feeds = twenty([&ann, &bob], WITH_VIEWER).await;
    assert_same(app.metric("parlor_render_groups").await, 3.0);

    let rendered = renders(&app, async {
        ann.post(&room, "hello").await;
        for feed in &mut feeds {
            feed.next_of("MessagePosted").await;
        }
    });

    assert_same(rendered.await, 2.0);
}

#[tokio::test]
async fn what_a_document_asks_for_without_the_viewer_is_rendered_once_for_all_in_the_order_of_the_log() {
    const PARTLY: &str = "subscription($after: Cursor) { events(after: $after) { __typename cursor
        ... on MessagePosted { message { seq room { id viewer { unreadCount } } } }
        ... on MessageEdited { message { seq body } } } }";
    let app = quiet().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feeds = twenty([&ann, &bob], PARTLY).await;

    let rendered = renders(&app, async {
        for n in 1..=5 {
            let message = ann.post(&room, "hello").await;
            ann.edit(&message, &format!("edit {n}")).await;
        }
        for (at, feed) in feeds.iter_mut().enumerate() {
            for n in 1..=5 {
                let posted = feed.next_event().await;
                assert_eq!((posted.kind.as_str(), &posted.body["message"]["seq"]), ("MessagePosted", &json!(n)));
                let unread = if at % 2 == 0 { 0 } else { n };
                // It is counted when it is rendered, and later posts may have come by then.
                let shown = posted.body["message"]["room"]["viewer"]["unreadCount"].as_i64().expect("a number");
                assert!(shown >= unread && (at % 2 == 1 || shown == 0), "{shown} in event {n} of feed {at}");
                let edited = feed.next_event().await;
                assert_eq!((edited.kind.as_str(), &edited.body["message"]["seq"]), ("MessageEdited", &json!(n)));
            }
        }
    });

    // Each post once for each of the two, each edit once.
    assert_same(rendered.await, 15.0);
}

#[tokio::test]
async fn the_cursor_does_not_part_those_who_asked_alike_but_other_variables_do() {
    const DOCUMENT: &str =
        "subscription($after: Cursor, $full: Boolean = false) { events(after: $after) { __typename cursor
        ... on MessagePosted { message { seq body @include(if: $full) } } } }";
    let app = quiet().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let after = ann.sync_cursor().await;
    ann.post(&room, "missed").await;
    let mut feeds = Vec::new();
    for variables in [json!({}), json!({ "after": after }), json!({ "after": null }), json!({ "full": true })] {
        for extensions in [json!({}), json!({ "after": after })] {
            let mut feed = Feed::open_with(bob.socket().await, DOCUMENT, variables.clone(), extensions).await;
            feed.until_synced().await;
            feeds.push(feed);
        }
    }
    assert_same(app.metric("parlor_render_groups").await, 2.0);

    let rendered = renders(&app, async {
        ann.post(&room, "hello").await;
        for (n, feed) in feeds.iter_mut().enumerate() {
            let body = feed.next_of("MessagePosted").await.body["message"]["body"].clone();
            assert_eq!(body, if n >= 6 { json!("hello") } else { Value::Null });
        }
    });

    assert_same(rendered.await, 2.0);
}

#[tokio::test]
async fn a_group_ends_with_its_last_socket() {
    let app = quiet().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    ann.initiate_chat([&bob]).await;
    let mut feeds = twenty([&ann, &bob], documents::EVENTS).await;
    feeds.extend(twenty([&ann, &bob], WITH_VIEWER).await);
    assert_same(app.metric("parlor_render_groups").await, 4.0);
    assert_same(app.metric("parlor_subscriptions").await, 40.0);

    let open = feeds.split_off(20);
    let mut completed = join_all(open.into_iter().map(Feed::complete)).await;
    app.until_metric("parlor_render_groups", 1.0).await;
    app.until_metric("parlor_subscriptions", 20.0).await;
    assert_same(app.metric("parlor_sockets").await, 40.0);

    let last = feeds.pop();
    drop(feeds);
    app.until_metric("parlor_subscriptions", 1.0).await;
    assert_same(app.metric("parlor_render_groups").await, 1.0);

    drop(last);
    app.until_metric("parlor_render_groups", 0.0).await;
    app.until_metric("parlor_subscriptions", 0.0).await;
    app.until_metric("parlor_sockets", 20.0).await;
    completed.clear();
    app.until_metric("parlor_sockets", 0.0).await;
}

#[tokio::test]
async fn a_wrong_cursor_of_one_does_not_spoil_the_rendering_of_the_others() {
    let app = quiet().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    // The first of a group is refused while the second, sent at once, joins it: how they are taken in is up to chance.
    let mut sockets = Vec::new();
    for n in 0..20 {
        let mut socket = bob.socket().await;
        let document = format!("{} # group {n}", documents::EVENTS);
        let wrong = socket.subscribe(&document, &json!({ "after": "garbage" })).await;
        let right = socket.subscribe(&document, &json!({})).await;
        let frames = [socket.next_json().await, socket.next_json().await];
        let of = |id: &str| frames.iter().find(|frame| frame["id"] == *id).map(|frame| &frame["type"]);
        assert_eq!((of(&wrong), of(&right)), (Some(&json!("error")), Some(&json!("next"))), "{frames:#?}");
        sockets.push(socket);
    }

    let rendered = renders(&app, async {
        for n in 0..2 {
            ann.post(&room, &format!("{n}")).await;
        }
        for socket in &mut sockets {
            for n in 0..2 {
                let frame = socket.next_json().await;
                let body = frame.pointer("/payload/data/events/message/body");
                assert_eq!(body, Some(&json!(format!("{n}"))), "{frame:#}");
            }
        }
    });

    assert_same(rendered.await, 40.0);
    assert_same(app.metric("parlor_mailbox_overflows_total").await, 0.0);
}

#[tokio::test]
async fn what_is_wrong_with_a_field_is_told_in_the_event_and_the_stream_goes_on() {
    const DOCUMENT: &str = "subscription { events { __typename cursor
        ... on RoomJoined { room { id members(first: 1000) { nodes { joinedAt } } } } } }";
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let mut socket = bob.socket().await;
    let id = socket.subscribe(DOCUMENT, &json!({})).await;
    assert_eq!(socket.next_json().await["payload"]["data"]["events"]["__typename"], "Synced");

    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "hello").await;

    let joined = socket.next_json().await;
    assert_eq!((&joined["type"], &joined["id"]), (&json!("next"), &json!(id)), "{joined:#}");
    assert_eq!(joined["payload"]["errors"][0]["extensions"], json!({ "code": "BAD_USER_INPUT", "field": "first" }));
    let posted = socket.next_json().await;
    assert_eq!(posted["payload"]["data"]["events"]["__typename"], "MessagePosted", "{posted:#}");
}

#[tokio::test]
async fn a_completed_operation_is_followed_by_silence_and_its_id_is_free() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let feed = bob.subscribe().await;
    let mut socket = feed.complete().await;
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next_frame().await, Frame::Json(json!({ "type": "pong" })));
    ann.post(&room, "unheard").await;

    let subscribe = json!({ "query": documents::EVENTS });
    socket.send(&json!({ "id": "op1", "type": "subscribe", "payload": subscribe })).await;

    let synced = socket.next_json().await;
    assert_eq!(synced.pointer("/payload/data/events/__typename"), Some(&json!("Synced")), "{synced:#}");
}

#[tokio::test]
async fn an_event_of_which_nothing_was_selected_is_empty_and_not_null() {
    const DOCUMENT: &str = "subscription { events { ... on RoomMuted { room { id } } } }";
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    socket.subscribe(DOCUMENT, &json!({})).await;
    // `Synced`, of a type for which the document has no fragment.
    assert_eq!(socket.next_json().await["payload"], json!({ "data": { "events": {} } }));
}
