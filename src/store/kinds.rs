//! The table of event kinds: what happened, who receives the event, what it is about, and how it changes memberships.
//!
//! All code that treats kinds differently asks this table: the hub, an attachment, the memory of recent events, replay,
//! the measuring of gaps, and `parlor check`. A kind without a row, or without an effect, doesn't compile.
#![warn(clippy::wildcard_enum_match_arm)]

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveEnum, Iterable};

use super::entity::event;
use crate::ids::{InviteId, ReportId, RoomId, SessionId, UserId};

/// What happened. The numbers are in the database and in an index: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum Kind {
    /// A message was posted.
    #[sea_orm(num_value = 1)]
    MessagePosted,
    /// A message's text was changed.
    #[sea_orm(num_value = 2)]
    MessageEdited,
    /// A message was deleted.
    #[sea_orm(num_value = 3)]
    MessageDeleted,
    /// This user is now in the room that `subject_id` names. Every joining records it, before any other event about the
    /// joining: `member.joined_position` is its position.
    #[sea_orm(num_value = 4)]
    RoomJoined,
    /// The user whom `subject_id` names came back to the room. Recorded after that user's `RoomJoined`.
    #[sea_orm(num_value = 5)]
    MemberJoined,
    /// The user whom `subject_id` names left the room.
    #[sea_orm(num_value = 6)]
    MemberLeft,
    /// The room was deleted, for all members.
    #[sea_orm(num_value = 7)]
    RoomDeleted,
    /// Read marks moved; the marks carry this event's position.
    #[sea_orm(num_value = 8)]
    ReadMarksMoved,
    /// This user's own mark moved in the room that `subject_id` names, which is too large to notify the others.
    #[sea_orm(num_value = 9)]
    OwnReadMarkMoved,
    /// This user muted the room that `subject_id` names.
    #[sea_orm(num_value = 10)]
    RoomMuted,
    /// This user unmuted the room that `subject_id` names.
    #[sea_orm(num_value = 11)]
    RoomUnmuted,
    /// Reactions to a message changed; those that did carry this event's position.
    #[sea_orm(num_value = 13)]
    ReactionsChanged,
    /// The session that `subject_id` names was ended, or, without one, all sessions and tokens of this user. It closes
    /// sockets and is never shown.
    #[sea_orm(num_value = 12)]
    SessionRevoked,
    /// The invite that `subject_id` names was made for this user.
    #[sea_orm(num_value = 20)]
    InviteReceived,
    /// That invite, which was for this user, is good no longer. It may be gone.
    #[sea_orm(num_value = 21)]
    InviteClosed,
    /// This user blocked the user whom `subject_id` names, or no longer does.
    #[sea_orm(num_value = 22)]
    BlocksChanged,
    /// A message was pinned, or no longer is.
    #[sea_orm(num_value = 23)]
    PinsChanged,
    /// This user marked messages of the room that `subject_id` names as unread, or no longer.
    #[sea_orm(num_value = 24)]
    RoomViewerChanged,
    /// The report that `subject_id` names was made: by this user or, by the list of words, about this user. Only the app's own
    /// backend is shown it.
    #[sea_orm(num_value = 32)]
    ReportMade,
    /// That report was resolved. Only the app's own backend is shown it.
    #[sea_orm(num_value = 33)]
    ReportResolved,
    /// This user left the room of two that `subject_id` names, which hides it: the other one is told nothing.
    #[sea_orm(num_value = 35)]
    RoomHidden,
    /// Something of the room itself was changed: its name, its topic, its picture, its data or its policies.
    #[sea_orm(num_value = 16)]
    RoomUpdated,
    /// What the member whom `subject_id` names is in the room was changed.
    #[sea_orm(num_value = 17)]
    MemberChanged,
    /// The user whom `subject_id` names was removed from the room.
    #[sea_orm(num_value = 18)]
    MemberRemoved,
    /// The user whom `subject_id` names was removed from the room, and may not come back for now.
    #[sea_orm(num_value = 19)]
    MemberBanned,
    /// Users were put into the room: those whose `RoomJoined` are the `seq` events right before this one.
    #[sea_orm(num_value = 36)]
    MembersJoined,
}

/// Who receives an event. It also says which of the columns `room_id` and `user_id` is set: exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The members of the room in `room_id`.
    Room,
    /// The members of the room in `room_id`, but not the member whom the event is about.
    RoomButMember,
    /// The members of the room in `room_id`; the member whom the event is about receives a view of its own.
    RoomAndMember,
    /// The user in `user_id`, on all sockets.
    User,
}

/// What an event is about, which says what its other columns hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A message: `message_id` and `seq`.
    Message,
    /// A room. Where the audience is a user, `subject_id` names the room.
    Room,
    /// A member: `subject_id` names the user.
    Member,
    /// Read marks, which carry the event's position. Where the audience is a user, `subject_id` names the room.
    Marks,
    /// Several members who joined: `seq` is how many, and the `RoomJoined` of each are the events right before it.
    Joinings,
    /// A session: `subject_id` names it, and `NULL` means all of the user's sessions.
    Session,
    /// Whether the user in `user_id` blocks another: `subject_id` names the other.
    Block,
    /// An invite: `subject_id` names it.
    Invite,
    /// A report: `subject_id` names it.
    Report,
}

/// How an event is delivered and replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A new message: the only class that `messagePosted` shows.
    Post,
    /// A change to a message that is there already. A gap begins at the oldest message that one of these touches; the
    /// partial index `event_altered` holds exactly these kinds.
    Alteration,
    /// Anything else that subscribers see.
    State,
    /// Shown on no socket.
    Hidden,
}

/// One row of the table of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindRow {
    /// Who receives it.
    pub audience: Audience,
    /// What it is about.
    pub about: About,
    /// How it is delivered and replayed.
    pub class: Class,
}

impl Kind {
    /// This kind's row.
    #[must_use]
    #[expect(clippy::match_same_arms, reason = "a row for each kind, in the order of their numbers")]
    pub const fn row(self) -> KindRow {
        let (audience, about, class) = match self {
            Self::MessagePosted => (Audience::Room, About::Message, Class::Post),
            Self::MessageEdited => (Audience::Room, About::Message, Class::Alteration),
            Self::MessageDeleted => (Audience::Room, About::Message, Class::Alteration),
            Self::RoomJoined => (Audience::User, About::Room, Class::State),
            Self::MemberJoined => (Audience::RoomButMember, About::Member, Class::State),
            Self::MemberLeft => (Audience::RoomAndMember, About::Member, Class::State),
            Self::RoomDeleted => (Audience::Room, About::Room, Class::State),
            Self::ReadMarksMoved => (Audience::Room, About::Marks, Class::State),
            Self::OwnReadMarkMoved => (Audience::User, About::Marks, Class::State),
            Self::RoomMuted => (Audience::User, About::Room, Class::State),
            Self::RoomUnmuted => (Audience::User, About::Room, Class::State),
            Self::SessionRevoked => (Audience::User, About::Session, Class::Hidden),
            Self::ReactionsChanged => (Audience::Room, About::Message, Class::Alteration),
            Self::InviteReceived => (Audience::User, About::Invite, Class::State),
            Self::InviteClosed => (Audience::User, About::Invite, Class::State),
            Self::BlocksChanged => (Audience::User, About::Block, Class::State),
            Self::PinsChanged => (Audience::Room, About::Message, Class::Alteration),
            Self::RoomViewerChanged => (Audience::User, About::Room, Class::State),
            Self::ReportMade => (Audience::User, About::Report, Class::Hidden),
            Self::ReportResolved => (Audience::User, About::Report, Class::Hidden),
            Self::RoomHidden => (Audience::User, About::Room, Class::State),
            Self::RoomUpdated => (Audience::Room, About::Room, Class::State),
            Self::MemberChanged => (Audience::Room, About::Member, Class::State),
            Self::MemberRemoved => (Audience::RoomAndMember, About::Member, Class::State),
            Self::MemberBanned => (Audience::RoomAndMember, About::Member, Class::State),
            Self::MembersJoined => (Audience::Room, About::Joinings, Class::State),
        };
        KindRow { audience, about, class }
    }

    /// The kinds whose row fits, in the order of their numbers.
    pub fn those(fits: impl Fn(KindRow) -> bool) -> impl Iterator<Item = Self> {
        Self::iter().filter(move |kind| fits(kind.row()))
    }

    /// The numbers of the kinds whose row fits, as the body of an SQL list: `2, 3`. It is a literal, because a partial
    /// index serves only a statement that repeats the index's predicate.
    #[must_use]
    pub fn sql_list(fits: impl Fn(KindRow) -> bool) -> String {
        let numbers: Vec<String> = Self::those(fits).map(|kind| kind.to_value().to_string()).collect();
        numbers.join(", ")
    }
}

/// What an event changes about memberships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Memberships stay as they are.
    Nothing,
    /// The user is in the room from here on.
    Joins(UserId, RoomId),
    /// The user is no longer in the room.
    Leaves(UserId, RoomId),
    /// The room has no members any more.
    Closes(RoomId),
    /// The user, who is in the room, has muted or unmuted it.
    Mutes(UserId, RoomId, bool),
}

impl Effect {
    /// Whether it may change which rooms this user belongs to. A closed room counts for every user, because the event
    /// doesn't say who the members were.
    #[must_use]
    pub fn changes_rooms_of(self, user: UserId) -> bool {
        match self {
            Self::Joins(whose, _) | Self::Leaves(whose, _) => whose == user,
            Self::Closes(_) => true,
            Self::Nothing | Self::Mutes(..) => false,
        }
    }
}

impl event::Model {
    /// What it changes about memberships. `MemberJoined` changes nothing, because the `RoomJoined` that is recorded
    /// before it does.
    #[must_use]
    pub fn effect(&self) -> Effect {
        let own = |effect: fn(UserId, RoomId) -> Effect| match (self.user_id, self.room()) {
            (Some(user), Some(room)) => effect(user, room),
            _ => Effect::Nothing,
        };
        match self.kind {
            Kind::RoomJoined => own(Effect::Joins),
            Kind::RoomHidden => own(Effect::Leaves),
            Kind::RoomMuted => own(|user, room| Effect::Mutes(user, room, true)),
            Kind::RoomUnmuted => own(|user, room| Effect::Mutes(user, room, false)),
            Kind::MemberLeft | Kind::MemberRemoved | Kind::MemberBanned => match (self.member(), self.room_id) {
                (Some(member), Some(room)) => Effect::Leaves(member, room),
                _ => Effect::Nothing,
            },
            Kind::RoomDeleted => self.room_id.map_or(Effect::Nothing, Effect::Closes),
            Kind::MessagePosted
            | Kind::MessageEdited
            | Kind::MessageDeleted
            | Kind::MemberJoined
            | Kind::ReactionsChanged
            | Kind::ReadMarksMoved
            | Kind::OwnReadMarkMoved
            | Kind::SessionRevoked
            | Kind::InviteReceived
            | Kind::InviteClosed
            | Kind::BlocksChanged
            | Kind::PinsChanged
            | Kind::RoomViewerChanged
            | Kind::RoomUpdated
            | Kind::MemberChanged
            | Kind::MembersJoined
            | Kind::ReportMade
            | Kind::ReportResolved => Effect::Nothing,
        }
    }

    /// The room that it happened in, regardless of who receives it.
    #[must_use]
    pub fn room(&self) -> Option<RoomId> {
        match (self.kind.row().audience, self.kind.row().about) {
            (Audience::User, About::Room | About::Marks) => self.subject_id.map(RoomId),
            (
                Audience::User,
                About::Message
                | About::Member
                | About::Joinings
                | About::Session
                | About::Invite
                | About::Block
                | About::Report,
            ) => None,
            (Audience::Room | Audience::RoomButMember | Audience::RoomAndMember, _) => self.room_id,
        }
    }

    /// The member whom it is about.
    #[must_use]
    pub fn member(&self) -> Option<UserId> {
        self.subject(About::Member).map(UserId)
    }

    /// Who blocks whom, or no longer does.
    #[must_use]
    pub fn block(&self) -> Option<(UserId, UserId)> {
        Some((self.user_id?, UserId(self.subject(About::Block)?)))
    }

    /// The invite that it is about.
    #[must_use]
    pub fn invite(&self) -> Option<InviteId> {
        self.subject(About::Invite).map(InviteId)
    }

    /// The report that it is about.
    #[must_use]
    pub fn report(&self) -> Option<ReportId> {
        self.subject(About::Report).map(ReportId)
    }

    /// The session that it ended. `None` of a `SessionRevoked` means all sessions of the user.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.subject(About::Session).map(SessionId)
    }

    /// What `subject_id` names, if events of this kind are about such a thing.
    fn subject(&self, about: About) -> Option<Uuid> {
        self.subject_id.filter(|_| self.kind.row().about == about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::{Position, Tag};

    fn event(kind: Kind) -> event::Model {
        let for_user = kind.row().audience == Audience::User;
        event::Model {
            position: Position(1),
            tag: Tag::default(),
            room_id: (!for_user).then(RoomId::generate),
            user_id: for_user.then(UserId::generate),
            kind,
            message_id: None,
            subject_id: Some(Uuid::now_v7()),
            seq: None,
            at: chrono::DateTime::UNIX_EPOCH,
            actor_id: None,
        }
    }

    #[test]
    fn every_event_but_the_hidden_ones_and_those_of_blocks_and_invites_names_its_room() {
        for kind in Kind::iter() {
            let row = kind.row();
            let without = row.class == Class::Hidden || matches!(row.about, About::Block | About::Invite);
            assert_eq!(event(kind).room().is_none(), without, "{kind:?}");
            assert_eq!(event(kind).block().is_some(), row.about == About::Block, "{kind:?}");
        }
    }

    #[test]
    fn only_what_is_about_a_message_is_a_post_or_an_alteration() {
        for kind in Kind::iter() {
            let of_message = kind.row().about == About::Message;
            assert_eq!(matches!(kind.row().class, Class::Post | Class::Alteration), of_message, "{kind:?}");
        }
    }

    #[test]
    fn a_view_of_ones_own_needs_a_member() {
        for kind in Kind::iter() {
            let split = matches!(kind.row().audience, Audience::RoomButMember | Audience::RoomAndMember);
            assert!(!split || kind.row().about == About::Member, "{kind:?}");
            assert_eq!(event(kind).member().is_some(), kind.row().about == About::Member, "{kind:?}");
        }
    }

    #[test]
    fn an_effect_is_on_the_room_and_the_user_that_the_event_names() {
        let joined = event(Kind::RoomJoined);
        let (user, room) = (joined.user_id.expect("it is a user's"), joined.room().expect("it has a room"));
        assert_eq!(joined.effect(), Effect::Joins(user, room));
        assert!(joined.effect().changes_rooms_of(user) && !joined.effect().changes_rooms_of(UserId::generate()));

        let left = event(Kind::MemberLeft);
        let member = left.member().expect("it is about a member");
        assert!(left.effect().changes_rooms_of(member));
        assert!(event(Kind::RoomDeleted).effect().changes_rooms_of(member));

        let muted = event(Kind::RoomMuted);
        let user = muted.user_id.expect("it is a user's");
        assert!(matches!(muted.effect(), Effect::Mutes(_, _, true)));
        assert!(!muted.effect().changes_rooms_of(user));
    }
}
