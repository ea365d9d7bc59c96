//! From the upgrade to the ack, and what ends a socket before.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message as WsMessage};

use crate::support::{Frame, SUBPROTOCOL, Socket, TestApp, TestUser, documents};

fn init(token: &str) -> Value {
    json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } })
}

async fn open(app: &TestApp) -> Socket {
    Socket::open(app.endpoint(), Some(SUBPROTOCOL)).await
}

#[tokio::test]
async fn a_client_that_speaks_no_known_protocol_is_told_so() {
    let app = TestApp::start().await;
    for subprotocol in [None, Some("mqtt"), Some("graphql-transport-ws-2")] {
        let handshake = Socket::handshake(app.endpoint(), subprotocol, &[]).await;
        match handshake {
            Ok((mut socket, response)) => {
                assert!(!response.headers().contains_key("sec-websocket-protocol"));
                assert_eq!(socket.next_close().await, (4406, "Subprotocol not acceptable".to_owned()));
            }
            // The client's library may insist on one of those that it asked for, and not read on.
            Err(Error::Protocol(_)) => assert!(subprotocol.is_some()),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(app.refusals("socket_subprotocol").await >= 1.0);
}

#[tokio::test]
async fn the_known_protocol_is_chosen_among_several() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (mut socket, response) =
        Socket::handshake(app.endpoint(), Some("mqtt, graphql-transport-ws, other"), &[]).await.expect("it is known");
    assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
    socket.send(&init(&ann.access_token)).await;
    assert_eq!(socket.next_json().await["type"], "connection_ack");
}

#[tokio::test]
async fn a_client_that_says_nothing_for_three_seconds_is_told_so() {
    let app = TestApp::start().await;
    let started = tokio::time::Instant::now();
    let (mut silent, mut chatty) = (open(&app).await, open(&app).await);
    chatty.send(&json!({ "type": "ping" })).await;
    assert_eq!(chatty.next_json().await, json!({ "type": "pong" }));

    let closed = tokio::join!(silent.next_close(), chatty.next_close());

    let expected = (4408, "Connection initialisation timeout".to_owned());
    assert_eq!(closed, (expected.clone(), expected));
    assert!((2..6).contains(&started.elapsed().as_secs()), "after {:?}", started.elapsed());
}

#[tokio::test]
async fn the_ack_tells_the_session_the_time_and_the_rhythm_of_pings() {
    let app = TestApp::start_with(|config| config.keepalive_secs = 17).await;
    let ann = app.user("ann").await;
    let mut socket = open(&app).await;
    socket.send(&init(&ann.access_token)).await;

    let ack = socket.next_json().await;

    assert_eq!(ack["type"], "connection_ack");
    let payload = &ack["payload"];
    assert!(payload["sessionId"].as_str().is_some_and(|id| id.starts_with("session_")), "{payload}");
    assert_eq!(payload["keepAliveSecs"], 17);
    let time = payload["serverTime"].as_str().expect("a time");
    let time = chrono::DateTime::parse_from_rfc3339(time).expect("RFC 3339");
    let now = app.clock().now();
    assert!((now - time.to_utc()).num_seconds().abs() < 10, "{time} and now {now}");
}

#[tokio::test]
async fn the_token_may_stand_bare_or_in_the_headers_as_playgrounds_have_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let token = &ann.access_token;
    for payload in [
        json!({ "authorization": token }),
        json!({ "Authorization": format!("bearer {token}"), "more": { "from": "a client" } }),
    ] {
        let mut socket = open(&app).await;
        socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.next_json().await["type"], "connection_ack");
    }
    let header = format!("Bearer {token}");
    let with_header = Socket::handshake(app.endpoint(), Some(SUBPROTOCOL), &[("authorization", &header)]).await;
    let (mut socket, _) = with_header.expect("the handshake succeeds");
    socket.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(socket.next_json().await["type"], "connection_ack");
}

#[tokio::test]
async fn a_token_that_is_missing_wrong_expired_or_revoked_is_forbidden() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    bob.sign_out().await;
    let tampered = format!("{}x", ann.access_token);
    let expect_forbidden = async |message: Value| {
        let mut socket = open(&app).await;
        socket.send(&message).await;
        assert_eq!(socket.next_close().await, (4403, "Forbidden".to_owned()), "{message}");
    };

    expect_forbidden(json!({ "type": "connection_init" })).await;
    expect_forbidden(json!({ "type": "connection_init", "payload": {} })).await;
    for token in ["", "garbage", &tampered, &bob.access_token, &ann.refresh_token] {
        expect_forbidden(init(token)).await;
    }
    app.clock().advance(chrono::TimeDelta::minutes(11));
    expect_forbidden(init(&ann.access_token)).await;
    assert!(app.refusals("socket_forbidden").await >= 8.0);
}

#[tokio::test]
async fn subscribing_before_the_ack_is_unauthorized() {
    let app = TestApp::start().await;
    let mut socket = open(&app).await;
    socket.subscribe(documents::EVENTS, &json!({})).await;
    assert_eq!(socket.next_close().await, (4401, "Unauthorized".to_owned()));
}

#[tokio::test]
async fn a_second_init_is_one_too_many() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    socket.send(&init(&ann.access_token)).await;
    assert_eq!(socket.next_close().await, (4429, "Too many initialisation requests".to_owned()));

    // Two at once, so that the second is there before the first is answered.
    let mut socket = open(&app).await;
    socket.send(&init(&ann.access_token)).await;
    socket.send(&init(&ann.access_token)).await;
    assert_eq!(socket.until_close().await.0, 4429);
}

const UNREADABLE: [&str; 10] = [
    "",
    "secret",
    "\"secret\"",
    "[]",
    "[{\"type\":\"secret\"}]",
    "{\"type\":\"secret",
    "{\"type\":\"secret\"}",
    "{\"type\":null}",
    "{\"secret\":\"connection_init\"}",
    "{\"type\":\"connection_init\",\"payload\":{\"authorization\":{\"secret\":1}}}",
];

async fn expect_bad_request(socket: &mut Socket, message: &str) {
    let (code, reason) = socket.next_close().await;
    assert_eq!(code, 4400, "{message}: {reason}");
    assert!(!reason.is_empty() && reason.len() <= 123, "{message}: {reason}");
    assert!(!reason.contains("secret"), "{message} is echoed: {reason}");
}

#[tokio::test]
async fn an_unreadable_message_ends_the_socket_before_and_after_the_ack() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for message in UNREADABLE {
        for mut socket in [open(&app).await, ann.socket().await] {
            socket.send_text(message).await;
            expect_bad_request(&mut socket, message).await;
        }
    }
}

#[tokio::test]
async fn a_binary_message_is_unreadable() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let message = init(&ann.access_token).to_string();
    for mut socket in [open(&app).await, ann.socket().await] {
        socket.send_frame(WsMessage::binary(message.clone().into_bytes())).await;
        expect_bad_request(&mut socket, "binary").await;
    }
}

#[tokio::test]
async fn scripts_of_foreign_websites_are_turned_away() {
    let app = TestApp::start_with(|config| config.allowed_origins = vec!["https://chat.example.com".to_owned()]).await;
    let ann = app.user("ann").await;
    let own = format!("http://{}", app.endpoint().addr);
    let connects = async |user: &TestUser, origin: &str| match Socket::handshake(
        user.endpoint(),
        Some(SUBPROTOCOL),
        &[("origin", origin)],
    )
    .await
    {
        Ok((mut socket, _)) => {
            socket.send(&init(&user.access_token)).await;
            assert!(matches!(socket.next_frame().await, Frame::Json(ack) if ack["type"] == "connection_ack"));
            None
        }
        Err(Error::Http(response)) => Some(response.status().as_u16()),
        Err(error) => panic!("{origin}: {error}"),
    };

    assert_eq!(connects(&ann, &own).await, None);
    for listed in ["https://chat.example.com", "https://chat.example.com:443", "HTTPS://CHAT.example.com"] {
        assert_eq!(connects(&ann, listed).await, None, "{listed}");
    }
    for foreign in [
        "https://evil.example.com",
        "https://chat.example.com.evil.example",
        "http://chat.example.com",
        "https://chat.example.com:8443",
        "null",
        "",
    ] {
        assert_eq!(connects(&ann, foreign).await, Some(403), "{foreign}");
    }
    assert!((app.refusals("origin").await - 6.0).abs() < f64::EPSILON);
}
