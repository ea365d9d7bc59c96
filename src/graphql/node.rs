//! Anything that has an id.

use std::fmt;
use std::str::FromStr;

use async_graphql::{Context, ID, Interface, Object};
use futures_util::try_join;

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::message::Message;
use super::room::Room;
use super::user::User;
use crate::chat::user::UserRef;
use crate::chat::{Argument, Error};
use crate::ids::{InviteId, MessageId, RoomId, SessionId, UserId};
use crate::limits::PerUser;

/// The most ids in one `nodes`.
const MAX_NODES: usize = 100;

/// Anything that has an id, and can be fetched again by it.
#[derive(Interface, Clone)]
#[graphql(field(name = "id", ty = "ID", desc = "Its id: opaque, and the same for as long as it exists."))]
pub(crate) enum Node {
    /// A user.
    User(User),
    /// A room.
    Room(Room),
    /// A message.
    Message(Message),
}

/// An id of any noun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NodeId {
    /// Of a user.
    User(UserRef),
    /// Of a room.
    Room(RoomId),
    /// Of a message.
    Message(MessageId),
    /// Of a session, which can't be fetched.
    Session(SessionId),
    /// Of an invite, which can't be fetched.
    Invite(InviteId),
}

/// The text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that starts with `user_`, `room_` or `msg_`, or the app's own of a user after `ext:`")]
pub(crate) struct InvalidNodeId;

impl FromStr for NodeId {
    type Err = InvalidNodeId;

    fn from_str(text: &str) -> Result<Self, InvalidNodeId> {
        (text.parse().map(Self::User))
            .or_else(|_| text.parse().map(Self::Room))
            .or_else(|_| text.parse().map(Self::Message))
            .or_else(|_| text.parse().map(Self::Session))
            .or_else(|_| text.parse().map(Self::Invite))
            .map_err(|_| InvalidNodeId)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::Room(id) => id.fmt(f),
            Self::Message(id) => id.fmt(f),
            Self::Session(id) => id.fmt(f),
            Self::Invite(id) => id.fmt(f),
        }
    }
}

/// Fetching by id.
#[derive(Default)]
pub(crate) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The user, room or message with this id. Null when there is no such thing, or the viewer may not see it.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An id of any kind.")] id: NodeId,
    ) -> Result<Option<Node>, ApiError> {
        ctx.charge(PerUser::Reads).await?;
        Ok(fetch(ctx, &[id]).await?.pop().flatten())
    }

    /// The users, rooms and messages with these ids, in the order asked; null for each that doesn't exist or that the
    /// viewer may not see.
    #[graphql(complexity = "ids.len() * child_complexity + 1")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Ids of any kind, at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>, ApiError> {
        if ids.len() > MAX_NODES {
            return Err(Error::invalid(Argument::Ids, format!("at most {MAX_NODES} ids")).into());
        }
        ctx.charge(PerUser::Reads).await?;
        let ids: Result<Vec<NodeId>, _> = ids.iter().map(|id| id.parse()).collect();
        fetch(ctx, &ids.map_err(|error| Error::invalid(Argument::Ids, error.to_string()))?).await
    }
}

/// The nodes in the order of `ids`, read with one statement per noun.
async fn fetch(ctx: &Context<'_>, ids: &[NodeId]) -> Result<Vec<Option<Node>>, ApiError> {
    let (viewer, loader) = (ctx.viewer()?, ctx.loader());
    let room = |id: &NodeId| if let NodeId::Room(id) = id { Some(*id) } else { None };
    let message = |id: &NodeId| if let NodeId::Message(id) = id { Some(*id) } else { None };

    let named: Vec<UserRef> =
        ids.iter().filter_map(|id| if let NodeId::User(user) = id { Some(user.clone()) } else { None }).collect();
    let users = ctx.chat().resolve_present(&named).await?;
    let known: Vec<UserId> = users.iter().copied().flatten().collect();
    let visible = ctx.chat().visible_users(viewer, &known).await?;
    let mut user_ids = users.iter();
    let messages: Vec<_> = ids.iter().filter_map(message).collect();
    let messages =
        async { if messages.is_empty() { Ok(vec![]) } else { ctx.chat().messages_by_id(viewer, &messages).await } };
    let (found, rooms, messages) =
        try_join!(loader.load_many(visible), loader.load_many(ids.iter().filter_map(room)), messages,)?;
    let node = |id: &NodeId| match id {
        NodeId::User(_) => found.get(user_ids.next()?.as_ref()?).map(|user| User(user.clone()).into()),
        NodeId::Room(id) => rooms.get(id).map(|room| Room(room.clone()).into()),
        NodeId::Message(id) => messages.iter().find(|it| it.id == *id).map(|it| Message::from(it.clone()).into()),
        NodeId::Session(_) | NodeId::Invite(_) => None,
    };
    Ok(ids.iter().map(node).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_kind() {
        let room = RoomId::generate();
        assert_eq!(room.to_string().parse(), Ok(NodeId::Room(room)));
        assert_eq!("room_".parse::<NodeId>(), Err(InvalidNodeId));
        assert_eq!("".parse::<NodeId>(), Err(InvalidNodeId));
    }
}
