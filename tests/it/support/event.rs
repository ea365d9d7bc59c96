//! Rooms, messages and events as tests see them.

use serde_json::Value;

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// `room_…`.
    pub id: String,
}

/// A message, as every document of the harness selects it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `msg_…`.
    pub id: String,
    /// Its number in the room.
    pub seq: i64,
    /// Its text.
    pub body: String,
    /// Its room.
    pub room_id: String,
    /// Its author; `None` when the account was deleted.
    pub author_id: Option<String>,
    /// The author's own name for it.
    pub client_id: Option<String>,
    /// When it was posted.
    pub created_at: String,
    /// When its text was changed.
    pub edited_at: Option<String>,
    /// When it was deleted.
    pub deleted_at: Option<String>,
    /// Whom it mentions, as far as that was asked for.
    pub mentions: Vec<String>,
    /// Whether it mentions the room, as far as that was asked for.
    pub mentions_room: bool,
    /// `seq` of what it answers, as far as that was asked for.
    pub reply_to: Option<i64>,
    /// The ids and names of its files, as far as they were asked for.
    pub files: Vec<(String, String)>,
}

/// One event of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `__typename`.
    pub kind: String,
    /// Where to resume after it.
    pub cursor: String,
    /// All fields that were selected.
    pub body: Value,
}

impl Room {
    /// The room in an answer.
    #[track_caller]
    pub fn of(room: &Value) -> Self {
        Self { id: text(room, "/id") }
    }
}

impl Message {
    /// The message in an answer or an event.
    #[track_caller]
    pub fn of(message: &Value) -> Self {
        let files = message["attachments"].as_array().into_iter().flatten();
        Self {
            id: text(message, "/id"),
            seq: message["seq"].as_i64().unwrap_or_else(|| panic!("expected a seq in {message:#}")),
            body: text(message, "/body"),
            room_id: text(message, "/room/id"),
            author_id: optional(message, "/author/id"),
            client_id: optional(message, "/clientId"),
            created_at: text(message, "/createdAt"),
            edited_at: optional(message, "/editedAt"),
            deleted_at: optional(message, "/deletedAt"),
            mentions: message["mentions"].as_array().into_iter().flatten().map(|user| text(user, "/id")).collect(),
            mentions_room: message["mentionsRoom"] == true,
            reply_to: message["replyToSeq"].as_i64(),
            files: files.filter_map(|file| Some((optional(file, "/id")?, optional(file, "/name")?))).collect(),
        }
    }
}

impl Event {
    /// The event in a `next` frame's data.
    #[track_caller]
    pub fn of(event: &Value) -> Self {
        Self { kind: text(event, "/__typename"), cursor: text(event, "/cursor"), body: event.clone() }
    }

    /// The message of `MessagePosted`, `MessageEdited` or `MessageDeleted`.
    #[track_caller]
    pub fn message(&self) -> Message {
        Message::of(&self.body["message"])
    }

    /// The room that it is about.
    #[track_caller]
    pub fn room_id(&self) -> String {
        let pointers = ["/room/id", "/roomId", "/message/room/id"];
        let found = pointers.iter().find_map(|pointer| optional(&self.body, pointer));
        found.unwrap_or_else(|| panic!("expected an event about a room, got {self:#?}"))
    }

    /// The member who joined or left.
    #[track_caller]
    pub fn user_id(&self) -> String {
        text(&self.body, "/userId")
    }

    /// The marks of a `ReadMarksMoved`: user id and `seq`, sorted.
    #[track_caller]
    pub fn marks(&self) -> Vec<(String, i64)> {
        let marks = self.body["marks"].as_array().unwrap_or_else(|| panic!("expected marks in {self:#?}"));
        let mut marks: Vec<_> = marks
            .iter()
            .map(|mark| (text(mark, "/user/id"), mark["seq"].as_i64().expect("a mark has a seq")))
            .collect();
        marks.sort();
        marks
    }
}

#[track_caller]
fn text(value: &Value, pointer: &str) -> String {
    optional(value, pointer).unwrap_or_else(|| panic!("expected text at {pointer} in {value:#}"))
}

fn optional(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}
