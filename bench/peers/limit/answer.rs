//! The answers, with the fields of the bench's documents in their order.

use std::fmt::Display;

use chrono::{DateTime, SecondsFormat, Utc};
use parlor::ids::{MessageId, RoomId, UserId};
use serde::{Serialize, Serializer};

use crate::writer::Posted;

#[derive(Serialize)]
pub struct Answer<'d, D> {
    pub data: &'d D,
}

#[derive(Serialize)]
pub struct Errors {
    errors: [Problem; 1],
}

#[derive(Serialize)]
struct Problem {
    message: &'static str,
}

impl Errors {
    pub fn not_found() -> Self {
        Self { errors: [Problem { message: "not found" }] }
    }
}

#[derive(Serialize)]
pub struct Typename {
    #[serde(rename = "__typename")]
    pub name: &'static str,
}

#[derive(Serialize)]
pub struct Me {
    pub me: User,
}

#[derive(Serialize)]
pub struct User {
    #[serde(serialize_with = "text")]
    pub id: UserId,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostMessage {
    post_message: PostPayload,
}

#[derive(Serialize)]
struct PostPayload {
    message: PostedMessage,
}

#[derive(Serialize)]
struct PostedMessage {
    #[serde(serialize_with = "text")]
    id: MessageId,
    seq: i32,
}

impl PostMessage {
    pub fn of(Posted { id, seq }: Posted) -> Self {
        Self { post_message: PostPayload { message: PostedMessage { id, seq } } }
    }
}

#[derive(Serialize)]
pub struct Rooms {
    pub rooms: RoomPage,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomPage {
    pub nodes: Vec<Room>,
    pub page_info: RoomPageInfo,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomPageInfo {
    pub has_next_page: bool,
    pub end_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    #[serde(serialize_with = "text")]
    pub id: RoomId,
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(serialize_with = "moment")]
    pub last_activity_at: DateTime<Utc>,
    pub members: Members,
    pub last_message: Option<LastMessage>,
    pub viewer: RoomView,
}

#[derive(Serialize)]
pub struct Members {
    pub nodes: Vec<Member>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub user: Author,
    pub last_read_seq: i32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Author {
    #[serde(serialize_with = "text")]
    pub id: UserId,
    pub display_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastMessage {
    #[serde(serialize_with = "text")]
    pub id: MessageId,
    pub seq: i32,
    pub body: String,
    #[serde(serialize_with = "moment")]
    pub created_at: DateTime<Utc>,
    pub author: Author,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomView {
    pub unread_count: i32,
    pub last_read_seq: i32,
    pub muted: bool,
}

#[derive(Serialize)]
pub struct OneRoom {
    pub room: RoomMessages,
}

#[derive(Serialize)]
pub struct RoomMessages {
    pub messages: MessagePage,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagePage {
    pub nodes: Vec<Message>,
    pub page_info: MessagePageInfo,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagePageInfo {
    pub has_previous_page: bool,
    pub has_next_page: bool,
    pub start_cursor: Option<String>,
    pub end_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    #[serde(serialize_with = "text")]
    pub id: MessageId,
    pub seq: i32,
    pub body: String,
    #[serde(serialize_with = "moment")]
    pub created_at: DateTime<Utc>,
    #[serde(serialize_with = "maybe_moment")]
    pub edited_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "maybe_moment")]
    pub deleted_at: Option<DateTime<Utc>>,
    pub author: Author,
}

fn text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn moment<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn maybe_moment<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => moment(at, serializer),
        None => serializer.serialize_none(),
    }
}
