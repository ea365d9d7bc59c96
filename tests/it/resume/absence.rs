//! Being away while much happens, across a restart of the server.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Event, Feed, Frame, Model, Room, TestApp, TestUser, documents, verify};

/// A user who is away, with what was known when leaving.
struct Away<'u> {
    user: &'u TestUser,
    model: Model,
    cursor: String,
}

impl<'u> Away<'u> {
    async fn since_now(user: &'u TestUser) -> Self {
        let cursor = user.sync_cursor().await;
        Self { user, model: Model::fetch(user).await, cursor }
    }

    /// Comes back, and knows then what the server has. Answers what was missed.
    async fn come_back(mut self, document: &str) -> Vec<Event> {
        let after = json!({ "after": self.cursor });
        let mut feed = Feed::open(self.user.socket().await, document, after).await;
        let missed = feed.until_synced().await;
        self.model.apply_all(self.user, &missed).await;
        verify(self.user, &self.model).await;
        missed
    }
}

/// Rooms with a little history in each.
async fn history([ann, bob, eve]: [&TestUser; 3]) -> [Room; 4] {
    let all = ann.initiate_chat([bob, eve]).await;
    let rooms = [all, ann.initiate_chat([bob]).await, bob.initiate_chat([eve]).await, eve.initiate_chat([ann]).await];
    for room in &rooms[..3] {
        for n in 0..3 {
            let poster = if room == &rooms[2] || n == 1 { bob } else { ann };
            poster.post(room, &format!("history {n}")).await;
        }
    }
    rooms
}

/// Every kind of change: edits and deletions of old and new messages, joins, leaves, deleted rooms, mutes, marks.
async fn much_happens([ann, bob, eve]: [&TestUser; 3], [all, with_bob, bobs, eves]: &[Room; 4]) {
    let old = ann.messages(all).await;
    ann.edit(&old[0], "history, rewritten").await;
    bob.delete(&old[1]).await;
    bob.mute(all, true).await;
    let new = bob.post(all, "SECRET before the edit").await;
    bob.edit(&new, "edited").await;
    let gone = eve.post(all, "SECRET before the deletion").await;
    eve.delete(&gone).await;
    join_all([ann, bob, eve].map(|user| user.mark_read(all, 4))).await;
    eve.leave(all).await;
    ann.post(all, "behind eve's back").await;
    eve.initiate_chat([ann, bob]).await;
    eve.post(all, "back again").await;
    bob.leave(with_bob).await;
    ann.post(with_bob, "alone").await;
    bob.delete_room(bobs).await;
    ann.leave(eves).await;
    eve.post(eves, "alone").await;
    ann.initiate_chat([eve]).await;
    eve.post(eves, "no longer").await;
    let opened_and_gone = eve.initiate_chat([bob]).await;
    eve.post(&opened_and_gone, "for a moment").await;
    eve.delete_room(&opened_and_gone).await;
    let opened = bob.initiate_chat([eve]).await;
    bob.post(&opened, "a new room").await;
    ann.mute(eves, true).await;
    ann.mute(eves, false).await;
}

#[tokio::test]
async fn after_a_restart_every_kind_of_change_is_caught_up_with() {
    for document in [documents::EVENTS, documents::EVENTS_WITH_VIEWER] {
        let mut app = TestApp::start().await;
        let users = app.users(["ann", "bob", "eve"]).await;
        let [ann, bob, eve] = &users;
        let rooms = history([ann, bob, eve]).await;
        let mut away = Vec::new();
        for user in &users {
            away.push(Away::since_now(user).await);
        }
        app.restart().await;
        much_happens([ann, bob, eve], &rooms).await;
        app.restart().await;

        for user in away {
            let missed = user.come_back(document).await;
            assert!(missed.len() > 5, "expected to have missed a lot, got {missed:#?}");
        }
    }
}

#[tokio::test]
async fn a_socket_that_was_open_ends_with_a_restart_and_its_client_resumes() {
    let mut app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let rooms = history([&ann, &bob, &eve]).await;
    let mut feed = bob.subscribe().await;
    let mut model = Model::fetch(&bob).await;
    let seen = ann.post(&rooms[0], "seen").await;
    model.follow(&bob, &mut feed, &seen).await;

    app.restart().await;

    assert_eq!(feed.socket().until_close().await.0, 1012);
    let cursor = feed.cursor.expect("something was seen");
    much_happens([&ann, &bob, &eve], &rooms).await;
    Away { user: &bob, model, cursor }.come_back(documents::EVENTS).await;
}

#[tokio::test]
async fn deleted_and_replaced_text_is_never_replayed() {
    let mut app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let rooms = history([&ann, &bob, &eve]).await;
    let cursor = ann.sync_cursor().await;
    much_happens([&ann, &bob, &eve], &rooms).await;
    app.restart().await;

    for document in [documents::EVENTS, documents::MESSAGE_POSTED] {
        let mut socket = ann.socket().await;
        socket.subscribe(document, &json!({ "after": cursor })).await;
        let marker = eve.post(&rooms[0], "marker").await;
        let mut tombstones = 0;
        loop {
            let frame = socket.next_json().await;
            let text = frame.to_string();
            assert!(!text.contains("SECRET"), "text that is gone came again: {text}");
            assert_ne!(frame["type"], "error", "{text}");
            let data = &frame["payload"]["data"];
            let Some(message) = data.pointer("/events/message").or(data.pointer("/messagePosted")) else { continue };
            if message["id"] == *marker.id {
                break;
            }
            if !message["deletedAt"].is_null() {
                assert_eq!(message["body"], "");
                tombstones += 1;
            }
        }
        assert!(tombstones > 0, "what is left of a deleted message is replayed");
    }
}

#[tokio::test]
async fn a_member_who_left_is_replayed_the_end_and_nothing_after_it() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    let cursor = bob.sync_cursor().await;
    ann.post(&room, "before").await;
    bob.leave(&room).await;
    ann.post(&room, "SECRET after").await;

    let mut feed = bob.subscribe_after(&cursor).await;

    let missed = feed.until_synced().await;
    let last = missed.last().expect("the end at least");
    assert_eq!((&*last.kind, last.room_id(), &last.body["leftBecause"]), ("RoomLeft", room.id, &json!("LEFT")));
    let left_text = missed.iter().filter(|event| event.body.to_string().contains("SECRET"));
    assert_eq!(left_text.count(), 0);
    // From before the leaving itself as well as from right after it.
    let mut again = bob.subscribe_after(&last.cursor).await;
    assert_eq!(again.until_synced().await, []);
}

#[tokio::test]
async fn who_left_and_came_back_while_away_sees_what_was_posted_since() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    let away = Away::since_now(&bob).await;
    bob.leave(&room).await;
    ann.post(&room, "meanwhile").await;
    bob.initiate_chat([&ann, &eve]).await;
    ann.post(&room, "since").await;

    let missed = away.come_back(documents::EVENTS).await;

    let kinds: Vec<(&str, Option<&Value>)> =
        missed.iter().map(|event| (&*event.kind, event.body.pointer("/message/body"))).collect();
    let expected = [("RoomJoined", None), ("MessagePosted", Some(&json!("since")))];
    assert!(kinds.ends_with(&expected), "expected to be back and nothing of the time between, got {kinds:#?}");
    assert!(!kinds.contains(&("MessagePosted", Some(&json!("meanwhile")))));
}

#[tokio::test]
async fn events_of_other_rooms_keep_their_order_among_each_other() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let rooms = [ann.initiate_chat([&bob]).await, eve.initiate_chat([&bob]).await];
    let cursor = bob.sync_cursor().await;
    let mut live = bob.subscribe().await;
    for n in 0..40 {
        let (poster, room) = if n % 3 == 0 { (&ann, &rooms[0]) } else { (&eve, &rooms[1]) };
        poster.post(room, &format!("{n}")).await;
        if n % 7 == 0 {
            bob.mute(room, n % 2 == 0).await;
        }
    }
    let marker = eve.post(&rooms[1], "marker").await;

    let seen = live.until_posted(&marker).await;
    let mut feed = bob.subscribe_after(&cursor).await;
    assert_eq!(feed.until_synced().await, seen);
}

#[tokio::test]
async fn an_absence_ends_the_same_however_often_it_is_interrupted() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut cursor = bob.sync_cursor().await;
    for n in 0..60 {
        ann.post(&room, &format!("{n}")).await;
    }
    let mut seen = Vec::new();
    while seen.len() < 60 {
        let mut feed = bob.subscribe_after(&cursor).await;
        for _ in 0..7.min(60 - seen.len()) {
            let event = feed.next_of("MessagePosted").await;
            seen.push(event.message().seq);
            cursor = event.cursor;
        }
        // The connection breaks here, with more on its way.
    }
    assert_eq!(seen, (1..=60).collect::<Vec<i64>>());
    let mut feed = bob.subscribe_after(&cursor).await;
    assert!(matches!(feed.socket().next_frame().await, Frame::Json(frame)
        if frame.pointer("/payload/data/events/__typename") == Some(&json!("Synced"))));
}
