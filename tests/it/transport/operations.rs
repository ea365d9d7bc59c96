//! Operations on a socket: how they begin, go on and end.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Message, Socket, TestApp, documents};

async fn subscribe_as(socket: &mut Socket, id: &str, document: &str) {
    socket.send(&json!({ "id": id, "type": "subscribe", "payload": { "query": document } })).await;
}

/// The one error of the `error` message that comes next for this operation.
async fn next_refusal(socket: &mut Socket, id: &str) -> Value {
    let refusal = socket.next_json().await;
    assert_eq!((&refusal["type"], &refusal["id"]), (&json!("error"), &json!(id)), "{refusal:#}");
    let errors = refusal["payload"].as_array().expect("the payload is a list of errors");
    assert_eq!(errors.len(), 1, "{refusal:#}");
    errors[0].clone()
}

/// Shows that nothing comes any more, by what is asked last.
async fn expect_silence(socket: &mut Socket) {
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next_json().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn a_query_and_a_mutation_give_one_response_each_and_are_over() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut socket = ann.socket().await;

    for _ in 0..2 {
        subscribe_as(&mut socket, "again and again", "{ me { username } }").await;
        let next = socket.next_json().await;
        assert_eq!(
            next,
            json!({ "type": "next", "id": "again and again", "payload": { "data": { "me": { "username": "ann" } } } })
        );
        assert_eq!(socket.next_json().await, json!({ "type": "complete", "id": "again and again" }));
    }
    let id = socket.subscribe(documents::POST_MESSAGE, &json!({ "roomId": room.id, "body": "by socket" })).await;
    let next = socket.next_json().await;
    let posted = Message::of(&next["payload"]["data"]["postMessage"]["message"]);
    assert_eq!(socket.next_json().await, json!({ "type": "complete", "id": id }));
    assert_eq!(bob.messages(&room).await, [posted]);
    expect_silence(&mut socket).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_document_is_an_error_with_no_complete_and_the_id_is_free() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    for (document, code) in [
        ("{ me {", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { events { nothing } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { events { cursor } messagePosted { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { me { id } } query B { me { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription($after: Cursor!) { events(after: $after) { cursor } }", "BAD_USER_INPUT"),
        ("{ ...A } fragment A on Query { ...A }", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        subscribe_as(&mut socket, "the same", document).await;
        let error = next_refusal(&mut socket, "the same").await;
        assert_eq!(error["extensions"]["code"], code, "{document}: {error:#}");
    }
    expect_silence(&mut socket).await;
}

#[tokio::test]
async fn errors_of_the_execution_come_in_the_response() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let mut socket = ann.socket().await;
    let variables = json!({ "roomId": "room_01h455vb4pex5vsknk084sn02q", "body": "hello" });
    let id = socket.subscribe(documents::POST_MESSAGE, &variables).await;

    let next = socket.next_json().await;

    assert_eq!((&next["type"], &next["id"]), (&json!("next"), &json!(id)), "{next:#}");
    assert_eq!(next["payload"]["errors"][0]["extensions"]["code"], "NOT_FOUND");
    assert_eq!(socket.next_json().await, json!({ "type": "complete", "id": id }));

    let partly = "query($id: ID!) { me { id } users(first: -1) { nodes { id } } user(id: $id) { username } }";
    let id = socket.subscribe(partly, &json!({ "id": bob.id })).await;
    let next = socket.next_json().await;
    assert_eq!(next["payload"]["errors"][0]["extensions"], json!({ "code": "BAD_USER_INPUT", "field": "first" }));
    assert_eq!(socket.next_json().await, json!({ "type": "complete", "id": id }));
}

#[tokio::test]
async fn an_id_that_is_taken_ends_the_socket() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    subscribe_as(&mut socket, "taken", documents::EVENTS).await;
    assert_eq!(socket.next_json().await["type"], "next");

    subscribe_as(&mut socket, "taken", "{ me { id } }").await;

    assert_eq!(socket.next_close().await, (4409, "Subscriber already exists".to_owned()));
}

#[tokio::test]
async fn an_id_is_free_as_soon_as_its_end_was_told_however_busy_the_socket() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut socket = bob.socket().await;
    let cursor = bob.sync_cursor().await;
    for n in 0..30 {
        ann.post(&room, &format!("{n}")).await;
    }
    for n in 0..12 {
        let payload = json!({ "query": documents::EVENTS, "variables": { "after": cursor } });
        socket.send(&json!({ "id": format!("busy {n}"), "type": "subscribe", "payload": payload })).await;
    }

    // Each end is followed at once by another operation of the same id, with much else to be sent in between.
    let mut rounds = 0;
    subscribe_as(&mut socket, "reused", "{ me { id } }").await;
    while rounds < 30 {
        let frame = socket.next_json().await;
        if frame["id"] == "reused" && frame["type"] != "next" {
            rounds += 1;
            let document = if rounds % 2 == 0 { "{ me { id } }" } else { "{ wrong }" };
            subscribe_as(&mut socket, "reused", document).await;
        }
    }
}

#[tokio::test]
async fn the_end_of_an_operation_by_its_client_is_answered_with_silence() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut socket = bob.socket().await;
    subscribe_as(&mut socket, "ended", documents::EVENTS).await;
    subscribe_as(&mut socket, "kept", documents::EVENTS).await;
    for _ in 0..2 {
        assert_eq!(socket.next_json().await.pointer("/payload/data/events/__typename"), Some(&json!("Synced")));
    }

    for id in ["ended", "ended", "never begun"] {
        socket.send(&json!({ "id": id, "type": "complete" })).await;
    }
    expect_silence(&mut socket).await;
    ann.post(&room, "hello").await;
    let next = socket.next_json().await;
    assert_eq!((&next["id"], &next["type"]), (&json!("kept"), &json!("next")));
    expect_silence(&mut socket).await;
}

#[tokio::test]
async fn ids_of_any_text_come_back_as_they_were() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    for id in ["1", "a \"quoted\" \\ id", "\u{1F600}\n\u{1}\u{2028}", "</script>", &"x".repeat(64)] {
        subscribe_as(&mut socket, id, "{ me { username } }").await;
        for expected in ["next", "complete"] {
            let message = socket.next_json().await;
            assert_eq!((&message["type"], &message["id"]), (&json!(expected), &json!(id)));
        }
    }
}

#[tokio::test]
async fn a_ping_is_answered_and_a_pong_is_not() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    socket.send(&json!({ "type": "pong" })).await;
    socket.send(&json!({ "type": "ping", "payload": { "any": "thing" } })).await;
    assert_eq!(socket.next_json().await, json!({ "type": "pong" }));
    expect_silence(&mut socket).await;
}

#[tokio::test]
async fn a_socket_runs_a_hundred_subscriptions_and_refuses_one_more() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut socket = bob.socket().await;
    for n in 1..=100 {
        subscribe_as(&mut socket, &format!("op {n}"), documents::EVENTS).await;
    }
    for _ in 1..=100 {
        assert_eq!(socket.next_json().await.pointer("/payload/data/events/__typename"), Some(&json!("Synced")));
    }

    for _ in 0..2 {
        subscribe_as(&mut socket, "op 101", documents::EVENTS).await;
        assert_eq!(next_refusal(&mut socket, "op 101").await["extensions"]["code"], "RATE_LIMITED");
    }
    assert!((app.refusals("socket_too_many_subscriptions").await - 2.0).abs() < f64::EPSILON);
    // They don't keep queries from running.
    subscribe_as(&mut socket, "query", "{ me { id } }").await;
    for expected in ["next", "complete"] {
        let message = socket.next_json().await;
        assert_eq!((&message["type"], &message["id"]), (&json!(expected), &json!("query")));
    }

    ann.post(&room, "hello").await;
    let mut heard: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 1..=100 {
        let next = socket.next_json().await;
        *heard.entry(next["id"].as_str().expect("an id").to_owned()).or_default() += 1;
    }
    assert_eq!((heard.len(), heard.values().sum::<usize>()), (100, 100));
    socket.send(&json!({ "id": "op 7", "type": "complete" })).await;
    subscribe_as(&mut socket, "op 101", documents::EVENTS).await;
    assert_eq!(socket.next_json().await["id"], "op 101");
}
