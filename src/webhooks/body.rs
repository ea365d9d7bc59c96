//! What is sent.

use std::fmt::Display;

use async_graphql::{ServerError, Value};
use chrono::{DateTime, SecondsFormat, Utc};
use hyper::body::Bytes;
use serde::{Serialize, Serializer};

use crate::delivery::{Executed, Notice};
use crate::ids::{RoomId, UserId};
use crate::log::Event;
use crate::position::CursorCodec;

/// An event as it is sent.
pub(super) struct Body {
    /// The same each time that the event is sent.
    pub id: String,
    /// As JSON.
    pub json: Bytes,
}

#[derive(Serialize)]
struct Json<'b> {
    r#type: &'b str,
    timestamp: String,
    cursor: String,
    audience: Audience,
    data: &'b Value,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'b [ServerError],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Audience {
    /// The room whose members it is for.
    #[serde(serialize_with = "as_text")]
    pub room_id: Option<RoomId>,
    /// The user whom it is for.
    #[serde(serialize_with = "as_text")]
    pub user_id: Option<UserId>,
}

#[expect(clippy::ref_option, reason = "serde gives a field as it is")]
fn as_text<S: Serializer>(id: &Option<impl Display>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(id),
        None => serializer.serialize_none(),
    }
}

impl Body {
    /// The body of an event, of which a document says this.
    pub(super) fn of(event: &Event, r#type: &str, shown: &Executed, cursors: &CursorCodec) -> Self {
        let audience = Audience { room_id: event.room(), user_id: event.user_id };
        let cursor = cursors.seal_event(event.cursor()).to_string();
        Self::with(id(event), r#type, (event.at, cursor), audience, shown)
    }

    /// The body of what isn't in the log: that somebody is to be notified, since this moment.
    pub(super) fn of_notification(
        id: String,
        (notice, cursors): (&Notice, &CursorCodec),
        audience: Audience,
        shown: &Executed,
    ) -> Self {
        let cursor = cursors.seal_shown(notice.shown_cursor()).to_string();
        Self::with(id, "notification.due", (notice.at, cursor), audience, shown)
    }

    fn with(
        id: String,
        r#type: &str,
        (at, cursor): (DateTime<Utc>, String),
        audience: Audience,
        shown: &Executed,
    ) -> Self {
        let data = match &shown.response.data {
            // The only field at the root, whatever the document calls it.
            Value::Object(root) => root.values().next().unwrap_or(&Value::Null),
            other => other,
        };
        let json = Json {
            r#type,
            timestamp: at.to_rfc3339_opts(SecondsFormat::Micros, true),
            cursor,
            audience,
            data,
            errors: &shown.response.errors,
        };
        let json = serde_json::to_vec(&json).unwrap_or_else(|error| {
            // Values of async-graphql can always be written.
            tracing::error!(%error, "an event could not be written as JSON");
            Vec::new()
        });
        Self { id, json: json.into() }
    }
}

/// What names an event for ever, even in a log that was restored from an older copy.
fn id(event: &Event) -> String {
    format!("evt_{}_{:08x}", event.position.0, event.tag)
}
