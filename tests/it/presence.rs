//! Who is online, and who is typing: told as it happens, and never again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use parlor::ephemeral::EphemeralLimits;
use serde_json::{Value, json};

use crate::support::{Answer, Event, Feed, Room, TestApp, TestUser, documents};

/// What is told of the moment, and messages as markers.
pub const LIVE: &str = "subscription Live($after: Cursor) { events(after: $after) { __typename cursor at
    ... on PresenceChanged { user { id presence { online lastSeenAt } } }
    ... on UserChanged { user { id displayName avatarUrl custom deactivatedAt } }
    ... on TypingChanged { room { id } user { id } isTyping }
    ... on MessagePosted { message { id seq body clientId createdAt editedAt deletedAt author { id } room { id } } } } }";

const SET_TYPING: &str = "mutation Typing($roomId: ID!) { setTyping(roomId: $roomId) { roomId } }";

const PRESENCE: &str = "query Presence($id: ID!) { user(id: $id) { presence { online lastSeenAt } } }";

/// So short that it passes during a test, and so long that nothing in one moment of a test takes as long.
const A_MOMENT: Duration = Duration::from_secs(2);

/// A server on which who goes is offline soon.
async fn quick() -> TestApp {
    limited(|limits| {
        limits.linger = Duration::from_millis(200);
        limits.typing = Duration::from_millis(200);
    })
    .await
}

async fn limited(limit: impl FnOnce(&mut EphemeralLimits)) -> TestApp {
    let mut limits = EphemeralLimits::default();
    limit(&mut limits);
    TestApp::start_with_limits(limits, |_| {}).await
}

/// A device of the user that shows what is told of the moment.
pub async fn watch(user: &TestUser) -> Feed {
    let mut feed = Feed::open(user.socket().await, LIVE, json!({})).await;
    feed.until_synced().await;
    feed
}

pub async fn set_typing(user: &TestUser, room: &Room) -> Answer {
    user.graphql(SET_TYPING, json!({ "roomId": room.id })).await
}

/// Whether the user is online, and when last seen, as anybody is told who asks.
pub async fn presence(asked_by: &TestUser, user: &TestUser) -> (bool, Option<DateTime<Utc>>) {
    shown(&asked_by.graphql(PRESENCE, json!({ "id": user.id })).await["/user"])
}

fn shown(user: &Value) -> (bool, Option<DateTime<Utc>>) {
    let last_seen = user["presence"]["lastSeenAt"].as_str();
    let last_seen = last_seen.map(|at| DateTime::parse_from_rfc3339(at).expect("times are RFC 3339").to_utc());
    (user["presence"]["online"].as_bool().expect("online is a boolean"), last_seen)
}

/// The next event of all, which must be that this user came or went; when last seen.
pub async fn expect_presence(feed: &mut Feed, user: &TestUser, online: bool) -> Option<DateTime<Utc>> {
    let event = feed.next_of_all().await;
    assert_eq!(event.kind, "PresenceChanged", "{event:#?}");
    assert_eq!(event.body["user"]["id"], user.id, "{event:#?}");
    let (is_online, last_seen) = shown(&event.body["user"]);
    assert_eq!(is_online, online, "{event:#?}");
    last_seen
}

/// The next event but for presence, which must be that this user began or stopped typing there.
pub async fn expect_typing(feed: &mut Feed, user: &TestUser, room: &Room, is_typing: bool) {
    let Event { body, .. } = feed.next_of("TypingChanged").await;
    let expected = json!([user.id, room.id, is_typing]);
    assert_eq!(json!([body["user"]["id"], body["room"]["id"], body["isTyping"]]), expected, "{body:#}");
}

/// Shows that nothing has come, not even of presence.
async fn expect_nothing(feed: &mut Feed, poster: &TestUser, room: &Room) {
    let marker = poster.post(room, "marker").await;
    let event = feed.next_of_all().await;
    assert_eq!(event.kind, "MessagePosted", "expected nothing before the marker, got {event:#?}");
    assert_eq!(event.message().id, marker.id);
}

#[tokio::test]
async fn typing_is_told_to_every_socket_of_the_others_and_stops_by_itself() {
    let app = quick().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    let mut own = watch(&ann).await;
    let mut others = [watch(&bob).await, watch(&bob).await, watch(&eve).await];

    assert_eq!(set_typing(&ann, &room).await["/setTyping/roomId"], json!(room.id));

    for feed in &mut others {
        expect_typing(feed, &ann, &room, true).await;
        expect_typing(feed, &ann, &room, false).await;
    }
    let marker = ann.post(&room, "hello").await;
    own.expect_silence_until(&marker).await;
}

#[tokio::test]
async fn typing_again_is_no_news_and_a_post_ends_it_at_once() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = watch(&bob).await;

    for _ in 0..3 {
        set_typing(&ann, &room).await.data();
    }
    expect_typing(&mut feed, &ann, &room, true).await;
    let posted = ann.post(&room, "hello").await;

    feed.expect_silence_until(&posted).await;
    expect_typing(&mut feed, &ann, &room, false).await;
    set_typing(&ann, &room).await.data();
    expect_typing(&mut feed, &ann, &room, true).await;
    bob.post(&room, "what?").await;
    assert_eq!(feed.next_message().await.body, "what?", "a post of another ends nothing");
    let other = ann.post(&room, "bye").await;
    feed.expect_silence_until(&other).await;
    expect_typing(&mut feed, &ann, &room, false).await;
}

#[tokio::test]
async fn in_a_large_room_nobody_is_told_of_typing_or_presence() {
    let app = limited(|limits| limits.max_members = 2).await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let large = ann.initiate_chat([&bob, &eve]).await;
    let small = ann.initiate_chat([&bob]).await;
    let mut feed = watch(&bob).await;
    let _eve = watch(&eve).await;
    let _ann = watch(&ann).await;

    expect_presence(&mut feed, &ann, true).await;
    assert_eq!(set_typing(&ann, &large).await["/setTyping/roomId"], json!(large.id));
    set_typing(&ann, &small).await.data();
    expect_typing(&mut feed, &ann, &small, true).await;
}

#[tokio::test]
async fn only_members_type() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob]).await;
    bob.leave(&room).await;

    for stranger in [&bob, &eve] {
        let answer = set_typing(stranger, &room).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("NOT_FOUND", "roomId"));
    }
    let answer = app.anonymous(SET_TYPING, json!({ "roomId": room.id })).await;
    assert_eq!(answer.error_code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn phone_and_laptop_are_one_presence() {
    let app = quick().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    ann.initiate_chat([&bob, &eve]).await;
    let mut feed = watch(&ann).await;

    let phone = watch(&bob).await;
    assert_eq!(expect_presence(&mut feed, &bob, true).await, None);
    let laptop = bob.sign_in().await.socket().await;
    drop(phone);
    // Longer gone than the phone is nobody but eve.
    drop(watch(&eve).await);
    expect_presence(&mut feed, &eve, true).await;
    expect_presence(&mut feed, &eve, false).await;
    assert_eq!(presence(&ann, &bob).await, (true, None));

    let before = app.clock().now();
    laptop.close().await;
    let last_seen = expect_presence(&mut feed, &bob, false).await;
    assert!(last_seen >= Some(before), "last seen at {last_seen:?}, and had not left at {before}");
    assert_eq!(presence(&ann, &bob).await, (false, last_seen));
}

#[tokio::test]
async fn who_reconnects_in_time_was_never_offline() {
    let app = limited(|limits| limits.linger = A_MOMENT).await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    ann.initiate_chat([&bob, &eve]).await;
    let mut feed = watch(&ann).await;
    let bobs = watch(&bob).await;
    expect_presence(&mut feed, &bob, true).await;

    drop(bobs);
    let _bobs = watch(&bob).await;
    drop(watch(&eve).await);

    expect_presence(&mut feed, &eve, true).await;
    // That bob went would be told before this.
    expect_presence(&mut feed, &eve, false).await;
    assert_eq!(presence(&ann, &bob).await, (true, None));
}

#[tokio::test]
async fn when_somebody_was_last_seen_outlasts_the_server() {
    let mut app = quick().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    ann.initiate_chat([&bob]).await;
    assert_eq!(presence(&ann, &bob).await, (false, None), "never seen so far");
    let mut feed = watch(&ann).await;
    let bobs = watch(&bob).await;
    expect_presence(&mut feed, &bob, true).await;
    assert_eq!(presence(&eve, &bob).await, (true, None));
    drop(bobs);
    let last_seen = expect_presence(&mut feed, &bob, false).await;
    assert!(last_seen.is_some());

    let before = app.clock().now();
    app.restart().await;

    assert_eq!(presence(&eve, &bob).await, (false, last_seen));
    let (online, last_seen) = presence(&eve, &ann).await;
    assert!(!online && last_seen >= Some(before), "seen until the server stopped: {last_seen:?}");
}

#[tokio::test]
async fn of_whom_one_shares_no_room_with_nothing_is_told() {
    let app = quick().await;
    let [ann, bob, eve, dan] = app.users(["ann", "bob", "eve", "dan"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let apart = dan.initiate_chat([&eve]).await;
    let (mut anns, mut eves) = (watch(&ann).await, watch(&eve).await);
    let former = ann.initiate_chat([&bob, &eve]).await;
    eve.leave(&former).await;
    eves.until(|event| event.kind == "RoomLeft").await;

    let bobs = watch(&bob).await;
    anns.until(|event| event.kind == "MemberLeft").await;
    expect_presence(&mut anns, &bob, true).await;
    set_typing(&bob, &room).await.data();
    expect_typing(&mut anns, &bob, &room, true).await;
    expect_typing(&mut anns, &bob, &room, false).await;
    drop(bobs);
    expect_presence(&mut anns, &bob, false).await;

    expect_nothing(&mut eves, &dan, &apart).await;
}

#[tokio::test]
async fn each_socket_is_told_once_however_many_rooms_are_shared_and_the_own_ones_never() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.initiate_chat([&bob, &eve]).await;
    let (mut first, mut second) = (watch(&ann).await, watch(&ann).await);
    let mut bobs = watch(&bob).await;

    for feed in [&mut first, &mut second] {
        expect_presence(feed, &bob, true).await;
    }
    let mut laptop = watch(&bob).await;
    let marker = bob.post(&room, "marker").await;
    for feed in [&mut first, &mut second, &mut bobs, &mut laptop] {
        let mut event = feed.next_of_all().await;
        // That ann is online may only now be told, to bob.
        while event.kind == "PresenceChanged" && event.body["user"]["id"] == ann.id {
            event = feed.next_of_all().await;
        }
        assert_eq!(event.kind, "MessagePosted", "expected nothing before the marker, got {event:#?}");
        assert_eq!(event.message().id, marker.id);
    }
}

#[tokio::test]
async fn what_lasts_for_a_moment_is_not_replayed_and_moves_no_cursor_past_a_message() {
    let app = quick().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = watch(&ann).await;
    let begin = ann.post(&room, "first").await;
    feed.expect_silence_until(&begin).await;
    let bobs = watch(&bob).await;
    let told = feed.next_of_all().await;
    assert_eq!(told.kind, "PresenceChanged");
    set_typing(&bob, &room).await.data();
    expect_typing(&mut feed, &bob, &room, true).await;
    let missed = bob.post(&room, "missed").await;
    drop(feed);

    let mut feed = Feed::open(ann.socket().await, LIVE, json!({ "after": told.cursor })).await;
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "Synced") {
        let event = feed.next_of_all().await;
        if event.kind == "MessagePosted" {
            assert_eq!(event.message().id, missed.id);
        }
        kinds.push(event.kind);
    }
    assert_eq!(kinds, ["MessagePosted", "Synced"]);
    drop(bobs);
}

#[tokio::test]
async fn a_subscription_to_messages_is_told_of_nothing_else() {
    let app = quick().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let from = json!({ "roomId": room.id, "after": ann.sync_cursor().await });
    let mut messages = Feed::open(ann.socket().await, documents::MESSAGE_POSTED, from).await;
    let mut events = watch(&ann).await;
    ann.post(&room, "first").await;
    assert_eq!(messages.next_data().await["messagePosted"]["body"], "first");
    events.next_of("MessagePosted").await;

    let bobs = watch(&bob).await;
    expect_presence(&mut events, &bob, true).await;
    set_typing(&bob, &room).await.data();
    expect_typing(&mut events, &bob, &room, true).await;
    bob.post(&room, "last").await;

    assert_eq!(messages.next_data().await["messagePosted"]["body"], "last");
    drop(bobs);
}

#[tokio::test]
async fn typing_ends_when_the_typist_leaves_or_is_gone() {
    let app = limited(|limits| limits.typing = Duration::from_hours(1)).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (room, other) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&bob, &app.user("eve").await]).await);
    let mut feed = watch(&bob).await;

    for room in [&room, &other] {
        set_typing(&ann, room).await.data();
        expect_typing(&mut feed, &ann, room, true).await;
    }
    ann.leave(&room).await;
    expect_typing(&mut feed, &ann, &room, false).await;

    let (phone, laptop) = (watch(&ann).await, watch(&ann).await);
    drop(phone);
    // Typing goes on as long as there is a socket, and is no news.
    set_typing(&ann, &other).await.data();
    let marker = bob.post(&other, "marker").await;
    feed.expect_silence_until(&marker).await;
    drop(laptop);
    expect_typing(&mut feed, &ann, &other, false).await;
    // Who has none from the beginning may type all the same.
    set_typing(&ann, &other).await.data();
    expect_typing(&mut feed, &ann, &other, true).await;
}
