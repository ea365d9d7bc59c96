//! Closing invites: taken back, declined, or with what they hang on.

use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, Set};

use crate::chat::access::{Action, Standing};
use crate::chat::change::{Alone, Change};
use crate::chat::{Actor, Argument, Chat, Error};
use crate::ids::{InviteId, RoomId, UserId};
use crate::log::{Append, NewEvent};
use crate::store::entity::{invite, member, room};
use crate::store::list::{ROWS_PER_STATEMENT, columns_as, one_of};

const NOT_FOUND: Error = Error::NotFound { what: "invite", argument: Argument::InviteId };

impl Chat {
    /// Closes an invite: for whom it is for, who made it, and who may invite into its room. One that is closed stays so.
    ///
    /// # Errors
    /// `NotFound` when there is none that the user may close.
    pub async fn close_invite(&self, actor: Actor, id: InviteId) -> Result<(), Error> {
        self.change(CloseInvite { actor, id }).await
    }
}

/// Close an invite.
pub struct CloseInvite {
    actor: Actor,
    id: InviteId,
}

impl Change for CloseInvite {
    type Outcome = ();
}

impl Alone for CloseInvite {
    async fn apply(&self, append: &mut Append) -> Result<(), Error> {
        let invite = self.find(append).await?.ok_or(NOT_FOUND)?;
        if invite.closed_at.is_none() {
            all(append, &[invite], self.actor.user).await?;
        }
        Ok(())
    }
}

impl CloseInvite {
    /// The invite, if this one may close it: one statement, whether there is such an invite or not.
    async fn find(&self, append: &Append) -> Result<Option<invite::Model>, Error> {
        if self.actor.key {
            return Ok(invite::Entity::find_by_id(self.id).one(append.tx()).await?);
        }
        let Some(user) = self.actor.user else { return Err(Error::Unauthenticated) };
        let sql = format!(
            "SELECT {of_invite}, {of_room}, {of_member} FROM invite JOIN room ON room.id = invite.room_id \
             LEFT JOIN member ON member.room_id = invite.room_id AND member.user_id = $2 AND {is_present} \
             WHERE invite.id = $1",
            of_invite = columns_as::<invite::Entity>("invite_"),
            of_room = columns_as::<room::Entity>("room_"),
            of_member = columns_as::<member::Entity>("member_"),
            is_present = member::is_present("member"),
        );
        let statement = append.store().statement(&sql, vec![self.id.into(), user.into()]);
        let Some(row) = append.tx().query_one_raw(statement).await? else { return Ok(None) };
        let invite = invite::Model::from_query_result(&row, "invite_")?;
        let room = room::Model::from_query_result(&row, "room_")?;
        let member = member::Model::from_query_result_optional(&row, "member_")?;
        let is_own = [invite.invitee_id, invite.inviter_id].contains(&Some(user));
        let may =
            || member.is_some_and(|member| Standing::of(&room, &member, append.now()).may(Action::Invite).is_ok());
        Ok((is_own || may()).then_some(invite))
    }
}

/// Closes these invites, which were not, and tells those whom they are for. `by`: who did it.
pub(in crate::chat) async fn all(
    append: &mut Append,
    invites: &[invite::Model],
    by: Option<UserId>,
) -> Result<(), DbErr> {
    for invites in invites.chunks(ROWS_PER_STATEMENT) {
        invite::Entity::update_many()
            .set(invite::ActiveModel { closed_at: Set(Some(append.now())), ..Default::default() })
            .filter(one_of(append.store().backend(), invite::Column::Id, invites.iter().map(|invite| invite.id)))
            .exec(append.tx())
            .await?;
        tell(append, invites, by);
    }
    Ok(())
}

fn tell(append: &mut Append, closed: &[invite::Model], by: Option<UserId>) {
    for invite in closed.iter().filter(|invite| invite.closed_at.is_none()) {
        if let Some(invitee) = invite.invitee_id {
            append.record(NewEvent::invite_closed(invitee, invite.id).by(by));
        }
    }
}

/// Invites that are not closed, of which this is true.
async fn unclosed(append: &Append, are_meant: Condition) -> Result<Vec<invite::Model>, DbErr> {
    invite::Entity::find().filter(invite::Column::ClosedAt.is_null()).filter(are_meant).all(append.tx()).await
}

/// Closes the invites into this room for these users: they are in it now, or are to stay out.
pub(in crate::chat) async fn for_users(
    append: &mut Append,
    room: RoomId,
    users: &[UserId],
    by: Option<UserId>,
) -> Result<(), DbErr> {
    for users in users.chunks(ROWS_PER_STATEMENT) {
        let theirs = one_of(append.store().backend(), invite::Column::InviteeId, users.iter().copied());
        let of_room = Condition::all().add(invite::Column::RoomId.eq(room)).add(theirs);
        let invites = unclosed(append, of_room).await?;
        all(append, &invites, by).await?;
    }
    Ok(())
}

/// Closes the invites by which this user, whom the other blocks now, has asked the other.
pub(in crate::chat) async fn between(append: &mut Append, from: UserId, to: UserId) -> Result<(), DbErr> {
    let asked = Condition::all().add(invite::Column::InviteeId.eq(to)).add(invite::Column::InviterId.eq(from));
    let open = unclosed(append, asked).await?;
    all(append, &open, Some(to)).await
}

/// Closes the invites for and by these users, who are switched off.
pub(in crate::chat) async fn of_users(append: &mut Append, users: &[UserId]) -> Result<(), DbErr> {
    for column in [invite::Column::InviteeId, invite::Column::InviterId] {
        for users in users.chunks(ROWS_PER_STATEMENT) {
            let theirs = one_of(append.store().backend(), column, users.iter().copied());
            let invites = unclosed(append, Condition::all().add(theirs)).await?;
            all(append, &invites, None).await?;
        }
    }
    Ok(())
}

/// Removes the invites for and by a user who is deleted, and tells those whom the user has asked.
pub(in crate::chat) async fn forget_user(append: &mut Append, user: UserId) -> Result<(), DbErr> {
    let by = Condition::all().add(invite::Column::InviterId.eq(user)).add(invite::Column::InviteeId.is_not_null());
    let asked = unclosed(append, by).await?;
    tell(append, &asked, Some(user));
    for column in [invite::Column::InviteeId, invite::Column::InviterId] {
        invite::Entity::delete_many().filter(column.eq(user)).exec(append.tx()).await?;
    }
    Ok(())
}

/// Removes the invites into a room that is deleted, and tells those whom they are for.
pub(in crate::chat) async fn forget_room(append: &mut Append, room: RoomId, by: Option<UserId>) -> Result<(), DbErr> {
    let of_room = || Condition::all().add(invite::Column::RoomId.eq(room));
    let asked = unclosed(append, of_room().add(invite::Column::InviteeId.is_not_null())).await?;
    tell(append, &asked, by);
    invite::Entity::delete_many().filter(of_room()).exec(append.tx()).await?;
    Ok(())
}
