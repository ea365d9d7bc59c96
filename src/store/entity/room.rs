//! Rooms.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, Query};
use sea_orm::{Condition, JoinType, QuerySelect, RelationTrait};

use super::member::{self, When};
use crate::ids::{RoomId, UserId};
use crate::position::Position;
use crate::store::Store;
use crate::store::list::one_of;

/// One room.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "room")]
pub struct Model {
    /// Which room.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RoomId,
    /// Who talks to whom.
    pub r#type: RoomType,
    /// Who opened it.
    pub initiator_id: Option<UserId>,
    /// Digest of the type and the set of members that it was opened for; `None` once it is deleted.
    pub member_key: Option<Vec<u8>>,
    /// How many members it has now.
    pub member_count: i32,
    /// `seq` of its newest message; 0 before the first.
    pub last_seq: i32,
    /// The position of its newest event.
    pub last_position: Position,
    /// When it was opened.
    pub created_at: ChronoDateTimeUtc,
    /// When it was opened or last posted to.
    pub last_activity_at: ChronoDateTimeUtc,
    /// When it was deleted.
    pub deleted_at: Option<ChronoDateTimeUtc>,
    /// How it is what it is: a set of people, or more.
    pub kind: RoomKind,
    /// The id that the app's own backend knows it by; `None` once it is deleted.
    pub external_id: Option<String>,
    /// What its maker calls the request that made it; `None` once it is deleted.
    pub client_id: Option<String>,
    /// What it is called.
    pub name: Option<String>,
    /// What it is about.
    pub topic: Option<String>,
    /// Where a picture of it is.
    pub avatar_url: Option<String>,
    /// What the app keeps about it: a JSON object. `None` is an empty one.
    pub custom: Option<String>,
    /// Who may join it.
    pub join_policy: JoinPolicy,
    /// Who may post in it.
    pub posting_policy: PostingPolicy,
    /// Seconds between two posts of a member; 0 is none.
    pub slow_mode_secs: i32,
}

/// How a room is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum RoomKind {
    /// The one room of a set of people.
    #[sea_orm(num_value = 1)]
    Direct,
    /// A room with a name and roles, which people join and leave.
    #[sea_orm(num_value = 2)]
    Group,
}

/// Who may join a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum JoinPolicy {
    /// Those whom somebody in it adds or invites.
    #[sea_orm(num_value = 1)]
    Invite,
    /// Everybody.
    #[sea_orm(num_value = 2)]
    Open,
}

/// Who may post in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum PostingPolicy {
    /// All members.
    #[sea_orm(num_value = 1)]
    Everyone,
    /// Moderators and owners.
    #[sea_orm(num_value = 2)]
    Moderators,
}

/// Who talks to whom in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum RoomType {
    /// Consumers among themselves.
    #[sea_orm(string_value = "consumer_to_consumer")]
    ConsumerToConsumer,
    /// With at least one support user.
    #[sea_orm(string_value = "consumer_to_support")]
    ConsumerToSupport,
}

/// Joins that start at a room.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The present and former members.
    #[sea_orm(has_many = "super::member::Entity")]
    Member,
}

impl Related<member::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Member.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// These rooms, without regard to who may see them: for what is shown to their members.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_id(
        store: &Store,
        ids: impl IntoIterator<Item = RoomId>,
    ) -> Result<HashMap<RoomId, Arc<Model>>, DbErr> {
        let rooms = store.read().models(Self::find().filter(one_of(store.backend(), Column::Id, ids))).await?;
        Ok(rooms.into_iter().map(|room| (room.id, Arc::new(room))).collect())
    }

    /// Rooms that this user belongs to; the only way callers outside `store` and `log` find rooms.
    #[must_use]
    pub fn visible_to(user: UserId) -> Select<Self> {
        Self::find()
            .join(JoinType::InnerJoin, Relation::Member.def())
            .filter(member::Column::UserId.eq(user))
            .filter(When::Now.condition())
    }

    /// Groups that everybody may find and join.
    #[must_use]
    pub fn open() -> Select<Self> {
        // Word for word the predicate of the partial index `room_open`.
        Self::find().filter(Expr::cust("room.join_policy = 2 AND room.deleted_at IS NULL"))
    }

    /// Rooms into which this user goes by the room's id alone: open ones, and those that the user is in already.
    #[must_use]
    pub fn enterable_by(user: UserId) -> Select<Self> {
        let mut own = Query::select();
        own.expr(Expr::value(1))
            .from(member::Entity)
            .and_where(Expr::col((member::Entity, member::Column::RoomId)).equals((Self, Column::Id)))
            .and_where(member::Column::UserId.eq(user))
            .cond_where(When::Now.condition());
        let is_open =
            Condition::all().add(Column::Kind.eq(RoomKind::Group)).add(Column::JoinPolicy.eq(JoinPolicy::Open));
        Self::find().filter(Column::DeletedAt.is_null()).filter(Condition::any().add(is_open).add(Expr::exists(own)))
    }

    /// Rooms that this user belongs to and that no other member has hidden.
    #[must_use]
    pub fn hidden_by_nobody(user: UserId) -> Select<Self> {
        let hider = Alias::new("hider");
        let hidden = Query::select()
            .expr(Expr::val(1))
            .from_as(member::Entity, hider.clone())
            .and_where(Expr::col((hider.clone(), member::Column::RoomId)).equals((Self, Column::Id)))
            .and_where(Expr::col((hider, member::Column::Hidden)))
            .to_owned();
        Self::visible_to(user).filter(Expr::exists(hidden).not())
    }
}
