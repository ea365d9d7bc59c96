//! [Server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html), as GraphQL has them: `next` for
//! each response, with the cursor as its id, and `complete`.

use std::time::Duration;

use bytes::Bytes;

use crate::http::live::jittered;
use crate::position::CursorText;

pub(super) const CONTENT_TYPE: &str = "text/event-stream; charset=utf-8";

/// When a client may connect again after the stream ended, about.
const RETRY: Duration = Duration::from_secs(2);

/// What comes first, so that the client's library knows that the stream has begun.
pub(super) fn opening() -> Bytes {
    format!("retry: {}\n\n", jittered(RETRY).as_millis()).into()
}

/// A comment, which clients ignore.
pub(super) fn heartbeat() -> Bytes {
    Bytes::from_static(b":\n\n")
}

pub(super) fn before_data() -> Bytes {
    Bytes::from_static(BEFORE_DATA.as_bytes())
}

pub(super) fn after_data() -> Bytes {
    Bytes::from_static(AFTER_DATA.as_bytes())
}

const BEFORE_DATA: &str = "event: next\ndata: ";
const AFTER_DATA: &str = "\n\n";

/// A response. The JSON is one line, since JSON escapes line breaks.
pub(super) fn next(json: &str, at: Option<CursorText>) -> Bytes {
    let id = at.map(|at| format!("id: {at}\n")).unwrap_or_default();
    [&id, BEFORE_DATA, json, AFTER_DATA].concat().into()
}

/// Without `data`, an `EventSource` would not show the event.
pub(super) fn complete() -> Bytes {
    Bytes::from_static(b"event: complete\ndata:\n\n")
}

/// The end of a stream that isn't complete: clients connect again by themselves, and resume. The comment is for people.
pub(super) fn ended(why: &'static str) -> Bytes {
    format!(": {why}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_cursor_as_its_id() {
        assert_eq!(next("{}", None), "event: next\ndata: {}\n\n");
        let cursor = CursorText::NEUTRAL;
        assert_eq!(next("{}", Some(cursor)), format!("id: {cursor}\nevent: next\ndata: {{}}\n\n"));
    }
}
