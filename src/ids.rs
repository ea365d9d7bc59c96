//! Identifiers: `UUIDv7` inside, [`TypeID`](https://github.com/jetify-com/typeid) text outside.
//!
//! The text carries the kind (`room_01h2…`), so an id of the wrong kind is refused by name and not looked up.

use std::fmt;
use std::str::FromStr;

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use type_safe_id::{StaticType, TypeSafeId};
use uuid::Uuid;

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that starts with `{prefix}_`")]
pub struct InvalidId {
    /// How the text of the expected kind starts.
    pub prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
        pub struct $name(pub Uuid);

        #[derive(Default)]
        struct $kind;

        impl StaticType for $kind {
            const TYPE: &'static str = $prefix;
        }

        impl $name {
            /// A new id; ids made later sort later, to the millisecond.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        /// Required of primary keys; a database never generates these ids.
        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                TypeSafeId::<$kind>::from_uuid(self.0).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.parse::<TypeSafeId<$kind>>()
                    .map(|id| Self(id.uuid()))
                    .map_err(|_| InvalidId { prefix: $prefix })
            }
        }
    };
}

id!(
    /// Names a user: `user_…`.
    UserId, UserKind, "user"
);
id!(
    /// Names a session, which is one signed-in device: `session_…`.
    SessionId, SessionKind, "session"
);
id!(
    /// Names a server key: `key_…`.
    KeyId, KeyKind, "key"
);
id!(
    /// Names a room: `room_…`.
    RoomId, RoomKind, "room"
);
id!(
    /// Names a message: `msg_…`.
    MessageId, MessageKind, "msg"
);
id!(
    /// Names an invite: `invite_…`.
    InviteId, InviteKind, "invite"
);
id!(
    /// Names a device on which its user is notified: `device_…`.
    DeviceId, DeviceKind, "device"
);
id!(
    /// Names a report: `report_…`.
    ReportId, ReportKind, "report"
);
id!(
    /// Names a webhook: `webhook_…`.
    WebhookId, WebhookKind, "webhook"
);

id!(
    /// Names a file: `attachment_…`.
    AttachmentId, AttachmentKind, "attachment"
);
id!(
    /// Names an object in the storage of files: `object_…`.
    ObjectId, ObjectKind, "object"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text() {
        let id = RoomId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().starts_with("room_"));
    }

    #[test]
    fn an_id_of_another_kind_is_refused_by_name() {
        let text = UserId::generate().to_string();
        assert_eq!(text.parse::<RoomId>(), Err(InvalidId { prefix: "room" }));
        assert_eq!(
            "".parse::<RoomId>().expect_err("empty text is no id").to_string(),
            "expected an id that starts with `room_`"
        );
    }
}
