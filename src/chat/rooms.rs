//! Rooms: opening, finding, leaving and deleting them.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::access::Action;
use super::change::{Alone, Change};
use super::standing::MemberRows;
use super::{Chat, Error, Slice, Viewer, Window};
use crate::ids::{RoomId, UserId};
use crate::log::append::ROWS_PER_INSERT;
use crate::log::{Append, NewEvent};
use crate::store::entity::member::When;
use crate::store::entity::room::RoomType;
use crate::store::entity::user::UserType;
use crate::store::entity::{member, message, room, user};
use crate::store::list::{Rows, columns, one_of};

/// Members of a room at most.
pub const MAX_MEMBERS: usize = 5_000;

/// What rooms are listed by: newest activity first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoomKey {
    /// When the room was opened or last posted to.
    pub last_activity_at: DateTime<Utc>,
    /// Which room.
    pub id: RoomId,
}

impl RoomKey {
    /// This room's key.
    #[must_use]
    pub fn of(room: &room::Model) -> Self {
        Self { last_activity_at: room.last_activity_at, id: room.id }
    }
}

impl fmt::Display for RoomKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.last_activity_at.timestamp_micros(), self.id)
    }
}

impl FromStr for RoomKey {
    type Err = InvalidRoomKey;

    fn from_str(text: &str) -> Result<Self, InvalidRoomKey> {
        let (micros, id) = text.split_once('/').ok_or(InvalidRoomKey)?;
        let micros = micros.parse().map_err(|_| InvalidRoomKey)?;
        Ok(Self {
            last_activity_at: DateTime::from_timestamp_micros(micros).ok_or(InvalidRoomKey)?,
            id: id.parse().map_err(|_| InvalidRoomKey)?,
        })
    }
}

/// The text is not a [`RoomKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a room key")]
pub struct InvalidRoomKey;

impl Chat {
    /// Opens the room of exactly the viewer and these users, or finds it: one set of members and one type name one
    /// room, in any order and with doubles. True: it is new. A viewer who had left it is back in it.
    ///
    /// # Errors
    /// `Invalid` when nobody else is named, too many are, or they don't fit the type; `NotFound` for an unknown user.
    pub async fn initiate_chat(
        &self,
        viewer: &Viewer,
        users: Vec<UserId>,
        r#type: RoomType,
    ) -> Result<(room::Model, bool), Error> {
        let members: BTreeSet<UserId> = users.into_iter().chain([viewer.user]).collect();
        if members.len() < 2 {
            return Err(Error::invalid("userIds", "name at least one other user"));
        }
        if members.len() > MAX_MEMBERS {
            return Err(Error::invalid("userIds", format!("a room has at most {MAX_MEMBERS} members")));
        }
        let initiate = Initiate { initiator: viewer.user, members, r#type };
        let present = room::Entity::visible_to(viewer.user)
            .filter(room::Column::MemberKey.eq(initiate.member_key()))
            .one(self.store.read())
            .await?;
        match present {
            Some(room) => Ok((room, false)),
            None => self.change(initiate).await,
        }
    }

    /// The viewer's rooms, those with the newest activity first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rooms(&self, viewer: &Viewer, window: &Window<RoomKey>) -> Result<Slice<room::Model>, Error> {
        let mut rooms = room::Entity::visible_to(viewer.user);
        if let Some(RoomKey { last_activity_at, id }) = window.after {
            let older = room::Column::LastActivityAt.lt(last_activity_at);
            let as_old =
                Condition::all().add(room::Column::LastActivityAt.eq(last_activity_at)).add(room::Column::Id.lt(id));
            rooms = rooms.filter(Condition::any().add(older).add(as_old));
        }
        let rooms = rooms
            .order_by_desc(room::Column::LastActivityAt)
            .order_by_desc(room::Column::Id)
            .limit(u64::from(window.limit) + 1)
            .all(self.store.read())
            .await?;
        Ok(Slice::probed(rooms, window))
    }

    /// One of the viewer's rooms.
    ///
    /// # Errors
    /// `NotFound` when there is none such, or the viewer isn't in it.
    pub async fn room(&self, viewer: &Viewer, id: RoomId) -> Result<room::Model, Error> {
        let room = room::Entity::visible_to(viewer.user).filter(room::Column::Id.eq(id)).one(self.store.read()).await?;
        room.ok_or(Error::ROOM_NOT_FOUND)
    }

    /// Those of these rooms that the viewer is in, in no order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rooms_by_id(&self, viewer: &Viewer, ids: &[RoomId]) -> Result<Vec<room::Model>, Error> {
        let asked = one_of(self.store.backend(), room::Column::Id, ids.iter().copied());
        Ok(room::Entity::visible_to(viewer.user).filter(asked).all(self.store.read()).await?)
    }

    /// One page of the present members of each of these rooms, by user id. Every room has an entry. One statement,
    /// which reads no members beyond the page.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members(
        &self,
        rooms: &[RoomId],
        window: &Window<UserId>,
    ) -> Result<HashMap<RoomId, Slice<member::Model>>, Error> {
        if rooms.is_empty() {
            return Ok(HashMap::new());
        }
        let mut rows = Rows::new(rooms.iter().map(|room| [(*room).into()]));
        rows.values.push(window.after.unwrap_or(UserId(Uuid::nil())).into());
        rows.values.push(UserId(Uuid::max()).into());
        let sql = format!(
            "WITH asked (room_id) AS (VALUES {rows}) SELECT {columns} FROM asked \
             JOIN member ON member.room_id = asked.room_id AND member.user_id > ${after} \
               AND member.user_id <= COALESCE((SELECT next.user_id FROM member AS next \
                 WHERE next.room_id = asked.room_id AND next.user_id > ${after} AND {next_is_present} \
                 ORDER BY next.user_id LIMIT 1 OFFSET {limit}), ${max}) \
             WHERE {is_present} ORDER BY member.room_id, member.user_id",
            rows = rows.sql,
            columns = columns::<member::Entity>(),
            is_present = member::is_present("member"),
            next_is_present = member::is_present("next"),
            after = rows.values.len() - 1,
            max = rows.values.len(),
            limit = window.limit,
        );
        let statement = self.store.statement(&sql, rows.values);
        let mut found: HashMap<RoomId, Vec<member::Model>> = rooms.iter().map(|room| (*room, Vec::new())).collect();
        for member in member::Entity::find().from_raw_sql(statement).all(self.store.read()).await? {
            found.entry(member.room_id).or_default().push(member);
        }
        Ok(found.into_iter().map(|(room, members)| (room, Slice::probed(members, window))).collect())
    }

    /// Ends the viewer's membership. The room stays for the others.
    ///
    /// # Errors
    /// `NotFound` for a room that the viewer isn't in.
    pub async fn leave_room(&self, viewer: &Viewer, room: RoomId) -> Result<(), Error> {
        self.change(Leave { user: viewer.user, room }).await
    }

    /// Deletes a room that the viewer opened, for everybody; answers how many messages went with it.
    ///
    /// # Errors
    /// `NotFound` for a room that the viewer isn't in; `Forbidden` when somebody else opened it.
    pub async fn delete_room(&self, viewer: &Viewer, room: RoomId) -> Result<i32, Error> {
        self.change(DeleteRoom { user: viewer.user, room }).await
    }
}

/// What names a room beside its id: SHA-256 of the type and the sorted ids of the members that it was opened for.
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
}

impl Initiate {
    fn member_key(&self) -> Vec<u8> {
        member_key(self.r#type, &self.members)
    }

    /// All are present users, and of the kinds that the room's type asks for.
    async fn check_members(&self, append: &Append) -> Result<(), Error> {
        let members = one_of(append.store().backend(), user::Column::Id, self.members.iter().copied());
        let types: Vec<UserType> = user::Entity::present()
            .filter(members)
            .select_only()
            .column(user::Column::Type)
            .into_tuple()
            .all(append.tx())
            .await?;
        if types.len() < self.members.len() {
            return Err(Error::NotFound { what: "user", field: "userIds" });
        }
        match (self.r#type, types.contains(&UserType::Support)) {
            (RoomType::ConsumerToSupport, false) => {
                Err(Error::invalid("userIds", "CONSUMER_TO_SUPPORT needs at least one support user"))
            }
            (RoomType::ConsumerToConsumer, true) => {
                Err(Error::invalid("userIds", "CONSUMER_TO_CONSUMER takes no support user"))
            }
            _ => Ok(()),
        }
    }

    async fn open(&self, append: &mut Append) -> Result<room::Model, Error> {
        self.check_members(append).await?;
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
                joined_at: append.now(),
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
        };
        room.clone().into_active_model().insert(append.tx()).await?;
        for rows in members.chunks(ROWS_PER_INSERT) {
            let rows = rows.iter().map(|member| member.clone().into_active_model());
            member::Entity::insert_many(rows).exec_without_returning(append.tx()).await?;
        }
        Ok(room)
    }

    /// Brings the initiator back into a room that is there already.
    async fn rejoin(&self, append: &mut Append, room: room::Model) -> Result<room::Model, Error> {
        let member = member::Entity::find_by_id((room.id, self.initiator)).one(append.tx()).await?;
        let Some(member) = member.filter(|member| member.left_position.is_some()) else {
            return Ok(room);
        };
        // Deleted while this waited for its turn.
        if user::Entity::present().filter(user::Column::Id.eq(self.initiator)).one(append.tx()).await?.is_none() {
            return Err(Error::Unauthenticated);
        }
        let mut member = member.into_active_model();
        member.joined_position = Set(append.record(NewEvent::room_joined(self.initiator, room.id)));
        member.left_position = Set(None);
        // As the hub takes who comes.
        member.muted = Set(false);
        member.joined_at = Set(append.now());
        member.update(append.tx()).await?;
        append.record(NewEvent::member_joined(room.id, self.initiator));
        let count = room.member_count + 1;
        let mut room = room.into_active_model();
        room.member_count = Set(count);
        Ok(room.update(append.tx()).await?)
    }
}

impl Change for Initiate {
    type Outcome = (room::Model, bool);
}

impl Alone for Initiate {
    async fn apply(&self, append: &mut Append) -> Result<(room::Model, bool), Error> {
        let present =
            room::Entity::find().filter(room::Column::MemberKey.eq(self.member_key())).one(append.tx()).await?;
        match present {
            Some(room) => Ok((self.rejoin(append, room).await?, false)),
            None => Ok((self.open(append).await?, true)),
        }
    }
}

/// Leave a room.
pub struct Leave {
    user: UserId,
    room: RoomId,
}

impl Change for Leave {
    type Outcome = ();
}

impl Alone for Leave {
    async fn apply(&self, append: &mut Append) -> Result<(), Error> {
        let (room, member) = MemberRows::one(append, self.room, self.user, Action::Leave).await?;
        let mut member = member.into_active_model();
        member.left_position = Set(Some(append.record(NewEvent::member_left(self.room, self.user))));
        member.update(append.tx()).await?;
        let count = room.member_count - 1;
        let mut room = room.into_active_model();
        room.member_count = Set(count);
        room.update(append.tx()).await?;
        Ok(())
    }
}

/// Delete a room.
pub struct DeleteRoom {
    user: UserId,
    room: RoomId,
}

impl Change for DeleteRoom {
    type Outcome = i32;
}

impl Alone for DeleteRoom {
    async fn apply(&self, append: &mut Append) -> Result<i32, Error> {
        let (room, _) = MemberRows::one(append, self.room, self.user, Action::DeleteRoom).await?;
        let deleted = message::Entity::find()
            .filter(message::Column::RoomId.eq(self.room))
            .filter(message::Column::DeletedAt.is_null())
            .count(append.tx())
            .await?;
        let position = append.record(NewEvent::room_deleted(self.room));
        member::Entity::update_many()
            .col_expr(member::Column::LeftPosition, Expr::value(position))
            .filter(member::Column::RoomId.eq(self.room))
            .filter(When::Now.condition())
            .exec(append.tx())
            .await?;
        let mut room = room.into_active_model();
        room.member_key = Set(None);
        room.member_count = Set(0);
        room.deleted_at = Set(Some(append.now()));
        room.update(append.tx()).await?;
        Ok(i32::try_from(deleted).unwrap_or(i32::MAX))
    }
}
