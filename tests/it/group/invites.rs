//! Invites for a user, who is asked.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{group, reason};
use crate::support::{Event, Model, Room, TestApp, TestUser, documents, verify};

impl TestUser {
    /// Invites a user, and returns the invite's id.
    pub(super) async fn invite(&self, room: &Room, user: &TestUser) -> String {
        let answer = self.try_invite(room, json!({ "userId": user.id })).await;
        answer.text("/createInvite/invite/id").to_owned()
    }

    /// The ids of the invites for this user.
    async fn invites(&self) -> Vec<String> {
        let answer = self.graphql(documents::INVITES, json!({ "first": 100 })).await;
        let id = |invite: &Value| invite["id"].as_str().expect("an id").to_owned();
        answer.list("/viewer/invites/nodes").iter().map(id).collect()
    }
}

#[track_caller]
fn expect_closed(event: &Event, invite: &str, by: Option<&TestUser>) {
    assert_eq!((&*event.kind, &event.body["inviteId"]), ("InviteClosed", &json!(invite)));
    assert_eq!(event.body["by"]["id"].as_str(), by.map(|user| &*user.id));
}

#[tokio::test]
async fn who_is_invited_is_told_by_whom_and_joins_or_declines() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let (room, other) = (group(&ann, &bob, &kim).await, group(&ann, &bob, &kim).await);
    let after = eve.sync_cursor().await;
    let (mut model, mut feed) = (Model::fetch(&eve).await, eve.subscribe().await);

    let invite = bob.invite(&room, &eve).await;
    let event = feed.next_event().await;
    assert_eq!((&*event.kind, &event.body["invite"]["room"]["id"]), ("InviteReceived", &json!(room.id)));
    assert_eq!((&event.body["invite"]["id"], &event.body["by"]["id"]), (&json!(invite), &json!(bob.id)));
    model.apply(&eve, &event).await;
    assert_eq!(ann.invite(&room, &eve).await, invite, "one that is open is answered as it is");
    let listed = eve.graphql(documents::INVITES, json!({})).await;
    let seen = json!({ "id": invite, "code": null, "inviter": { "id": bob.id },
        "room": { "id": room.id, "name": "Trip", "memberCount": 3 } });
    assert_eq!(listed["/viewer/invites/nodes"], json!([seen]));
    assert_eq!(eve.graphql(documents::ROOM, json!({ "roomId": room.id })).await["/room"], Value::Null);
    assert_eq!(ann.room_invites(&room).await[0]["invitee"]["id"], json!(eve.id));
    verify(&eve, &model).await;

    let declined = bob.invite(&other, &eve).await;
    model.apply(&eve, &feed.next_event().await).await;
    assert_eq!(eve.invites().await, [declined.clone(), invite.clone()], "the newest first");
    eve.graphql(documents::CLOSE_INVITE, json!({ "id": declined })).await.data();
    let event = feed.next_event().await;
    expect_closed(&event, &declined, Some(&eve));
    model.apply(&eve, &event).await;
    let late = eve.join(json!({ "inviteId": declined })).await;
    assert_eq!((late.error_code(), late.error_field()), ("NOT_FOUND", "inviteId"));

    let missed = eve.subscribe_after(&after).await.until_synced().await;
    assert_eq!(missed[0].body["invite"]["id"], json!(invite));
    verify(&eve, &model).await;
}

#[tokio::test]
async fn an_invite_is_used_once_and_closed_by_whichever_way_its_user_comes_in() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let room = group(&ann, &bob, &kim).await;
    let after = eve.sync_cursor().await;
    let (mut model, mut feed) = (Model::fetch(&eve).await, eve.subscribe().await);
    let invite = ann.invite(&room, &eve).await;
    for stranger in [&kim, &app.user("mia").await] {
        let refused = stranger.join(json!({ "inviteId": invite })).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("NOT_FOUND", "inviteId"), "it is another's");
    }
    for _ in 0..2 {
        assert_eq!(eve.join(json!({ "inviteId": invite })).await["/joinRoom/room/memberCount"], json!(4));
    }
    let end = eve.post(&room, "hello").await;
    model.follow(&eve, &mut feed, &end).await;
    verify(&eve, &model).await;
    let missed = eve.subscribe_after(&after).await.until_synced().await;
    let kinds: Vec<&str> = missed.iter().map(|event| &*event.kind).collect();
    assert!(!kinds.contains(&"InviteReceived"), "what is closed isn't told any more: {kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "InviteClosed").count(), 1);
    let in_it = ann.try_invite(&room, json!({ "userId": eve.id })).await;
    assert_eq!((in_it.error_code(), in_it.error_field()), ("CONFLICT", "userId"));

    eve.leave(&room).await;
    assert_eq!(eve.join(json!({ "inviteId": invite })).await.error_code(), "NOT_FOUND", "it was good once");
    let again = ann.invite(&room, &eve).await;
    assert_ne!(again, invite);
    ann.update(&room, json!({ "joinPolicy": "OPEN" })).await.data();
    eve.join(json!({ "roomId": room.id })).await.data();
    assert_eq!(eve.invites().await, [""; 0], "nobody need ask who is there");
    assert_eq!(ann.room_invites(&room).await, json!([]));
}

#[tokio::test]
async fn an_invite_that_has_expired_is_good_for_nothing_and_is_closed_by_the_next() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let room = group(&ann, &bob, &kim).await;
    let mut feed = eve.subscribe().await;
    let soon = (app.clock().now() + TimeDelta::hours(1)).to_rfc3339();
    let input = json!({ "userId": eve.id, "expiresAt": soon });
    let expired = ann.try_invite(&room, input).await.text("/createInvite/invite/id").to_owned();
    assert_eq!(feed.next_event().await.kind, "InviteReceived");
    app.clock().advance(TimeDelta::hours(2));
    let (ann, eve) = (ann.sign_in().await, eve.sign_in().await);
    assert_eq!((eve.invites().await, ann.room_invites(&room).await), (Vec::new(), json!([])));
    assert_eq!(eve.join(json!({ "inviteId": expired })).await.error_code(), "NOT_FOUND");

    let mut feed = eve.subscribe().await;
    let anew = ann.invite(&room, &eve).await;
    expect_closed(&feed.next_event().await, &expired, Some(&ann));
    assert_eq!(feed.next_event().await.body["invite"]["id"], json!(anew));
    assert_eq!(eve.invites().await, [anew]);
}

#[tokio::test]
async fn nobody_is_asked_who_blocks_who_asks_is_gone_switched_off_or_not_to_be_found() {
    let app = TestApp::start_with(|config| config.directory = parlor::config::Directory::Sharers).await;
    let [ann, bob, eve, mia] = app.users(["ann", "bob", "eve", "mia"]).await;
    let backend = app.backend("shop").await;
    let all = json!([{ "userId": ann.id }, { "userId": bob.id }, { "userId": eve.id }]);
    backend.graphql(super::CREATE, json!({ "input": { "members": all } })).await.data();
    let room = ann.create(json!({ "name": "Club" })).await;

    let absent = ann.try_invite(&room, json!({ "userId": "user_00000000000000000000000000" })).await;
    let hidden = ann.try_invite(&room, json!({ "userId": mia.id })).await;
    assert_eq!((absent.error_code(), absent.error_field()), ("NOT_FOUND", "userId"));
    assert_eq!(hidden.body, absent.body, "whom one can't find looks as if absent");
    assert_eq!(ann.try_invite(&room, json!({ "userId": "ext:nobody" })).await.body, absent.body);
    let by_key = json!({ "roomId": room.id, "userId": mia.id });
    backend.graphql(documents::CREATE_INVITE, by_key).await.data();
    assert_eq!(mia.invites().await.len(), 1, "a key finds everybody");

    bob.block(&ann, true).await;
    assert_eq!(reason(&ann.try_invite(&room, json!({ "userId": bob.id })).await), "BLOCKED");
    backend.upsert(json!([{ "id": eve.id, "active": false }])).await;
    assert_eq!(reason(&ann.try_invite(&room, json!({ "userId": eve.id })).await), "DEACTIVATED");
    bob.delete_account().await;
    assert_eq!(ann.try_invite(&room, json!({ "userId": bob.id })).await.body, absent.body);
}

#[tokio::test]
async fn what_an_invite_hangs_on_takes_it_with_it() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let backend = app.backend("shop").await;
    let (room, doomed) = (group(&ann, &bob, &kim).await, group(&ann, &bob, &kim).await);
    let (mut model, mut feed) = (Model::fetch(&eve).await, eve.subscribe().await);
    let mut next = async || {
        let event = feed.next_event().await;
        model.apply(&eve, &event).await;
        event
    };

    // Blocking who asks.
    let (bobs, anns) = (bob.invite(&doomed, &eve).await, ann.invite(&room, &eve).await);
    next().await;
    next().await;
    eve.block(&bob, true).await;
    expect_closed(&next().await, &bobs, Some(&eve));
    assert_eq!(next().await.kind, "BlocksChanged");
    assert_eq!(eve.invites().await, std::slice::from_ref(&anns), "others may go on asking");
    // The room.
    let of_room = ann.invite(&doomed, &eve).await;
    next().await;
    ann.delete_room(&doomed).await;
    expect_closed(&next().await, &of_room, Some(&ann));
    assert_eq!(eve.join(json!({ "inviteId": of_room })).await.error_code(), "NOT_FOUND");
    // Who asks, switched off.
    backend.upsert(json!([{ "id": ann.id, "active": false }])).await;
    expect_closed(&next().await, &anns, None);
    backend.upsert(json!([{ "id": ann.id, "active": true }])).await;
    let ann = ann.sign_in().await;
    // Who asks, deleted.
    let anns = ann.invite(&room, &eve).await;
    next().await;
    ann.delete_account().await;
    expect_closed(&next().await, &anns, None);
    // Who is asked, deleted.
    let backends = json!({ "roomId": room.id, "userId": eve.id });
    backend.graphql(documents::CREATE_INVITE, backends).await.data();
    assert_eq!(next().await.body["by"], Value::Null);
    verify(&eve, &model).await;
    eve.delete_account().await;
    let left = app.text("SELECT CAST(count(*) AS text) FROM invite", "SELECT CAST(count(*) AS text) FROM invite").await;
    assert_eq!(left, "0", "nothing is left of who is gone");
}

#[tokio::test]
async fn invites_that_were_missed_come_with_the_rest() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let (room, other) = (group(&ann, &bob, &kim).await, group(&ann, &bob, &kim).await);
    let after = eve.sync_cursor().await;
    let mut model = Model::fetch(&eve).await;
    let kept = ann.invite(&room, &eve).await;
    let taken_back = ann.invite(&other, &eve).await;
    ann.graphql(documents::CLOSE_INVITE, json!({ "id": taken_back })).await.data();
    let missed = eve.subscribe_after(&after).await.until_synced().await;
    let kinds: Vec<&str> = missed.iter().map(|event| &*event.kind).collect();
    assert_eq!(kinds, ["InviteReceived", "InviteClosed"]);
    model.apply_all(&eve, &missed).await;
    verify(&eve, &model).await;
    assert_eq!(eve.invites().await, [kept]);
}

#[tokio::test]
async fn the_invites_of_many_rooms_take_as_many_statements_as_those_of_two() {
    const ALL: &str =
        "{ rooms(first: 10) { nodes { viewer { invites { id inviter { id } invitee { id } room { name } } } } } }";
    // The tail must not run statements of its own in between.
    let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let mut taken = Vec::new();
    for count in [2, 8] {
        for _ in 0..count {
            let room = group(&ann, &bob, &kim).await;
            ann.invite(&room, &eve).await;
        }
        bob.sync_cursor().await;
        let before = app.metric("parlor_sql_statements_total").await;
        let answer = bob.graphql(ALL, json!({})).await;
        let listed = answer.list("/rooms/nodes").iter().filter(|room| room["viewer"]["invites"][0]["id"].is_string());
        let listed = listed.count();
        taken.push((app.metric("parlor_sql_statements_total").await - before).to_string());
        assert_eq!(eve.invites().await.len(), listed);
    }
    assert_eq!(taken[0], taken[1]);
    let own =
        "query($first: Int) { viewer { invites(first: $first) { nodes { id inviter { id } room { memberCount } } } } }";
    let mut taken = Vec::new();
    for first in [2, 10] {
        let before = app.metric("parlor_sql_statements_total").await;
        let answer = eve.graphql(own, json!({ "first": first })).await;
        assert_eq!(answer.list("/viewer/invites/nodes").len(), first);
        taken.push((app.metric("parlor_sql_statements_total").await - before).to_string());
    }
    assert_eq!(taken[0], taken[1]);
}
