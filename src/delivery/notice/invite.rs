//! What subscribers receive of invites for them.

use std::sync::Arc;

use super::EventRows;
use crate::ids::InviteId;
use crate::log::{Event, Kind};
use crate::store::entity::{invite, room, user};

/// Something happened to an invite for the subscriber.
#[derive(Clone, Debug)]
pub struct InviteNotice {
    /// Which invite.
    pub id: InviteId,
    /// Who did it, if it is known.
    pub by: Option<Arc<user::Model>>,
    /// The invite and its room, if it was made; otherwise it was closed.
    pub made: Option<(invite::Model, Arc<room::Model>)>,
}

impl InviteNotice {
    /// `None` if it is nothing, or nothing any more: an invite that was closed since is told by that.
    pub(super) fn of(event: &Event, rows: &EventRows) -> Option<Self> {
        let id = event.invite()?;
        let by = event.actor_id.and_then(|actor| rows.user(actor)).cloned();
        if event.kind == Kind::InviteClosed {
            return Some(Self { id, by, made: None });
        }
        let invite = rows.invite(id).filter(|invite| invite.closed_at.is_none())?;
        Some(Self { id, by, made: Some((invite.clone(), rows.room(invite.room_id)?.clone())) })
    }
}
