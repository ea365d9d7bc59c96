//! Sockets that ask for much and read nothing.

use serde_json::{Value, json};

use super::Form;
use super::bystander::Bystander;
use super::outcome::Outcome;
use super::server::{Scene, Server};
use crate::support::{Socket, TestUser};

/// Sockets of one user.
const SOCKETS: usize = 30;

/// What each begins.
const OPERATIONS: usize = 20;

/// What the server's memory may be at most: what 20 such sockets may have waiting, 4 MiB each, comes on top of itself
/// and of what it works on.
const MOST_MIB: u64 = 400;

/// Sockets of this user that begin these operations and read nothing. As many as the server lets in.
async fn stuck(server: &Server, user: &TestUser, operation: impl Fn(usize) -> (String, Value)) -> Vec<Socket> {
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        let Some(mut socket) = Socket::try_connect_narrow(server.endpoint(), &user.access_token).await else {
            continue;
        };
        for n in 0..OPERATIONS {
            let (query, variables) = operation(n);
            let payload = json!({ "query": query, "variables": variables });
            socket.send(&json!({ "type": "subscribe", "id": n.to_string(), "payload": payload })).await;
        }
        sockets.push(socket);
    }
    sockets
}

async fn attack(form: Form, operation: impl Fn(usize, &str, &str) -> (String, Value)) -> Outcome {
    let Scene { server, eve, room, after, .. } = Server::with_messages(1_000).await;
    let mut bystander = Bystander::arrive(&server).await;
    server.forget_peak();
    let sockets = stuck(&server, &eve, |n| operation(n, &room.id, &after)).await;
    let experience = bystander.live(&server, form.rounds).await;
    let outcome =
        Outcome::default().expect(sockets.len() >= 10, format_args!("{} sockets that read nothing", sockets.len()));
    experience.judge(outcome).mib("memory at most", server.peak(), MOST_MIB)
}

/// What an app shows of each event, and what must be read for it.
const EVENTS: &str = "subscription($after: Cursor) { events(after: $after) { __typename cursor \
    ... on MessagePosted { message { id body readBy { readAt } room { viewer { unreadCount } } } } } }";

const PAGE: &str = "query($room: ID!) { room(id: $room) { messages(last: 100) { nodes { body } } } }";

const POST: &str = "mutation($room: ID!, $body: String!) { postMessage(roomId: $room, body: $body) { message { id \
    room { messages(last: 20) { nodes { body } } } } } }";

pub async fn sockets_that_catch_up_and_read_nothing(form: Form) -> Outcome {
    attack(form, |_, _, after| (EVENTS.to_owned(), json!({ "after": after }))).await
}

pub async fn sockets_that_query_and_read_nothing(form: Form) -> Outcome {
    attack(form, |_, room, _| (PAGE.to_owned(), json!({ "room": room }))).await
}

pub async fn sockets_that_post_and_read_nothing(form: Form) -> Outcome {
    attack(form, |n, room, _| (POST.to_owned(), json!({ "room": room, "body": format!("spam {n}") }))).await
}
