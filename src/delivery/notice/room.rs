//! What subscribers receive of rooms and their members.

use std::sync::Arc;

use super::EventRows;
use crate::ids::{RoomId, UserId};
use crate::log::Event;
use crate::store::entity::{room, user};

/// Something happened to a room or its members.
#[derive(Clone, Debug)]
pub enum RoomNotice {
    /// The subscriber is in a room now.
    Joined(Arc<room::Model>),
    /// The subscriber is no longer in a room.
    Left(RoomId, LeftReason),
    /// Something of a room itself was changed, by this user if it is known.
    Updated(Arc<room::Model>, Option<Arc<user::Model>>),
    /// Another member came back to a room.
    MemberJoined(MemberNotice),
    /// Users were put into a room, by this user if it is known.
    MembersJoined(Arc<room::Model>, Vec<UserId>, Option<Arc<user::Model>>),
    /// What a member is in a room was changed.
    MemberChanged(MemberNotice),
    /// Another member left a room, or was removed.
    MemberLeft(MemberNotice),
    /// The subscriber has marked messages of a room as unread, or no longer.
    ViewerChanged(Arc<room::Model>),
    /// The subscriber has muted a room, or unmuted it.
    Muted(Arc<room::Model>),
}

/// A member who joined or left.
#[derive(Clone, Debug)]
pub struct MemberNotice {
    /// The room.
    pub room: Arc<room::Model>,
    /// The member's id.
    pub user_id: UserId,
    /// The member. `None` if the account was deleted.
    pub user: Option<Arc<user::Model>>,
    /// Who did it, if it was another user.
    pub by: Option<Arc<user::Model>>,
}

/// Why a room is no longer the subscriber's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftReason {
    /// The subscriber left it, on this device or another.
    Left,
    /// The subscriber left a room of two, which hides it until something is said in it.
    Hidden,
    /// It was deleted.
    Deleted,
    /// A moderator has removed the subscriber.
    Removed,
    /// A moderator has removed the subscriber, who may not come back for now.
    Banned,
}

impl RoomNotice {
    /// `None` if it is about the viewer, who has received `RoomJoined` for it.
    pub(super) fn member_joined(
        event: &Event,
        rows: &EventRows,
        room: &Arc<room::Model>,
        viewer: Option<UserId>,
    ) -> Option<Self> {
        let member = MemberNotice::of(event, rows, room)?;
        (viewer != Some(member.user_id)).then_some(Self::MemberJoined(member))
    }

    /// The joining of a user, of which the event tells that user, as others see it.
    pub(super) fn backend_joined(event: &Event, rows: &EventRows) -> Option<Self> {
        let (room, user_id) = (rows.room(event.room()?)?.clone(), event.user_id?);
        let by = event.actor_id.and_then(|actor| rows.user(actor)).cloned();
        Some(Self::MemberJoined(MemberNotice { room, user_id, user: rows.user(user_id).cloned(), by }))
    }

    /// The end of a membership: to the one whom it is about, why; to the others, who has gone.
    pub(super) fn member_left(
        reason: LeftReason,
        event: &Event,
        rows: &EventRows,
        room: &Arc<room::Model>,
        viewer: Option<UserId>,
    ) -> Option<Self> {
        let member = MemberNotice::of(event, rows, room)?;
        Some(if viewer == Some(member.user_id) { Self::Left(room.id, reason) } else { Self::MemberLeft(member) })
    }

    pub(super) fn members_joined(event: &Event, rows: &EventRows, room: &Arc<room::Model>) -> Self {
        let by = event.actor_id.and_then(|actor| rows.user(actor)).cloned();
        Self::MembersJoined(room.clone(), rows.joined(event.position).to_vec(), by)
    }
}

impl MemberNotice {
    pub(super) fn of(event: &Event, rows: &EventRows, room: &Arc<room::Model>) -> Option<Self> {
        let user_id = event.member()?;
        let by = event.actor_id.and_then(|actor| rows.user(actor)).cloned();
        Some(Self { room: room.clone(), user_id, user: rows.user(user_id).cloned(), by })
    }
}
