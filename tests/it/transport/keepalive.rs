//! Pings, and clients that are gone without a word.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Endpoint, Frame, SUBPROTOCOL, TestApp, within};

/// A client that speaks just enough WebSocket to connect, and answers no ping.
struct Mute(TcpStream);

impl Mute {
    async fn connect(endpoint: &Endpoint, token: &str) -> Self {
        let mut tcp = within("a connection", TcpStream::connect(endpoint.addr)).await.expect("the server listens");
        let request = format!(
            "GET /graphql HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n",
            endpoint.addr
        );
        tcp.write_all(request.as_bytes()).await.expect("the request can be sent");
        let mut mute = Self(tcp);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(mute.byte().await.expect("the response has an end"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        mute.send(&format!(r#"{{"type":"connection_init","payload":{{"authorization":"{token}"}}}}"#)).await;
        let (opcode, ack) = mute.frame().await.expect("an ack");
        assert!(opcode == 1 && ack.windows(14).any(|text| text == b"connection_ack"), "{ack:?}");
        mute
    }

    async fn byte(&mut self) -> Option<u8> {
        within("a byte", self.0.read_u8()).await.ok()
    }

    /// Sends a text frame, masked with zeros as RFC 6455 allows anybody to choose.
    async fn send(&mut self, text: &str) {
        let length = u16::try_from(text.len()).expect("short").to_be_bytes();
        let frame = [&[TEXT, MASKED | LENGTH_IN_TWO_BYTES], &length[..], &[0; 4], text.as_bytes()].concat();
        self.0.write_all(&frame).await.expect("the frame can be sent");
    }

    /// Opcode and payload of the next frame; none when the connection has ended.
    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (first, second) = (self.byte().await?, self.byte().await?);
        let length = match second {
            LENGTH_IN_TWO_BYTES => u16::from_be_bytes([self.byte().await?, self.byte().await?]).into(),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        within("a payload", self.0.read_exact(&mut payload)).await.ok()?;
        Some((first & 0x0f, payload))
    }
}

const PING: u8 = 9;

/// The last frame of a text message.
const TEXT: u8 = 0x81;

const MASKED: u8 = 0x80;
const LENGTH_IN_TWO_BYTES: u8 = 0x7e;

#[tokio::test]
async fn a_client_that_answers_no_ping_is_dropped_after_two() {
    let app = TestApp::start_with(|config| config.keepalive_secs = 1).await;
    let ann = app.user("ann").await;
    let mut mute = Mute::connect(app.endpoint(), &ann.access_token).await;
    app.until_metric("parlor_sockets", 1.0).await;

    let mut frames = Vec::new();
    while let Some((opcode, _)) = mute.frame().await {
        frames.push(opcode);
    }

    assert_eq!(frames, [PING, PING]);
    app.until_metric("parlor_sockets", 0.0).await;
}

#[tokio::test]
async fn a_client_that_answers_pings_stays() {
    let app = TestApp::start_with(|config| config.keepalive_secs = 1).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;
    for _ in 0..4 {
        assert_eq!(feed.socket().next_frame().await, Frame::Ping);
    }
    let marker = ann.post(&room, "still there?").await;
    feed.expect_silence_until(&marker).await;
}

#[tokio::test]
async fn a_client_that_goes_without_a_word_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let feed = bob.subscribe().await;
    let mute = Mute::connect(app.endpoint(), &bob.access_token).await;
    app.until_metric("parlor_sockets", 2.0).await;

    drop((feed, mute));
    ann.post(&room, "anybody?").await;

    for metric in ["parlor_sockets", "parlor_subscriptions", "parlor_render_groups"] {
        app.until_metric(metric, 0.0).await;
    }
}
