//! One running subscription on a socket of its own.

use serde_json::{Value, json};

use super::{Event, Message, Socket};

/// A subscription to events.
pub struct Feed {
    socket: Socket,
    id: String,
    /// Cursor of the last event that arrived: where a client resumes.
    pub cursor: Option<String>,
}

impl Feed {
    /// Subscribes on this socket, without waiting for an answer.
    pub async fn open(socket: Socket, document: &str, variables: Value) -> Self {
        Self::open_with(socket, document, variables, Value::Null).await
    }

    /// Subscribes on this socket with these extensions, without waiting for an answer.
    pub async fn open_with(mut socket: Socket, document: &str, variables: Value, extensions: Value) -> Self {
        let id = socket.subscribe_with(document, &variables, &extensions).await;
        Self { socket, id, cursor: None }
    }

    /// Data of the next `next`.
    pub async fn next_data(&mut self) -> Value {
        let message = self.socket.next_json().await;
        assert_eq!(message["type"], "next", "expected an event, got {message:#}");
        assert_eq!(message["id"], self.id, "expected an event of this operation, got {message:#}");
        let errors = message["payload"].get("errors");
        assert!(errors.is_none(), "expected an event without errors, got {message:#}");
        message["payload"]["data"].clone()
    }

    /// The next event of any kind except `PresenceChanged`, which comes whenever another socket opens or closes.
    pub async fn next_event(&mut self) -> Event {
        loop {
            let event = self.next_of_all().await;
            if event.kind != "PresenceChanged" {
                return event;
            }
        }
    }

    /// The next event of any kind, `PresenceChanged` too.
    pub async fn next_of_all(&mut self) -> Event {
        let event = Event::of(&self.next_data().await["events"]);
        self.cursor = Some(event.cursor.clone());
        event
    }

    /// The next event, which must be of this kind.
    pub async fn next_of(&mut self, kind: &str) -> Event {
        let event = self.next_event().await;
        assert_eq!(event.kind, kind, "expected {kind}, got {event:#?}");
        event
    }

    /// The message of the next `MessagePosted`, past events of other kinds.
    pub async fn next_message(&mut self) -> Message {
        loop {
            let event = self.next_event().await;
            if event.kind == "MessagePosted" {
                return event.message();
            }
        }
    }

    /// Shows that nothing has come: the next event is the posting of `marker`, which the test has just posted.
    pub async fn expect_silence_until(&mut self, marker: &Message) {
        let event = self.next_of("MessagePosted").await;
        assert_eq!(event.message().id, marker.id, "expected nothing before the marker, got {event:#?}");
    }

    /// Every event up to and including the posting of `marker`.
    pub async fn until_posted(&mut self, marker: &Message) -> Vec<Event> {
        self.until(|event| event.kind == "MessagePosted" && event.message().id == marker.id).await
    }

    /// Every event up to and including the first that `is_last`.
    pub async fn until(&mut self, is_last: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            events.push(self.next_event().await);
            if events.last().is_some_and(&is_last) {
                return events;
            }
        }
    }

    /// Every event before `Synced`: what was missed.
    pub async fn until_synced(&mut self) -> Vec<Event> {
        let mut events = self.until(|event| event.kind == "Synced").await;
        events.pop();
        events
    }

    /// Ends the operation; the socket stays open.
    pub async fn complete(mut self) -> Socket {
        self.socket.send(&json!({ "id": self.id, "type": "complete" })).await;
        self.socket
    }

    /// The socket beneath.
    pub fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }
}
