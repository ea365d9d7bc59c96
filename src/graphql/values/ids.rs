//! Typed ids as arguments, and ids of what is no noun of its own. In the schema each is an `ID`; an id of the wrong noun
//! is refused while it is parsed.

use std::borrow::Cow;

use async_graphql::registry::Registry;
use async_graphql::{ID, InputType, InputValueError, InputValueResult, Value};

use crate::chat::room::RoomRef;
use crate::chat::user::UserRef;
use crate::graphql::node::NodeId;
use crate::ids::{AttachmentId, DeviceId, InviteId, MessageId, ReportId, RoomId, SessionId, UserId, WebhookId};

macro_rules! id_argument {
    ($($id:ty),+) => {$(
        impl InputType for $id {
            type RawValueType = Self;

            fn type_name() -> Cow<'static, str> {
                <ID as InputType>::type_name()
            }

            fn create_type_info(registry: &mut Registry) -> String {
                <ID as InputType>::create_type_info(registry)
            }

            fn parse(value: Option<Value>) -> InputValueResult<Self> {
                let id = <ID as InputType>::parse(value).map_err(InputValueError::propagate)?;
                id.parse().map_err(InputValueError::custom)
            }

            fn to_value(&self) -> Value {
                Value::String(self.to_string())
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }
        }
    )+};
}

id_argument!(
    AttachmentId,
    UserRef,
    RoomRef,
    RoomId,
    MessageId,
    SessionId,
    InviteId,
    ReportId,
    WebhookId,
    DeviceId,
    NodeId
);

/// Names something that there is once for each user.
pub(crate) fn of_user(prefix: &str, user: UserId) -> ID {
    ID(format!("{prefix}_{}", unprefixed(&user.to_string())))
}

/// Names something that there is once for each user in each room.
pub(crate) fn of_member(prefix: &str, room: RoomId, user: UserId) -> ID {
    ID(format!("{prefix}_{}_{}", unprefixed(&room.to_string()), unprefixed(&user.to_string())))
}

/// Names what there is once for each user of each message.
pub(crate) fn of_message_viewer(message: MessageId, user: UserId) -> ID {
    ID(format!("viewer_{}_{}", unprefixed(&message.to_string()), unprefixed(&user.to_string())))
}

fn unprefixed(id: &str) -> &str {
    id.split_once('_').map_or(id, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_once_for_a_member_has_one_id() {
        let (room, user) = (RoomId::generate(), UserId::generate());
        let id = of_member("member", room, user);
        assert_eq!(id, of_member("member", room, user));
        for other in [
            of_member("viewer", room, user),
            of_member("member", RoomId::generate(), user),
            of_member("member", room, UserId::generate()),
            of_user("member", user),
        ] {
            assert_ne!(id, other);
        }
        let [prefix, of_room, of_user] = id.split('_').collect::<Vec<_>>().try_into().expect("three parts");
        assert_eq!(prefix, "member");
        assert_eq!((format!("room_{of_room}").parse(), format!("user_{of_user}").parse()), (Ok(room), Ok(user)));
        assert!(id.parse::<NodeId>().is_err(), "it is nothing that can be fetched");
    }
}
