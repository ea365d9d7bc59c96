//! Adding members, removing them, and changing what they are.

use serde_json::{Value, json};

use super::{ADD, SET_ROLE, group, reason};
use crate::support::{Event, Feed, Message, Model, TestApp, TestUser, documents, verify};

#[tokio::test]
async fn who_is_put_in_joins_once_and_all_are_told_by_one_event() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let crowd = app.crowd("new", 5).await;
    let room = group(&ann, &bob, &kim).await;
    ann.post(&room, "before").await;
    let after = kim.sync_cursor().await;
    let (mut model, mut feed) = (Model::fetch(&kim).await, kim.subscribe().await);
    let mut news = crowd[0].subscribe().await;

    let mut added: Vec<&TestUser> = crowd.iter().collect();
    added.push(&kim);
    let answer = bob.add(&room, &added).await;
    assert_eq!(answer.list("/addMembers/added").len(), 5, "who is in it already stays as they are");
    assert_eq!(answer.number("/addMembers/room/memberCount"), 8);
    let event = feed.next_event().await;
    assert_eq!((&*event.kind, &event.body["by"]["id"]), ("MembersJoined", &json!(bob.id)));
    let mut ids: Vec<&str> = event.body["userIds"].as_array().expect("ids").iter().filter_map(Value::as_str).collect();
    let mut expected: Vec<&str> = crowd.iter().map(|user| &*user.id).collect();
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    model.apply(&kim, &event).await;
    let joined = news.next_event().await;
    assert_eq!((&*joined.kind, joined.room_id()), ("RoomJoined", room.id.clone()));
    assert_eq!(bob.add(&room, &added).await.list("/addMembers/added").len(), 0, "again changes nothing");

    let fresh = Model::fetch(&crowd[0]).await;
    assert_eq!(fresh.rooms[&room.id].unread_count, 0, "what was said before is no news to somebody who is new");
    assert_eq!(fresh.rooms[&room.id].messages.len(), 1, "and may be read all the same");
    let end: Message = crowd[4].post(&room, "end").await;
    model.follow(&kim, &mut feed, &end).await;
    verify(&kim, &model).await;
    let missed = kim.subscribe_after(&after).await.until_synced().await;
    let missed: Vec<String> = missed.into_iter().map(|event| event.kind).collect();
    assert_eq!(missed[..2], ["MembersJoined", "MessagePosted"]);
}

#[tokio::test]
async fn who_is_removed_sees_all_that_was_said_before_however_close_it_comes() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = group(&ann, &bob, &kim).await;
    let (mut anns, mut kims) = (ann.subscribe().await, kim.subscribe().await);
    for n in 0..30 {
        // Often they are in one commit.
        let text = format!("message {n}");
        let (posted, removed) = tokio::join!(ann.post(&room, &text), bob.remove(&room, &kim));
        removed.data();
        let heard = kims.until(|event| event.kind == "RoomLeft").await;
        let said = anns.until(|event| event.kind == "MemberLeft").await;
        let is_it = |event: &Event| event.kind == "MessagePosted" && event.message().id == posted.id;
        assert_eq!(heard.iter().any(is_it), said.iter().any(is_it), "{n}: {heard:#?}");
        ann.add(&room, &[&kim]).await.data();
        kims.until(|event| event.kind == "RoomJoined").await;
        anns.until(|event| event.kind == "MembersJoined").await;
    }
}

#[tokio::test]
async fn who_is_removed_sees_why_and_nothing_after_it() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = group(&ann, &bob, &kim).await;
    let after = kim.sync_cursor().await;
    let (mut anns, mut kims) = (ann.subscribe().await, kim.subscribe().await);
    let asked = json!({ "roomId": room.id, "after": after });
    let mut posts = Feed::open(kim.socket().await, documents::MESSAGE_POSTED, asked).await;
    kim.post(&room, "with kim").await;
    posts.next_data().await;
    for feed in [&mut anns, &mut kims] {
        feed.next_message().await;
    }

    let answer = bob.remove(&room, &kim).await;
    assert_eq!(answer.number("/removeMember/room/memberCount"), 2);
    let left = kims.next_event().await;
    assert_eq!(
        (&*left.kind, &left.body["leftBecause"], left.room_id()),
        ("RoomLeft", &json!("REMOVED"), room.id.clone())
    );
    let left = anns.next_event().await;
    assert_eq!((&*left.kind, left.user_id(), &left.body["by"]["id"]), ("MemberLeft", kim.id.clone(), &json!(bob.id)));
    assert_eq!(posts.socket().next_json().await["type"], "complete");
    ann.post(&room, "without kim").await;
    let refused = kim.graphql(documents::POST_MESSAGE, json!({ "roomId": room.id, "body": "me too" })).await;
    assert_eq!(refused.error_code(), "NOT_FOUND");
    let back = "mutation($room: ID!) { initiateChat(roomId: $room) { room { id } } }";
    assert_eq!(kim.graphql(back, json!({ "room": room.id })).await.error_code(), "NOT_FOUND", "no way back by oneself");
    let missed = kim.subscribe_after(&after).await.until_synced().await;
    let missed: Vec<&str> = missed.iter().map(|event| &*event.kind).collect();
    assert_eq!(missed, ["RoomLeft"], "what happened before is gone with the room");
    assert_eq!(bob.remove(&room, &kim).await.error_code(), "NOT_FOUND");

    ann.add(&room, &[&kim]).await.data();
    assert_eq!(kim.standing(&room).await["role"], "MEMBER");
    assert_eq!(kim.post(&room, "back").await.seq, 3);
}

#[tokio::test]
async fn whoever_comes_back_is_a_member_and_no_more() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = group(&ann, &bob, &kim).await;
    bob.leave(&room).await;
    ann.add(&room, &[&bob]).await.data();
    assert_eq!(bob.standing(&room).await["role"], "MEMBER");
}

#[tokio::test]
async fn roles_are_set_by_owners_and_every_member_is_told() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let backend = app.backend("shop").await;
    let room = group(&ann, &bob, &kim).await;
    let after = kim.sync_cursor().await;
    let (mut model, mut feed) = (Model::fetch(&kim).await, kim.subscribe().await);

    ann.set_role(&room, &kim, "MODERATOR").await.data();
    let event = feed.next_event().await;
    assert_eq!((&*event.kind, event.user_id()), ("MemberChanged", kim.id.clone()), "also to the member itself");
    assert_eq!((&event.body["member"]["role"], &event.body["by"]["id"]), (&json!("MODERATOR"), &json!(ann.id)));
    model.apply(&kim, &event).await;
    ann.set_role(&room, &kim, "MODERATOR").await.data();
    ann.set_role(&room, &kim, "MEMBER").await.data();
    model.apply(&kim, &feed.next_event().await).await;

    assert_eq!(ann.set_role(&room, &ann, "MEMBER").await.text("/setMemberRole/member/role"), "MEMBER");
    for (who, role) in [(&ann, "MEMBER"), (&bob, "OWNER")] {
        let event = feed.next_event().await;
        assert_eq!(
            (event.user_id(), &event.body["member"]["role"]),
            (who.id.clone(), &json!(role)),
            "an heir is told of"
        );
        model.apply(&kim, &event).await;
    }
    assert_eq!(reason(&ann.set_role(&room, &ann, "OWNER").await), "OWNER_NEEDED");
    backend.graphql(SET_ROLE, json!({ "room": room.id, "user": ann.id, "role": "OWNER" })).await.data();
    model.apply(&kim, &feed.next_event().await).await;
    let end: Message = ann.post(&room, "end").await;
    model.follow(&kim, &mut feed, &end).await;
    verify(&kim, &model).await;
    let missed = kim.subscribe_after(&after).await.until_synced().await;
    let changed = missed.iter().filter(|event| event.kind == "MemberChanged").count();
    assert_eq!(changed, 5, "what is about oneself is replayed, too: {missed:?}");
}

#[tokio::test]
async fn the_only_one_who_could_own_a_room_can_not_step_down() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.create(json!({ "members": [{ "userId": bob.id }] })).await;
    bob.leave(&room).await;
    let refused = ann.set_role(&room, &ann, "MEMBER").await;
    assert_eq!((refused.error_code(), refused.error_field()), ("CONFLICT", "role"));
    let backend = app.backend("shop").await;
    let set = backend.graphql(SET_ROLE, json!({ "room": room.id, "user": ann.id, "role": "MEMBER" })).await;
    assert_eq!(set.text("/setMemberRole/member/role"), "MEMBER", "a key is owner enough");
}

#[tokio::test]
async fn nobody_acts_on_somebody_of_the_same_role_or_a_higher_one() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve, owner] = app.users(["ann", "bob", "kim", "eve", "owner"]).await;
    let room = group(&ann, &bob, &kim).await;
    ann.add(&room, &[&eve, &owner]).await.data();
    ann.set_role(&room, &eve, "MODERATOR").await.data();
    ann.set_role(&room, &owner, "OWNER").await.data();

    assert_eq!(reason(&kim.remove(&room, &bob).await), "MODERATOR_NEEDED");
    assert_eq!(reason(&kim.add(&room, &[&eve]).await), "MODERATOR_NEEDED");
    for target in [&eve, &ann, &bob] {
        assert_eq!(reason(&bob.remove(&room, target).await), "HIGHER_ROLE_NEEDED");
    }
    assert_eq!(reason(&bob.set_role(&room, &kim, "MODERATOR").await), "OWNER_NEEDED");
    assert_eq!(reason(&ann.remove(&room, &owner).await), "HIGHER_ROLE_NEEDED");
    ann.set_role(&room, &owner, "MODERATOR").await.data();
    ann.remove(&room, &owner).await.data();

    let direct = ann.initiate_chat([&bob]).await;
    for refused in [ann.add(&direct, &[&kim]).await, ann.remove(&direct, &bob).await] {
        assert_eq!(reason(&refused), "DIRECT_ROOM");
    }
    let stranger = app.user("stranger").await;
    for refused in [stranger.add(&room, &[&stranger]).await, stranger.remove(&room, &kim).await] {
        assert_eq!((refused.error_code(), refused.error_field()), ("NOT_FOUND", "roomId"));
    }
}

#[tokio::test]
async fn who_can_not_be_put_in_is_named_and_then_nobody_is() {
    let app = TestApp::start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let backend = app.backend("shop").await;
    let room = group(&ann, &bob, &kim).await;
    let members = async || Model::fetch(&ann).await.rooms[&room.id].members.len();
    eve.block(&ann, true).await;
    let other = app.user("other").await;
    let refused = ann.add(&room, &[&other, &eve]).await;
    assert_eq!(reason(&refused), "BLOCKED");
    assert_eq!(refused.body["errors"][0]["extensions"]["userIds"], json!([eve.id]));
    assert_eq!(members().await, 3);
    bob.add(&room, &[&eve]).await.data();
    backend.upsert(json!([{ "id": other.id, "active": false }])).await;
    assert_eq!(reason(&ann.add(&room, &[&other]).await), "DEACTIVATED");
    let unknown = json!({ "room": room.id, "users": [format!("user_{}", "0".repeat(32)), "ext:nobody"] });
    assert_eq!(ann.graphql(ADD, unknown).await.error_code(), "BAD_USER_INPUT");
    let many = vec![json!(ann.id); 101];
    let refused = ann.graphql(ADD, json!({ "room": room.id, "users": many })).await;
    assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "userIds"));
    assert_eq!(ann.graphql(ADD, json!({ "room": room.id, "users": [] })).await.list("/addMembers/added").len(), 0);
    let made = backend.upsert(json!([{ "externalId": "7", "displayName": "Seven" }])).await;
    assert_eq!(made.len(), 1);
    let answer = backend.graphql(ADD, json!({ "room": room.id, "users": ["ext:7"] })).await;
    assert_eq!(answer.list("/addMembers/added").len(), 1);
    assert_eq!(members().await, 5);
}

#[tokio::test]
async fn a_full_room_takes_nobody_more() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = group(&ann, &bob, &kim).await;
    let eve = app.user("eve").await;
    app.execute("UPDATE room SET member_count = 5000").await;
    assert_eq!(reason(&ann.add(&room, &[&eve]).await), "ROOM_FULL");
    app.execute("UPDATE room SET member_count = 3").await;
}
