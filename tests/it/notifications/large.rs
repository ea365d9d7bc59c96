//! Rooms so large that their members are notified only of what mentions them.

use serde_json::{Value, json};

use super::pushes::{settled, start};
use crate::support::Room;

#[tokio::test]
async fn members_of_large_rooms_are_notified_of_what_mentions_them_alone() {
    let (app, service) = start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let backend = app.backend("backend").await;
    let crowd: Vec<String> = (0..248).map(|n| format!("ext:{n}")).collect();
    for users in crowd.chunks(62) {
        let users: Vec<Value> = users.iter().map(|id| json!({ "externalId": id[4..] })).collect();
        backend.upsert(json!(users)).await;
    }
    let members = json!([{ "userId": ann.id, "role": "OWNER" }, { "userId": bob.id }, { "userId": kim.id }]);
    let create = "mutation($m: [NewMember!]!) { createRoom(input: { name: \"all\", members: $m }) { room { id } } }";
    let made = backend.graphql(create, json!({ "m": members })).await;
    let room = Room::of(&made["/createRoom/room"]);
    let mut browsers = Vec::new();
    for user in [&bob, &kim] {
        let browser = service.browser(&user.username);
        user.register(browser.input()).await.data();
        browsers.push(browser);
    }
    let add = "mutation($r: ID!, $u: [ID!]!) { addMembers(roomId: $r, userIds: $u) { room { memberCount } } }";
    let (few, last) = crowd.split_at(247);
    for users in few.chunks(62) {
        backend.graphql(add, json!({ "r": room.id, "u": users })).await.data();
    }
    ann.post(&room, "to all 250").await;
    for browser in &mut browsers {
        assert_eq!(browser.next().await.said["body"], "to all 250");
    }
    bob.mark_read(&room, 1).await;
    kim.mark_read(&room, 1).await;
    for browser in &mut browsers {
        assert_eq!(browser.next().await.said["type"], "CLEAR");
    }

    let added = backend.graphql(add, json!({ "r": room.id, "u": last })).await;
    assert_eq!(added.number("/addMembers/room/memberCount"), 251);
    ann.post(&room, "to nobody").await;
    settled(&app).await;
    for browser in &mut browsers {
        assert_eq!(browser.waiting(), [] as [Value; 0]);
    }
    let look = json!({ "r": room.id, "b": "to bob", "m": [bob.id] });
    ann.graphql(crate::mentions::POST, look).await.data();
    assert_eq!(browsers[0].next().await.said["body"], "to bob");
    let look = json!({ "r": room.id, "b": "to everybody", "room": true });
    ann.graphql(crate::mentions::POST, look).await.data();
    for browser in &mut browsers {
        assert_eq!(browser.next().await.said["body"], "to everybody");
    }
    settled(&app).await;
    assert_eq!((browsers[0].waiting(), browsers[1].waiting()), (vec![], vec![]));
}
