//! Who may do what in a room; nothing else decides that. Pure functions of rows that were read under the log's lock.
//!
//! The finders of [`store`](crate::store::entity) decide who may *see* what: a user who isn't a member finds neither
//! the room nor anything in it.

use super::{Error, Reason};
use crate::ids::UserId;
use crate::store::entity::room::RoomType;
use crate::store::entity::user::UserType;
use crate::store::entity::{member, room};

/// A member's role in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Opened the room.
    Initiator,
    /// Any other member.
    Member,
    /// Asks in a room with the support side, opened by whomever.
    Customer,
    /// Answers there for the operator.
    Agent,
}

/// A present member of a room, by the role in it. Another user has no standing, because the room can't be found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    user: UserId,
    role: Role,
}

/// What a member wants to do in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Post a message.
    Post,
    /// Change the text of a message that this user wrote.
    EditMessageOf(UserId),
    /// Delete a message that this user wrote.
    DeleteMessageOf(UserId),
    /// Mark messages as read.
    MarkRead,
    /// Mute the room, or unmute it.
    Mute,
    /// Leave the room.
    Leave,
    /// Delete the room for everybody.
    DeleteRoom,
}

impl Standing {
    /// The standing of this member, who must be a present one, in this room. In a room with the support side everybody is
    /// taken for a customer: see [`Self::in_support`].
    pub(super) fn of(room: &room::Model, member: &member::Model) -> Self {
        let role = match room.r#type {
            RoomType::ConsumerToSupport => Role::Customer,
            RoomType::ConsumerToConsumer if room.initiator_id == Some(member.user_id) => Role::Initiator,
            RoomType::ConsumerToConsumer => Role::Member,
        };
        Self { user: member.user_id, role }
    }

    /// The standing of this member, who is of this type.
    pub(super) fn in_support(room: &room::Model, member: &member::Model, user: UserType) -> Self {
        match (room.r#type, user) {
            (RoomType::ConsumerToSupport, UserType::Support) => Self { user: member.user_id, role: Role::Agent },
            _ => Self::of(room, member),
        }
    }

    /// Whether what this user may do depends on whether the user is of the support side, which [`Self::of`] doesn't know.
    pub(super) fn depends_on_type(room: &room::Model, action: Action) -> bool {
        room.r#type == RoomType::ConsumerToSupport && matches!(action, Action::DeleteMessageOf(_) | Action::DeleteRoom)
    }

    /// The standing of a member whose role was not read: it permits only what every member may do.
    pub(super) fn member(user: UserId) -> Self {
        Self { user, role: Role::Member }
    }

    /// Whether this member may take this action.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with the rule.
    pub(super) fn may(self, action: Action) -> Result<(), Error> {
        match (action, self.role) {
            (Action::Post | Action::MarkRead | Action::Mute | Action::Leave, _)
            | (Action::DeleteRoom, Role::Initiator | Role::Agent)
            | (Action::DeleteMessageOf(_), Role::Agent) => Ok(()),
            (Action::EditMessageOf(author) | Action::DeleteMessageOf(author), _) if author == self.user => Ok(()),
            (Action::EditMessageOf(_), _) | (Action::DeleteMessageOf(_), Role::Initiator | Role::Member) => {
                Err(Error::Forbidden("only its author may change a message"))
            }
            (Action::DeleteMessageOf(_), Role::Customer) => {
                Err(Error::Forbidden("only its author and the support side may delete a message"))
            }
            (Action::DeleteRoom, Role::Member) => Err(Error::Forbidden("only the initiator of a room may delete it")),
            (Action::DeleteRoom, Role::Customer) => Err(Error::Forbidden("only the support side may delete the room")),
        }
    }
}

/// Whether anybody would receive what is posted to this room. In a room that stands for a set of users nobody but them can
/// ever come in, so what the last of them says would be lost.
///
/// # Errors
/// [`Reason::NobodyThere`].
pub(super) fn reaches_anybody(stands_for_set: bool, members: i32) -> Result<(), Error> {
    if stands_for_set && members < 2 { Err(Error::Refused(Reason::NobodyThere)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_role_may_do() {
        let (user, other) = (UserId::generate(), UserId::generate());
        for (action, initiator, member, customer, agent) in [
            (Action::Post, true, true, true, true),
            (Action::MarkRead, true, true, true, true),
            (Action::Mute, true, true, true, true),
            (Action::Leave, true, true, true, true),
            (Action::EditMessageOf(user), true, true, true, true),
            (Action::EditMessageOf(other), false, false, false, false),
            (Action::DeleteMessageOf(user), true, true, true, true),
            (Action::DeleteMessageOf(other), false, false, false, true),
            (Action::DeleteRoom, true, false, false, true),
        ] {
            let may = |role| Standing { user, role }.may(action).is_ok();
            let roles = [Role::Initiator, Role::Member, Role::Customer, Role::Agent];
            assert_eq!(roles.map(may), [initiator, member, customer, agent], "{action:?}");
        }
    }
}
