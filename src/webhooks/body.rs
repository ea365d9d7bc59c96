//! What is sent.

use async_graphql::{ServerError, Value};
use chrono::SecondsFormat;
use hyper::body::Bytes;
use serde::Serialize;

use crate::delivery::Executed;
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
struct Audience {
    room_id: Option<String>,
    user_id: Option<String>,
}

impl Body {
    /// The body of an event, of which a document says this.
    pub(super) fn of(event: &Event, r#type: &str, shown: &Executed, cursors: &CursorCodec) -> Self {
        let data = match &shown.response.data {
            // The only field at the root, whatever the document calls it.
            Value::Object(root) => root.values().next().unwrap_or(&Value::Null),
            other => other,
        };
        let json = Json {
            r#type,
            timestamp: event.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            cursor: cursors.seal_event(event.cursor()).to_string(),
            audience: Audience {
                room_id: event.room().map(|room| room.to_string()),
                user_id: event.user_id.map(|user| user.to_string()),
            },
            data,
            errors: &shown.response.errors,
        };
        let json = serde_json::to_vec(&json).unwrap_or_else(|error| {
            // Values of async-graphql can always be written.
            tracing::error!(%error, "an event could not be written as JSON");
            Vec::new()
        });
        Self { id: id(event), json: json.into() }
    }
}

/// What names an event for ever, even in a log that was restored from an older copy.
fn id(event: &Event) -> String {
    format!("evt_{}_{:08x}", event.position.0, event.tag)
}
