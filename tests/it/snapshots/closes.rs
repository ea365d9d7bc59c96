//! How the server closes a socket: the code, on which a client acts, and the reason, which a person reads.

use std::fmt::Write;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as WsFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::assert_snapshot;
use crate::support::{SUBPROTOCOL, Socket, TestApp, TestUser, documents};

/// Sockets that were closed, and how.
#[derive(Default)]
struct Closes(String);

impl Closes {
    /// Notes the close of this socket, past whatever comes before.
    async fn note(&mut self, what: &str, mut socket: Socket) {
        let (code, reason) = socket.until_close().await;
        writeln!(self.0, "{code} {reason:?}: {what}").expect("a string takes what is written");
    }

    /// Notes what this frame ends a socket with: the same before the ack and after.
    async fn note_frame(&mut self, what: &str, app: &TestApp, user: &TestUser, frame: WsMessage) {
        let (mut before, mut after) = (open(app).await, user.socket().await);
        before.send_frame(frame.clone()).await;
        after.send_frame(frame).await;
        let (code, reason) = before.next_close().await;
        assert_eq!(after.next_close().await, (code, reason.clone()), "{what}");
        writeln!(self.0, "{code} {reason:?}: {what}").expect("a string takes what is written");
    }

    fn assert(self, name: &str) {
        assert_snapshot("closes", name, &self.0);
    }
}

/// A socket that has said nothing yet.
async fn open(app: &TestApp) -> Socket {
    Socket::open(app.endpoint(), Some(SUBPROTOCOL)).await
}

/// A socket that has sent `connection_init` with this payload.
async fn init(app: &TestApp, payload: Value) -> Socket {
    let mut socket = open(app).await;
    socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
    socket
}

#[tokio::test]
async fn a_socket_that_is_not_acknowledged_is_closed_with_the_reason() {
    let mut app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    bob.sign_out().await;
    let mut closes = Closes::default();

    closes.note("no subprotocol", Socket::open(app.endpoint(), None).await).await;
    closes.note("no `connection_init` for three seconds", open(&app).await).await;
    let mut hasty = open(&app).await;
    hasty.subscribe(documents::EVENTS, &json!({})).await;
    closes.note("`subscribe` before `connection_init`", hasty).await;
    closes.note("no token", init(&app, json!({})).await).await;
    closes
        .note("a token of a session that has ended", init(&app, json!({ "authorization": bob.access_token })).await)
        .await;
    let payload = json!({ "authorization": ann.access_token, "after": "elsewhere" });
    closes.note("a cursor that is none", init(&app, payload).await).await;
    let waiting = open(&app).await;
    tokio::join!(closes.note("the server stops", waiting), app.stop());
    app.resume().await;
    // Its token is not remembered, for the server is another.
    app.execute("ALTER TABLE session RENAME TO elsewhere").await;
    let payload = json!({ "authorization": ann.access_token });
    closes.note("the database can't tell whose token it is", init(&app, payload).await).await;

    closes.assert("before_the_ack");
}

#[tokio::test]
async fn a_socket_that_was_acknowledged_is_closed_with_the_reason() {
    let mut app = TestApp::start_impatient().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let cursor = ann.sync_cursor().await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "hello").await;
    let mut closes = Closes::default();

    let mut socket = ann.socket().await;
    socket.send(&json!({ "type": "connection_init", "payload": {} })).await;
    closes.note("a second `connection_init`", socket).await;
    let mut socket = ann.socket().await;
    for _ in 0..2 {
        let payload = json!({ "query": documents::EVENTS });
        socket.send(&json!({ "id": "taken", "type": "subscribe", "payload": payload })).await;
    }
    closes.note("an operation's id that is taken", socket).await;
    let mut socket = ann.socket().await;
    for _ in 0..300 {
        socket.send(&json!({ "type": "pong" })).await;
    }
    closes.note("300 messages together", socket).await;
    let mut socket = ann.socket().await;
    let goodbye = CloseFrame { code: 1001.into(), reason: "the tab was closed".into() };
    socket.send_frame(WsMessage::Close(Some(goodbye))).await;
    closes.note("the client closes, with 1001", socket).await;

    let token = app.parlor(&["user", "token", "bob", "--ttl-secs", "5"]).await.stdout;
    let token = String::from_utf8(token).expect("a token is text");
    let socket = Socket::connect(app.endpoint(), Some(token.trim()), None).await;
    closes.note("a token without a session expires", socket).await;
    let (device, other) = (bob.sign_in().await, bob.socket().await);
    let socket = device.socket().await;
    device.sign_out().await;
    closes.note("its session is ended", socket).await;
    bob.delete_account().await;
    closes.note("its user is deleted", other).await;
    let socket = ann.socket().await;
    tokio::join!(closes.note("the server stops", socket), app.stop());
    app.resume().await;
    let mut socket = ann.socket().await;
    app.execute("ALTER TABLE message RENAME TO elsewhere").await;
    socket.subscribe(documents::EVENTS, &json!({ "after": cursor })).await;
    closes.note("the database can't tell what was missed, for a minute", socket).await;

    closes.assert("after_the_ack");
}

#[tokio::test]
async fn what_cannot_be_read_closes_the_socket_with_what_was_expected() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut closes = Closes::default();
    for text in [
        "hello",
        "[]",
        r#"{"id":"1"}"#,
        r#"{"type":7}"#,
        r#"{"type":"start"}"#,
        r#"{"type":"connection_init","payload":"token"}"#,
        r#"{"type":"connection_init","payload":{"authorization":7}}"#,
        r#"{"type":"subscribe","payload":{"query":"{me{id}}"}}"#,
        r#"{"id":"","type":"subscribe","payload":{"query":"{me{id}}"}}"#,
        r#"{"type":"complete"}"#,
    ] {
        closes.note_frame(text, &app, &ann, WsMessage::text(text)).await;
    }
    let text = |bytes: &[u8]| WsFrame::message(bytes.to_vec(), OpCode::Data(Data::Text), true);
    let mut reserved = text(b"{}");
    reserved.header_mut().rsv1 = true;
    for (what, frame) in [
        ("an empty text", WsMessage::text("")),
        ("a binary message", WsMessage::binary(b"{}".to_vec())),
        ("text that is not UTF-8", WsMessage::Frame(text(b"\xc3\x28"))),
        ("a message of more than 64 KiB", WsMessage::text("x".repeat(64 * 1024 + 1))),
        ("a frame with a reserved bit", WsMessage::Frame(reserved)),
    ] {
        closes.note_frame(what, &app, &ann, frame).await;
    }
    closes.assert("unreadable");
}
