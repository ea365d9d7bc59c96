//! What subscribers receive of messages.

use std::sync::Arc;

use super::EventRows;
use crate::log::Event;
use crate::store::entity::{message, reaction, room, user};

/// Something that happened to a message, with what is shown around the message.
#[derive(Clone, Debug)]
pub struct MessageNotice {
    /// What happened to it.
    pub change: MessageChange,
    /// The message as it is now.
    pub message: message::Model,
    /// Its room.
    pub room: Arc<room::Model>,
    /// Its author. `None` if the account was deleted.
    pub author: Option<Arc<user::Model>>,
    /// The reactions that the event changed.
    pub reactions: Vec<reaction::Model>,
    /// Who did it, if the event knows and the account is still there.
    pub by: Option<Arc<user::Model>>,
}

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageChange {
    /// It was posted.
    Posted,
    /// Its text was changed.
    Edited,
    /// It was deleted.
    Deleted,
    /// Members reacted to it.
    Reacted,
    /// It was pinned, or no longer is.
    Pinned,
}

impl MessageNotice {
    pub(super) fn of(change: MessageChange, event: &Event, rows: &EventRows, room: &Arc<room::Model>) -> Option<Self> {
        let message = rows.message(event.message_id?)?.clone();
        let author = rows.user(message.author_id).cloned();
        let reactions = rows.reactions(event.position).to_vec();
        let by = event.actor_id.and_then(|actor| rows.user(actor)).cloned();
        Some(Self { change, message, room: room.clone(), author, reactions, by })
    }
}
