//! What a device is told.

use std::sync::Arc;

use serde_json::json;

use crate::ids::{MessageId, RoomId};

/// How much of a message a notification shows, which passes through the service of somebody else. A browser's is
/// encrypted, others are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PushText {
    /// Who has said what.
    #[default]
    Full,
    /// Who has said something.
    Author,
    /// That somebody has.
    None,
}

/// The most characters of a message's text that a notification shows.
pub(super) const SHOWN: usize = 300;

/// What a device is told of one room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The room.
    pub room: RoomId,
    /// What a badge shows from now on.
    pub badge: i64,
    /// The message; without one, the notification of the room is to be taken away.
    pub message: Option<Arc<Message>>,
}

/// The message of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which.
    pub id: MessageId,
    /// Its number in its room.
    pub seq: i32,
    /// What the room is called.
    pub room: Option<String>,
    /// Who has written it.
    pub author: Option<String>,
    /// Its text.
    pub body: Option<String>,
}

impl Message {
    /// Without what notifications mustn't show.
    #[must_use]
    pub fn shown(self, text: PushText) -> Self {
        match text {
            PushText::Full => self,
            PushText::Author => Self { body: None, ..self },
            PushText::None => Self { body: None, author: None, room: None, ..self },
        }
    }
}

impl Notice {
    /// Whether a notification is to be taken away.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.message.is_none()
    }

    /// As JSON of at most so many bytes: as much of the text as has room.
    #[must_use]
    pub fn fitting(&self, bytes: usize) -> String {
        let mut characters = SHOWN;
        loop {
            let json = self.json(characters);
            if json.len() <= bytes || characters == 0 {
                return json;
            }
            characters /= 2;
        }
    }

    fn json(&self, characters: usize) -> String {
        let (room, badge) = (self.room.to_string(), self.badge);
        let Some(message) = &self.message else {
            return json!({ "type": "CLEAR", "roomId": room, "badge": badge }).to_string();
        };
        let shortened = |text: &Option<String>| text.as_deref().map(|text| shortened(text, characters));
        let mut value = json!({
            "type": "MESSAGE", "roomId": room, "badge": badge, "messageId": message.id.to_string(), "seq": message.seq,
        });
        for (name, text) in [("room", &message.room), ("author", &message.author), ("body", &message.body)] {
            if let Some(text) = shortened(text) {
                value[name] = json!(text);
            }
        }
        value.to_string()
    }
}

/// At most so many characters of a text, the last of them an ellipsis where it goes on.
fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) => text.chars().take(characters.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(body: &str) -> Notice {
        let (id, author) = (MessageId::generate(), Some("Ann".to_owned()));
        let message = Message { id, seq: 7, room: None, author, body: Some(body.to_owned()) };
        Notice { room: RoomId::generate(), badge: 3, message: Some(message.into()) }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_until_it_fits() {
        let value: serde_json::Value = serde_json::from_str(&notice(&"𝄞".repeat(9_000)).fitting(3_993)).expect("JSON");
        assert_eq!(value["body"].as_str().map(|body| body.chars().count()), Some(300));
        // A control character takes six bytes.
        let tight = notice(&"\u{1}".repeat(9_000)).fitting(1_000);
        assert!(tight.len() <= 1_000 && tight.contains("\\u0001"), "{tight}");
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("abcd", 3), "ab…");
    }

    #[test]
    fn what_mustnt_be_shown_is_left_out() {
        for (text, author, body) in
            [(PushText::Full, true, true), (PushText::Author, true, false), (PushText::None, false, false)]
        {
            let mut notice = notice("secret");
            notice.message = notice.message.map(|message| Arc::unwrap_or_clone(message).shown(text).into());
            let json = notice.fitting(4_000);
            assert_eq!((json.contains("Ann"), json.contains("secret")), (author, body), "{json}");
        }
    }
}
