//! What the app's own backend is told of notifications.

use async_graphql::{Enum, ID, SimpleObject};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::events::{Event, Stamp, event};
use super::message::Message;
use super::notifications::DevicePlatform;
use super::room::Room;
use super::user::User;
use super::values::scalars::{DateTime, ShownCursor};
use crate::delivery::notice::NotificationNotice;
use crate::store::entity::{device, message};

/// What a device is to do.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum NotificationKind {
    /// Show that there is a message.
    Message,
    /// Show nothing of the room any more: it was read, say, or deleted.
    Clear,
}

/// A device on which a user is to be notified, as its push service knows it.
#[derive(Clone, SimpleObject)]
pub(crate) struct NotificationTarget {
    /// The device's id.
    device_id: ID,
    /// By which service it is reached.
    platform: DevicePlatform,
    /// What the service knows it by: for Web Push where messages for it are posted, for Firebase Cloud Messaging the
    /// registration token.
    token: String,
    /// Web Push: the browser's public key, as `registerDevice` was given it.
    #[graphql(name = "p256dh")]
    p256dh: Option<String>,
    /// Web Push: the browser's secret.
    auth: Option<String>,
}

impl From<&device::Model> for NotificationTarget {
    fn from(device: &device::Model) -> Self {
        let encoded = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        Self {
            device_id: device.id.into(),
            platform: device.platform.into(),
            token: device.token.clone(),
            p256dh: encoded(&device.p256dh),
            auth: encoded(&device.auth),
        }
    }
}

event! {
    /// A user is to be notified, or a notification is to be taken away. **Webhooks only**: the app's backend may send it to
    /// the user by its own means, also where the user has registered no device here. No socket receives it, and
    /// `log` doesn't hold it.
    ///
    /// It is sent by the same rule as notifications are: at once to whoever is nowhere connected, to others after 15 s,
    /// only if the message is still unread then. A receiver that answers with an error is told three times, with the same
    /// `webhook-id`. What it doesn't take within half a minute is forgotten, and what it takes may come twice.
    NotificationDue {
        /// What is to be done.
        kind: NotificationKind,
        /// Who is to be notified.
        user: User,
        /// The room.
        room: Room,
        /// The message, which `CLEAR` has none of.
        message: Option<Message>,
        /// What to show as a number on the app's icon from now on.
        badge: i32,
        /// Of several with the same only the last need be shown: there is one for each user and room.
        collapse_key: String,
        /// The user's devices that are registered here, and that this server notifies by itself: secret, as who knows
        /// them may write to them.
        targets: Vec<NotificationTarget>,
    }
}

pub(super) fn event(stamp: Stamp, notice: &NotificationNotice) -> Event {
    let Stamp { cursor, at } = stamp;
    let message = notice.message.as_ref().map(|(row, author)| {
        let message = Message { author: author.clone(), ..Message::from(message::Model::clone(row)) };
        message.in_room(notice.room.clone())
    });
    NotificationDue {
        cursor,
        at,
        kind: if message.is_some() { NotificationKind::Message } else { NotificationKind::Clear },
        user: (&notice.user).into(),
        room: (&notice.room).into(),
        message,
        badge: i32::try_from(notice.badge).unwrap_or(i32::MAX),
        collapse_key: notice.collapse_key.clone(),
        targets: notice.devices.iter().map(|device| NotificationTarget::from(&**device)).collect(),
    }
    .into()
}
