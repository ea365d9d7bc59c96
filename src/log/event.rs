//! Events as the log keeps them, and as rules record them.

use uuid::Uuid;

use crate::ids::{InviteId, MessageId, ReportId, RoomId, SessionId, UserId};
use crate::position::Cursor;
pub use crate::store::entity::event::Model as Event;
pub use crate::store::kinds::{About, Audience, Class, Effect, Kind};

impl Event {
    /// The cursor of a client that has seen everything up to this event.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { position: self.position, tag: self.tag }
    }
}

/// An event before it is recorded in the log, which adds its position, tag and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewEvent {
    pub(super) kind: Kind,
    pub(super) room_id: Option<RoomId>,
    pub(super) user_id: Option<UserId>,
    pub(super) message: Option<MessageId>,
    pub(super) seq: Option<i32>,
    pub(super) subject_id: Option<Uuid>,
    pub(super) actor: Option<UserId>,
}

impl NewEvent {
    fn in_room(kind: Kind, room: RoomId) -> Self {
        Self { kind, room_id: Some(room), user_id: None, message: None, seq: None, subject_id: None, actor: None }
    }

    fn to_user(kind: Kind, user: UserId, subject: Uuid) -> Self {
        Self {
            kind,
            room_id: None,
            user_id: Some(user),
            message: None,
            seq: None,
            subject_id: Some(subject),
            actor: None,
        }
    }

    /// A message was posted, edited or deleted.
    #[must_use]
    pub fn message(kind: Kind, room: RoomId, message: MessageId, seq: i32) -> Self {
        debug_assert_eq!(kind.row().about, About::Message);
        Self { message: Some(message), seq: Some(seq), ..Self::in_room(kind, room) }
    }

    /// `user` is now in `room`: the user's own view of it.
    #[must_use]
    pub fn room_joined(user: UserId, room: RoomId) -> Self {
        Self::to_user(Kind::RoomJoined, user, room.0)
    }

    /// `user` came back to `room`: the other members' view of it.
    #[must_use]
    pub fn member_joined(room: RoomId, user: UserId) -> Self {
        Self { subject_id: Some(user.0), ..Self::in_room(Kind::MemberJoined, room) }
    }

    /// `user` left `room`.
    #[must_use]
    pub fn member_left(room: RoomId, user: UserId) -> Self {
        Self { subject_id: Some(user.0), ..Self::in_room(Kind::MemberLeft, room) }
    }

    /// `user` left `room`, a room of two, which hides it.
    #[must_use]
    pub fn room_hidden(user: UserId, room: RoomId) -> Self {
        Self::to_user(Kind::RoomHidden, user, room.0)
    }

    /// So many users were put into the room; the `RoomJoined` of each are the events right before it.
    #[must_use]
    pub fn members_joined(room: RoomId, count: i32) -> Self {
        Self { seq: Some(count), ..Self::in_room(Kind::MembersJoined, room) }
    }

    /// What `user` is in `room` was changed.
    #[must_use]
    pub fn member_changed(room: RoomId, user: UserId) -> Self {
        Self { subject_id: Some(user.0), ..Self::in_room(Kind::MemberChanged, room) }
    }

    /// `user` was removed from `room`.
    #[must_use]
    pub fn member_removed(room: RoomId, user: UserId) -> Self {
        Self { subject_id: Some(user.0), ..Self::in_room(Kind::MemberRemoved, room) }
    }

    /// `user` was removed from `room`, and may not come back for now.
    #[must_use]
    pub fn member_banned(room: RoomId, user: UserId) -> Self {
        Self { subject_id: Some(user.0), ..Self::in_room(Kind::MemberBanned, room) }
    }

    /// The same event, which tells who did it: `None` is a server key.
    #[must_use]
    pub fn by(self, actor: Option<UserId>) -> Self {
        Self { actor, ..self }
    }

    /// Something of the room itself was changed.
    #[must_use]
    pub fn room_updated(room: RoomId) -> Self {
        Self::in_room(Kind::RoomUpdated, room)
    }

    /// The room is gone.
    #[must_use]
    pub fn room_deleted(room: RoomId) -> Self {
        Self::in_room(Kind::RoomDeleted, room)
    }

    /// Read marks moved; their rows carry the position that this event gets.
    #[must_use]
    pub fn read_marks_moved(room: RoomId) -> Self {
        Self::in_room(Kind::ReadMarksMoved, room)
    }

    /// `user`'s mark moved in a room so large that only the user is notified.
    #[must_use]
    pub fn own_read_mark_moved(user: UserId, room: RoomId) -> Self {
        Self::to_user(Kind::OwnReadMarkMoved, user, room.0)
    }

    /// `user` muted or unmuted `room`.
    #[must_use]
    pub fn room_muted(user: UserId, room: RoomId, muted: bool) -> Self {
        Self::to_user(if muted { Kind::RoomMuted } else { Kind::RoomUnmuted }, user, room.0)
    }

    /// What `user` has read of `room` was changed by `user`, for no one else.
    #[must_use]
    pub fn room_viewer_changed(user: UserId, room: RoomId) -> Self {
        Self::to_user(Kind::RoomViewerChanged, user, room.0)
    }

    /// All of `user`'s sessions and tokens were ended.
    #[must_use]
    pub fn all_tokens_revoked(user: UserId) -> Self {
        Self { subject_id: None, ..Self::to_user(Kind::SessionRevoked, user, user.0) }
    }

    /// `user` blocked `other`, or no longer does.
    #[must_use]
    pub fn blocks_changed(user: UserId, other: UserId) -> Self {
        Self::to_user(Kind::BlocksChanged, user, other.0)
    }

    /// An invite was made for `user`.
    #[must_use]
    pub fn invite_received(user: UserId, invite: InviteId) -> Self {
        Self::to_user(Kind::InviteReceived, user, invite.0)
    }

    /// An invite that was for `user` is good no longer.
    #[must_use]
    pub fn invite_closed(user: UserId, invite: InviteId) -> Self {
        Self::to_user(Kind::InviteClosed, user, invite.0)
    }

    /// A report was made: by `user` or, by the list of words, about `user`.
    #[must_use]
    pub fn report_made(user: UserId, report: ReportId) -> Self {
        Self::to_user(Kind::ReportMade, user, report.0)
    }

    /// A report was resolved that was made by `user` or, by the list of words, about `user`.
    #[must_use]
    pub fn report_resolved(user: UserId, report: ReportId) -> Self {
        Self::to_user(Kind::ReportResolved, user, report.0)
    }

    /// `user`'s session was ended.
    #[must_use]
    pub fn session_revoked(user: UserId, session: SessionId) -> Self {
        Self::to_user(Kind::SessionRevoked, user, session.0)
    }
}
