//! Notifications: of what, on which devices.

use serde_json::{Value, json};

use crate::support::{Room, TestApp, TestUser};

mod backend;
mod devices;
mod fcm;
mod large;
mod pushes;
mod unread;

const SET: &str = "mutation($id: ID!, $level: NotificationLevel!) {
    setNotifications(roomId: $id, level: $level) { room { id viewer { notifications muted } } } }";

impl TestUser {
    /// Says of what in a room this user is notified. Returns what the room says then.
    pub async fn set_notifications(&self, room: &Room, level: &str) -> Value {
        let answer = self.graphql(SET, json!({ "id": room.id, "level": level })).await;
        answer["/setNotifications/room/viewer"].clone()
    }

    /// What the user has not read, in all rooms.
    async fn unread_summary(&self) -> Value {
        self.graphql("{ viewer { unread { rooms messages badge } } }", json!({})).await["/viewer/unread"].clone()
    }
}

#[tokio::test]
async fn of_what_one_is_notified_is_told_to_the_own_sockets_and_muting_keeps_it_for_later() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut others = bob.subscribe().await;
    let document =
        "subscription { events { __typename cursor ... on RoomMuted { room { viewer { notifications } } } } }";
    let mut own = ann.subscribe_to(document, json!({})).await;

    let seen = ann.set_notifications(&room, "MENTIONS").await;
    assert_eq!(seen, json!({ "notifications": "MENTIONS", "muted": false }));
    assert_eq!(ann.set_notifications(&room, "MENTIONS").await, seen, "the same again is no news");
    ann.mute(&room, true).await;
    ann.mute(&room, false).await;
    assert_eq!(ann.set_notifications(&room, "NONE").await, json!({ "notifications": "NONE", "muted": true }));
    assert_eq!(ann.set_notifications(&room, "ALL").await, json!({ "notifications": "ALL", "muted": false }));
    let end = bob.post(&room, "end").await;

    let told = own.until(|event| event.kind == "MessagePosted").await;
    let levels: Vec<&Value> = told.iter().map(|event| &event.body["room"]["viewer"]["notifications"]).collect();
    assert_eq!(levels.len(), 6, "{told:?}");
    // Each is as it is when it is rendered, which may be later.
    assert_eq!(levels[4], "ALL");
    others.expect_silence_until(&end).await;
    assert_eq!(ann.set_notifications(&room, "MENTIONS").await["notifications"], "MENTIONS");
    ann.leave(&room).await;
    let gone = ann.graphql(SET, json!({ "id": room.id, "level": "ALL" })).await;
    assert_eq!((gone.error_code(), gone.error_field()), ("NOT_FOUND", "roomId"));
}
