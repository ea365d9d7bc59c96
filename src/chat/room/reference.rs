//! Naming rooms: by Parlor's own id or, for the app's own backend, by the one that it knows them by.

use std::fmt;
use std::str::FromStr;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::chat::user::is_external_id;
use crate::chat::{Chat, Error, Reason, ServerKey};
use crate::ids::RoomId;
use crate::store::entity::room;

/// How a name of the second kind begins.
const EXTERNAL: &str = "ext:";

/// A room: `room_…` or `ext:…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RoomRef {
    /// By Parlor's own id.
    Id(RoomId),
    /// By the id that the app's own backend knows the room by.
    External(String),
}

/// The text names no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that starts with `room_`, or the app's own after `ext:`")]
pub struct InvalidRoomRef;

impl FromStr for RoomRef {
    type Err = InvalidRoomRef;

    fn from_str(text: &str) -> Result<Self, InvalidRoomRef> {
        match text.strip_prefix(EXTERNAL) {
            Some(id) if is_external_id(id) => Ok(Self::External(id.to_owned())),
            Some(_) => Err(InvalidRoomRef),
            None => text.parse().map(Self::Id).map_err(|_| InvalidRoomRef),
        }
    }
}

impl fmt::Display for RoomRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::External(id) => write!(f, "{EXTERNAL}{id}"),
        }
    }
}

impl Chat {
    /// The room that the app's own backend knows by this id, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn room_by_external_id(&self, _: &ServerKey, id: &str) -> Result<Option<room::Model>, Error> {
        // With its deletion a room gives its id of the app's back.
        let room = room::Entity::find().filter(room::Column::ExternalId.eq(id));
        Ok(room.one(self.store.read()).await?)
    }

    /// The id of this room, which need not be there if it is named by Parlor's own.
    ///
    /// # Errors
    /// [`Reason::ServerKeyNeeded`] for an app's own id by anybody but its backend, whether there is such a room or not;
    /// [`Error::NotFound`] when there is none.
    pub async fn room_named(&self, key: Option<&ServerKey>, room: RoomRef) -> Result<RoomId, Error> {
        match room {
            RoomRef::Id(id) => Ok(id),
            RoomRef::External(id) => {
                let key = key.ok_or(Error::Refused(Reason::ServerKeyNeeded))?;
                Ok(self.room_by_external_id(key, &id).await?.ok_or(Error::ROOM_NOT_FOUND)?.id)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_named_in_either_way() {
        let id = RoomId::generate();
        for room in [RoomRef::Id(id), RoomRef::External("order:42".into()), RoomRef::External("ext:".into())] {
            assert_eq!(room.to_string().parse(), Ok(room));
        }
        for text in ["", "42", "ext:", "ext: 42", "ext:4\n2", "user_01h455vb4pex5vsknk084sn02q"] {
            assert_eq!(text.parse::<RoomRef>(), Err(InvalidRoomRef), "{text:?}");
        }
    }
}
