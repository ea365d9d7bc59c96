//! What is the same in both dialects of the socket, and what only the older one has.

use serde_json::{Value, json};

use crate::support::{Frame, OLDER_SUBPROTOCOL, SUBPROTOCOL, Socket, TestApp, TestUser, documents};

/// The words of a dialect.
#[derive(Clone, Copy)]
struct Words {
    subprotocol: &'static str,
    begin: &'static str,
    response: &'static str,
    end: &'static str,
    is_older: bool,
}

const DIALECTS: [Words; 2] = [
    Words { subprotocol: SUBPROTOCOL, begin: "subscribe", response: "next", end: "complete", is_older: false },
    Words { subprotocol: OLDER_SUBPROTOCOL, begin: "start", response: "data", end: "stop", is_older: true },
];

const OLDER: Words = DIALECTS[1];

impl Words {
    async fn open(self, user: &TestUser, init: &Value) -> Socket {
        let mut socket = Socket::open(user.endpoint(), Some(self.subprotocol)).await;
        socket.send(&json!({ "type": "connection_init", "payload": init })).await;
        assert_eq!(socket.next_json().await["type"], "connection_ack");
        if self.is_older {
            assert_eq!(socket.next_json().await, json!({ "type": "ka" }));
        }
        socket
    }

    async fn connect(self, user: &TestUser) -> Socket {
        self.open(user, &json!({ "Authorization": format!("Bearer {}", user.access_token) })).await
    }

    fn begin(self, id: &str, document: &str, variables: &Value) -> Value {
        let payload = json!({ "query": document, "variables": variables });
        json!({ "id": id, "type": self.begin, "payload": payload })
    }

    fn end(self, id: &str) -> Value {
        json!({ "id": id, "type": self.end })
    }

    fn response(self, id: &str, payload: &Value) -> Value {
        json!({ "id": id, "type": self.response, "payload": payload })
    }

    /// The next message, past those that only say that the connection is alive.
    async fn next(self, socket: &mut Socket) -> Value {
        loop {
            let message = socket.next_json().await;
            if message != json!({ "type": "ka" }) {
                return message;
            }
        }
    }

    async fn next_event(self, socket: &mut Socket, id: &str) -> Value {
        let message = self.next(socket).await;
        assert_eq!((&message["id"], &message["type"]), (&json!(id), &json!(self.response)), "{message:#}");
        message["payload"]["data"]["events"].clone()
    }
}

#[tokio::test]
async fn queries_and_mutations_give_one_response_and_the_end() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for words in DIALECTS {
        let mut socket = words.connect(&ann).await;
        socket.send(&words.begin("q", "{ me { username } }", &json!({}))).await;
        let answer = json!({ "data": { "me": { "username": "ann" } } });
        assert_eq!(words.next(&mut socket).await, words.response("q", &answer));
        assert_eq!(words.next(&mut socket).await, json!({ "id": "q", "type": "complete" }));

        socket.send(&words.begin("m", documents::POST_MESSAGE, &json!({ "roomId": room.id, "body": "hi" }))).await;
        let posted = words.next(&mut socket).await;
        assert_eq!(posted["payload"]["data"]["postMessage"]["message"]["body"], "hi", "{posted:#}");
        assert_eq!(words.next(&mut socket).await, json!({ "id": "m", "type": "complete" }));

        let elsewhere = json!({ "roomId": "room_01h455vb4pex5vsknk084sn02q", "body": "hi" });
        socket.send(&words.begin("e", documents::POST_MESSAGE, &elsewhere)).await;
        let failed = words.next(&mut socket).await;
        assert_eq!(failed["type"], words.response, "what fails while it runs is a response: {failed:#}");
        assert_eq!(failed["payload"]["errors"][0]["extensions"]["code"], "NOT_FOUND");
        assert_eq!(words.next(&mut socket).await, json!({ "id": "e", "type": "complete" }));
    }
}

#[tokio::test]
async fn what_did_not_run_is_an_error_of_its_id_alone() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for words in DIALECTS {
        let mut socket = words.connect(&ann).await;
        for (payload, code) in [
            (json!({ "query": "{ me {" }), "GRAPHQL_PARSE_FAILED"),
            (json!({ "query": "{ nothing }" }), "GRAPHQL_VALIDATION_FAILED"),
            (json!({ "query": "subscription { nothing }" }), "GRAPHQL_VALIDATION_FAILED"),
            (json!({ "query": 1 }), "BAD_USER_INPUT"),
            (json!([{ "query": "{ me { id } }" }]), "BAD_USER_INPUT"),
            (Value::Null, "BAD_USER_INPUT"),
        ] {
            socket.send(&json!({ "id": "the same", "type": words.begin, "payload": payload })).await;
            let refused = words.next(&mut socket).await;
            assert_eq!((&refused["id"], &refused["type"]), (&json!("the same"), &json!("error")), "{refused:#}");
            // One object in the older dialect, a list in the other.
            let error = if words.is_older { &refused["payload"] } else { &refused["payload"][0] };
            assert_eq!(error["extensions"]["code"], code, "{payload}: {refused:#}");
            assert!(error["message"].is_string());
        }
        socket.send(&words.begin("last", "{ __typename }", &json!({}))).await;
        assert_eq!(words.next(&mut socket).await["type"], words.response);
    }
}

#[tokio::test]
async fn events_come_in_both_dialects_from_one_rendering_until_the_client_ends_them() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let after = bob.sync_cursor().await;
    ann.post(&room, "missed").await;
    let mut sockets = Vec::new();
    for words in DIALECTS {
        let mut socket = words.connect(&bob).await;
        socket.send(&words.begin("1", documents::EVENTS, &json!({ "after": after }))).await;
        assert_eq!(words.next_event(&mut socket, "1").await["message"]["body"], "missed");
        assert_eq!(words.next_event(&mut socket, "1").await["__typename"], "Synced");
        sockets.push((words, socket));
    }
    assert!((app.metric("parlor_render_groups").await - 1.0).abs() < f64::EPSILON);

    ann.post(&room, "live").await;

    for (words, socket) in &mut sockets {
        assert_eq!(words.next_event(socket, "1").await["message"]["body"], "live");
        for id in ["1", "1", "never begun"] {
            socket.send(&words.end(id)).await;
        }
        if words.is_older {
            // Some clients wait for this.
            assert_eq!(words.next(socket).await, json!({ "id": "1", "type": "complete" }));
        }
    }
    app.until_metric("parlor_subscriptions", 0.0).await;
    ann.post(&room, "to nobody").await;
    for (words, socket) in &mut sockets {
        socket.send(&words.begin("1", "{ __typename }", &json!({}))).await;
        assert_eq!(words.next(socket).await["payload"], json!({ "data": { "__typename": "Query" } }), "the id is free");
    }
}

#[tokio::test]
async fn sockets_of_both_dialects_end_with_their_session() {
    let app = TestApp::start().await;
    for (words, name) in DIALECTS.into_iter().zip(["ann", "bob"]) {
        let user = app.user(name).await;
        let mut socket = words.connect(&user).await;
        user.sign_out().await;
        assert_eq!(socket.until_close().await, (4403, "Session ended".to_owned()));
    }
}

#[tokio::test]
async fn what_is_ready_is_written_before_a_close() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for words in DIALECTS {
        let mut socket = words.connect(&ann).await;
        let refused = (0..20).map(|n| words.begin(&n.to_string(), "{ nothing", &json!({})));
        socket.send_together(refused.chain([json!({ "type": "no such type" })])).await;
        for n in 0..20 {
            let message = words.next(&mut socket).await;
            assert_eq!(message["type"], "error", "{n}: {message:#}");
        }
        assert_eq!(socket.next_close().await.0, 4400);
    }
}

#[tokio::test]
async fn the_token_may_stand_wherever_clients_put_their_headers() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let token = format!("Bearer {}", ann.access_token);
    for words in DIALECTS {
        for init in [
            json!({ "authorization": token }),
            json!({ "AUTHORIZATION": token }),
            json!({ "Authorization": token, "authorization": token }),
            json!({ "headers": { "Authorization": token } }),
            json!({ "headers": { "x-other": [1], "authorization": ann.access_token } }),
            json!({ "authorization": null, "headers": { "authorization": token } }),
        ] {
            words.open(&ann, &init).await;
        }
    }
}

#[tokio::test]
async fn the_older_dialect_says_that_a_connection_was_refused_before_it_closes() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let init = |payload: Value| json!({ "type": "connection_init", "payload": payload });
    for (first, code, message) in [
        (init(json!({})), 4403, "Forbidden"),
        (init(Value::Null), 4403, "Forbidden"),
        (init(json!({ "authorization": "Bearer wrong" })), 4403, "Forbidden"),
        (OLDER.begin("1", "{ me { id } }", &json!({})), 4401, "Unauthorized"),
    ] {
        let mut socket = Socket::open(ann.endpoint(), Some(OLDER_SUBPROTOCOL)).await;
        socket.send(&first).await;
        let refusal = socket.next_json().await;
        assert_eq!(refusal, json!({ "type": "connection_error", "payload": { "message": message } }), "{first}");
        assert_eq!(socket.next_close().await, (code, message.to_owned()), "{first}");
    }
}

#[tokio::test]
async fn operations_that_come_right_behind_the_init_wait_for_the_ack() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = Socket::open(ann.endpoint(), Some(OLDER_SUBPROTOCOL)).await;
    let init = json!({ "type": "connection_init", "payload": { "authorization": ann.access_token } });
    socket.send_together([init, OLDER.begin("1", "{ me { username } }", &json!({}))]).await;
    for expected in ["connection_ack", "ka", "data", "complete"] {
        assert_eq!(socket.next_json().await["type"], expected);
    }
}

#[tokio::test]
async fn the_older_dialect_is_told_again_and_again_that_the_connection_is_alive() {
    let app = TestApp::start_with(|config| config.keepalive_secs = 1).await;
    let ann = app.user("ann").await;
    let mut socket = OLDER.connect(&ann).await;
    for _ in 0..3 {
        assert_eq!(socket.next_json().await, json!({ "type": "ka" }));
    }
}

#[tokio::test]
async fn in_the_older_dialect_an_operation_replaces_that_of_the_same_id() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = OLDER.connect(&ann).await;
    for _ in 0..3 {
        socket.send(&OLDER.begin("1", documents::EVENTS, &json!({}))).await;
        assert_eq!(OLDER.next_event(&mut socket, "1").await["__typename"], "Synced");
    }
    app.until_metric("parlor_subscriptions", 1.0).await;
}

#[tokio::test]
async fn in_the_older_dialect_a_client_may_take_its_leave() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = OLDER.connect(&ann).await;
    socket.send(&json!({ "type": "connection_terminate", "payload": null })).await;
    assert_eq!(socket.next_frame().await, Frame::Closed(1000, String::new()));
}

#[tokio::test]
async fn the_client_chooses_between_the_dialects() {
    let app = TestApp::start().await;
    for (offered, expected) in [
        ("graphql-ws, graphql-transport-ws", OLDER_SUBPROTOCOL),
        ("graphql-transport-ws, graphql-ws", SUBPROTOCOL),
        ("mqtt, graphql-ws", OLDER_SUBPROTOCOL),
    ] {
        let (_, response) = Socket::handshake(app.endpoint(), Some(offered), &[]).await.expect("one is spoken");
        assert_eq!(response.headers()["sec-websocket-protocol"], expected, "{offered}");
    }
}
