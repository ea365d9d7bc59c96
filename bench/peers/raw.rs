//! The limit: axum's WebSocket and nothing that is not needed. No GraphQL is executed; what a subscriber is to get is
//! written as JSON once for all, and each socket's task writes those bytes.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use futures_util::SinkExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Sender};

mod chat;

/// What is usual where memory is looked after; Parlor itself reads 1 KiB at a time.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// As many as Parlor itself collects before it writes.
const WRITE_BUFFER_BYTES: usize = 8 * 1024;

#[tokio::main]
async fn main() -> io::Result<()> {
    let router = Router::new().route("/graphql", get(upgrade).post(post)).with_state(Arc::new(Rooms::default()));
    chat::serve(router).await
}

/// All rooms, each made when it is first named.
#[derive(Default)]
struct Rooms {
    rooms: Mutex<HashMap<String, Arc<Mutex<Room>>>>,
    /// Numbers the sockets.
    last_socket: AtomicU64,
}

/// One room. Its lock is held for a whole post, so that all get its messages in one order.
#[derive(Default)]
struct Room {
    /// The number of its last message.
    seq: u64,
    /// Its subscribers, by the name that they gave to their operation: those with the same name get the same frame.
    subscribers: HashMap<Box<str>, Vec<Subscriber>>,
}

/// One operation of one socket.
struct Subscriber {
    socket: u64,
    outbox: Sender<Utf8Bytes>,
}

impl Rooms {
    /// The room of this id.
    fn room(&self, id: &str) -> Arc<Mutex<Room>> {
        let mut rooms = lock(&self.rooms);
        match rooms.get(id) {
            Some(room) => room.clone(),
            None => rooms.entry(id.to_owned()).or_default().clone(),
        }
    }
}

impl Room {
    /// Adds a subscriber, who named the operation so.
    fn subscribe(&mut self, operation: &str, subscriber: Subscriber) {
        self.subscribers.entry(operation.into()).or_default().push(subscriber);
    }

    /// Takes this socket's operation out.
    fn unsubscribe(&mut self, operation: &str, socket: u64) {
        let Some(subscribers) = self.subscribers.get_mut(operation) else { return };
        if let Some(at) = subscribers.iter().position(|subscriber| subscriber.socket == socket) {
            subscribers.swap_remove(at);
        }
        if subscribers.is_empty() {
            self.subscribers.remove(operation);
        }
    }

    /// Hands the message to every subscriber. One who has left too many untaken gets no more.
    fn tell(&mut self, message: &Posted<'_>) -> serde_json::Result<()> {
        for (operation, subscribers) in &mut self.subscribers {
            let frame = Utf8Bytes::from(serde_json::to_string(&Next::new(operation, message))?);
            subscribers.retain(|subscriber| subscriber.outbox.try_send(frame.clone()).is_ok());
        }
        Ok(())
    }
}

/// The body of a post; its document is not looked at.
#[derive(Deserialize)]
struct PostBody {
    variables: PostVariables,
}

/// What is posted, and where.
#[derive(Deserialize)]
struct PostVariables {
    room: String,
    body: String,
}

/// Posts a message, and answers once every subscriber's socket has it to write.
async fn post(State(rooms): State<Arc<Rooms>>, Json(PostBody { variables }): Json<PostBody>) -> Json<Value> {
    let room = rooms.room(&variables.room);
    let mut room = lock(&room);
    room.seq += 1;
    let message = Posted::new(room.seq, &variables);
    let answer = json!({ "data": { "postMessage": { "message": { "id": &message.id, "seq": message.seq } } } });
    match room.tell(&message) {
        Ok(()) => Json(answer),
        Err(error) => Json(json!({ "errors": [{ "message": error.to_string() }] })),
    }
}

/// A message as its subscribers see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted<'p> {
    id: String,
    seq: u64,
    body: &'p str,
    created_at: String,
    author: Author,
    room: RoomRef<'p>,
}

/// The author of a message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Author {
    id: &'static str,
    username: &'static str,
    display_name: &'static str,
}

/// The room of a message.
#[derive(Serialize)]
struct RoomRef<'p> {
    id: &'p str,
}

impl<'p> Posted<'p> {
    /// The message that these variables ask for.
    fn new(seq: u64, variables: &'p PostVariables) -> Self {
        Self {
            id: chat::message_id(),
            seq,
            body: &variables.body,
            created_at: chat::created_at(),
            author: Author {
                id: chat::AUTHOR_ID,
                username: chat::AUTHOR_USERNAME,
                display_name: chat::AUTHOR_DISPLAY_NAME,
            },
            room: RoomRef { id: &variables.room },
        }
    }
}

/// A message as it goes over the wire.
#[derive(Serialize)]
struct Next<'n> {
    r#type: &'static str,
    id: &'n str,
    payload: Payload<'n>,
}

/// The response in a frame.
#[derive(Serialize)]
struct Payload<'n> {
    data: PayloadData<'n>,
}

/// The response's data.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PayloadData<'n> {
    message_posted: &'n Posted<'n>,
}

impl<'n> Next<'n> {
    /// The frame for those who named their operation so.
    fn new(id: &'n str, message_posted: &'n Posted<'n>) -> Self {
        Self { r#type: "next", id, payload: Payload { data: PayloadData { message_posted } } }
    }
}

/// Takes over a connection that asks for a WebSocket.
async fn upgrade(State(rooms): State<Arc<Rooms>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .protocols(["graphql-transport-ws"])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .on_upgrade(async move |socket| {
            let mut session = Session {
                id: rooms.last_socket.fetch_add(1, Ordering::Relaxed),
                rooms,
                socket,
                operations: HashMap::new(),
            };
            // Whatever ended it, nobody is left who could be told.
            let _ = session.run().await;
            session.end();
        })
}

/// A message from the client.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
enum ClientMessage {
    ConnectionInit,
    Subscribe { id: String, payload: SubscribePayload },
    Complete { id: String },
    Ping,
    Pong,
}

/// What is subscribed to; its document is not looked at.
#[derive(Deserialize)]
struct SubscribePayload {
    variables: SubscribeVariables,
}

/// Which room.
#[derive(Deserialize)]
struct SubscribeVariables {
    room: String,
}

/// One socket: a task that reads what the client asks for and writes what its rooms have for it.
struct Session {
    id: u64,
    rooms: Arc<Rooms>,
    socket: WebSocket,
    /// The rooms that it has subscribed to, by the client's name for the operation.
    operations: HashMap<String, Arc<Mutex<Room>>>,
}

impl Session {
    /// Reads and writes until the connection ends.
    async fn run(&mut self) -> Result<(), axum::Error> {
        let (outbox, mut inbox) = mpsc::channel(chat::CAPACITY);
        loop {
            tokio::select! {
                biased;
                Some(frame) = inbox.recv() => {
                    self.socket.feed(Message::Text(frame)).await?;
                    while let Ok(frame) = inbox.try_recv() {
                        self.socket.feed(Message::Text(frame)).await?;
                    }
                    self.socket.flush().await?;
                }
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => self.take(&text, &outbox).await?,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    _ => return Ok(()),
                },
            }
        }
    }

    /// Does what one message asks for.
    async fn take(&mut self, text: &str, outbox: &Sender<Utf8Bytes>) -> Result<(), axum::Error> {
        match serde_json::from_str(text).map_err(axum::Error::new)? {
            ClientMessage::ConnectionInit => self.socket.send(Message::text(r#"{"type":"connection_ack"}"#)).await,
            ClientMessage::Ping => self.socket.send(Message::text(r#"{"type":"pong"}"#)).await,
            ClientMessage::Pong => Ok(()),
            ClientMessage::Subscribe { id, payload } => {
                let room = self.rooms.room(&payload.variables.room);
                lock(&room).subscribe(&id, Subscriber { socket: self.id, outbox: outbox.clone() });
                self.operations.insert(id, room);
                Ok(())
            }
            ClientMessage::Complete { id } => {
                if let Some(room) = self.operations.remove(&id) {
                    lock(&room).unsubscribe(&id, self.id);
                }
                Ok(())
            }
        }
    }

    /// Takes the socket's operations out of their rooms.
    fn end(self) {
        for (operation, room) in self.operations {
            lock(&room).unsubscribe(&operation, self.id);
        }
    }
}

/// Locks; what a thread held when it panicked is whole all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
