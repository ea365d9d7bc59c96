//! Who may do what in a room; nothing else decides that. Pure functions of rows that were read under the log's lock, and
//! of the same rows as they are shown: what a client is told that it may do is this rule.
//!
//! The finders of [`store`](crate::store::entity) decide who may *see* what: a user who isn't a member finds neither
//! the room nor anything in it.

use chrono::{DateTime, Utc};

use super::{Error, Reason};
use crate::ids::UserId;
use crate::store::entity::member::{self, RoomRole};
use crate::store::entity::report::{Judged, Whom};
use crate::store::entity::room::{self, PostingPolicy, RoomKind, RoomType};
use crate::store::entity::user::UserType;

/// The largest room, in members, that all of them may mention as a whole.
const SMALL: i32 = 20;

/// How much somebody has to say in a room; the later, the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Member,
    Moderator,
    Owner,
    /// The app's own backend.
    Key,
}

impl Rank {
    /// The next one.
    fn above(self) -> Self {
        match self {
            Self::Member => Self::Moderator,
            Self::Moderator => Self::Owner,
            Self::Owner | Self::Key => Self::Key,
        }
    }
}

impl From<RoomRole> for Rank {
    fn from(role: RoomRole) -> Self {
        match role {
            RoomRole::Member => Self::Member,
            RoomRole::Moderator => Self::Moderator,
            RoomRole::Owner => Self::Owner,
        }
    }
}

/// What somebody is in a direct room with the support side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// It is none.
    None,
    /// Asks, whoever opened it.
    Customer,
    /// Answers for the operator.
    Agent,
}

/// What of a room the rules depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub kind: RoomKind,
    pub posting_policy: PostingPolicy,
    /// Everybody may mention everybody.
    small: bool,
}

impl Rules {
    pub(super) fn new(kind: RoomKind, posting_policy: PostingPolicy, members: i32) -> Self {
        Self { kind, posting_policy, small: members <= SMALL }
    }

    pub(super) fn of(room: &room::Model) -> Self {
        Self::new(room.kind, room.posting_policy, room.member_count)
    }
}

/// Somebody who wants to do something in a room. A user who isn't in it has no standing, because the room can't be found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// `None`: a server key by itself.
    user: Option<UserId>,
    rank: Rank,
    /// Whether the user opened the room.
    opened: bool,
    side: Side,
    /// Whether a moderator has silenced them for now.
    timed_out: bool,
    rules: Rules,
}

/// What somebody wants to do in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Post a message.
    Post,
    /// Mention everybody in the room.
    MentionRoom,
    /// Pin a message, or unpin it.
    Pin,
    /// React to a message.
    React,
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
    /// Change its name, topic, picture and policies.
    UpdateRoom,
    /// Put somebody into it, as a member.
    AddMembers,
    /// Remove, ban or time out somebody in this role, or lift that.
    Moderate(RoomRole),
    /// Change what somebody is in it.
    SetRoles,
    /// Invite people, and close invites.
    Invite,
    /// Delete the room for everybody.
    DeleteRoom,
    /// See what was reported of somebody there, and say what came of it.
    JudgeReportOf(Whom),
}

/// What clients are told that somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Post messages.
    Post,
    /// React to messages.
    React,
    /// Mention everybody in the room.
    MentionRoom,
    /// Pin messages, and unpin them.
    Pin,
    /// Delete messages of others.
    DeleteMessages,
    /// Change the room's name, topic, picture and policies.
    UpdateRoom,
    /// Put somebody into the room, as a member.
    AddMembers,
    /// Remove, ban and time out somebody in a lower role.
    RemoveMembers,
    /// Change what members are.
    SetRoles,
    /// Invite people, and close invites.
    Invite,
    /// Delete the room for everybody.
    DeleteRoom,
}

impl Permission {
    const ALL: [Self; 11] = [
        Self::Post,
        Self::React,
        Self::MentionRoom,
        Self::Pin,
        Self::DeleteMessages,
        Self::UpdateRoom,
        Self::AddMembers,
        Self::RemoveMembers,
        Self::Invite,
        Self::SetRoles,
        Self::DeleteRoom,
    ];

    /// What it takes, of which the rule is asked.
    fn action(self) -> Action {
        match self {
            Self::Post => Action::Post,
            Self::React => Action::React,
            Self::MentionRoom => Action::MentionRoom,
            Self::Pin => Action::Pin,
            // Nobody is the user without an id.
            Self::DeleteMessages => Action::DeleteMessageOf(UserId(uuid::Uuid::nil())),
            Self::UpdateRoom => Action::UpdateRoom,
            Self::AddMembers => Action::AddMembers,
            Self::RemoveMembers => Action::Moderate(RoomRole::Member),
            Self::SetRoles => Action::SetRoles,
            Self::Invite => Action::Invite,
            Self::DeleteRoom => Action::DeleteRoom,
        }
    }
}

impl Standing {
    /// The standing of this member, who must be a present one, in this room at this moment. In a direct room with the support
    /// side everybody is taken for a customer: see [`Self::in_support`].
    pub(super) fn of(room: &room::Model, member: &member::Model, now: DateTime<Utc>) -> Self {
        Self::in_role(Some(member.user_id), room, member.role).timed_out(member.timeout_until, now)
    }

    /// The standing of this member, who is of this type.
    pub(super) fn in_support(room: &room::Model, member: &member::Model, now: DateTime<Utc>, user: UserType) -> Self {
        Self::of(room, member, now).of_type(user)
    }

    /// The same standing of somebody whom a moderator has silenced until this time.
    pub(super) fn timed_out(self, until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        Self { timed_out: until.is_some_and(|until| until > now), ..self }
    }

    fn of_type(self, user: UserType) -> Self {
        let is_agent = self.side == Side::Customer && user == UserType::Support;
        Self { side: if is_agent { Side::Agent } else { self.side }, ..self }
    }

    /// Whether what this user may do depends on whether the user is of the support side, which [`Self::of`] doesn't know.
    pub(super) fn depends_on_type(room: &room::Model, action: Action) -> bool {
        side(room) == Side::Customer
            && matches!(action, Action::DeleteMessageOf(_) | Action::DeleteRoom | Action::JudgeReportOf(_))
    }

    /// The standing of this user, in this role.
    pub(super) fn in_role(user: Option<UserId>, room: &room::Model, role: RoomRole) -> Self {
        let opened = user.is_some() && room.initiator_id == user;
        Self { user, rank: role.into(), opened, side: side(room), timed_out: false, rules: Rules::of(room) }
    }

    /// The standing of the app's own backend.
    pub(super) fn key(room: &room::Model) -> Self {
        let (opened, timed_out) = (false, false);
        Self { user: None, rank: Rank::Key, opened, side: Side::None, timed_out, rules: Rules::of(room) }
    }

    /// The standing of an author, of whom and of whose room nothing else was read.
    pub(super) fn author(user: UserId, role: RoomRole, rules: Rules) -> Self {
        Self { user: Some(user), rank: role.into(), opened: false, side: Side::None, timed_out: false, rules }
    }

    /// The standing of a former member, who keeps the say over the own words.
    pub(super) fn former(user: UserId) -> Self {
        let rules = Rules::new(RoomKind::Direct, PostingPolicy::Everyone, 2);
        Self::author(user, RoomRole::Member, rules)
    }

    /// Whether they may take this action.
    ///
    /// # Errors
    /// [`Error::Forbidden`] or [`Error::Refused`] with the rule.
    pub(super) fn may(self, action: Action) -> Result<(), Error> {
        match action {
            Action::MarkRead | Action::Mute | Action::Leave => Ok(()),
            Action::MentionRoom => {
                self.may(Action::Post)?;
                let may = self.rules.small || self.rank >= Rank::Moderator;
                may.then_some(()).ok_or(Error::Refused(Reason::ModeratorNeeded))
            }
            // What may not be said anew isn't said by the words of before either.
            Action::Post | Action::React | Action::EditMessageOf(_) if self.timed_out => {
                Err(Error::Refused(Reason::TimedOut))
            }
            Action::EditMessageOf(author) | Action::DeleteMessageOf(author) if self.user == Some(author) => Ok(()),
            Action::EditMessageOf(_) => Err(Error::Forbidden("only its author may change a message")),
            Action::Post
            | Action::React
            | Action::Pin
            | Action::DeleteMessageOf(_)
            | Action::UpdateRoom
            | Action::AddMembers
            | Action::Moderate(_)
            | Action::SetRoles
            | Action::Invite
            | Action::DeleteRoom
            | Action::JudgeReportOf(_) => match self.rules.kind {
                RoomKind::Direct => self.may_in_direct(action),
                RoomKind::Group => self.may_in_group(action),
            },
        }
    }

    /// The rule of direct rooms, in which all are alike but for who opened it.
    fn may_in_direct(self, action: Action) -> Result<(), Error> {
        match action {
            Action::DeleteMessageOf(_) | Action::DeleteRoom if self.side == Side::Agent => Ok(()),
            Action::DeleteMessageOf(_) if self.side == Side::Customer => {
                Err(Error::Forbidden("only its author and the support side may delete a message"))
            }
            Action::DeleteRoom if self.side == Side::Customer => {
                Err(Error::Forbidden("only the support side may delete the room"))
            }
            Action::DeleteMessageOf(_) => Err(Error::Forbidden("only its author may change a message")),
            // Agents are of one rank, and so are the people of every other direct room.
            Action::JudgeReportOf(whom) if self.side == Side::Agent && whom.r#type != UserType::Support => Ok(()),
            Action::JudgeReportOf(_) if self.rank < Rank::Key => {
                Err(Error::Forbidden("only the support side judges what was reported of those who ask"))
            }
            Action::UpdateRoom | Action::AddMembers | Action::Moderate(_) | Action::SetRoles | Action::Invite => {
                Err(Error::Refused(Reason::DirectRoom))
            }
            Action::DeleteRoom if !self.opened && self.rank < Rank::Key => {
                Err(Error::Forbidden("only the initiator of a room may delete it"))
            }
            Action::Post
            | Action::React
            | Action::MentionRoom
            | Action::Pin
            | Action::DeleteRoom
            | Action::EditMessageOf(_)
            | Action::MarkRead
            | Action::Mute
            | Action::Leave
            | Action::JudgeReportOf(_) => Ok(()),
        }
    }

    /// The rule of groups, by role.
    fn may_in_group(self, action: Action) -> Result<(), Error> {
        let needed = match action {
            Action::Post if self.rules.posting_policy == PostingPolicy::Moderators => Rank::Moderator,
            Action::Moderate(role) if self.rank >= Rank::Moderator && self.rank <= role.into() => {
                return Err(Error::Refused(Reason::HigherRoleNeeded));
            }
            Action::DeleteMessageOf(_)
            | Action::Pin
            | Action::UpdateRoom
            | Action::AddMembers
            | Action::Invite
            | Action::Moderate(_) => Rank::Moderator,
            Action::SetRoles | Action::DeleteRoom => Rank::Owner,
            // Of the own rank too, as a report of oneself is.
            Action::JudgeReportOf(whom) => Rank::from(whom.role).above(),
            Action::Post
            | Action::React
            | Action::MentionRoom
            | Action::EditMessageOf(_)
            | Action::MarkRead
            | Action::Mute
            | Action::Leave => Rank::Member,
        };
        match needed {
            _ if self.rank >= needed => Ok(()),
            Rank::Owner | Rank::Key => Err(Error::Refused(Reason::OwnerNeeded)),
            Rank::Member | Rank::Moderator => Err(Error::Refused(Reason::ModeratorNeeded)),
        }
    }

    /// All that they may do, by the very rule.
    fn permissions(self) -> Vec<Permission> {
        Permission::ALL.into_iter().filter(|permission| self.may(permission.action()).is_ok()).collect()
    }
}

/// What a member of this room is taken for, of whose type nothing is known.
fn side(room: &room::Model) -> Side {
    match (room.kind, room.r#type) {
        (RoomKind::Direct, RoomType::ConsumerToSupport) => Side::Customer,
        (RoomKind::Direct, RoomType::ConsumerToConsumer) | (RoomKind::Group, _) => Side::None,
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

/// What this user, of this type, may do in a room of which they are a present member in this role.
#[must_use]
pub(crate) fn permissions_of(
    user: UserId,
    r#type: UserType,
    room: &room::Model,
    role: RoomRole,
    timeout: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Vec<Permission> {
    Standing::in_role(Some(user), room, role).of_type(r#type).timed_out(timeout, now).permissions()
}

/// Of whom this user, of this type, may judge reports in a room of which they are a present member in this role.
#[must_use]
pub(crate) fn judged_by(user: UserId, r#type: UserType, room: &room::Model, role: RoomRole) -> Judged {
    let standing = Standing::in_role(Some(user), room, role).of_type(r#type);
    Whom::all().filter(|whom| standing.may(Action::JudgeReportOf(*whom)).is_ok()).collect()
}

/// What members in this role may do in a room. Who opened a direct room may delete it beside that.
#[must_use]
pub(crate) fn permissions_in(room: &room::Model, role: RoomRole) -> Vec<Permission> {
    Standing::in_role(None, room, role).permissions()
}

#[cfg(test)]
mod judging;

#[cfg(test)]
mod tests;
