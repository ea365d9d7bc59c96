//! Membership: which users are or were in which rooms, and how far each has read.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, Query};
use sea_orm::{Condition, JoinType, QuerySelect, RelationTrait};

use crate::ids::{RoomId, UserId};
use crate::position::Position;
use crate::store::list::one_of;

/// One user's membership of one room. The row stays when the user leaves: in a room that stands for a set of users, the
/// rows are that set.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member")]
pub struct Model {
    /// Which room.
    #[sea_orm(primary_key, auto_increment = false)]
    pub room_id: RoomId,
    /// Which user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// The position of the user's last `RoomJoined` of this room.
    pub joined_position: Position,
    /// The position of the event by which the user left the room or hid it; `None` while the user sees the room.
    pub left_position: Option<Position>,
    /// `seq` up to which the user has read.
    pub read_seq: i32,
    /// A `messagePosted` of all rooms leaves this room out for the user.
    pub muted: bool,
    /// When the user joined, the last time.
    pub joined_at: ChronoDateTimeUtc,
    /// The user has left a room of two, which hides it: the user sees nothing of it, and the other one still sees the user
    /// as a member. The next message brings it back.
    pub hidden: bool,
    /// What the user is in the room. In a direct room everybody is a member, and who opened it has a say of its own.
    pub role: RoomRole,
    /// Until when the user may not post.
    pub timeout_until: Option<ChronoDateTimeUtc>,
    /// When the user last posted in the room, where that is kept.
    pub last_post_at: Option<ChronoDateTimeUtc>,
    /// The user is notified of messages only by which they are mentioned.
    pub mentions_only: bool,
    /// `seq` of the first message that the member has marked as unread. What was read behind it counts as unread, for the member
    /// alone.
    pub unread_from: Option<i32>,
    /// How many of the member's own messages stand from there up to `read_seq`, without deleted ones.
    pub unread_own: i32,
}

/// What a member is in a room. The higher comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum RoomRole {
    /// Has every say.
    #[sea_orm(num_value = 1)]
    Owner,
    /// Keeps order.
    #[sea_orm(num_value = 2)]
    Moderator,
    /// Takes part.
    #[sea_orm(num_value = 3)]
    Member,
}

/// Joins that start at a member.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The room.
    #[sea_orm(belongs_to = "super::room::Entity", from = "Column::RoomId", to = "super::room::Column::Id")]
    Room,
    /// The user.
    #[sea_orm(belongs_to = "super::user::Entity", from = "Column::UserId", to = "super::user::Column::Id")]
    User,
}

impl Related<super::room::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Room.def()
    }
}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// The time at which a user must have been a member. Nothing else defines what a membership is.
///
/// There are three predicates rather than one: "now" as a case of "as of" would make PostgreSQL expect more rows than
/// there are, and would be wrong under the log's lock, where an append gives out positions that no `base` covers yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At present; under the log's lock, as far as this append has come.
    Now,
    /// When the log stood at this position.
    AsOf(Position),
    /// At any moment of an absence after the first position, for a user who had joined by the second.
    During {
        /// The last event before the absence.
        after: Position,
        /// The last event of the absence.
        base: Position,
    },
}

impl When {
    /// The memberships of that time, as a condition on this table's columns.
    #[must_use]
    pub fn condition(self) -> Condition {
        let (joined_by, not_left_by) = match self {
            Self::Now => return Condition::all().add(Column::LeftPosition.is_null()),
            Self::AsOf(base) => (base, base),
            Self::During { after, base } => (base, after),
        };
        let stayed = Condition::any().add(Column::LeftPosition.is_null()).add(Column::LeftPosition.gt(not_left_by));
        Condition::all().add(Column::JoinedPosition.lte(joined_by)).add(stayed)
    }
}

/// [`When::Now`] as SQL, for raw statements that call the table `table`.
#[must_use]
pub fn is_present(table: &str) -> String {
    format!("{table}.left_position IS NULL")
}

/// Whether the member has hidden the room: as the predicate of a partial index has it, which serves nothing else.
#[must_use]
pub fn is_hidden() -> Expr {
    Expr::col((Entity, Column::Hidden))
}

/// Whether the others in the room see this membership: its user is in the room, or has only hidden it. SQL, for raw statements
/// that call the table `table`.
#[must_use]
pub fn is_counted(table: &str) -> String {
    format!("({table}.left_position IS NULL OR {table}.hidden)")
}

impl Entity {
    /// The memberships that the others in a room see: those of the present, and of users who have only hidden the room.
    #[must_use]
    pub fn counted() -> Select<Self> {
        Self::find().filter(Condition::any().add(Column::LeftPosition.is_null()).add(Column::Hidden.eq(true)))
    }

    /// Whether a user, whose id is in this column, is this one or in a room with this one.
    #[must_use]
    pub fn shares_room_with<C: ColumnTrait>(column: C, user: UserId) -> Condition {
        let theirs = Alias::new("theirs");
        let at = |column: Column| Expr::col((theirs.clone(), column));
        let same_room = at(Column::RoomId).equals((Self, Column::RoomId));
        // Whoever has hidden a room is still found by the other, and finds the other.
        let counted = |left: Expr, hidden: Expr| Condition::any().add(left.is_null()).add(hidden.eq(true));
        let own = |column: Column| Expr::col((Self, column));
        let sharing = Query::select()
            .expr(at(Column::UserId))
            .from(Self)
            .join_as(
                JoinType::InnerJoin,
                Self,
                theirs.clone(),
                Condition::all().add(same_room).add(counted(at(Column::LeftPosition), at(Column::Hidden))),
            )
            .and_where(Column::UserId.eq(user))
            .cond_where(counted(own(Column::LeftPosition), own(Column::Hidden)))
            .to_owned();
        Condition::any().add(column.eq(user)).add(column.in_subquery(sharing))
    }

    /// All present memberships.
    #[must_use]
    pub fn present() -> Select<Self> {
        Self::find().filter(When::Now.condition())
    }

    /// The memberships that `user` had at that time.
    #[must_use]
    pub fn of(user: UserId, when: When) -> Select<Self> {
        Self::find().filter(Column::UserId.eq(user)).filter(when.condition())
    }
}

/// The part of a membership that the hub needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sea_orm::FromQueryResult)]
pub struct Membership {
    /// Which room.
    pub room_id: RoomId,
    /// Whether its user has muted it.
    pub muted: bool,
}

impl Membership {
    /// The memberships that `user` had when the log stood at `base`, and the position of the latest by which the user joined
    /// a room since: whoever left a room and came back since may have been in it at `base` as well, of which nothing is left.
    /// One statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn as_of(
        db: &impl ConnectionTrait,
        user: UserId,
        base: Position,
    ) -> Result<(Vec<Self>, Option<Position>), DbErr> {
        let since = Condition::all().add(Column::JoinedPosition.gt(base));
        let asked = Condition::any().add(When::AsOf(base).condition()).add(since);
        let rows: Vec<(RoomId, bool, Position)> = Entity::find()
            .filter(Column::UserId.eq(user))
            .filter(asked)
            .select_only()
            .columns([Column::RoomId, Column::Muted, Column::JoinedPosition])
            .into_tuple()
            .all(db)
            .await?;
        let latest = rows.iter().map(|(.., joined)| *joined).filter(|joined| *joined > base).max();
        let then = rows.into_iter().filter(|(.., joined)| *joined <= base);
        Ok((then.map(|(room_id, muted, _)| Self { room_id, muted }).collect(), latest))
    }

    /// The rooms of each of these users that have at most `max_members` members, with those that the user has hidden; and
    /// whether it is one of two of whom one blocks the other. One statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn small_rooms(
        db: &impl ConnectionTrait,
        users: &[UserId],
        max_members: u32,
    ) -> Result<Vec<(UserId, RoomId, bool)>, DbErr> {
        let blocked = super::block::between_two("room", "member.user_id");
        let blocked = Expr::cust(format!("CASE WHEN {blocked} THEN 1 ELSE 0 END"));
        let found: Vec<(UserId, RoomId, i32)> = Entity::counted()
            .join(JoinType::InnerJoin, Relation::Room.def())
            .filter(one_of(db.get_database_backend(), Column::UserId, users.iter().copied()))
            .filter(super::room::Column::MemberCount.lte(max_members))
            .select_only()
            .columns([Column::UserId, Column::RoomId])
            .column_as(blocked, "blocked")
            .into_tuple()
            .all(db)
            .await?;
        Ok(found.into_iter().map(|(user, room, blocked)| (user, room, blocked != 0)).collect())
    }
}
