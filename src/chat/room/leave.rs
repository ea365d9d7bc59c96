//! Leaving a room, and deleting it.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QuerySelect,
};

use super::rows::{MemberRows, room_for};
use super::{heirs, open};
use crate::chat::access::Action;
use crate::chat::change::{Alone, Change};
use crate::chat::invite::close;
use crate::chat::{Actor, Chat, Error, Viewer};
use crate::ids::{RoomId, UserId};
use crate::log::{Append, NewEvent};
use crate::store::entity::member::{RoomRole, When};
use crate::store::entity::room::JoinPolicy;
use crate::store::entity::{ban, member, message, room};

impl Chat {
    /// Ends the viewer's membership. The room stays for the others. A room of two is hidden instead: the other one isn't told,
    /// and the next message brings it back.
    ///
    /// # Errors
    /// `NotFound` for a room that the viewer isn't in.
    pub async fn leave_room(&self, viewer: &Viewer, room: RoomId) -> Result<(), Error> {
        self.change(Leave { user: viewer.user, room }).await
    }

    /// Deletes a room for all members. Returns how many messages were deleted with it.
    ///
    /// # Errors
    /// `NotFound` for a room that the viewer isn't in; `Forbidden` when somebody else opened it, [`Reason::OwnerNeeded`]
    /// in a group that others own.
    ///
    /// [`Reason::OwnerNeeded`]: crate::chat::Reason::OwnerNeeded
    pub async fn delete_room(&self, actor: Actor, room: RoomId) -> Result<i32, Error> {
        self.change(DeleteRoom { actor, room }).await
    }
}

/// Leave a room.
pub struct Leave {
    user: UserId,
    room: RoomId,
}

impl Change for Leave {
    type Outcome = ();
}

impl Alone for Leave {
    async fn apply(&self, append: &mut Append) -> Result<(), Error> {
        let (room, member) = MemberRows::one(append, self.room, self.user, Action::Leave).await?;
        if is_of_two(append, &room).await? {
            let mut member = member.into_active_model();
            member.left_position = Set(Some(append.record(NewEvent::room_hidden(self.user, self.room))));
            member.hidden = Set(true);
            member.update(append.tx()).await?;
            return Ok(());
        }
        let owned = member.role == RoomRole::Owner;
        let mut member = member.into_active_model();
        member.left_position = Set(Some(append.record(NewEvent::member_left(self.room, self.user))));
        member.update(append.tx()).await?;
        if owned {
            heirs::appoint(append, &[self.room]).await?;
        }
        let count = room.member_count - 1;
        let mut room = room.into_active_model();
        room.member_count = Set(count);
        room.update(append.tx()).await?;
        Ok(())
    }
}

/// Whether the room stands for a set of two users. Rows of memberships stay, so they are the set.
async fn is_of_two(append: &Append, room: &room::Model) -> Result<bool, Error> {
    if room.member_key.is_none() {
        return Ok(false);
    }
    let members = member::Entity::find().filter(member::Column::RoomId.eq(room.id)).limit(3).all(append.tx()).await?;
    Ok(members.len() == 2)
}

/// Delete a room.
pub struct DeleteRoom {
    actor: Actor,
    room: RoomId,
}

impl Change for DeleteRoom {
    type Outcome = i32;
}

impl Alone for DeleteRoom {
    async fn apply(&self, append: &mut Append) -> Result<i32, Error> {
        let room = room_for(append, self.actor, self.room, Action::DeleteRoom).await?;
        let deleted = message::Entity::find()
            .filter(message::Column::RoomId.eq(self.room))
            .filter(message::Column::DeletedAt.is_null())
            .count(append.tx())
            .await?;
        close::forget_room(append, self.room, self.actor.user).await?;
        let position = append.record(NewEvent::room_deleted(self.room).by(self.actor.user));
        member::Entity::update_many()
            .col_expr(member::Column::LeftPosition, Expr::value(position))
            .filter(member::Column::RoomId.eq(self.room))
            .filter(When::Now.condition())
            .exec(append.tx())
            .await?;
        // Who had hidden it has been told that it is gone.
        member::Entity::update_many()
            .col_expr(member::Column::Hidden, Expr::value(false))
            .filter(member::Column::RoomId.eq(self.room))
            .filter(member::is_hidden())
            .exec(append.tx())
            .await?;
        ban::Entity::delete_many().filter(ban::Column::RoomId.eq(self.room)).exec(append.tx()).await?;
        let mut room = room.into_active_model();
        room.member_key = Set(None);
        room.external_id = Set(None);
        room.client_id = Set(None);
        room.member_count = Set(0);
        room.deleted_at = Set(Some(append.now()));
        let room = room.update(append.tx()).await?;
        if room.join_policy == JoinPolicy::Open {
            open::keep_words(append, &room).await?;
        }
        Ok(i32::try_from(deleted).unwrap_or(i32::MAX))
    }
}
