//! How many sockets are opened, and how many are open.

use serde_json::json;

use super::limited;
use crate::support::{Endpoint, SUBPROTOCOL, Socket, TestUser, documents};

/// Opens a socket and says how its handshake ended: by the type of the first message, or by a code of closing.
async fn opened(endpoint: &Endpoint, token: &str, after: Option<&str>) -> (Socket, String) {
    let mut socket = Socket::open(endpoint, Some(SUBPROTOCOL)).await;
    let payload = json!({ "authorization": token, "after": after.unwrap_or_default() });
    socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
    let outcome = match socket.next_frame().await {
        crate::support::Frame::Json(message) => message["type"].as_str().expect("a type").to_owned(),
        crate::support::Frame::Closed(code, reason) => format!("{code} {reason}"),
        frame @ crate::support::Frame::Ping => panic!("{frame:?}"),
    };
    (socket, outcome)
}

const ACK: &str = "connection_ack";
const TOO_MANY: &str = "1013 Too many sockets";

#[tokio::test]
async fn an_address_opens_so_many_sockets_and_coming_back_is_charged_to_the_user() {
    let app = limited(|limits| {
        limits.sockets_opened = "1/h burst 3".parse().expect("a rate");
        limits.resumes = "1/h burst 2".parse().expect("a rate");
    })
    .await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let cursor = ann.sync_cursor().await;
    let (office, home) = (app.endpoint().calling_from("203.0.113.1"), app.endpoint().calling_from("203.0.113.2"));
    let open = async |endpoint, user: &TestUser, after| opened(endpoint, &user.access_token, after).await.1;

    // Whoever comes back leaves what the address may open to others, up to what a user may.
    for _ in 0..2 {
        assert_eq!(open(&office, &ann, Some(&cursor)).await, ACK);
    }
    for _ in 0..3 {
        assert_eq!(open(&office, &ann, Some(&cursor)).await, ACK, "as any other socket");
    }
    assert_eq!(open(&office, &ann, Some(&cursor)).await, TOO_MANY);
    assert_eq!(open(&office, &bob, Some(&cursor)).await, ACK, "after a restart, everybody in the office comes back");
    assert_eq!(open(&office, &bob, None).await, ACK, "and may say where from with the first subscription");
    assert_eq!(open(&office, &bob, None).await, TOO_MANY);
    assert_eq!(open(&home, &ann, None).await, ACK);
}

#[tokio::test]
async fn whoever_resumes_by_a_subscription_leaves_to_others_what_the_address_may_open() {
    let app = limited(|limits| {
        limits.sockets_opened = "1/h burst 2".parse().expect("a rate");
        limits.resumes = "1/h burst 3".parse().expect("a rate");
    })
    .await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let cursor = ann.sync_cursor().await;
    let office = app.endpoint().calling_from("203.0.113.1");
    let resume = async |user: &TestUser, after: &str| {
        let (mut socket, outcome) = opened(&office, &user.access_token, None).await;
        assert_eq!(outcome, ACK);
        // The second says nothing new, and a text that is no cursor says nothing at all.
        for after in [after, after] {
            socket.subscribe_with(documents::EVENTS, &json!({}), &json!({ "after": after })).await;
            socket.next_json().await;
        }
    };
    for _ in 0..3 {
        resume(&ann, &cursor).await;
    }
    for _ in 0..2 {
        resume(&bob, "garbage").await;
    }
    // That was all that the address may open. Ann may resume no more, Bob and Eve may.
    assert_eq!(opened(&office, &ann.access_token, None).await.1, TOO_MANY);
    for user in [&bob, &eve] {
        for _ in 0..3 {
            resume(user, &cursor).await;
        }
        assert_eq!(opened(&office, &user.access_token, None).await.1, TOO_MANY);
    }
}

#[tokio::test]
async fn sockets_that_never_say_who_they_are_count_as_well() {
    let app = limited(|limits| {
        limits.sockets_opened = "1/h burst 2".parse().expect("a rate");
        limits.resumes = "1/h burst 1".parse().expect("a rate");
    })
    .await;
    let ann = app.user("ann").await;
    let office = app.endpoint().calling_from("203.0.113.1");
    for _ in 0..2 {
        assert_eq!(opened(&office, "no token", None).await.1, "4403 Forbidden");
    }
    assert_eq!(opened(&office, &ann.access_token, None).await.1, ACK, "she may be coming back");
    assert_eq!(opened(&office, &ann.access_token, None).await.1, TOO_MANY);
}

#[tokio::test]
async fn a_user_has_so_many_sockets_at_a_time_and_another_when_one_is_closed() {
    let app = limited(|limits| limits.sockets = 2).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let (socket, outcome) = opened(app.endpoint(), &ann.access_token, None).await;
        assert_eq!(outcome, ACK);
        sockets.push(socket);
    }
    assert_eq!(opened(app.endpoint(), &ann.access_token, None).await.1, TOO_MANY);
    assert_eq!(opened(app.endpoint(), &bob.access_token, None).await.1, ACK);
    assert!((app.refusals("limit_sockets").await - 1.0).abs() < f64::EPSILON);

    let mut closing = sockets.pop().expect("two are open");
    closing.send(&json!({ "id": "x", "type": "subscribe", "payload": { "query": documents::EVENTS } })).await;
    closing.next_json().await;
    closing.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(closing.until_close().await.0, 4429, "the server has ended it");
    assert_eq!(opened(app.endpoint(), &ann.access_token, None).await.1, ACK);
}
