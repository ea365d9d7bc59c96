//! Rooms: finding them here; opening, leaving and deleting them in files of their own.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{Chat, Error, Slice, Viewer, Window};
use crate::ids::{RoomId, UserId};
use crate::store::entity::{member, room};
use crate::store::list::{Rows, columns, one_of};

mod create;
mod group;
pub(in crate::chat) mod heirs;
mod initiate;
mod join;
mod leave;
mod members;
pub(in crate::chat) mod moderation;
mod open;
pub(in crate::chat) mod people;
mod reference;
mod rows;

pub use create::{CreateRoom, GroupInput, MAX_NEW_MEMBERS};
pub use group::{GroupPatch, UpdateRoom};
pub(super) use initiate::bring_back;
pub use initiate::{Initiate, MAX_MEMBERS, Reenter, member_key};
pub use join::{JoinRoom, WayIn};
pub use leave::{DeleteRoom, Leave};
pub use members::{AddMembers, MAX_ADDED, RemoveMember, SetMemberRole};
pub use moderation::{BanInput, BanMember, MAX_TIMEOUT, TimeOutMember};
pub use open::{FoundRoom, OpenRoomPlace};
pub use reference::RoomRef;
pub(super) use rows::{MemberRows, room_for};

/// The key by which rooms are listed: newest activity first. Times of activity follow the log's order and are never the
/// same, so this is the order of the log; before that was so, the id tells rooms of one moment apart.
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

/// Which members of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Members {
    /// Those whom the others see in it.
    Present,
    /// Those who have left it.
    Former,
    /// All of the set that it stands for.
    Founding,
}

impl Members {
    /// As a condition on this table of members.
    fn condition(self, table: &str) -> String {
        match self {
            Self::Present => member::is_counted(table),
            Self::Former => format!("NOT {}", member::is_counted(table)),
            Self::Founding => "TRUE".to_owned(),
        }
    }
}

impl Chat {
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
            .limit(u64::from(window.limit) + 1);
        Ok(Slice::probed(self.store.read().models(rooms).await?, window))
    }

    /// One of the viewer's rooms.
    ///
    /// # Errors
    /// `NotFound` when there is no such room, or the viewer isn't in it.
    pub async fn room(&self, viewer: &Viewer, id: RoomId) -> Result<room::Model, Error> {
        let room = room::Entity::visible_to(viewer.user).filter(room::Column::Id.eq(id));
        self.store.read().model(room).await?.ok_or(Error::ROOM_NOT_FOUND)
    }

    /// Those of these rooms that the viewer is in, in no particular order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rooms_by_id(&self, viewer: &Viewer, ids: &[RoomId]) -> Result<Vec<room::Model>, Error> {
        let asked = one_of(self.store.backend(), room::Column::Id, ids.iter().copied());
        Ok(self.store.read().models(room::Entity::visible_to(viewer.user).filter(asked)).await?)
    }

    /// The memberships of these users in these rooms that the others there see, in no particular order; one that there
    /// isn't has no entry. One statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn memberships(&self, asked: &[(RoomId, UserId)]) -> Result<Vec<member::Model>, Error> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let rows = Rows::new(self.store.backend(), asked.iter().map(|(room, user)| [(*room).into(), (*user).into()]));
        let sql = format!(
            "WITH asked (room_id, user_id) AS ({rows}) SELECT {columns} FROM asked \
             JOIN member ON member.room_id = asked.room_id AND member.user_id = asked.user_id AND {is_counted}",
            rows = rows.sql,
            columns = columns::<member::Entity>(),
            is_counted = member::is_counted("member"),
        );
        let statement = self.store.statement(&sql, rows.values);
        Ok(self.store.read().models_by::<member::Entity>(statement).await?)
    }

    /// One page of these members of each of these rooms, by user id. Every room has an entry. One statement, which reads
    /// no members beyond the page.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members(
        &self,
        rooms: &[RoomId],
        which: Members,
        window: &Window<UserId>,
    ) -> Result<HashMap<RoomId, Slice<member::Model>>, Error> {
        if rooms.is_empty() {
            return Ok(HashMap::new());
        }
        let mut rows = Rows::new(self.store.backend(), rooms.iter().map(|room| [(*room).into()]));
        rows.values.push(window.after.unwrap_or(UserId(Uuid::nil())).into());
        rows.values.push(UserId(Uuid::max()).into());
        // `next` is the first member beyond the page: reading up to it shows that there are more.
        let sql = format!(
            "WITH asked (room_id) AS ({rows}) SELECT {columns} FROM asked \
             JOIN member ON member.room_id = asked.room_id AND member.user_id > ${after} \
               AND member.user_id <= COALESCE((SELECT next.user_id FROM member AS next \
                 WHERE next.room_id = asked.room_id AND next.user_id > ${after} AND {next_is_asked} \
                 ORDER BY next.user_id LIMIT 1 OFFSET {limit}), ${max}) \
             WHERE {is_asked} ORDER BY member.room_id, member.user_id",
            rows = rows.sql,
            columns = columns::<member::Entity>(),
            is_asked = which.condition("member"),
            next_is_asked = which.condition("next"),
            after = rows.values.len() - 1,
            max = rows.values.len(),
            limit = window.limit,
        );
        let statement = self.store.statement(&sql, rows.values);
        let mut found: HashMap<RoomId, Vec<member::Model>> = rooms.iter().map(|room| (*room, Vec::new())).collect();
        for member in self.store.read().models_by::<member::Entity>(statement).await? {
            found.entry(member.room_id).or_default().push(member);
        }
        Ok(found.into_iter().map(|(room, members)| (room, Slice::probed(members, window))).collect())
    }
}
