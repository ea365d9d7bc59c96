//! Making a group.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::group::{self, GroupText};
use super::{open, people};
use crate::chat::change::{Alone, Change};
use crate::chat::custom::{Custom, Patch};
use crate::chat::message::ClientId;
use crate::chat::user::{UserRef, avatar_url, is_external_id};
use crate::chat::{Actor, Argument, Chat, Directory, Error, Reason};
use crate::ids::{RoomId, UserId};
use crate::log::{Append, NewEvent};
use crate::position::Position;
use crate::store::entity::block;
use crate::store::entity::member::{self, RoomRole};
use crate::store::entity::room::{self, JoinPolicy, PostingPolicy, RoomKind, RoomType};

/// The most members that a new group is given; more are added later.
pub const MAX_NEW_MEMBERS: usize = 100;

/// A group to be made.
#[derive(Clone, Debug)]
pub struct GroupInput {
    /// The app's own id of it.
    pub external_id: Option<String>,
    /// What its maker calls the request.
    pub client_id: Option<ClientId>,
    /// Who talks to whom.
    pub r#type: RoomType,
    /// What it is called.
    pub name: Option<String>,
    /// What it is about.
    pub topic: Option<String>,
    /// Where a picture of it is.
    pub avatar_url: Option<String>,
    /// What the app keeps about it.
    pub custom: Option<Patch>,
    /// Who may join it.
    pub join_policy: JoinPolicy,
    /// Who may post in it.
    pub posting_policy: PostingPolicy,
    /// Its members beside its maker.
    pub members: Vec<(UserRef, RoomRole)>,
}

impl Chat {
    /// The group that an earlier request of the same name has made, if there is one: that of a server key by the app's own
    /// id, that of a user by the client id.
    ///
    /// # Errors
    /// As [`Self::create_room`].
    pub async fn present_group(&self, actor: Actor, input: &GroupInput) -> Result<Option<room::Model>, Error> {
        expect_fit(actor, input)?;
        Named::of(actor, input).find(self.store.read()).await?.transpose()
    }

    /// Makes a group, of which the user is the owner, or finds the one that an earlier request of the same name has made.
    /// Returns it, and whether it is new. The rest of the input doesn't matter when it is found.
    ///
    /// # Errors
    /// `Invalid` of what is not acceptable; [`Reason::ServerKeyNeeded`] for an app's own id or data by anybody else;
    /// `NotFound` for a member whom the user can't find; [`Reason::Deactivated`] for one who is switched off; `Conflict`
    /// when the user has opened as many rooms as a user may, or has left the room that the client id stands for.
    pub async fn create_room(&self, actor: Actor, input: GroupInput) -> Result<(room::Model, bool), Error> {
        expect_fit(actor, &input)?;
        let named = Named::of(actor, &input);
        let (users, roles): (Vec<_>, Vec<_>) = input.members.into_iter().unzip();
        let users = self.resolve(&users, Argument::Members).await?;
        let mut members: BTreeMap<UserId, RoomRole> = BTreeMap::new();
        for (user, role) in users.into_iter().zip(roles) {
            let given = members.entry(user).or_insert(role);
            *given = role.min(*given);
        }
        members.extend(actor.user.map(|maker| (maker, RoomRole::Owner)));
        let custom = input.custom.map(|patch| Custom::default().patched(&patch)).transpose()?;
        self.change(CreateRoom {
            named,
            maker: actor.user,
            r#type: input.r#type,
            name: input.name.as_deref().map(GroupText::name).transpose()?,
            topic: input.topic.as_deref().map(GroupText::topic).transpose()?,
            avatar_url: input.avatar_url.map(avatar_url).transpose()?,
            custom: custom.and_then(Custom::into_text),
            join_policy: input.join_policy,
            posting_policy: input.posting_policy,
            members,
            max_rooms: self.quotas.rooms,
            directory: if actor.key { Directory::All } else { self.policy.directory },
        })
        .await
    }
}

fn expect_fit(actor: Actor, input: &GroupInput) -> Result<(), Error> {
    if !actor.key && (input.external_id.is_some() || input.custom.is_some()) {
        return Err(Error::Refused(Reason::ServerKeyNeeded));
    }
    if input.external_id.as_deref().is_some_and(|id| !is_external_id(id)) {
        let problem = "must have 1 to 128 characters, no space around them and no control characters";
        return Err(Error::invalid(Argument::ExternalId, problem));
    }
    if input.client_id.is_some() && actor.user.is_none() {
        return Err(Error::invalid(Argument::ClientId, "is a user's: a server key names a room by `externalId`"));
    }
    if input.members.len() > MAX_NEW_MEMBERS {
        let problem = format!("at most {MAX_NEW_MEMBERS} members; add more to the room when it is there");
        return Err(Error::invalid(Argument::Members, problem));
    }
    Ok(())
}

/// By what a group is found that was made before.
struct Named {
    external_id: Option<String>,
    client_id: Option<(UserId, ClientId)>,
}

impl Named {
    fn of(actor: Actor, input: &GroupInput) -> Self {
        Self { external_id: input.external_id.clone(), client_id: actor.user.zip(input.client_id.clone()) }
    }

    /// What was made before. `Some(Err(_))`: a room that the user has left.
    async fn find<C: sea_orm::ConnectionTrait>(&self, db: &C) -> Result<Option<Result<room::Model, Error>>, Error> {
        if let Some(id) = &self.external_id
            && let Some(room) = room::Entity::find().filter(room::Column::ExternalId.eq(id)).one(db).await?
        {
            return Ok(Some(Ok(room)));
        }
        let Some((maker, id)) = &self.client_id else { return Ok(None) };
        let made = room::Entity::find()
            .filter(room::Column::InitiatorId.eq(*maker))
            .filter(room::Column::ClientId.eq(id.as_str()))
            .one(db)
            .await?;
        let Some(room) = made else { return Ok(None) };
        let visible = room::Entity::visible_to(*maker).filter(room::Column::Id.eq(room.id)).one(db).await?;
        let left = Error::Conflict { argument: Argument::ClientId, problem: "was used for a room that you have left" };
        Ok(Some(visible.ok_or(left)))
    }
}

/// Make or find a group.
pub struct CreateRoom {
    named: Named,
    /// `None`: a server key by itself, for which no user need be the owner.
    maker: Option<UserId>,
    r#type: RoomType,
    name: Option<String>,
    topic: Option<String>,
    avatar_url: Option<String>,
    custom: Option<String>,
    join_policy: JoinPolicy,
    posting_policy: PostingPolicy,
    /// With the maker.
    members: BTreeMap<UserId, RoomRole>,
    /// The most rooms that the maker may have opened; 0 is any number.
    max_rooms: u32,
    /// Whom the maker may make it with.
    directory: Directory,
}

impl Change for CreateRoom {
    type Outcome = (room::Model, bool);
}

impl Alone for CreateRoom {
    async fn apply(&self, append: &mut Append) -> Result<(room::Model, bool), Error> {
        if let Some(room) = self.named.find(append.tx()).await? {
            return Ok((room?, false));
        }
        let users = self.members.keys().copied().collect();
        let finder = self.maker.map(|maker| (maker, self.directory));
        people::expect(append, &users, finder, Argument::Members).await?;
        if let Some(maker) = self.maker {
            let others = self.members.keys().filter(|member| **member != maker);
            if block::Entity::any(append.tx(), others.map(|other| (*other, maker))).await? {
                return Err(Error::Refused(Reason::Blocked));
            }
            people::expect_fewer_rooms(append, maker, self.max_rooms, Argument::Members).await?;
        }
        let id = RoomId::generate();
        let mut members: Vec<member::Model> = Vec::with_capacity(self.members.len());
        for (user, role) in &self.members {
            let joined_position = append.record(NewEvent::room_joined(*user, id).by(self.maker));
            members.push(group::member(append, id, *user, *role, joined_position));
        }
        let last_position = members.last().map_or_else(Position::default, |member| member.joined_position);
        let room = room::Model {
            id,
            r#type: self.r#type,
            initiator_id: self.maker,
            member_key: None,
            member_count: i32::try_from(members.len()).unwrap_or(i32::MAX),
            last_seq: 0,
            last_position,
            created_at: append.now(),
            last_activity_at: append.tick(),
            deleted_at: None,
            kind: RoomKind::Group,
            external_id: self.named.external_id.clone(),
            client_id: self.named.client_id.as_ref().map(|(_, id)| id.as_str().to_owned()),
            name: self.name.clone(),
            topic: self.topic.clone(),
            avatar_url: self.avatar_url.clone(),
            custom: self.custom.clone(),
            join_policy: self.join_policy,
            posting_policy: self.posting_policy,
            slow_mode_secs: 0,
        };
        people::insert(append, &room, &members).await?;
        if room.join_policy == JoinPolicy::Open {
            open::keep_words(append, &room).await?;
        }
        Ok((room, true))
    }
}
