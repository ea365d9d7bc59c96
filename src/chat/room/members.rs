//! Adding members to a group, removing them, and changing their roles.

use std::collections::BTreeSet;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};

use super::rows::{MemberRows, room_for};
use super::{MAX_MEMBERS, group, heirs, moderation, people};
use crate::chat::access::Action;
use crate::chat::change::{Alone, Change};
use crate::chat::invite::close;
use crate::chat::user::UserRef;
use crate::chat::{Actor, Argument, Chat, Directory, Error, Reason};
use crate::ids::{RoomId, UserId};
use crate::log::{Append, NewEvent};
use crate::position::Position;
use crate::store::entity::member::{self, RoomRole, When};
use crate::store::entity::{block, room};
use crate::store::list::one_of;

/// The most users of one call.
pub const MAX_ADDED: usize = 100;

pub(super) const NO_MEMBER: Error = Error::NotFound { what: "user", argument: Argument::UserId };

impl Chat {
    /// Puts users into a group, as members. Those who are in it already stay as they are. Returns the room, and who was
    /// added.
    ///
    /// # Errors
    /// `Invalid` when too many are named; `NotFound` for a room that the user isn't in, and for a user whom the user can't
    /// find; [`Reason::DirectRoom`]; [`Reason::ModeratorNeeded`]; [`Reason::Deactivated`] for one who is switched off;
    /// [`Reason::Blocked`] for one who blocks the user; [`Reason::Banned`]; [`Reason::RoomFull`].
    pub async fn add_members(
        &self,
        actor: Actor,
        room: RoomId,
        users: &[UserRef],
    ) -> Result<(room::Model, Vec<UserId>), Error> {
        if users.len() > MAX_ADDED {
            return Err(Error::invalid(Argument::UserIds, format!("at most {MAX_ADDED} users")));
        }
        let users = self.resolve(users, Argument::UserIds).await?.into_iter().collect();
        let directory = if actor.key { Directory::All } else { self.policy.directory };
        self.change(AddMembers { actor, room, users, directory }).await
    }

    /// Ends somebody's membership of a group.
    ///
    /// # Errors
    /// `NotFound` for a room that the user isn't in, and for somebody who isn't in it; [`Reason::DirectRoom`];
    /// [`Reason::ModeratorNeeded`]; [`Reason::HigherRoleNeeded`] for somebody of the same role or a higher one.
    pub async fn remove_member(
        &self,
        actor: Actor,
        room: RoomId,
        user: &UserRef,
    ) -> Result<(room::Model, UserId), Error> {
        let user = self.member_named(user).await?;
        Ok((self.change(RemoveMember { actor, room, user }).await?, user))
    }

    /// Changes the role of a member of a group. Where an owner steps down and leaves no other, somebody else becomes one.
    ///
    /// # Errors
    /// `NotFound` for a room that the user isn't in, and for somebody who isn't in it; [`Reason::DirectRoom`];
    /// [`Reason::OwnerNeeded`]; `Conflict` when nobody else could own the room.
    pub async fn set_member_role(
        &self,
        actor: Actor,
        room: RoomId,
        user: &UserRef,
        role: RoomRole,
    ) -> Result<(room::Model, member::Model), Error> {
        let user = self.member_named(user).await?;
        self.change(SetMemberRole { actor, room, user, role }).await
    }

    pub(super) async fn member_named(&self, user: &UserRef) -> Result<UserId, Error> {
        let users = self.resolve(std::slice::from_ref(user), Argument::UserId).await?;
        users.first().copied().ok_or(NO_MEMBER)
    }
}

/// Put users into a group.
pub struct AddMembers {
    actor: Actor,
    room: RoomId,
    users: BTreeSet<UserId>,
    /// Whom the user may add.
    directory: Directory,
}

impl Change for AddMembers {
    type Outcome = (room::Model, Vec<UserId>);
}

impl Alone for AddMembers {
    async fn apply(&self, append: &mut Append) -> Result<Self::Outcome, Error> {
        let room = room_for(append, self.actor, self.room, Action::AddMembers).await?;
        let finder = self.actor.user.map(|user| (user, self.directory));
        people::expect(append, &self.users, finder, Argument::UserIds).await?;
        if let Some(adder) = self.actor.user {
            let blocking = self.users.iter().filter(|user| **user != adder).map(|user| (*user, adder));
            let blocking = block::Entity::of_pairs(append.tx(), blocking).await?;
            if !blocking.is_empty() {
                let users = blocking.into_iter().map(|block| block.user_id).collect();
                return Err(Error::RefusedFor(Reason::Blocked, users));
            }
        }
        put_in(append, room, &self.users, self.actor.user).await
    }
}

/// Puts these users, whom the caller may put there, into this group, but for those who are in it already. Whoever comes back
/// has the role of a member, whatever it was before; what was read before stays read, and what a moderator has decided
/// stays decided. Returns the room, and who was put in.
///
/// # Errors
/// [`Reason::Banned`]; [`Reason::RoomFull`]; or when the database fails.
pub(super) async fn put_in(
    append: &mut Append,
    room: room::Model,
    users: &BTreeSet<UserId>,
    by: Option<UserId>,
) -> Result<(room::Model, Vec<UserId>), Error> {
    if users.is_empty() {
        return Ok((room, Vec::new()));
    }
    let present: Vec<UserId> = member::Entity::find()
        .filter(member::Column::RoomId.eq(room.id))
        .filter(one_of(append.store().backend(), member::Column::UserId, users.iter().copied()))
        .filter(When::Now.condition())
        .select_only()
        .column(member::Column::UserId)
        .into_tuple()
        .all(append.tx())
        .await?;
    let added: Vec<UserId> = users.iter().copied().filter(|user| !present.contains(user)).collect();
    if added.is_empty() {
        return Ok((room, added));
    }
    moderation::expect_not_banned(append, room.id, &added).await?;
    let count = i32::try_from(added.len()).unwrap_or(i32::MAX);
    let member_count = room.member_count.saturating_add(count);
    if usize::try_from(member_count).unwrap_or(usize::MAX) > MAX_MEMBERS {
        return Err(Error::Refused(Reason::RoomFull));
    }
    let mut members = Vec::with_capacity(added.len());
    for user in &added {
        let joined = append.record(NewEvent::room_joined(*user, room.id).by(by));
        // What was said before isn't news to somebody who is new.
        let new = group::member(append, room.id, *user, RoomRole::Member, joined);
        members.push(member::Model { read_seq: room.last_seq, ..new }.into_active_model());
    }
    append.record(NewEvent::members_joined(room.id, count).by(by));
    let again = OnConflict::columns([member::Column::RoomId, member::Column::UserId])
        .update_columns([
            member::Column::JoinedPosition,
            member::Column::LeftPosition,
            member::Column::Muted,
            member::Column::UnreadFrom,
            member::Column::UnreadOwn,
            member::Column::JoinedAt,
            member::Column::Role,
        ])
        .to_owned();
    member::Entity::insert_many(members).on_conflict(again).exec_without_returning(append.tx()).await?;
    // Whichever way they came in, nobody need ask them any more.
    close::for_users(append, room.id, &added, by).await?;
    let room = room::ActiveModel { member_count: Set(member_count), ..room.into_active_model() };
    Ok((room.update(append.tx()).await?, added))
}

/// Ends this membership of a group by the event at this position. Whoever owned it is replaced.
///
/// # Errors
/// When the database fails.
pub(super) async fn take_out(
    append: &mut Append,
    room: room::Model,
    member: member::Model,
    left: Position,
) -> Result<room::Model, Error> {
    let owned = member.role == RoomRole::Owner;
    let member = member::ActiveModel { left_position: Set(Some(left)), ..member.into_active_model() };
    member.update(append.tx()).await?;
    let member_count = Set(room.member_count - 1);
    let room = room::ActiveModel { member_count, ..room.into_active_model() }.update(append.tx()).await?;
    if owned {
        heirs::appoint(append, &[room.id]).await?;
    }
    Ok(room)
}

/// End somebody's membership of a group.
pub struct RemoveMember {
    actor: Actor,
    room: RoomId,
    user: UserId,
}

impl Change for RemoveMember {
    type Outcome = room::Model;
}

impl Alone for RemoveMember {
    async fn apply(&self, append: &mut Append) -> Result<room::Model, Error> {
        let (room, target) = moderated(append, self.actor, self.room, self.user).await?;
        let removed = append.record(NewEvent::member_removed(self.room, self.user).by(self.actor.user));
        take_out(append, room, target.ok_or(NO_MEMBER)?, removed).await
    }
}

/// A group whose members this user may moderate, and this member of it: `None` if they aren't in it.
///
/// # Errors
/// As [`room_for`]; [`Reason::HigherRoleNeeded`].
pub(super) async fn moderated(
    append: &Append,
    actor: Actor,
    room: RoomId,
    user: UserId,
) -> Result<(room::Model, Option<member::Model>), Error> {
    let found = room_for(append, actor, room, Action::Moderate(RoomRole::Member)).await?;
    let target = MemberRows::present(append, room, user).await?;
    if let Some(target) = &target {
        room_for(append, actor, room, Action::Moderate(target.role)).await?;
    }
    Ok((found, target))
}

/// Change what a member of a group is.
pub struct SetMemberRole {
    actor: Actor,
    room: RoomId,
    user: UserId,
    role: RoomRole,
}

impl Change for SetMemberRole {
    type Outcome = (room::Model, member::Model);
}

impl Alone for SetMemberRole {
    async fn apply(&self, append: &mut Append) -> Result<Self::Outcome, Error> {
        let room = room_for(append, self.actor, self.room, Action::SetRoles).await?;
        let target = MemberRows::present(append, self.room, self.user).await?.ok_or(NO_MEMBER)?;
        if target.role == self.role {
            return Ok((room, target));
        }
        let heir =
            if target.role == RoomRole::Owner { heirs::after(append, self.room, self.user).await? } else { None };
        if target.role == RoomRole::Owner && heir.is_none() && !self.actor.key {
            let problem = "there is nobody else who could own the room";
            return Err(Error::Conflict { argument: Argument::Role, problem });
        }
        let target = member::ActiveModel { role: Set(self.role), ..target.into_active_model() };
        let target = target.update(append.tx()).await?;
        append.record(NewEvent::member_changed(self.room, self.user).by(self.actor.user));
        if let Some(heir) = heir {
            heirs::promote(append, heir).await?;
        }
        Ok((room, target))
    }
}
