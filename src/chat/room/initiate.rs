//! Opening the one room of a set of members, or finding it.

use std::collections::BTreeSet;

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use sha2::{Digest, Sha256};

use super::people;
use crate::chat::change::{Alone, Change};
use crate::chat::{Argument, Chat, Directory, Error, Reason, Viewer};
use crate::ids::{RoomId, UserId};
use crate::log::{Append, NewEvent};
use crate::store::entity::member::RoomRole;
use crate::store::entity::room::{JoinPolicy, PostingPolicy, RoomKind, RoomType};
use crate::store::entity::user::UserType;
use crate::store::entity::{block, member, room, user};

/// The most members of a room.
pub const MAX_MEMBERS: usize = 5_000;

impl Chat {
    /// The room of exactly the viewer and these users, if the viewer is in it and nobody has hidden it.
    ///
    /// # Errors
    /// `Invalid` when nobody else is named or too many are; [`Reason::Blocked`] of two of whom one blocks the other.
    pub async fn present_chat(
        &self,
        viewer: &Viewer,
        users: &[UserId],
        r#type: RoomType,
    ) -> Result<Option<room::Model>, Error> {
        let initiate = self.initiating(viewer, users, r#type)?;
        let present =
            room::Entity::hidden_by_nobody(viewer.user).filter(room::Column::MemberKey.eq(initiate.member_key()));
        let present = present.one(self.store.read()).await?;
        if present.is_some() && block::Entity::any(self.store.read(), initiate.blocks()).await? {
            return Err(Error::Refused(Reason::Blocked));
        }
        Ok(present)
    }

    /// This room, if the viewer is in it and nobody has hidden it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn present_room(&self, viewer: &Viewer, room: RoomId) -> Result<Option<room::Model>, Error> {
        let present = room::Entity::hidden_by_nobody(viewer.user).filter(room::Column::Id.eq(room));
        let present = present.one(self.store.read()).await?;
        if present.is_some() && block::Entity::is_between_two(self.store.read(), room, viewer.user).await? {
            return Err(Error::Refused(Reason::Blocked));
        }
        Ok(present)
    }

    /// Leads the viewer back into a room that the viewer has left or hidden, and brings it back to the other one, too, who may
    /// have hidden it.
    ///
    /// # Errors
    /// `NotFound` for a room that the viewer never was in, for a deleted one, and for one that stands for no set of users.
    pub async fn reenter_room(&self, viewer: &Viewer, room: RoomId) -> Result<room::Model, Error> {
        self.change(Reenter { user: viewer.user, room }).await
    }

    /// Opens the room of exactly the viewer and these users, or finds it: a set of members and a type identify one
    /// room. The order of `users` doesn't matter, nor do duplicates. Returns the room, and whether it is new. A viewer
    /// who had left it joins it again, and whoever had hidden it has it back.
    ///
    /// # Errors
    /// `Invalid` when nobody else is named, too many are, or they don't fit the type; `NotFound` for an unknown user; [`Reason::Deactivated`] for one who is switched off;
    /// [`Reason::Blocked`] for a new room with somebody who blocks the viewer, and for any of two of whom one blocks the other;
    /// `Conflict` when the viewer has opened as many rooms as a user may.
    pub async fn initiate_chat(
        &self,
        viewer: &Viewer,
        users: &[UserId],
        r#type: RoomType,
    ) -> Result<(room::Model, bool), Error> {
        self.change(self.initiating(viewer, users, r#type)?).await
    }

    fn initiating(&self, viewer: &Viewer, users: &[UserId], r#type: RoomType) -> Result<Initiate, Error> {
        let members: BTreeSet<UserId> = users.iter().copied().chain([viewer.user]).collect();
        if members.len() < 2 {
            return Err(Error::invalid(Argument::UserIds, "name at least one other user"));
        }
        if members.len() > MAX_MEMBERS {
            return Err(Error::invalid(Argument::UserIds, format!("a room has at most {MAX_MEMBERS} members")));
        }
        let directory = if viewer.acted_for { Directory::All } else { self.policy.directory };
        Ok(Initiate { initiator: viewer.user, members, r#type, max_rooms: self.quotas.rooms, directory })
    }
}

/// What identifies a room besides its id: SHA-256 of the type and the sorted ids of the members that it was opened for.
#[must_use]
pub fn member_key(r#type: RoomType, members: &BTreeSet<UserId>) -> Vec<u8> {
    let mut digest = Sha256::new();
    digest.update([match r#type {
        RoomType::ConsumerToConsumer => 1,
        RoomType::ConsumerToSupport => 2,
    }]);
    for member in members {
        digest.update(member.0.as_bytes());
    }
    digest.finalize().to_vec()
}

/// Open or find the room of a set of members.
pub struct Initiate {
    initiator: UserId,
    members: BTreeSet<UserId>,
    r#type: RoomType,
    /// The most rooms that the initiator may have opened; 0 is any number.
    max_rooms: u32,
    /// Whom the initiator may open a room with.
    directory: Directory,
}

impl Change for Initiate {
    type Outcome = (room::Model, bool);
}

impl Alone for Initiate {
    async fn apply(&self, append: &mut Append) -> Result<(room::Model, bool), Error> {
        let present =
            room::Entity::find().filter(room::Column::MemberKey.eq(self.member_key())).one(append.tx()).await?;
        match present {
            Some(room) => {
                self.check_blocks(append, self.blocks()).await?;
                Ok((rejoin(append, room, self.initiator).await?, false))
            }
            None => Ok((self.open(append).await?, true)),
        }
    }
}

impl Initiate {
    fn member_key(&self) -> Vec<u8> {
        member_key(self.r#type, &self.members)
    }

    fn others(&self) -> impl Iterator<Item = UserId> {
        self.members.iter().copied().filter(|member| *member != self.initiator)
    }

    /// The blocks that close the room: between two, either's. Larger rooms that are there already go on as they are.
    fn blocks(&self) -> Vec<(UserId, UserId)> {
        match (self.r#type, &*self.others().take(2).collect::<Vec<_>>()) {
            (RoomType::ConsumerToConsumer, [other]) => vec![(self.initiator, *other), (*other, self.initiator)],
            _ => Vec::new(),
        }
    }

    /// Refuses if one of these users blocks the other one.
    async fn check_blocks(
        &self,
        append: &Append,
        blocks: impl IntoIterator<Item = (UserId, UserId)>,
    ) -> Result<(), Error> {
        if block::Entity::any(append.tx(), blocks).await? { Err(Error::Refused(Reason::Blocked)) } else { Ok(()) }
    }

    /// Checks that all are present users whom the initiator may find, and of the types that the room's type asks for.
    async fn check_members(&self, append: &Append) -> Result<(), Error> {
        let finder = Some((self.initiator, self.directory));
        let types = people::expect(append, &self.members, finder, Argument::UserIds).await?;
        match (self.r#type, types.contains(&UserType::Support)) {
            (RoomType::ConsumerToSupport, false) => {
                Err(Error::invalid(Argument::UserIds, "CONSUMER_TO_SUPPORT needs at least one support user"))
            }
            (RoomType::ConsumerToConsumer, true) => {
                Err(Error::invalid(Argument::UserIds, "CONSUMER_TO_CONSUMER takes no support user"))
            }
            _ => Ok(()),
        }
    }

    async fn open(&self, append: &mut Append) -> Result<room::Model, Error> {
        self.check_members(append).await?;
        let blocks = self.others().map(|other| (other, self.initiator)).chain(self.blocks());
        self.check_blocks(append, blocks).await?;
        people::expect_fewer_rooms(append, self.initiator, self.max_rooms, Argument::UserIds).await?;
        let id = RoomId::generate();
        let mut last_position = None;
        let mut members = Vec::with_capacity(self.members.len());
        for user in &self.members {
            let joined_position = append.record(NewEvent::room_joined(*user, id));
            last_position = Some(joined_position);
            members.push(member::Model {
                room_id: id,
                user_id: *user,
                joined_position,
                left_position: None,
                read_seq: 0,
                muted: false,
                unread_from: None,
                unread_own: 0,
                joined_at: append.now(),
                hidden: false,
                role: RoomRole::Member,
                timeout_until: None,
                last_post_at: None,
                mentions_only: false,
            });
        }
        let room = room::Model {
            id,
            r#type: self.r#type,
            initiator_id: Some(self.initiator),
            member_key: Some(self.member_key()),
            member_count: i32::try_from(members.len()).unwrap_or(i32::MAX),
            last_seq: 0,
            last_position: last_position.unwrap_or_default(),
            created_at: append.now(),
            last_activity_at: append.now(),
            deleted_at: None,
            kind: RoomKind::Direct,
            external_id: None,
            client_id: None,
            name: None,
            topic: None,
            avatar_url: None,
            custom: None,
            join_policy: JoinPolicy::Invite,
            posting_policy: PostingPolicy::Everyone,
            slow_mode_secs: 0,
        };
        people::insert(append, &room, &members).await?;
        Ok(room)
    }
}

/// Go back into a room by its id.
pub struct Reenter {
    user: UserId,
    room: RoomId,
}

impl Change for Reenter {
    type Outcome = room::Model;
}

impl Alone for Reenter {
    async fn apply(&self, append: &mut Append) -> Result<room::Model, Error> {
        // Whoever ever was in the room is of the set that it stands for.
        let room = room::Entity::find()
            .inner_join(member::Entity)
            .filter(member::Column::UserId.eq(self.user))
            .filter(room::Column::Id.eq(self.room))
            .filter(room::Column::MemberKey.is_not_null())
            .one(append.tx())
            .await?;
        let room = room.ok_or(Error::ROOM_NOT_FOUND)?;
        if block::Entity::is_between_two(append.tx(), room.id, self.user).await? {
            return Err(Error::Refused(Reason::Blocked));
        }
        rejoin(append, room, self.user).await
    }
}

/// Lets one of its set back into a room that exists already, and brings it back to those who have hidden it.
async fn rejoin(append: &mut Append, room: room::Model, user: UserId) -> Result<room::Model, Error> {
    let member = member::Entity::find_by_id((room.id, user)).one(append.tx()).await?;
    let gone = member.filter(|member| member.left_position.is_some());
    // The user may have been deleted while this change waited.
    if gone.is_some() && user::Entity::present().filter(user::Column::Id.eq(user)).one(append.tx()).await?.is_none() {
        return Err(Error::Unauthenticated);
    }
    let hidden = member::Entity::find().filter(member::Column::RoomId.eq(room.id)).filter(member::is_hidden());
    for hidden in hidden.all(append.tx()).await? {
        bring_back(append, room.id, hidden.user_id, hidden.muted);
    }
    let Some(member) = gone.filter(|member| !member.hidden) else { return Ok(room) };
    let mut member = member.into_active_model();
    member.joined_position = Set(append.record(NewEvent::room_joined(user, room.id)));
    member.left_position = Set(None);
    // The hub takes a room that a user joins as not muted.
    member.muted = Set(false);
    (member.unread_from, member.unread_own) = (Set(None), Set(0));
    member.joined_at = Set(append.now());
    member.update(append.tx()).await?;
    append.record(NewEvent::member_joined(room.id, user));
    let count = room.member_count + 1;
    let mut room = room.into_active_model();
    room.member_count = Set(count);
    Ok(room.update(append.tx()).await?)
}

/// Brings a room back to a member who has hidden it. The others aren't told, because to them the member never left.
pub(in crate::chat) fn bring_back(append: &mut Append, room: RoomId, user: UserId, muted: bool) {
    let position = append.record(NewEvent::room_joined(user, room));
    append.bring_back(room, user, position);
    if muted {
        // The hub takes a room that a user joins as not muted.
        append.record(NewEvent::room_muted(user, room, true));
    }
}
