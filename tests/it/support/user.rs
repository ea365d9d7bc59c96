//! Users and their actions.

use serde_json::{Value, json};

use super::endpoint::Endpoint;
use super::people::PASSWORD;
use super::{Answer, Feed, Message, Room, Socket, documents};

/// A signed-up user with one session, which is one device.
///
/// The verbs expect success and panic otherwise; use [`TestUser::graphql`] for a request that is to be refused.
#[derive(Clone)]
pub struct TestUser {
    /// `user_…`.
    pub id: String,
    /// The name, which is also the second half of the password.
    pub username: String,
    /// The session's access token.
    pub access_token: String,
    /// The session's refresh token.
    pub refresh_token: String,
    endpoint: Endpoint,
}

impl TestUser {
    /// The user of a `SessionPayload`.
    pub fn from_session(endpoint: Endpoint, session: &Value) -> Self {
        let text = |pointer| session.pointer(pointer).and_then(Value::as_str).expect("the payload is whole").to_owned();
        Self {
            id: text("/user/id"),
            username: text("/user/username"),
            access_token: text("/accessToken"),
            refresh_token: text("/refreshToken"),
            endpoint,
        }
    }

    /// This user's password.
    pub fn password(&self) -> String {
        format!("{PASSWORD}{}", self.username)
    }

    /// The answer to one request.
    pub async fn graphql(&self, document: &str, variables: Value) -> Answer {
        self.endpoint.graphql(Some(&self.access_token), document, variables).await
    }

    /// The same device, connected to another node.
    pub fn at(&self, endpoint: &Endpoint) -> Self {
        Self { endpoint: endpoint.clone(), ..self.clone() }
    }

    /// A second device of the same user: another session.
    pub async fn sign_in(&self) -> Self {
        self.endpoint.sign_in(&self.username).await
    }

    /// Ends this session.
    pub async fn sign_out(&self) {
        self.graphql(documents::SIGN_OUT, json!({})).await.data();
    }

    /// Deletes this user.
    pub async fn delete_account(&self) {
        self.graphql(documents::DELETE_ACCOUNT, json!({})).await.data();
    }

    /// The room of this user and these others.
    pub async fn initiate_chat<'u>(&self, others: impl IntoIterator<Item = &'u TestUser>) -> Room {
        self.initiate(others, "CONSUMER_TO_CONSUMER").await.0
    }

    /// The room of this user and these others, of this type; and whether it is new.
    pub async fn initiate<'u>(&self, others: impl IntoIterator<Item = &'u TestUser>, r#type: &str) -> (Room, bool) {
        let ids: Vec<&str> = others.into_iter().map(|user| &*user.id).collect();
        let answer = self.graphql(documents::INITIATE_CHAT, json!({ "userIds": ids, "type": r#type })).await;
        let is_new = answer["/initiateChat/isNew"].as_bool().expect("isNew is a boolean");
        (Room::of(&answer["/initiateChat/room"]), is_new)
    }

    /// Posts a message.
    pub async fn post(&self, room: &Room, body: &str) -> Message {
        let answer = self.graphql(documents::POST_MESSAGE, json!({ "roomId": room.id, "body": body })).await;
        Message::of(&answer["/postMessage/message"])
    }

    /// Posts a message with this client id.
    pub async fn post_as(&self, room: &Room, client_id: &str, body: &str) -> Message {
        let variables = json!({ "roomId": room.id, "body": body, "clientId": client_id });
        Message::of(&self.graphql(documents::POST_MESSAGE, variables).await["/postMessage/message"])
    }

    /// Changes a message's text.
    pub async fn edit(&self, message: &Message, body: &str) -> Message {
        let answer = self.graphql(documents::EDIT_MESSAGE, json!({ "messageId": message.id, "body": body })).await;
        Message::of(&answer["/editMessage/message"])
    }

    /// Deletes a message.
    pub async fn delete(&self, message: &Message) -> Message {
        let answer = self.graphql(documents::DELETE_MESSAGE, json!({ "messageId": message.id })).await;
        Message::of(&answer["/deleteMessage/message"])
    }

    /// Marks everything up to `seq` as read.
    pub async fn mark_read(&self, room: &Room, seq: i64) -> Answer {
        let answer = self.graphql(documents::MARK_READ, json!({ "roomId": room.id, "seq": seq })).await;
        answer.data();
        answer
    }

    /// Mutes a room, or unmutes it.
    pub async fn mute(&self, room: &Room, muted: bool) {
        self.graphql(documents::MUTE_ROOM, json!({ "roomId": room.id, "muted": muted })).await.data();
    }

    /// Blocks a user, or no longer does.
    pub async fn block(&self, other: &Self, blocked: bool) {
        let variables = json!({ "userId": other.id, "blocked": blocked });
        let answer = self.graphql(documents::BLOCK_USER, variables).await;
        assert_eq!(answer["/blockUser"], json!({ "blocked": blocked, "user": { "id": other.id } }));
    }

    /// Leaves a room.
    pub async fn leave(&self, room: &Room) {
        self.graphql(documents::LEAVE_ROOM, json!({ "roomId": room.id })).await.data();
    }

    /// Deletes a room, and returns how many messages were deleted with it.
    pub async fn delete_room(&self, room: &Room) -> i64 {
        let answer = self.graphql(documents::DELETE_ROOM, json!({ "roomId": room.id })).await;
        answer.number("/deleteRoom/deletedMessageCount")
    }

    /// The first page of the rooms, newest activity first.
    pub async fn rooms(&self) -> Vec<Room> {
        let answer = self.graphql(documents::ROOMS, json!({ "first": 100 })).await;
        answer.list("/rooms/nodes").iter().map(Room::of).collect()
    }

    /// The room's newest messages, at most 100, oldest first.
    pub async fn messages(&self, room: &Room) -> Vec<Message> {
        let answer = self.graphql(documents::MESSAGES, json!({ "roomId": room.id, "last": 100 })).await;
        answer.list("/room/messages/nodes").iter().map(Message::of).collect()
    }

    /// The room's unread count, and the `seq` up to which it is read.
    pub async fn unread(&self, room: &Room) -> (i64, i64) {
        let answer = self.graphql(documents::ROOM_VIEWER, json!({ "roomId": room.id })).await;
        (answer.number("/room/viewer/unreadCount"), answer.number("/room/viewer/lastReadSeq"))
    }

    /// Where this user's event stream stands.
    pub async fn sync_cursor(&self) -> String {
        self.graphql("{ syncCursor }", json!({})).await.text("/syncCursor").to_owned()
    }

    /// A connected socket of this user, without a subscription.
    pub async fn socket(&self) -> Socket {
        Socket::connect(&self.endpoint, Some(&self.access_token), None).await
    }

    /// Subscribes to everything from now on.
    pub async fn subscribe(&self) -> Feed {
        self.subscribe_to(documents::EVENTS, json!({})).await
    }

    /// Subscribes with this document, from now on.
    pub async fn subscribe_to(&self, document: &str, variables: Value) -> Feed {
        let mut feed = Feed::open(self.socket().await, document, variables).await;
        let missed = feed.until_synced().await;
        assert!(missed.is_empty(), "expected nothing before Synced without a cursor, got {missed:#?}");
        feed
    }

    /// Subscribes to everything since `cursor`. What was missed comes first: see [`Feed::until_synced`].
    pub async fn subscribe_after(&self, cursor: &str) -> Feed {
        Feed::open(self.socket().await, documents::EVENTS, json!({ "after": cursor })).await
    }

    /// The server's address.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}
