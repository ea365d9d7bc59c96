//! Somebody who has asked, and what may come of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::asked::{Apart, Asked, Wants};
use super::world::Place;
use crate::support::{Socket, TestUser};

/// Something that subscribers are told of.
#[derive(Clone, Debug)]
pub struct Told {
    /// The event's type.
    pub kind: &'static str,
    /// Where it happened.
    pub place: usize,
    /// Who is told.
    pub to: BTreeSet<usize>,
}

/// A subscription on a socket of its own.
pub struct Listener {
    /// Whose it is.
    pub user: usize,
    /// What it asks for.
    pub asked: Asked,
    socket: Socket,
}

impl Listener {
    /// Subscribes; to everything, it is live afterwards.
    pub async fn open(user: usize, account: &TestUser, asked: Asked) -> Self {
        let mut variables = asked.variables.clone();
        variables["after"] = account.sync_cursor().await.into();
        let mut socket = account.socket().await;
        let payload = json!({ "query": asked.document, "variables": variables, "operationName": asked.operation });
        socket.send(&json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
        let mut listener = Self { user, asked, socket };
        if listener.asked.wants == Wants::Everything {
            assert_eq!(listener.next().await["__typename"], "Synced");
        }
        listener
    }

    /// What the one root field of the next frame holds.
    pub async fn next(&mut self) -> Value {
        let frame = self.socket.next_json().await;
        assert_eq!((&frame["type"], &frame["id"]), (&json!("next"), &json!("1")), "{frame:#}");
        assert!(frame["payload"].get("errors").is_none(), "expected an event without errors, got {frame:#}");
        let data = frame["payload"]["data"].as_object().expect("data is an object");
        data.values().next().expect("data has a field").clone()
    }

    /// Shows that nothing more comes.
    pub async fn expect_end(mut self) {
        let frame = self.socket.next_json().await;
        assert_eq!((&frame["type"], &frame["id"]), (&json!("complete"), &json!("1")), "{frame:#}");
    }

    /// Whether this must come.
    pub fn is_due(&self, told: &Told, places: &[Place]) -> bool {
        let is_post = told.kind == "MessagePosted";
        told.to.contains(&self.user)
            && match self.asked.wants {
                Wants::Everything => true,
                Wants::Posts => is_post && !places[told.place].muted.contains(&self.user),
                Wants::PostsOf(place) => is_post && place == told.place,
            }
    }

    /// What it shares its rendering of an event of this type by.
    pub fn group(&self, kind: &str) -> String {
        self.named(match self.asked.apart {
            Apart::None => false,
            Apart::Of(kinds) => kinds.contains(&kind),
            Apart::AllBut(kinds) => !kinds.contains(&kind),
            Apart::All => true,
        })
    }

    /// All that it shares a rendering by.
    pub fn groups(&self) -> Vec<String> {
        match self.asked.apart {
            Apart::None => vec![self.named(false)],
            Apart::Of(_) | Apart::AllBut(_) => vec![self.named(false), self.named(true)],
            Apart::All => vec![self.named(true)],
        }
    }

    fn named(&self, is_apart: bool) -> String {
        let Asked { document, operation, variables, .. } = &self.asked;
        format!("{document} {operation:?} {variables} {:?}", is_apart.then_some(self.user))
    }
}

/// What may be found only where the room's members are.
pub fn secret(place: usize) -> String {
    format!("secret-of-room-{place}.")
}

/// Whether a frame shows this.
pub fn shows(event: &Value, told: &Told, places: &[Place]) -> bool {
    let kind = event["__typename"].as_str();
    let pointers = ["/room/id", "/roomId", "/message/room/id"];
    let room = pointers.iter().find_map(|pointer| event.pointer(pointer));
    (kind == Some(told.kind) || (told.kind == "MessagePosted" && kind == Some("Message")))
        && room == Some(&json!(places[told.place].room.id))
}

/// A frame holds nothing of a room that its reader was not in when it was sent, but that it is no longer the reader's; and no
/// text that is no longer said.
pub fn expect_own_rooms(event: &Value, user: usize, places: &[Place]) {
    let text = event.to_string();
    for (n, place) in places.iter().enumerate().filter(|(_, place)| !place.present.contains(&user)) {
        assert!(!text.contains(&secret(n)), "user {user} was sent a secret of room {n}: {event:#}");
        let is_end = event["__typename"] == "RoomLeft" && event["roomId"] == json!(place.room.id);
        assert!(is_end || !text.contains(&place.room.id), "user {user} was sent something of room {n}: {event:#}");
        for file in place.files.values().flatten() {
            assert!(!text.contains(file), "user {user} was sent {file}, of a file of room {n}: {event:#}");
        }
    }
    for gone in places.iter().flat_map(|place| &place.gone) {
        assert!(!text.contains(gone), "user {user} was sent {gone}, which isn't there any more: {event:#}");
    }
}

/// A viewer's view of a room: unread, read up to, muted.
pub type View = [Value; 3];

/// A view's values, whatever they are named.
pub fn view(values: &Value) -> View {
    let named = |names: [&str; 2]| names.iter().find_map(|name| values.get(name)).expect("a view is whole").clone();
    [named(["unreadCount", "left"]), named(["lastReadSeq", "seen"]), named(["muted", "quiet"])]
}

/// Every view of a room in here, with the room's id.
pub fn views(event: &Value) -> Vec<(String, View)> {
    let children: Vec<&Value> = match event {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    let found = children.into_iter().flat_map(|child| {
        let own = (child["__typename"] == "RoomViewer").then(|| {
            let room = event["id"].as_str().expect("a view stands beside the room's id");
            (room.to_owned(), view(child))
        });
        own.into_iter().chain(views(child))
    });
    found.collect()
}
