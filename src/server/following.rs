//! Who sees the log go by on a node.

use std::sync::Arc;

use crate::chat::Chat;
use crate::delivery::Hub;
use crate::log::{About, Committed, Follower};
use crate::position::Cursor;

/// First the rules, which must not take an ended session for a live one, then the hub, which closes its sockets.
pub struct Following {
    /// The rules.
    pub chat: Chat,
    /// The delivery.
    pub hub: Arc<Hub>,
}

impl Follower for Following {
    async fn follow(&self, committed: Committed) {
        let ended = committed.events.iter().filter(|event| event.kind.row().about == About::Session);
        ended.filter_map(|event| event.user_id).for_each(|user| self.chat.verified().forget(user));
        self.hub.follow(committed).await;
    }

    fn reset(&self, head: Cursor) {
        self.chat.verified().forget_all();
        self.hub.reset(head);
    }
}
