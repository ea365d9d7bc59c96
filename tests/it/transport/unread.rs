//! Clients that ask for much and read nothing: what they hold is their own.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Socket, TestApp, TestUser};

/// What a socket's buffers hold many times over, if it is asked for on twenty operations.
const MESSAGES: usize = 100;
const LARGE: usize = 16 * 1024;

/// Reads the database for each event, too.
const EVENTS: &str = "subscription($after: Cursor) { events(after: $after) { __typename cursor \
    ... on MessagePosted { message { id body readBy { readAt } room { viewer { unreadCount } } } } } }";

const PAGE: &str = "query($room: ID!) { room(id: $room) { messages(last: 100) { nodes { body } } } }";

/// A server with two connections for reading, and two users, of whom Bob has missed much.
struct Town {
    app: TestApp,
    eve: TestUser,
    bob: TestUser,
    after: String,
    room: String,
}

impl Town {
    async fn new() -> Self {
        let app = TestApp::start_with(|config| config.database_connections = 2).await;
        let [eve, bob] = app.users(["eve", "bob"]).await;
        let room = eve.initiate_chat([&bob]).await;
        let after = bob.sync_cursor().await;
        let body = "x".repeat(LARGE);
        join_all((0..MESSAGES).map(|_| eve.post(&room, &body))).await;
        Self { app, eve, bob, after, room: room.id }
    }

    /// A socket of Bob's that begins these operations and then reads nothing.
    async fn stuck(&self, operations: impl IntoIterator<Item = (&'static str, Value)>) -> Socket {
        let mut socket = Socket::connect_narrow(self.app.endpoint(), &self.bob.access_token).await;
        for (n, (query, variables)) in operations.into_iter().enumerate() {
            let payload = json!({ "query": query, "variables": variables });
            socket.send(&json!({ "type": "subscribe", "id": n.to_string(), "payload": payload })).await;
        }
        socket
    }

    /// Everybody else is served: reading, writing, subscribing, and telling whether the server is ready.
    async fn expect_others_are_served(&self) {
        for n in 0..20 {
            self.eve.graphql("{ me { id } rooms { nodes { id lastMessage { seq } } } }", json!({})).await.data();
            let ready = self.app.get("/readyz").await;
            assert_eq!(ready.status(), 200, "after {n} rounds");
            let mut feed = self.eve.subscribe_after(&self.eve.sync_cursor().await).await;
            feed.until_synced().await;
            let message = self.eve.graphql(
                "mutation($room: ID!) { postMessage(roomId: $room, body: \"on\") { message { id } } }",
                json!({ "room": self.room }),
            );
            message.await.data();
        }
    }
}

#[tokio::test]
async fn sockets_that_catch_up_and_read_nothing_keep_neither_connections_nor_permits() {
    let town = Town::new().await;
    let operations = || (0..20).map(|_| (EVENTS, json!({ "after": town.after })));
    let _stuck = (town.stuck(operations()).await, town.stuck(operations()).await);
    town.expect_others_are_served().await;
}

#[tokio::test]
async fn sockets_that_query_and_read_nothing_keep_no_connections() {
    let town = Town::new().await;
    let operations = || (0..20).map(|_| (PAGE, json!({ "room": town.room })));
    let _stuck = (town.stuck(operations()).await, town.stuck(operations()).await);
    town.expect_others_are_served().await;
}

#[tokio::test]
async fn subscriptions_that_are_refused_keep_no_permits_while_their_client_reads_nothing() {
    let town = Town::new().await;
    let page = (PAGE, json!({ "room": town.room }));
    let refused = (EVENTS, json!({ "after": "nonsense" }));
    let operations = || (0..4).map(|_| page.clone()).chain((0..16).map(|_| refused.clone()));
    let _stuck = (town.stuck(operations()).await, town.stuck(operations()).await);
    town.expect_others_are_served().await;
}
