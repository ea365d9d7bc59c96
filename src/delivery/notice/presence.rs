//! What subscribers receive of presence and typing. None of it is in the log.

use std::sync::Arc;

use crate::store::entity::{room, user};

/// Something that lasts only for the moment.
#[derive(Clone, Debug)]
pub enum PresenceNotice {
    /// Somebody came or went.
    Presence(Arc<user::Model>),
    /// Somebody began or stopped typing.
    Typing {
        /// Where.
        room: Arc<room::Model>,
        /// Who.
        user: Arc<user::Model>,
        /// Began; else stopped.
        is_typing: bool,
    },
}
