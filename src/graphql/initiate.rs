//! Opening the room of a set of users, or going back into it.

use async_graphql::{Context, Enum, Object, SimpleObject};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::room::Room;
use crate::chat::user::UserRef;
use crate::chat::{Argument, Error};
use crate::ids::RoomId;
use crate::limits::PerUser;
use crate::store::entity::room;

/// Which types of users are in a room.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "room::RoomType")]
pub enum RoomType {
    /// Only consumers: no member is of type `SUPPORT`.
    ConsumerToConsumer,
    /// At least one member is of type `SUPPORT`.
    ConsumerToSupport,
}

/// The room of the given users.
#[derive(SimpleObject)]
pub(crate) struct InitiateChatPayload {
    /// The room.
    room: Room,
    /// Whether this request created the room. Of several simultaneous requests for the same users, exactly one gets
    /// `true`.
    is_new: bool,
}

impl InitiateChatPayload {
    fn found(room: room::Model) -> Self {
        Self { room: Room(room), is_new: false }
    }
}

/// Opening rooms.
#[derive(Default)]
pub(crate) struct InitiateMutation;

#[Object]
impl InitiateMutation {
    /// The room of exactly these users and this type: the existing one, or else a new one. The order of the ids doesn't
    /// matter, nor does an id that is given twice; the viewer belongs to the set, named or not.
    ///
    /// A user who has left the room rejoins it by initiating the same set again, or by the room's id, and then sees all that
    /// was said meanwhile. Nobody else can bring that user back, except into a room of two: whoever has hidden it has it
    /// back when either of the two initiates it.
    ///
    /// Errors: `NOT_FOUND` when there is no such user, or no room of that id that the viewer is or was in; `BAD_USER_INPUT`
    /// when nobody but the viewer is named, there would be more than 5,000 members, the type doesn't fit them, or not
    /// exactly one of the two ways to name the room is taken; `CONFLICT` when the viewer has opened as many rooms as a user
    /// may (2,000, unless set otherwise).
    async fn initiate_chat(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ids of its members: `user_…`, or the app's own after `ext:`. With `type`.")]
        user_ids: Option<Vec<UserRef>>,
        #[graphql(desc = "Which types of users are in the room. With `userIds`.")] r#type: Option<RoomType>,
        #[graphql(desc = "Instead of both: the id of a room of a set of users, `room_…`, to go back into.")]
        room_id: Option<RoomId>,
    ) -> Result<InitiateChatPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        let chat = ctx.chat();
        let (user_ids, r#type) = match (user_ids, r#type, room_id) {
            (Some(user_ids), Some(r#type), None) => (user_ids, r#type.into()),
            (None, None, Some(room)) => {
                if let Some(room) = chat.present_room(viewer, room).await? {
                    return Ok(InitiateChatPayload::found(room));
                }
                ctx.charge(PerUser::NewRooms).await?;
                return Ok(InitiateChatPayload::found(chat.reenter_room(viewer, room).await?));
            }
            (Some(_), None, None) => return Err(Error::invalid(Argument::Type, "say which type of room").into()),
            (None, _, None) => {
                return Err(Error::invalid(Argument::UserIds, "name the users and the type, or a room").into());
            }
            (_, _, Some(_)) => {
                return Err(Error::invalid(Argument::RoomId, "name either the users and the type, or a room").into());
            }
        };
        let user_ids = chat.resolve(&user_ids, Argument::UserIds).await?;
        if let Some(room) = chat.present_chat(viewer, &user_ids, r#type).await? {
            return Ok(InitiateChatPayload::found(room));
        }
        ctx.charge(PerUser::NewRooms).await?;
        let (room, is_new) = chat.initiate_chat(viewer, &user_ids, r#type).await?;
        Ok(InitiateChatPayload { room: Room(room), is_new })
    }
}
