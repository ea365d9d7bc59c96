//! Who may do what in a room: the one place that knows. Pure, on rows that were read under the log's lock.
//!
//! Who may *see* what is decided by the finders of [`store`](crate::store::entity): whoever isn't a member finds neither
//! the room nor what is in it.

use super::Error;
use crate::ids::UserId;
use crate::store::entity::{member, room};

/// What a member is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Opened the room.
    Initiator,
    /// Anybody else in it.
    Member,
}

/// Where a present member of a room stands. For anybody else there is no room, and so no standing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    user: UserId,
    role: Role,
}

/// What somebody wants to do in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Post a message.
    Post,
    /// Change the text of this user's message, or delete it.
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
    /// By these rows, of which the member is a present one.
    pub(super) fn of(room: &room::Model, member: &member::Model) -> Self {
        let role = if room.initiator_id == Some(member.user_id) { Role::Initiator } else { Role::Member };
        Self { user: member.user_id, role }
    }

    /// A member of whom nothing else is known: may do no more than any other.
    pub(super) fn member(user: UserId) -> Self {
        Self { user, role: Role::Member }
    }

    /// Whether this member may do that.
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
