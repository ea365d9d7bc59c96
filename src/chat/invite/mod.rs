//! Invites: for one user, or as a link for whoever has its code. Joining by one is in [`room`](super::room).
//!
//! Whether an invite is good is compared with the clock by the rule that asks; nothing runs when it expires. A link's code
//! is shown once, when the link is made, and only its hash is kept.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sha2::{Digest, Sha256};

use super::{Chat, Error, Slice, Viewer, Window};
use crate::ids::{InviteId, RoomId, UserId};
use crate::store::entity::{invite, room, user};
use crate::store::list::one_of;

pub(super) mod close;
mod create;

pub use close::CloseInvite;
pub use create::{CreateInvite, InviteInput};

/// The most invites that are kept of a room. One that is good no longer makes place for a new one.
pub const MAX_OF_ROOM: usize = 100;

/// Random bytes of a code: 32 characters.
const CODE_BYTES: usize = 24;

/// A link's code as its hash. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeHash(Vec<u8>);

impl CodeHash {
    /// That of this code, whatever it looks like.
    #[must_use]
    pub fn of(code: &str) -> Self {
        Self(Sha256::digest(code.as_bytes()).to_vec())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeHash").finish_non_exhaustive()
    }
}

/// A new code.
fn new_code() -> Result<String, Error> {
    let mut random = [0; CODE_BYTES];
    getrandom::fill(&mut random).map_err(|error| Error::Internal(Arc::new(error)))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// An invite with its room.
#[derive(Clone, Debug)]
pub struct InviteInto {
    /// The invite.
    pub invite: invite::Model,
    /// Into this room.
    pub room: room::Model,
}

impl Chat {
    /// Invites for the viewer that are good, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invites_to(&self, viewer: &Viewer, window: &Window<InviteId>) -> Result<Slice<InviteInto>, Error> {
        let mut invites = invite::Entity::to(viewer.user)
            .filter(invite::Entity::is_open(self.clock.now()))
            .filter(room::Column::DeletedAt.is_null());
        if let Some(after) = window.after {
            invites = invites.filter(invite::Column::Id.lt(after));
        }
        let invites = invites
            .find_also_related(room::Entity)
            .order_by_desc(invite::Column::Id)
            .limit(u64::from(window.limit) + 1)
            .all(self.store.read())
            .await?;
        let with_room = |(invite, room): (_, Option<_>)| Some(InviteInto { invite, room: room? });
        Ok(Slice::probed(invites.into_iter().filter_map(with_room).collect(), window))
    }

    /// Invites into these rooms that are good, the newest first, for those who may invite there. One statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invites_into(&self, rooms: &[RoomId]) -> Result<Vec<invite::Model>, Error> {
        if rooms.is_empty() {
            return Ok(Vec::new());
        }
        let invites = invite::Entity::find()
            .filter(one_of(self.store.backend(), invite::Column::RoomId, rooms.iter().copied()))
            .filter(invite::Entity::is_open(self.clock.now()));
        Ok(invites.order_by_desc(invite::Column::Id).all(self.store.read()).await?)
    }

    /// The link with this code, if it is good, for whoever has the code; and who made it, if the viewer may see the user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invite_by_code(
        &self,
        viewer: &Viewer,
        code: &str,
    ) -> Result<Option<(InviteInto, Option<UserId>)>, Error> {
        let found = invite::Entity::find()
            .filter(invite::Column::CodeHash.eq(CodeHash::of(code).0))
            .find_also_related(room::Entity)
            .one(self.store.read())
            .await?;
        let Some((invite, Some(room))) = found else { return Ok(None) };
        if !invite.is_open(self.clock.now()) || room.deleted_at.is_some() {
            return Ok(None);
        }
        let inviter = match invite.inviter_id {
            Some(inviter) => self.user(viewer, &inviter.into()).await?.map(|user: user::Model| user.id),
            None => None,
        };
        Ok(Some((InviteInto { invite, room }, inviter)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_32_characters_that_a_link_may_hold_and_no_two_are_the_same() {
        let (one, other) = (new_code().expect("there is chance"), new_code().expect("there is chance"));
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
        assert!(one.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
        assert_ne!(CodeHash::of(&one), CodeHash::of(&other));
        assert_eq!(format!("{:?}", CodeHash::of(&one)), "CodeHash { .. }");
    }
}
