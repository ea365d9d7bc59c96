//! A subscription of a client that expects to be cut off.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use parlor::position::{CursorCodec, Resume};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::blame;
use crate::node::SECRET;
use crate::support::{Event, SUBPROTOCOL, documents};

/// How long connecting may take before it is tried again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Selects little of each event: new messages, and what a client needs to resume.
pub const MESSAGES: &str = "subscription($after: Cursor) { events(after: $after) { __typename cursor at
    ... on MessagePosted { message { id seq body createdAt room { id } } } } }";

/// The subscription is gone.
#[derive(Debug)]
pub struct Lost {
    /// Why.
    pub why: String,
    /// What the server did that a client without faults must never see.
    pub blame: Option<String>,
}

impl Lost {
    /// It was cut, which a client expects.
    pub fn cut(why: impl Display) -> Self {
        Self { why: why.to_string(), blame: None }
    }
}

/// A subscription on a socket of its own.
pub struct Line {
    stream: WebSocketStream<TcpStream>,
}

impl Line {
    /// Connects and subscribes to everything after `after`.
    pub async fn open(addr: SocketAddr, token: &str, document: &str, after: Option<&str>) -> Result<Self, Lost> {
        let opened = timeout(CONNECT_TIMEOUT, async {
            let tcp = TcpStream::connect(addr).await.map_err(Lost::cut)?;
            let mut line = Self::handshake(tcp, addr).await?;
            line.subscribe(token, document, after).await?;
            Ok(line)
        });
        opened.await.unwrap_or_else(|_| Err(Lost::cut("connecting took too long")))
    }

    /// Connects and subscribes to every field that the harness's model uses.
    pub async fn events(addr: SocketAddr, token: &str, after: Option<&str>) -> Result<Self, Lost> {
        Self::open(addr, token, documents::EVENTS, after).await
    }

    /// Connects and subscribes to everything from now on, with a receive buffer of 4 KiB.
    pub async fn narrow(addr: SocketAddr, token: &str) -> Result<Self, Lost> {
        let socket = TcpSocket::new_v4().map_err(Lost::cut)?;
        socket.set_recv_buffer_size(4 * 1024).map_err(Lost::cut)?;
        let tcp = socket.connect(addr).await.map_err(Lost::cut)?;
        let mut line = Self::handshake(tcp, addr).await?;
        line.subscribe(token, documents::EVENTS, None).await?;
        Ok(line)
    }

    async fn subscribe(&mut self, token: &str, document: &str, after: Option<&str>) -> Result<(), Lost> {
        let payload = json!({ "authorization": format!("Bearer {token}") });
        self.send(&json!({ "type": "connection_init", "payload": payload })).await?;
        let ack = self.next_json().await?;
        if ack["type"] != "connection_ack" {
            return Err(Lost { why: format!("no ack: {ack}"), blame: blame::of_message(&ack) });
        }
        let payload = json!({ "query": document, "variables": { "after": after } });
        self.send(&json!({ "id": "1", "type": "subscribe", "payload": payload })).await
    }

    async fn handshake(tcp: TcpStream, addr: SocketAddr) -> Result<Self, Lost> {
        let _ = tcp.set_nodelay(true);
        let mut request = format!("ws://{addr}/graphql").into_client_request().expect("the URL is well formed");
        request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().expect("the header is well formed"));
        let opened = tokio_tungstenite::client_async(request, tcp).await;
        opened.map(|(stream, _)| Self { stream }).map_err(Lost::cut)
    }

    async fn send(&mut self, message: &Value) -> Result<(), Lost> {
        self.stream.send(Message::text(message.to_string())).await.map_err(Lost::cut)
    }

    async fn next_json(&mut self) -> Result<Value, Lost> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).map_err(|error| Lost::cut(format_args!("{error}: {text}")));
                }
                Some(Ok(Message::Close(close))) => {
                    let Some(close) = close else { return Err(Lost::cut("closed")) };
                    let why = format!("closed: {} {}", close.code, close.reason);
                    return Err(Lost { why, blame: blame::of_close(close.code.into()) });
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Lost::cut(error)),
                None => return Err(Lost::cut("the connection ended")),
            }
        }
    }

    /// The next event, however long it takes.
    pub async fn next(&mut self) -> Result<Event, Lost> {
        let message = self.next_json().await?;
        let event = &message["payload"]["data"]["events"];
        if message["type"] != "next" || event.is_null() || message["payload"].get("errors").is_some() {
            return Err(Lost { why: format!("no event: {message}"), blame: blame::of_message(&message) });
        }
        Ok(Event::of(event))
    }

    /// Every event up to and including `Synced`.
    pub async fn until_synced(&mut self) -> Result<Vec<Event>, Lost> {
        let mut events: Vec<Event> = Vec::new();
        while events.last().is_none_or(|event| event.kind != "Synced") {
            events.push(self.next().await?);
        }
        Ok(events)
    }

    /// The connection beneath, for scenarios that do what no client should.
    pub fn tcp(&mut self) -> &mut TcpStream {
        self.stream.get_mut()
    }
}

/// The position in a cursor.
pub fn position(cursor: &str) -> i64 {
    static CODEC: LazyLock<CursorCodec> = LazyLock::new(|| CursorCodec::new(SECRET.as_bytes()));
    match CODEC.open(cursor.parse().expect("a cursor")) {
        Resume::At(cursor) => cursor.position.0,
        other => panic!("{cursor} is not of a node: {other:?}"),
    }
}
