//! What one socket may not do.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as WsFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::{Frame, SUBPROTOCOL, Socket, TestApp};

/// A message of exactly so many bytes.
fn message_of(bytes: usize) -> String {
    let (begin, end) = (r#"{"type":"ping","payload":""#, r#""}"#);
    format!("{begin}{}{end}", "x".repeat(bytes - begin.len() - end.len()))
}

#[tokio::test]
async fn a_message_of_64_kib_is_read_and_a_longer_one_is_too_big() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    socket.send_text(&message_of(64 * 1024)).await;
    assert_eq!(socket.next_json().await, json!({ "type": "pong" }));
    socket.send_text(&message_of(64 * 1024 + 1)).await;
    assert_eq!(socket.next_close().await, (1009, "Message too big".to_owned()));

    let mut unknown = Socket::open(app.endpoint(), Some(SUBPROTOCOL)).await;
    unknown.send_text(&message_of(64 * 1024 + 1)).await;
    assert_eq!(unknown.next_close().await.0, 1009);
}

#[tokio::test]
async fn a_message_in_fragments_is_measured_as_a_whole() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    let fragment = |opcode, last| {
        WsMessage::Frame(WsFrame::message("x".repeat(40 * 1024).into_bytes(), OpCode::Data(opcode), last))
    };
    socket.send_frame(fragment(Data::Text, false)).await;
    socket.send_frame(fragment(Data::Continue, true)).await;
    assert_eq!(socket.next_close().await.0, 1009);
}

#[tokio::test]
async fn text_that_is_not_utf_8_ends_the_socket() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let broken = b"{\"type\":\"ping\",\"payload\":\"\xc3\x28\"}".to_vec();
    for mut socket in [ann.socket().await, Socket::open(app.endpoint(), Some(SUBPROTOCOL)).await] {
        let frame = WsFrame::message(broken.clone(), OpCode::Data(Data::Text), true);
        socket.send_frame(WsMessage::Frame(frame)).await;
        assert_eq!(socket.next_close().await, (1007, "Invalid UTF-8".to_owned()));
    }
}

#[tokio::test]
async fn an_operation_id_has_64_bytes_at_most_and_is_not_empty() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for wrong in [json!("x".repeat(65)), json!("é".repeat(33)), json!(""), json!(7), json!(null)] {
        let mut socket = ann.socket().await;
        let payload = json!({ "query": "{ me { id } }" });
        socket.send(&json!({ "id": wrong, "type": "subscribe", "payload": payload })).await;
        let (code, reason) = socket.next_close().await;
        assert_eq!(code, 4400, "{wrong}");
        assert!(!wrong.is_string() || reason.contains("64"), "the limit is told: {reason}");
    }
}

#[tokio::test]
async fn more_than_sixty_messages_at_once_are_too_many() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    for _ in 0..60 {
        socket.send(&json!({ "type": "ping" })).await;
    }
    for _ in 0..60 {
        assert_eq!(socket.next_json().await, json!({ "type": "pong" }));
    }

    // More than could be forgiven for the time that has passed meanwhile.
    for _ in 0..300 {
        socket.send(&json!({ "type": "pong" })).await;
    }
    loop {
        match socket.next_frame().await {
            Frame::Closed(code, reason) => {
                assert_eq!((code, &*reason), (1013, "Too many messages"));
                break;
            }
            frame => assert_eq!(frame, Frame::Ping),
        }
    }
    assert!((app.refusals("socket_try_again_later").await - 1.0).abs() < f64::EPSILON);
}
