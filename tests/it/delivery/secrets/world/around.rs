//! What is done around messages: reactions, read marks, and pins.

use std::collections::BTreeSet;

use serde_json::json;

use super::{GROUP, Place, ROOMS, World};
use crate::delivery::secrets::listener::{Told, secret};

impl World {
    /// A picture that nobody else has, to be found only where the room's members are; it isn't posted yet.
    pub(super) async fn upload(&mut self, place: usize, user: usize) -> String {
        let name = format!("{}.png", self.say(place));
        let picture = image::RgbImage::from_fn(8, 8, |_, _| {
            image::Rgb([(); 3].map(|()| u8::try_from(self.die.throw(256)).expect("a byte")))
        });
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).expect("it is encoded");
        self.users[user].upload(&name, bytes.get_ref()).await
    }

    /// The newest message that is there gets a reaction, or loses it.
    pub(super) async fn react(&mut self, place: usize, user: usize) -> Vec<Told> {
        let Place { present, .. } = &self.places[place];
        let Some(message) = self.places[place].newest() else { return Vec::new() };
        let own = "query($id: ID!) { node(id: $id) { ... on Message { viewer { reactions } } } }";
        let own = self.users[user].graphql(own, json!({ "id": message.id })).await;
        let variables = json!({ "id": message.id, "how": secret(place),
            "on": own.list("/node/viewer/reactions").is_empty() });
        let react = "mutation($id: ID!, $how: String!, $on: Boolean!) {
            setReaction(messageId: $id, emoji: $how, on: $on) { message { id } } }";
        self.users[user].graphql(react, variables).await.data();
        vec![Told { kind: "ReactionsChanged", place, to: present.clone() }]
    }

    pub(super) async fn mark(&mut self, place: usize, user: usize) -> Vec<Told> {
        let Place { room, present, messages, .. } = &self.places[place];
        let seq = i64::try_from(self.die.throw(messages.len() + 1)).expect("few messages");
        let (read, from) = self.marks(place, user).await;
        self.users[user].mark_read(room, seq).await;
        let told = match from {
            _ if seq > read => Some(Told { kind: "ReadMarksMoved", place, to: present.clone() }),
            Some(from) if seq >= from => Some(Told { kind: "RoomViewerChanged", place, to: BTreeSet::from([user]) }),
            _ => None,
        };
        told.into_iter().collect()
    }

    /// Up to where this user has read, and from where on has marked messages as unread.
    async fn marks(&self, place: usize, user: usize) -> (i64, Option<i64>) {
        let marks = "query($id: ID!) { room(id: $id) { viewer { lastReadSeq unreadFromSeq } } }";
        let marks = self.users[user].graphql(marks, json!({ "id": self.places[place].room.id })).await;
        (marks.number("/room/viewer/lastReadSeq"), marks["/room/viewer/unreadFromSeq"].as_i64())
    }

    /// One of the messages, and all after it, count as unread again, for this user alone.
    pub(super) async fn mark_unread(&mut self, place: usize, user: usize) -> Vec<Told> {
        let Place { messages, .. } = &self.places[place];
        if messages.is_empty() {
            return Vec::new();
        }
        let (message, _) = &messages[self.die.throw(messages.len())];
        let (read, before) = self.marks(place, user).await;
        let from = (message.seq <= read).then_some(message.seq);
        let mark = "mutation($id: ID!) { markUnread(messageId: $id) { room { viewer { unreadFromSeq } } } }";
        let answer = self.users[user].graphql(mark, json!({ "id": message.id })).await;
        assert_eq!(answer["/markUnread/room/viewer/unreadFromSeq"], json!(from));
        let told = (from != before).then(|| Told { kind: "RoomViewerChanged", place, to: BTreeSet::from([user]) });
        told.into_iter().collect()
    }

    /// The newest message that is there is pinned, or no longer; in the group by its owner.
    pub(super) async fn pin(&mut self, place: usize, user: usize) -> Vec<Told> {
        let user = if place == GROUP { ROOMS[GROUP][0] } else { user };
        let Some(id) = self.places[place].newest().map(|message| message.id.clone()) else { return Vec::new() };
        let Place { present, pinned, .. } = &mut self.places[place];
        let is_on = !pinned.remove(&id);
        let pin = "mutation($id: ID!, $on: Boolean!) { pinMessage(messageId: $id, pinned: $on) { room { id } } }";
        self.users[user].graphql(pin, json!({ "id": id, "on": is_on })).await.data();
        if is_on {
            pinned.insert(id);
        }
        vec![Told { kind: "PinsChanged", place, to: present.clone() }]
    }
}
