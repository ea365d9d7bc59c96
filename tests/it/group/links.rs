//! Links: whoever has the code may join.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{group, reason};
use crate::support::{Answer, Room, TestApp, TestUser, documents};

impl TestUser {
    /// The answer to `createInvite`.
    pub(super) async fn try_invite(&self, room: &Room, mut input: Value) -> Answer {
        input["roomId"] = json!(room.id);
        self.graphql(documents::CREATE_INVITE, input).await
    }

    /// A new link: the invite with its code.
    async fn link(&self, room: &Room, input: Value) -> (Value, String) {
        let answer = self.try_invite(room, input).await;
        (answer["/createInvite/invite"].clone(), answer.text("/createInvite/invite/code").to_owned())
    }

    async fn preview(&self, code: &str) -> Value {
        self.graphql(documents::INVITE_BY_CODE, json!({ "code": code })).await["/invite"].clone()
    }

    pub(super) async fn room_invites(&self, room: &Room) -> Value {
        self.graphql(documents::ROOM_INVITES, json!({ "roomId": room.id })).await["/room/viewer/invites"].clone()
    }
}

#[track_caller]
fn expect_no_link(answer: &Answer) {
    assert_eq!((answer.error_code(), answer.error_field()), ("NOT_FOUND", "code"), "{answer:?}");
    assert_eq!(answer.error()["message"], "invite not found");
}

#[tokio::test]
async fn whoever_has_a_links_code_sees_the_room_as_from_outside_and_may_join() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let room = group(&ann, &bob, &kim).await;
    let (link, code) = bob.link(&room, json!({})).await;
    assert_eq!((code.len(), &link["usesLeft"], &link["invitee"]), (32, &Value::Null, &Value::Null));
    let preview = json!({ "id": room.id, "name": "Trip", "avatarUrl": null, "memberCount": 3 });
    assert_eq!(link["room"], preview);

    let seen = eve.preview(&code).await;
    assert_eq!((&seen["room"], &seen["code"], &seen["inviter"]["id"]), (&preview, &Value::Null, &json!(bob.id)));
    assert_eq!(eve.graphql(documents::ROOM, json!({ "roomId": room.id })).await["/room"], Value::Null);
    assert_eq!(eve.join(json!({ "code": code })).await["/joinRoom/room"], json!({ "id": room.id, "memberCount": 4 }));
    assert_eq!(eve.standing(&room).await["role"], "MEMBER");
    assert_eq!(eve.join(json!({ "code": code })).await["/joinRoom/room/memberCount"], 4);

    let listed = ann.room_invites(&room).await;
    assert_eq!((&listed[0]["id"], &listed[0]["code"], listed[1].is_null()), (&link["id"], &Value::Null, true));
    assert_eq!(eve.room_invites(&room).await, json!([]), "only those who may invite see them");
    assert_eq!(kim.room_invites(&room).await, json!([]));
    let stored = app.text("SELECT hex(code_hash) FROM invite", "SELECT encode(code_hash, 'hex') FROM invite").await;
    assert_eq!(stored.len(), 64, "only a hash is stored");
    // Who was asked to leave, but isn't banned, is let in by it like everybody else.
    eve.leave(&room).await;
    eve.join(json!({ "code": code })).await.data();
}

#[tokio::test]
async fn a_link_is_good_as_often_as_it_says_and_for_those_who_are_in_already_for_nothing() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = group(&ann, &bob, &kim).await;
    let crowd = app.crowd("guest", 6).await;
    let (_, code) = ann.link(&room, json!({ "maxUses": 3 })).await;
    kim.join(json!({ "code": code })).await.data();
    let joining = join_all(crowd.iter().map(|user| user.join(json!({ "code": code })))).await;
    let (let_in, refused): (Vec<_>, Vec<_>) = joining.iter().partition(|answer| answer.body.get("errors").is_none());
    assert_eq!((let_in.len(), refused.len()), (3, 3));
    refused.into_iter().for_each(expect_no_link);
    assert_eq!(bob.preview(&code).await, Value::Null);
    assert_eq!(ann.room_invites(&room).await, json!([]), "used up is not open");
    for user in &crowd {
        let again = user.join(json!({ "code": code })).await;
        assert_eq!(again.body.get("errors").is_none(), !user.rooms().await.is_empty(), "who is in is answered again");
    }
}

#[tokio::test]
async fn a_link_ends_at_its_very_moment_and_at_the_latest_after_30_days() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let room = group(&ann, &bob, &kim).await;
    let at = |days: i64, secs: i64| {
        json!((app.clock().now() + TimeDelta::days(days) + TimeDelta::seconds(secs)).to_rfc3339())
    };
    for (input, field) in [
        (json!({ "expiresAt": at(0, -1) }), "expiresAt"),
        (json!({ "expiresAt": at(30, 60) }), "expiresAt"),
        (json!({ "maxUses": 0 }), "maxUses"),
        (json!({ "maxUses": 10_001 }), "maxUses"),
        (json!({ "maxUses": 1, "userId": eve.id }), "maxUses"),
    ] {
        let refused = ann.try_invite(&room, input.clone()).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", field), "{input}");
    }
    let (_, long) = ann.link(&room, json!({ "expiresAt": at(29, 0) })).await;
    let (link, week) = ann.link(&room, json!({})).await;
    let text = link["expiresAt"].as_str().expect("a time");
    let ends = chrono::DateTime::parse_from_rfc3339(text).expect("RFC 3339").to_utc();
    assert!((TimeDelta::days(7) - (ends - app.clock().now())).abs() < TimeDelta::minutes(5), "{text}");
    // Exactly at its moment it is over, and until then it is good.
    app.clock().advance(ends - app.clock().now() - TimeDelta::minutes(1));
    let eve = eve.sign_in().await;
    assert_ne!(eve.preview(&week).await, Value::Null);
    app.clock().advance(TimeDelta::minutes(1));
    assert_eq!(eve.preview(&week).await, Value::Null);
    expect_no_link(&eve.join(json!({ "code": week })).await);
    eve.join(json!({ "code": long })).await.data();
}

#[tokio::test]
async fn a_link_goes_with_its_room_its_maker_and_whoever_closes_it() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let backend = app.backend("shop").await;
    let room = group(&ann, &bob, &kim).await;
    let (closed, closed_code) = bob.link(&room, json!({})).await;
    let (_, bobs) = bob.link(&room, json!({})).await;
    let made = backend.graphql(documents::CREATE_INVITE, json!({ "roomId": room.id })).await;
    let keys = made.text("/createInvite/invite/code").to_owned();
    assert_eq!(made["/createInvite/invite/inviter"], Value::Null);

    let close = json!({ "id": closed["id"] });
    for stranger in [&kim, &eve] {
        let absent = json!({ "id": "invite_00000000000000000000000000" });
        let absent = stranger.graphql(documents::CLOSE_INVITE, absent).await;
        assert_eq!((absent.error_code(), absent.error_field()), ("NOT_FOUND", "inviteId"));
        assert_eq!(stranger.graphql(documents::CLOSE_INVITE, close.clone()).await.body, absent.body);
    }
    assert_eq!(eve.join(json!({ "inviteId": closed["id"] })).await.error_field(), "inviteId", "its id is no way in");
    ann.graphql(documents::CLOSE_INVITE, close.clone()).await.data();
    ann.graphql(documents::CLOSE_INVITE, close).await.data();
    expect_no_link(&eve.join(json!({ "code": closed_code })).await);

    // Its maker leaving the room doesn't end it; the account being switched off or deleted does.
    bob.leave(&room).await;
    assert_ne!(eve.preview(&bobs).await, Value::Null);
    backend.upsert(json!([{ "id": bob.id, "active": false }])).await;
    assert_eq!(eve.preview(&bobs).await, Value::Null);
    expect_no_link(&eve.join(json!({ "code": bobs })).await);
    let (_, anns) = ann.link(&room, json!({})).await;
    ann.delete_account().await;
    assert_eq!(eve.preview(&anns).await, Value::Null);

    assert_ne!(eve.preview(&keys).await, Value::Null);
    kim.delete_room(&room).await;
    assert_eq!(eve.preview(&keys).await, Value::Null);
    expect_no_link(&eve.join(json!({ "code": keys })).await);
    for code in ["", "x", &"y".repeat(32)] {
        assert_eq!(eve.preview(code).await, Value::Null);
        expect_no_link(&eve.join(json!({ "code": code })).await);
    }
}

#[tokio::test]
async fn who_only_has_a_code_is_not_told_whom_the_directory_hides() {
    let app = TestApp::start_with(|config| config.directory = parlor::config::Directory::Sharers).await;
    let [ann, eve] = app.users(["ann", "eve"]).await;
    let room = ann.create(json!({ "name": "Club" })).await;
    let (_, code) = ann.link(&room, json!({})).await;
    assert_eq!(eve.preview(&code).await["inviter"], Value::Null);
    eve.join(json!({ "code": code })).await.data();
    assert_eq!(eve.preview(&code).await["inviter"]["id"], json!(ann.id));
}

#[tokio::test]
async fn a_room_has_at_most_100_open_invites_and_what_is_over_makes_place() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = group(&ann, &bob, &kim).await;
    let made = join_all((0..100).map(|_| ann.link(&room, json!({ "maxUses": 1 })))).await;
    let full = bob.try_invite(&room, json!({})).await;
    assert_eq!((full.error_code(), full.error_field()), ("CONFLICT", "roomId"));
    let eve = app.user("eve").await;
    eve.join(json!({ "code": made[50].1 })).await.data();
    let (newest, _) = bob.link(&room, json!({})).await;
    assert_eq!(bob.try_invite(&room, json!({})).await.error_code(), "CONFLICT");
    let listed = bob.room_invites(&room).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(100));
    assert_eq!(listed[0]["id"], newest["id"], "the newest first");
    let kept = app.text("SELECT CAST(count(*) AS text) FROM invite", "SELECT CAST(count(*) AS text) FROM invite").await;
    assert_eq!(kept, "100");
}

#[tokio::test]
async fn only_moderators_owners_and_keys_invite_and_only_into_groups() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let room = group(&ann, &bob, &kim).await;
    let direct = ann.initiate_chat([&bob]).await;
    for input in [json!({}), json!({ "userId": eve.id })] {
        assert_eq!(reason(&kim.try_invite(&room, input.clone()).await), "MODERATOR_NEEDED");
        assert_eq!(reason(&ann.try_invite(&direct, input.clone()).await), "DIRECT_ROOM");
        let refused = eve.try_invite(&room, input).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("NOT_FOUND", "roomId"));
    }
    let backend = app.backend("shop").await;
    let by_key = backend.graphql(documents::CREATE_INVITE, json!({ "roomId": direct.id })).await;
    assert_eq!(reason(&by_key), "DIRECT_ROOM");
    let acting = backend.acting_for(&kim.id, documents::CREATE_INVITE, json!({ "roomId": room.id })).await;
    assert_eq!(acting["/createInvite/invite/inviter/id"], json!(kim.id), "a key has the say of an owner");
}

#[tokio::test]
async fn no_way_leads_past_a_ban_and_a_removal_is_none() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let room = group(&ann, &bob, &kim).await;
    ann.update(&room, json!({ "joinPolicy": "OPEN" })).await.data();
    let (link, code) = ann.link(&room, json!({ "maxUses": 2 })).await;
    let invite = ann.invite(&room, &eve).await;
    let mut feed = eve.subscribe().await;
    ann.ban(&room, &eve).await.data();
    assert_eq!(feed.next_event().await.body["inviteId"], json!(invite), "a ban takes an invite back");
    for way in [json!({ "roomId": room.id }), json!({ "code": code })] {
        assert_eq!(reason(&eve.join(way).await), "BANNED");
    }
    assert_eq!(eve.join(json!({ "inviteId": invite })).await.error_code(), "NOT_FOUND");
    let asked = ann.try_invite(&room, json!({ "userId": eve.id })).await;
    assert_eq!((reason(&asked), &asked.error()["extensions"]["userIds"]), ("BANNED", &json!([eve.id])));
    assert_eq!(ann.room_invites(&room).await[0]["usesLeft"], 2, "a refusal uses up nothing");

    ann.unban(&room, &eve).await.data();
    eve.join(json!({ "code": code })).await.data();
    // Who was removed has the code still: to keep somebody out is to ban.
    ann.remove(&room, &eve).await.data();
    eve.join(json!({ "code": code })).await.data();
    ann.remove(&room, &eve).await.data();
    expect_no_link(&eve.join(json!({ "code": code })).await);
    // An inviter who is removed is no moderator any more, but has the say over the own invites.
    let (bobs, _) = bob.link(&room, json!({})).await;
    ann.remove(&room, &bob).await.data();
    assert_eq!(bob.graphql(documents::CLOSE_INVITE, json!({ "id": link["id"] })).await.error_code(), "NOT_FOUND");
    bob.graphql(documents::CLOSE_INVITE, json!({ "id": bobs["id"] })).await.data();
}

#[tokio::test]
async fn a_full_room_takes_nobody_in_and_a_link_to_it_stays_as_good_as_it_was() {
    let app = TestApp::start().await;
    let [ann, eve] = app.users(["ann", "eve"]).await;
    let room = ann.create(json!({ "joinPolicy": "OPEN" })).await;
    let (_, code) = ann.link(&room, json!({ "maxUses": 1 })).await;
    app.execute("UPDATE room SET member_count = 5000").await;
    for way in [json!({ "roomId": room.id }), json!({ "code": code })] {
        assert_eq!(reason(&eve.join(way).await), "ROOM_FULL");
    }
    app.execute("UPDATE room SET member_count = 1").await;
    eve.join(json!({ "code": code })).await.data();
}
