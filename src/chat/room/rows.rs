//! Members and their rooms, read under the log's lock for a whole batch.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter};

use crate::chat::access::{Action, Standing};
use crate::chat::{Actor, Error};
use crate::ids::{RoomId, UserId};
use crate::log::Append;
use crate::store::entity::user::UserType;
use crate::store::entity::{member, room, user};
use crate::store::list::{Rows, columns_as};

/// A room, for somebody who wants to take this action.
///
/// # Errors
/// [`Error::NotFound`] when there is no such room or, but for a server key, the user isn't in it; [`Error::Forbidden`] or
/// [`Error::Refused`] when the action may not be taken; or when the database fails.
pub(in crate::chat) async fn room_for(
    append: &Append,
    actor: Actor,
    id: RoomId,
    action: Action,
) -> Result<room::Model, Error> {
    match actor {
        Actor { key: false, user: Some(user) } => Ok(MemberRows::one(append, id, user, action).await?.0),
        Actor { key: false, user: None } => Err(Error::Unauthenticated),
        Actor { key: true, .. } => {
            let room = room::Entity::find_by_id(id).filter(room::Column::DeletedAt.is_null());
            let room = room.one(append.tx()).await?.ok_or(Error::ROOM_NOT_FOUND)?;
            Standing::key(&room).may(action)?;
            Ok(room)
        }
    }
}

/// Current members with their rooms.
#[derive(Default)]
pub(crate) struct MemberRows {
    rooms: HashMap<RoomId, room::Model>,
    members: HashMap<(RoomId, UserId), member::Model>,
}

/// One current member and the room.
pub(crate) struct MemberRow<'s> {
    /// The room; the caller updates it as it goes through the batch.
    pub room: &'s mut room::Model,
    /// The member; the caller updates it as it goes through the batch.
    pub member: &'s mut member::Model,
}

impl MemberRows {
    /// A current member, if it is one: whom somebody else wants to do something to.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn present(append: &Append, room: RoomId, user: UserId) -> Result<Option<member::Model>, DbErr> {
        Ok(Self::load(append, [(room, user)]).await?.members.remove(&(room, user)))
    }

    /// Looks up each pair: one statement, however many there are.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn load(
        append: &Append,
        pairs: impl IntoIterator<Item = (RoomId, UserId)>,
    ) -> Result<Self, DbErr> {
        let pairs: BTreeSet<(RoomId, UserId)> = pairs.into_iter().collect();
        if pairs.is_empty() {
            return Ok(Self::default());
        }
        let (tx, store) = (append.tx(), append.store());
        let rows = Rows::new(store.backend(), pairs.into_iter().map(|(room, user)| [room.into(), user.into()]));
        let sql = format!(
            "WITH asked (room_id, user_id) AS ({rows}) SELECT {of_room}, {of_member} FROM asked JOIN member \
             ON member.room_id = asked.room_id AND member.user_id = asked.user_id AND {is_present} \
             JOIN room ON room.id = asked.room_id",
            rows = rows.sql,
            of_room = columns_as::<room::Entity>("room_"),
            of_member = columns_as::<member::Entity>("member_"),
            is_present = member::is_present("member"),
        );
        let mut found = Self::default();
        for row in tx.query_all_raw(store.statement(&sql, rows.values)).await? {
            let room = room::Model::from_query_result(&row, "room_")?;
            let member = member::Model::from_query_result(&row, "member_")?;
            found.members.insert((member.room_id, member.user_id), member);
            found.rooms.insert(room.id, room);
        }
        Ok(found)
    }

    /// Looks up one pair, for a user who wants to take this action.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the user is not in the room, or there is none; [`Error::Forbidden`] when the user may
    /// not take the action; or when the database fails.
    pub(crate) async fn one(
        append: &Append,
        room: RoomId,
        user: UserId,
        action: Action,
    ) -> Result<(room::Model, member::Model), Error> {
        let mut rows = Self::load(append, [(room, user)]).await?;
        let found = rows.rooms.remove(&room).zip(rows.members.remove(&(room, user)));
        let (room, member) = found.ok_or(Error::ROOM_NOT_FOUND)?;
        let standing = if Standing::depends_on_type(&room, action) {
            let user = user::Entity::find_by_id(user).one(append.tx()).await?;
            Standing::in_support(&room, &member, append.now(), user.map_or(UserType::Consumer, |user| user.r#type))
        } else {
            Standing::of(&room, &member, append.now())
        };
        standing.may(action)?;
        Ok((room, member))
    }

    /// One of the pairs, for a user who wants to take this action.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the user is not in the room, or there is none; [`Error::Forbidden`] when the user may
    /// not take the action.
    pub(crate) fn get(
        &mut self,
        room: RoomId,
        user: UserId,
        now: DateTime<Utc>,
        action: Action,
    ) -> Result<MemberRow<'_>, Error> {
        match (self.rooms.get_mut(&room), self.members.get_mut(&(room, user))) {
            (Some(room), Some(member)) => {
                Standing::of(room, member, now).may(action)?;
                Ok(MemberRow { room, member })
            }
            _ => Err(Error::ROOM_NOT_FOUND),
        }
    }
}
