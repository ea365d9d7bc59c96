//! What subscribers receive of presence and typing. None of it is in the log.

use std::sync::Arc;

use crate::store::entity::{room, user};

/// Something that is true only for the moment.
#[derive(Clone, Debug)]
pub enum PresenceNotice {
    /// Somebody came online or went offline.
    Presence(Arc<user::Model>),
    /// Somebody has another name or picture, or is switched off or on.
    Changed(Arc<user::Model>),
    /// Somebody began or stopped typing.
    Typing {
        /// The room.
        room: Arc<room::Model>,
        /// The user.
        user: Arc<user::Model>,
        /// Whether the user began typing; otherwise the user stopped.
        is_typing: bool,
    },
}
