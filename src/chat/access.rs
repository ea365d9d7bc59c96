//! Who may do what in a room; nothing else decides that. Pure functions of rows that were read under the log's lock.
//!
//! The finders of [`store`](crate::store::entity) decide who may *see* what: a user who isn't a member finds neither
//! the room nor anything in it.

use super::{Error, Reason};
use crate::ids::UserId;
use crate::store::entity::{member, room};

/// A member's role in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Opened the room.
    Initiator,
    /// Any other member.
    Member,
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
    /// Change the text of a message that this user wrote, or delete it.
    AlterMessageOf(UserId),
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
    /// The standing of this member, who must be a present one, in this room.
    pub(super) fn of(room: &room::Model, member: &member::Model) -> Self {
        let role = if room.initiator_id == Some(member.user_id) { Role::Initiator } else { Role::Member };
        Self { user: member.user_id, role }
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
            (Action::Post | Action::MarkRead | Action::Mute | Action::Leave, Role::Initiator | Role::Member)
            | (Action::DeleteRoom, Role::Initiator) => Ok(()),
            (Action::AlterMessageOf(author), _) if author == self.user => Ok(()),
            (Action::AlterMessageOf(_), Role::Initiator | Role::Member) => {
                Err(Error::Forbidden("only its author may change a message"))
            }
            (Action::DeleteRoom, Role::Member) => Err(Error::Forbidden("only the initiator of a room may delete it")),
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
        for (action, initiator, member) in [
            (Action::Post, true, true),
            (Action::MarkRead, true, true),
            (Action::Mute, true, true),
            (Action::Leave, true, true),
            (Action::AlterMessageOf(user), true, true),
            (Action::AlterMessageOf(other), false, false),
            (Action::DeleteRoom, true, false),
        ] {
            let may = |role| Standing { user, role }.may(action).is_ok();
            assert_eq!((may(Role::Initiator), may(Role::Member)), (initiator, member), "{action:?}");
        }
    }
}
