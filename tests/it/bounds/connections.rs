//! Connections that are slow, or whose requests are not what HTTP demands.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as WsFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::{TestApp, TestUser, within};

/// Longer than anybody is waited for, on a busy machine.
const FOREVER: Duration = Duration::from_mins(1);

/// A connection with the smallest receive buffer that the system gives.
async fn narrow(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(1).expect("it can be small");
    socket.connect(address).await.expect("the server accepts")
}

async fn status_of(app: &TestApp, request: &str) -> u16 {
    let mut stream = TcpStream::connect(app.endpoint().addr).await.expect("the server accepts");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = vec![0; 12];
    within("an answer", stream.read_exact(&mut answer)).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.rsplit_once(' ').and_then(|(_, status)| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn a_request_without_a_host_or_with_two_is_a_bad_request() {
    let app = TestApp::start().await;
    for path in ["/livez", "/graphql", "/metrics", "/nothing"] {
        for hosts in
            ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nX: y\r\nhost: b\r\n", "Host: a b\r\n", "Host: ann@a\r\n"]
        {
            assert_eq!(status_of(&app, &format!("GET {path} HTTP/1.1\r\n{hosts}\r\n")).await, 400, "{path} {hosts:?}");
        }
    }
    assert_eq!(status_of(&app, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await, 200);
    assert_eq!(status_of(&app, "GET /livez HTTP/1.0\r\n\r\n").await, 200);
}

#[tokio::test]
async fn headers_end_at_32_kib_however_they_are_cut() {
    let app = TestApp::start().await;
    for (bytes, lines, expected) in
        [(31 * 1024, 1, 200), (31 * 1024, 30, 200), (33 * 1024, 1, 431), (33 * 1024, 30, 431)]
    {
        let line = "x".repeat(bytes / lines - 20);
        let headers = (0..lines).map(|n| format!("X-{n:02}: {line}\r\n")).collect::<Vec<_>>().concat();
        let request = format!("GET /livez HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        assert_eq!(status_of(&app, &request).await, expected, "{bytes} bytes in {lines} lines");
    }
}

/// Asks for an answer of megabytes, and reads none of it, or a byte a second.
async fn ask_and_read(app: &TestApp, ann: &TestUser, request: &str, reads: bool) -> Duration {
    let mut stream = narrow(app.endpoint().addr).await;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        ann.access_token,
        request.len()
    );
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let begun = Instant::now();
    // A server that has given up answers what is sent to it with a reset.
    let ended = timeout(FOREVER, async {
        let mut byte = [0];
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if stream.write_all(b"\r\n").await.is_err() || (reads && stream.read_exact(&mut byte).await.is_err()) {
                return;
            }
        }
    });
    assert!(ended.await.is_ok(), "the server waits for ever");
    begun.elapsed()
}

#[tokio::test]
async fn who_reads_no_answer_or_a_byte_a_second_is_not_waited_for() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let body = "x".repeat(16 * 1024);
    join_all((0..100).map(|_| ann.post(&room, &body))).await;
    let query = "query($id: ID!) { room(id: $id) { messages(last: 100) { nodes { a: body b: body } } } }";
    let request = json!({ "query": query, "variables": { "id": room.id } }).to_string();
    let asked = (0..20).map(|n| ask_and_read(&app, &ann, &request, n % 2 == 0));
    for took in join_all(asked).await {
        assert!(took > Duration::from_secs(10), "it was waited for: {took:?}");
    }
}

#[tokio::test]
async fn half_a_message_is_not_waited_for_though_pongs_come_in_between() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    let half = WsFrame::message(b"{\"type\":".to_vec(), OpCode::Data(Data::Text), false);
    socket.send_frame(WsMessage::Frame(half)).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(12) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        socket.send_frame(WsMessage::Pong(Vec::new().into())).await;
    }
    assert_eq!(socket.next_close().await, (1013, "Message too slow".to_owned()));
}

#[tokio::test]
async fn frames_that_carry_nothing_are_limited() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let empty = |opcode| WsMessage::Frame(WsFrame::message(Vec::new(), OpCode::Data(opcode), false));
    for flood in [
        vec![WsMessage::Ping(Vec::new().into())],
        vec![WsMessage::Pong(Vec::new().into())],
        vec![empty(Data::Continue)],
    ] {
        let mut socket = ann.socket().await;
        if matches!(flood[0], WsMessage::Frame(_)) {
            socket.send_frame(empty(Data::Text)).await;
        }
        for frame in flood.iter().cycle().take(200) {
            socket.send_frame(frame.clone()).await;
        }
        assert_eq!(socket.next_close().await, (1013, "Too many messages".to_owned()), "{flood:?}");
    }
}
