//! The `graphql-transport-ws` protocol, frame by frame.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::{Error, Message as WsMessage};

use super::endpoint::Endpoint;
use super::within;

/// The subprotocol of most clients.
pub const SUBPROTOCOL: &str = "graphql-transport-ws";

/// The subprotocol of older clients.
pub const OLDER_SUBPROTOCOL: &str = "graphql-ws";

/// A frame that can arrive on a socket.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// A text frame that holds JSON.
    Json(Value),
    /// A ping of the WebSocket layer, which tungstenite answers.
    Ping,
    /// The close frame, or (1006, "") when the connection ended without one.
    Closed(u16, String),
}

/// One WebSocket.
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// Payload of the ack, when connected.
    pub ack: Value,
    operations: u32,
}

impl Socket {
    /// A WebSocket after its handshake; nothing is sent yet.
    pub async fn open(endpoint: &Endpoint, subprotocol: Option<&str>) -> Self {
        let (socket, _) = Self::handshake(endpoint, subprotocol, &[]).await.expect("the handshake succeeds");
        socket
    }

    /// A handshake with these additional headers, and the server's response.
    pub async fn handshake(
        endpoint: &Endpoint,
        subprotocol: Option<&str>,
        headers: &[(&'static str, &str)],
    ) -> Result<(Self, Response), Error> {
        let url = format!("ws://{}/graphql", endpoint.addr);
        let mut request = url.into_client_request().expect("the URL is well formed");
        let subprotocol = subprotocol.map(|name| ("sec-websocket-protocol", name));
        let forwarded = endpoint.forwarded_for.as_deref().map(|address| ("x-forwarded-for", address));
        for (name, value) in headers.iter().copied().chain(subprotocol).chain(forwarded) {
            request.headers_mut().append(name, value.parse().expect("the header is well formed"));
        }
        within("the WebSocket handshake", async {
            let tcp = connect(endpoint, None).await;
            let (stream, response) = tokio_tungstenite::client_async(request, tcp).await?;
            Ok((Self { stream, ack: Value::Null, operations: 0 }, response))
        })
        .await
    }

    /// A WebSocket that was acknowledged, on a connection with a small receive buffer.
    pub async fn connect_narrow(endpoint: &Endpoint, token: &str) -> Self {
        Self::try_connect_narrow(endpoint, token).await.expect("the server accepts the socket")
    }

    /// As [`Self::connect_narrow`]; `None` if the server refuses one more.
    pub async fn try_connect_narrow(endpoint: &Endpoint, token: &str) -> Option<Self> {
        let url = format!("ws://{}/graphql", endpoint.addr);
        let mut request = url.into_client_request().expect("the URL is well formed");
        request.headers_mut().append("sec-websocket-protocol", SUBPROTOCOL.parse().expect("well formed"));
        let tcp = connect(endpoint, Some(16 * 1024)).await;
        let handshake = within("the WebSocket handshake", tokio_tungstenite::client_async(request, tcp)).await;
        let (stream, _) = handshake.ok()?;
        let mut socket = Self { stream, ack: Value::Null, operations: 0 };
        socket.send(&json!({ "type": "connection_init", "payload": { "authorization": token } })).await;
        match socket.next_frame().await {
            Frame::Json(ack) if ack["type"] == "connection_ack" => socket.ack = ack["payload"].clone(),
            Frame::Closed(1013, _) => return None,
            frame => panic!("expected an ack, got {frame:?}"),
        }
        Some(socket)
    }

    /// A WebSocket that was acknowledged. `after` goes into the payload of `connection_init`, as does the token.
    pub async fn connect(endpoint: &Endpoint, token: Option<&str>, after: Option<&str>) -> Self {
        let mut socket = Self::open(endpoint, Some(SUBPROTOCOL)).await;
        let mut payload = json!({});
        if let Some(token) = token {
            payload["authorization"] = format!("Bearer {token}").into();
        }
        if let Some(after) = after {
            payload["after"] = after.into();
        }
        socket.initialise(payload).await;
        socket
    }

    async fn initialise(&mut self, payload: Value) {
        self.send(&json!({ "type": "connection_init", "payload": payload })).await;
        let ack = self.next_json().await;
        assert_eq!(ack["type"], "connection_ack", "expected an ack, got {ack:#}");
        self.ack = ack["payload"].clone();
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    /// Sends messages so that they arrive together.
    pub async fn send_together(&mut self, messages: impl IntoIterator<Item = Value>) {
        for message in messages {
            let fed = self.stream.feed(WsMessage::text(message.to_string()));
            within("a frame to be taken", fed).await.expect("the socket is open");
        }
        within("frames to be sent", self.stream.flush()).await.expect("the socket is open");
    }

    /// Sends a text frame.
    pub async fn send_text(&mut self, text: &str) {
        self.send_frame(WsMessage::text(text)).await;
    }

    /// Sends any frame.
    pub async fn send_frame(&mut self, frame: WsMessage) {
        within("a frame to be sent", self.stream.send(frame)).await.expect("the socket is open");
    }

    /// Sends `subscribe`, and returns the new operation's id.
    pub async fn subscribe(&mut self, document: &str, variables: &Value) -> String {
        self.subscribe_with(document, variables, &Value::Null).await
    }

    /// Sends `subscribe` with these extensions, and returns the new operation's id.
    pub async fn subscribe_with(&mut self, document: &str, variables: &Value, extensions: &Value) -> String {
        self.operations += 1;
        let id = format!("op{}", self.operations);
        let payload = json!({ "query": document, "variables": variables, "extensions": extensions });
        self.send(&json!({ "id": id, "type": "subscribe", "payload": payload })).await;
        id
    }

    /// The next frame of any kind.
    pub async fn next_frame(&mut self) -> Frame {
        loop {
            match within("a frame", self.stream.next()).await {
                Some(Ok(WsMessage::Text(text))) => {
                    let json = serde_json::from_str(&text);
                    return Frame::Json(json.unwrap_or_else(|_| panic!("expected JSON, got {text}")));
                }
                Some(Ok(WsMessage::Ping(_))) => return Frame::Ping,
                Some(Ok(WsMessage::Close(Some(close)))) => {
                    return Frame::Closed(close.code.into(), close.reason.to_string());
                }
                Some(Ok(WsMessage::Close(None))) => return Frame::Closed(1005, String::new()),
                Some(Ok(WsMessage::Pong(_))) => {}
                Some(Ok(frame)) => panic!("expected text frames only, got {frame:?}"),
                Some(Err(_)) | None => return Frame::Closed(1006, String::new()),
            }
        }
    }

    /// The next message, past pings.
    pub async fn next_json(&mut self) -> Value {
        loop {
            match self.next_frame().await {
                Frame::Json(json) => return json,
                Frame::Ping => {}
                Frame::Closed(code, reason) => panic!("expected a message, but the socket was closed: {code} {reason}"),
            }
        }
    }

    /// Code and reason of the close, which must come before any message.
    pub async fn next_close(&mut self) -> (u16, String) {
        loop {
            match self.next_frame().await {
                Frame::Closed(code, reason) => return (code, reason),
                Frame::Ping => {}
                Frame::Json(json) => panic!("expected the socket to be closed, got {json:#}"),
            }
        }
    }

    /// Code and reason of the close, past all frames before it.
    pub async fn until_close(&mut self) -> (u16, String) {
        loop {
            if let Frame::Closed(code, reason) = self.next_frame().await {
                return (code, reason);
            }
        }
    }

    /// Closes the socket in good order.
    pub async fn close(mut self) {
        within("the socket to close", self.stream.close(None)).await.expect("the socket is open");
    }
}

async fn connect(endpoint: &Endpoint, receive_buffer_bytes: Option<u32>) -> TcpStream {
    let tcp = TcpSocket::new_v4().expect("a socket can be made");
    if let Some(bytes) = receive_buffer_bytes {
        tcp.set_recv_buffer_size(bytes).expect("the size is acceptable");
    }
    let tcp = tcp.connect(endpoint.addr).await.expect("the server accepts connections");
    // Messages that are sent together must arrive together.
    tcp.set_nodelay(true).expect("the option is known");
    tcp
}
