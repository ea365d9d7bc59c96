//! What the app's own backend is told of notifications. None of it is in the log, and no socket receives it.

use std::sync::Arc;

use crate::store::entity::{device, message, room, user};

/// A user is to be notified, or a notification is to be taken away.
#[derive(Clone, Debug)]
pub struct NotificationNotice {
    /// Who is to be notified.
    pub user: Arc<user::Model>,
    /// Of which room.
    pub room: Arc<room::Model>,
    /// Of which message, and by whom it is; without one, the notification is to be taken away.
    pub message: Option<(Arc<message::Model>, Option<Arc<user::Model>>)>,
    /// What a badge shows from now on.
    pub badge: i64,
    /// Of several with the same only the last need be shown.
    pub collapse_key: String,
    /// Where the user is reached.
    pub devices: Vec<Arc<device::Model>>,
}
