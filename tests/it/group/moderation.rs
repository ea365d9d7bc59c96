//! Bans, timeouts and slow mode.

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use super::{BAN, group, reason};
use crate::support::{Answer, Message, Model, Room, TestApp, TestUser, documents, verify};

impl TestUser {
    async fn try_post(&self, room: &Room, body: &str) -> Answer {
        self.graphql(documents::POST_MESSAGE, json!({ "roomId": room.id, "body": body })).await
    }

    async fn bans(&self, room: &Room) -> Vec<Value> {
        let document = "query($id: ID!) { room(id: $id) { viewer { bans { nodes {
            userId reason until bannedBy { id } user { id } bannedAt } } } } }";
        self.graphql(document, json!({ "id": room.id })).await.list("/room/viewer/bans/nodes").to_vec()
    }
}

/// A time that is so far ahead by the app's clock.
fn ahead(app: &TestApp, by: TimeDelta) -> String {
    (app.clock().now() + by).to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[tokio::test]
async fn who_is_banned_goes_and_comes_back_in_no_way() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let backend = app.backend("shop").await;
    let room = group(&ann, &bob, &kim).await;
    let (mut anns, mut kims) = (ann.subscribe().await, kim.subscribe().await);
    let mut model = Model::fetch(&ann).await;

    let banned = bob.graphql(BAN, json!({ "room": room.id, "user": kim.id, "reason": " spam " })).await;
    assert_eq!(banned.number("/banMember/room/memberCount"), 2);
    assert_eq!(banned.text("/banMember/ban/reason"), "spam");
    let left = kims.next_event().await;
    assert_eq!((&*left.kind, &left.body["leftBecause"]), ("RoomLeft", &json!("BANNED")));
    let left = anns.next_event().await;
    assert_eq!((&*left.kind, &left.body["by"]["id"]), ("MemberLeft", &json!(bob.id)));
    model.apply(&ann, &left).await;

    for refused in [ann.add(&room, &[&kim]).await, bob.add(&room, &[&kim]).await] {
        assert_eq!(reason(&refused), "BANNED");
        assert_eq!(refused.body["errors"][0]["extensions"]["userIds"], json!([kim.id]));
    }
    let by_key = backend.graphql(super::ADD, json!({ "room": room.id, "users": [kim.id] })).await;
    assert_eq!(reason(&by_key), "BANNED", "a ban is lifted first");
    let bans = ann.bans(&room).await;
    assert_eq!(bans.len(), 1);
    assert_eq!(
        (&bans[0]["bannedBy"]["id"], &bans[0]["user"]["id"], &bans[0]["until"]),
        (&json!(bob.id), &json!(kim.id), &Value::Null)
    );

    bob.ban(&room, &kim).await.data();
    assert_eq!(anns.next_event().await.kind, "MemberChanged", "the reason is another");
    bob.ban(&room, &kim).await.data();
    bob.unban(&room, &kim).await.data();
    let event = anns.next_event().await;
    assert_eq!((&*event.kind, event.user_id(), &event.body["member"]), ("MemberChanged", kim.id.clone(), &Value::Null));
    bob.unban(&room, &kim).await.data();
    assert_eq!(ann.bans(&room).await.len(), 0);
    ann.add(&room, &[&kim]).await.data();
    let end: Message = kim.post(&room, "back").await;
    model.follow(&ann, &mut anns, &end).await;
    verify(&ann, &model).await;
}

#[tokio::test]
async fn a_ban_ends_with_its_time() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = group(&ann, &bob, &kim).await;
    let until = ahead(&app, TimeDelta::hours(1));
    ann.graphql(BAN, json!({ "room": room.id, "user": kim.id, "until": until })).await.data();
    assert_eq!(ann.bans(&room).await[0]["until"], json!(until));
    assert_eq!(reason(&ann.add(&room, &[&kim]).await), "BANNED");
    app.clock().advance(TimeDelta::minutes(61));
    let [ann, kim] = [app.sign_in("ann").await, app.sign_in("kim").await];
    assert_eq!(ann.bans(&room).await.len(), 0);
    ann.add(&room, &[&kim]).await.data();
    ann.unban(&room, &kim).await.data();

    for until in ["2001-01-01T00:00:00Z", "9999-01-01T00:00:00Z"] {
        let refused = ann.graphql(BAN, json!({ "room": room.id, "user": kim.id, "until": until })).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "until"), "{until}");
    }
    let long = ann.graphql(BAN, json!({ "room": room.id, "user": kim.id, "reason": "x".repeat(501) })).await;
    assert_eq!((long.error_code(), long.error_field()), ("BAD_USER_INPUT", "reason"));
    assert_eq!(Model::fetch(&ann).await.rooms[&room.id].members.len(), 3);
}

#[tokio::test]
async fn who_never_was_in_the_room_or_has_left_it_can_be_banned_and_is_not_told() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let room = group(&ann, &bob, &kim).await;
    kim.leave(&room).await;
    let (mut eves, mut kims, mut bobs) = (eve.subscribe().await, kim.subscribe().await, bob.subscribe().await);
    for user in [&eve, &kim] {
        assert_eq!(ann.ban(&room, user).await.number("/banMember/room/memberCount"), 2);
        assert_eq!(bobs.next_event().await.kind, "MemberChanged");
        assert_eq!(reason(&ann.add(&room, &[user]).await), "BANNED");
    }
    let direct = eve.initiate_chat([&kim]).await;
    assert_eq!(eves.next_event().await.room_id(), direct.id, "nothing of the room that keeps them out");
    assert_eq!(kims.next_event().await.room_id(), direct.id);
    assert_eq!(reason(&eve.ban(&direct, &kim).await), "DIRECT_ROOM");
    assert_eq!(ann.ban(&direct, &kim).await.error_code(), "NOT_FOUND");
}

#[tokio::test]
async fn deleting_the_account_is_no_way_out_of_a_ban() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let backend = app.backend("shop").await;
    let made = backend.upsert(json!([{ "externalId": "7", "displayName": "Seven" }])).await;
    let id = made[0]["user"]["id"].as_str().expect("an id").to_owned();
    let room = ann.create(json!({ "members": [{ "userId": bob.id }, { "userId": id }] })).await;
    ann.graphql(BAN, json!({ "room": room.id, "user": id })).await.data();
    backend.acting_for(&id, documents::DELETE_ACCOUNT, json!({})).await.data();
    backend.upsert(json!([{ "externalId": "7", "displayName": "Seven" }])).await;
    let back = backend.graphql(super::ADD, json!({ "room": room.id, "users": ["ext:7"] })).await;
    assert_eq!(reason(&back), "BANNED");
}

#[tokio::test]
async fn who_is_timed_out_reads_and_says_nothing_until_the_time_is_over() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = group(&ann, &bob, &kim).await;
    let said = kim.post_as(&room, "c1", "before").await;
    let mut feed = kim.subscribe().await;
    let until = ahead(&app, TimeDelta::minutes(10));
    let answer = bob.time_out(&room, &kim, Some(&until)).await;
    assert_eq!(answer.text("/timeoutMember/member/timeoutUntil"), until);
    let event = feed.next_event().await;
    assert_eq!((&*event.kind, &event.body["member"]["timeoutUntil"]), ("MemberChanged", &json!(until)));
    bob.time_out(&room, &kim, Some(&until)).await.data();

    assert_eq!(reason(&kim.try_post(&room, "but").await), "TIMED_OUT");
    let editing = kim.graphql(documents::EDIT_MESSAGE, json!({ "messageId": said.id, "body": "shout" })).await;
    assert_eq!(reason(&editing), "TIMED_OUT", "old words say nothing new");
    assert_eq!(kim.post_as(&room, "c1", "before").await.id, said.id, "what was posted before is answered");
    assert_eq!(kim.standing(&room).await["permissions"], json!([]));
    assert!(kim.delete(&said).await.deleted_at.is_some());
    kim.leave(&room).await;
    ann.add(&room, &[&kim]).await.data();
    assert_eq!(reason(&kim.try_post(&room, "again").await), "TIMED_OUT", "leaving is no way out");
    assert_eq!(reason(&bob.time_out(&room, &ann, Some(&until)).await), "HIGHER_ROLE_NEEDED");
    assert_eq!(reason(&kim.time_out(&room, &bob, Some(&until)).await), "MODERATOR_NEEDED");
    for until in ["2001-01-01T00:00:00Z".to_owned(), ahead(&app, TimeDelta::days(29))] {
        let refused = bob.time_out(&room, &kim, Some(&until)).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "until"), "{until}");
    }
    app.clock().advance(TimeDelta::minutes(11));
    let kim = app.sign_in("kim").await;
    assert_eq!(kim.standing(&room).await["permissions"], json!(["POST", "REACT", "MENTION_ROOM"]));
    kim.post(&room, "patience").await;

    let (ann, bob) = (app.sign_in("ann").await, app.sign_in("bob").await);
    ann.time_out(&room, &bob, Some(&ahead(&app, TimeDelta::hours(1)))).await.data();
    assert_eq!(reason(&bob.try_post(&room, "a moderator").await), "TIMED_OUT");
    ann.time_out(&room, &bob, None).await.data();
    bob.post(&room, "lifted").await;
}

#[tokio::test]
async fn in_a_slow_room_members_wait_and_are_told_how_long() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = group(&ann, &bob, &kim).await;
    let input = json!({ "slowModeSecs": 30 });
    ann.update(&room, input).await.data();
    let first = kim.post_as(&room, "c1", "one").await;
    let refused = kim.try_post(&room, "two").await;
    assert_eq!(refused.error_code(), "RATE_LIMITED");
    let extensions = &refused.body["errors"][0]["extensions"];
    assert_eq!(extensions["reason"], "SLOW_MODE");
    let wait = extensions["retryAfterMs"].as_u64().expect("a time");
    assert!((1..=30_000).contains(&wait), "{wait}");
    assert_eq!(kim.post_as(&room, "c1", "one").await.id, first.id, "the same again is the same");
    for n in 0..3 {
        bob.post(&room, &format!("a moderator never waits {n}")).await;
    }
    let direct = kim.initiate_chat([&bob]).await;
    kim.post(&direct, "elsewhere").await;
    app.clock().advance(TimeDelta::seconds(31));
    kim.post(&room, "two").await;
    assert_eq!(kim.try_post(&room, "three").await.error_code(), "RATE_LIMITED");
    let many = futures_util::future::join_all((0..8).map(|n| {
        let room = room.clone();
        let kim = &kim;
        async move { kim.try_post(&room, &format!("at once {n}")).await.body["errors"].is_array() }
    }));
    assert!(many.await.into_iter().all(|refused| refused));
    ann.update(&room, json!({ "slowModeSecs": 0 })).await.data();
    kim.post(&room, "three").await;
    ann.update(&room, json!({ "slowModeSecs": 30 })).await.data();
    app.clock().advance(TimeDelta::seconds(31));
    let many = futures_util::future::join_all((0..8).map(|n| {
        let room = room.clone();
        let kim = &kim;
        async move { kim.try_post(&room, &format!("at once {n}")).await.body["errors"].is_null() }
    }));
    assert_eq!(many.await.into_iter().filter(|posted| *posted).count(), 1, "of many at once one is first");
    for secs in [-1, 21_601] {
        let refused = ann.update(&room, json!({ "slowModeSecs": secs })).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "slowModeSecs"));
    }
}
