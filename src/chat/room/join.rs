//! Joining a group by oneself: an open one by its id, any by an invite.

use std::collections::BTreeSet;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::members;
use crate::chat::change::{Alone, Change};
use crate::chat::invite::CodeHash;
use crate::chat::{Argument, Chat, Error, Viewer};
use crate::ids::{InviteId, RoomId, UserId};
use crate::log::Append;
use crate::store::entity::{invite, member, room, user};

/// How somebody comes into a group.
#[derive(Clone, Debug)]
pub enum WayIn {
    /// It is open to everybody.
    Room(RoomId),
    /// By an invite for the user.
    Invite(InviteId),
    /// By the code of a link.
    Code(CodeHash),
}

impl WayIn {
    fn not_found(&self) -> Error {
        match self {
            Self::Room(_) => Error::ROOM_NOT_FOUND,
            Self::Invite(_) => Error::NotFound { what: "invite", argument: Argument::InviteId },
            Self::Code(_) => Error::NotFound { what: "invite", argument: Argument::Code },
        }
    }
}

impl Chat {
    /// Has the viewer join a group, or finds it if the viewer is in it already, which uses up nothing.
    ///
    /// # Errors
    /// `NotFound` for a room that isn't open, an invite that is for somebody else or good no longer, and an unknown code;
    /// [`Reason::Banned`](crate::chat::Reason::Banned); [`Reason::RoomFull`](crate::chat::Reason::RoomFull).
    pub async fn join_room(&self, viewer: &Viewer, way: WayIn) -> Result<room::Model, Error> {
        self.change(JoinRoom { user: viewer.user, way }).await
    }
}

/// Join a group.
pub struct JoinRoom {
    user: UserId,
    way: WayIn,
}

impl Change for JoinRoom {
    type Outcome = room::Model;
}

impl Alone for JoinRoom {
    async fn apply(&self, append: &mut Append) -> Result<room::Model, Error> {
        let (room, invite) = self.find(append).await?.ok_or_else(|| self.way.not_found())?;
        let member = member::Entity::find_by_id((room.id, self.user)).one(append.tx()).await?;
        if member.is_some_and(|member| member.left_position.is_none()) {
            return Ok(room);
        }
        if invite.as_ref().is_some_and(|invite| !invite.is_open(append.now())) {
            return Err(self.way.not_found());
        }
        // The user may have been deleted or switched off while this change waited.
        let user = user::Entity::find_by_id(self.user).one(append.tx()).await?;
        if !user.is_some_and(|user| user.may_enter()) {
            return Err(Error::Unauthenticated);
        }
        let (room, _) = members::put_in(append, room, &BTreeSet::from([self.user]), Some(self.user)).await?;
        if let Some(link) = invite.filter(|invite| invite.uses_left.is_some()) {
            invite::Entity::update_many()
                .col_expr(invite::Column::UsesLeft, Expr::col(invite::Column::UsesLeft).sub(1))
                .filter(invite::Column::Id.eq(link.id))
                .exec(append.tx())
                .await?;
        }
        Ok(room)
    }
}

impl JoinRoom {
    /// The room, and the invite by which it is found. One statement, whether there is such a thing or not.
    async fn find(&self, append: &Append) -> Result<Option<(room::Model, Option<invite::Model>)>, Error> {
        let invites = match &self.way {
            WayIn::Room(id) => {
                let room = room::Entity::enterable_by(self.user).filter(room::Column::Id.eq(*id));
                return Ok(room.one(append.tx()).await?.map(|room| (room, None)));
            }
            WayIn::Invite(id) => invite::Entity::to(self.user).filter(invite::Column::Id.eq(*id)),
            WayIn::Code(code) => invite::Entity::find().filter(invite::Column::CodeHash.eq(code.bytes())),
        };
        let found = invites.find_also_related(room::Entity).one(append.tx()).await?;
        Ok(found.and_then(|(invite, room)| Some((room.filter(|room| room.deleted_at.is_none())?, Some(invite)))))
    }
}
