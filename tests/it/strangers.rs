//! What those see of a room who don't belong to it: nothing.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, TestApp, TestUser, documents};

/// Everything that names a room or a message of one, as asked about `room` and `message`.
async fn everything_about(user: &TestUser, room: &str, message: &str) -> Vec<Answer> {
    let asked = [
        (documents::ROOM, json!({ "roomId": room })),
        (documents::ROOM_VIEWER, json!({ "roomId": room })),
        (documents::MEMBERS, json!({ "roomId": room })),
        (documents::MESSAGES, json!({ "roomId": room, "last": 5 })),
        (documents::READ_BY, json!({ "roomId": room })),
        ("query($id: ID!) { node(id: $id) { id } }", json!({ "id": room })),
        ("query($id: ID!) { node(id: $id) { id } }", json!({ "id": message })),
        (documents::POST_MESSAGE, json!({ "roomId": room, "body": "let me in" })),
        (documents::POST_MESSAGE, json!({ "roomId": room, "body": "let me in", "clientId": "c" })),
        (documents::EDIT_MESSAGE, json!({ "messageId": message, "body": "mine" })),
        (documents::DELETE_MESSAGE, json!({ "messageId": message })),
        (documents::MARK_READ, json!({ "roomId": room, "seq": 1 })),
        (documents::MARK_READ, json!({ "roomId": room, "seq": 9 })),
        (documents::MUTE_ROOM, json!({ "roomId": room, "muted": true })),
        (documents::LEAVE_ROOM, json!({ "roomId": room })),
        (documents::DELETE_ROOM, json!({ "roomId": room })),
    ];
    join_all(asked.map(|(document, variables)| user.graphql(document, variables))).await
}

#[tokio::test]
async fn to_a_stranger_a_room_looks_exactly_as_if_there_were_none() {
    let app = TestApp::start().await;
    let [ann, bob, eve, kim] = app.users(["ann", "bob", "eve", "kim"]).await;
    let room = ann.initiate_chat([&bob, &kim]).await;
    let message = ann.post(&room, "secret").await;
    kim.post(&room, "mine").await;
    kim.leave(&room).await;
    let deleted = kim.initiate_chat([&eve]).await;
    let tombstone = eve.post(&deleted, "secret").await;
    kim.delete_room(&deleted).await;

    let unknown = everything_about(&eve, "room_00000000000000000000000000", "msg_00000000000000000000000000").await;
    let of_stranger = everything_about(&eve, &room.id, &message.id).await;
    let of_former_member = everything_about(&kim, &room.id, &message.id).await;
    let of_deleted = everything_about(&eve, &deleted.id, &tombstone.id).await;

    for (n, unknown) in unknown.iter().enumerate() {
        for seen in [&of_stranger[n], &of_former_member[n], &of_deleted[n]] {
            assert_eq!((seen.status, &seen.body), (unknown.status, &unknown.body), "{n}");
        }
    }
    assert_eq!(ann.messages(&room).await.len(), 2, "nothing was changed by asking");
}
