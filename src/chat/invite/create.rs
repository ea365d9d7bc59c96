//! Making an invite.

use std::collections::BTreeSet;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use super::{CodeHash, InviteInto, MAX_OF_ROOM, close, new_code};
use crate::chat::access::Action;
use crate::chat::change::{Alone, Change};
use crate::chat::room::{moderation, people, room_for};
use crate::chat::user::UserRef;
use crate::chat::{Actor, Argument, Chat, Directory, Error, Reason};
use crate::ids::{InviteId, RoomId, UserId};
use crate::log::{Append, NewEvent};
use crate::store::entity::{block, invite, member};
use crate::store::list::one_of;

/// For how long an invite is good if its maker doesn't say.
const DEFAULT_LIFE: TimeDelta = TimeDelta::days(7);

/// For how long one is good at most.
const MAX_LIFE: TimeDelta = TimeDelta::days(30);

/// How often a link is good at most, if not any number of times.
const MAX_USES: i32 = 10_000;

/// An invite to be made.
#[derive(Clone, Debug)]
pub struct InviteInput {
    /// Into which room.
    pub room: RoomId,
    /// Whom it is for. `None`: it is a link.
    pub user: Option<UserRef>,
    /// When it expires.
    pub expires_at: Option<DateTime<Utc>>,
    /// How often a link is good.
    pub max_uses: Option<i32>,
}

impl Chat {
    /// Invites a user, or makes a link. An invite for the user that is good already is answered as it is. Returns it, and
    /// the code of a link, which can't be shown again.
    ///
    /// # Errors
    /// `Invalid` of what is not acceptable; `NotFound` for a room that the user isn't in, and somebody whom the user can't
    /// find; [`Reason::DirectRoom`], [`Reason::ModeratorNeeded`]; [`Reason::Deactivated`], [`Reason::Blocked`] and [`Reason::Banned`] of who is to be invited; `Conflict` for one who is in the room, and when it has as many invites
    /// as a room may.
    pub async fn create_invite(&self, actor: Actor, input: InviteInput) -> Result<(InviteInto, Option<String>), Error> {
        match input.max_uses {
            Some(_) if input.user.is_some() => {
                return Err(Error::invalid(Argument::MaxUses, "is a link's: an invite for a user is good once"));
            }
            Some(uses) if !(1..=MAX_USES).contains(&uses) => {
                return Err(Error::invalid(Argument::MaxUses, format!("must be 1 to {MAX_USES}")));
            }
            _ => {}
        }
        let invitee = match input.user {
            Some(user) => self.resolve(&[user], Argument::UserId).await?.pop(),
            None => None,
        };
        let code = if invitee.is_none() { Some(new_code()?) } else { None };
        let made = self
            .change(CreateInvite {
                actor,
                room: input.room,
                invitee,
                code: code.as_deref().map(CodeHash::of),
                expires_at: input.expires_at.map(|at| at.trunc_subsecs(6)),
                max_uses: input.max_uses,
                directory: if actor.key { Directory::All } else { self.policy.directory },
            })
            .await?;
        Ok((made, code))
    }
}

/// Make an invite.
pub struct CreateInvite {
    actor: Actor,
    room: RoomId,
    invitee: Option<UserId>,
    /// Of a link.
    code: Option<CodeHash>,
    expires_at: Option<DateTime<Utc>>,
    max_uses: Option<i32>,
    /// Whom the user may invite.
    directory: Directory,
}

impl Change for CreateInvite {
    type Outcome = InviteInto;
}

impl Alone for CreateInvite {
    async fn apply(&self, append: &mut Append) -> Result<InviteInto, Error> {
        let room = room_for(append, self.actor, self.room, Action::Invite).await?;
        let now = append.now();
        let expires_at = self.expires_at.unwrap_or(now + DEFAULT_LIFE);
        if expires_at <= now || expires_at > now + MAX_LIFE {
            return Err(Error::invalid(Argument::ExpiresAt, "must be in the future, and at most 30 days ahead"));
        }
        let of_room = invite::Entity::find().filter(invite::Column::RoomId.eq(room.id));
        let kept = of_room.order_by_asc(invite::Column::Id).all(append.tx()).await?;
        if let Some(invitee) = self.invitee {
            self.expect_invitable(append, invitee).await?;
            let open = kept.iter().find(|invite| invite.invitee_id == Some(invitee) && invite.is_open(now));
            if let Some(open) = open {
                return Ok(InviteInto { invite: open.clone(), room });
            }
        }
        if kept.iter().filter(|invite| invite.is_open(now)).count() >= MAX_OF_ROOM {
            let problem = "the room has as many open invites as a room may; close some first";
            return Err(Error::Conflict { argument: Argument::RoomId, problem });
        }
        self.make_place(append, &kept).await?;
        let invite = invite::Model {
            id: InviteId::generate(),
            room_id: room.id,
            inviter_id: self.actor.user,
            invitee_id: self.invitee,
            code_hash: self.code.as_ref().map(|code| code.bytes().to_vec()),
            uses_left: self.max_uses,
            expires_at: Some(expires_at),
            created_at: now,
            closed_at: None,
        };
        invite.clone().into_active_model().insert(append.tx()).await?;
        if let Some(invitee) = self.invitee {
            append.record(NewEvent::invite_received(invitee, invite.id).by(self.actor.user));
        }
        Ok(InviteInto { invite, room })
    }
}

impl CreateInvite {
    async fn expect_invitable(&self, append: &Append, invitee: UserId) -> Result<(), Error> {
        let finder = self.actor.user.map(|inviter| (inviter, self.directory));
        people::expect(append, &BTreeSet::from([invitee]), finder, Argument::UserId).await?;
        if let Some(inviter) = self.actor.user
            && block::Entity::any(append.tx(), [(invitee, inviter)]).await?
        {
            return Err(Error::RefusedFor(Reason::Blocked, vec![invitee]));
        }
        moderation::expect_not_banned(append, self.room, &[invitee]).await?;
        let member = member::Entity::find_by_id((self.room, invitee)).one(append.tx()).await?;
        if member.is_some_and(|member| member.left_position.is_none()) {
            return Err(Error::Conflict { argument: Argument::UserId, problem: "is in the room already" });
        }
        Ok(())
    }

    /// Closes an invite for the same user that has expired, and lets go of the oldest that are good no longer when there
    /// are as many as are kept. `kept`: those of the room, the oldest first.
    async fn make_place(&self, append: &mut Append, kept: &[invite::Model]) -> Result<(), Error> {
        let now = append.now();
        let is_over = |invite: &&invite::Model| !invite.is_open(now);
        let expired: Vec<invite::Model> = kept
            .iter()
            .filter(is_over)
            .filter(|invite| invite.closed_at.is_none() && self.invitee.is_some() && invite.invitee_id == self.invitee)
            .cloned()
            .collect();
        close::all(append, &expired, self.actor.user).await?;
        let too_many = (kept.len() + 1).saturating_sub(MAX_OF_ROOM);
        let gone: Vec<InviteId> = kept.iter().filter(is_over).take(too_many).map(|invite| invite.id).collect();
        if !gone.is_empty() {
            let gone = one_of(append.store().backend(), invite::Column::Id, gone);
            invite::Entity::delete_many().filter(gone).exec(append.tx()).await?;
        }
        Ok(())
    }
}
