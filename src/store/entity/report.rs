//! What users, or the list of words, have reported.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveEnum, Iterable};

use super::member::{self, RoomRole};
use super::user::UserType;
use crate::ids::{MessageId, ReportId, RoomId, UserId};

/// One report.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "report")]
pub struct Model {
    /// Which report.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReportId,
    /// Who made it. `None`: the list of words did.
    pub reporter_id: Option<UserId>,
    /// Of a message: its room.
    pub room_id: Option<RoomId>,
    /// The message that it is about, which may be gone with its room. `None`: it is about the user.
    pub message_id: Option<MessageId>,
    /// Whom it is about: the message's author, or the user.
    pub user_id: UserId,
    /// The message's text as it was then. `None` of a user, and once it is no longer kept.
    pub body: Option<String>,
    /// Why.
    pub reason: ReportReason,
    /// What the reporter says of it.
    pub note: Option<String>,
    /// When it was made.
    pub created_at: ChronoDateTimeUtc,
    /// What came of it. `None`: it is open.
    pub outcome: Option<ReportOutcome>,
    /// Who resolved it. `None`: nobody yet, or a server key that acted for nobody.
    pub resolved_by: Option<UserId>,
    /// When it was resolved.
    pub resolved_at: Option<ChronoDateTimeUtc>,
}

/// Why something is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
#[expect(missing_docs, reason = "they are the words of the schema, which describes them")]
pub enum ReportReason {
    #[sea_orm(num_value = 1)]
    Spam,
    #[sea_orm(num_value = 2)]
    Harassment,
    #[sea_orm(num_value = 3)]
    Hate,
    #[sea_orm(num_value = 4)]
    Violence,
    #[sea_orm(num_value = 5)]
    Sexual,
    #[sea_orm(num_value = 6)]
    SelfHarm,
    #[sea_orm(num_value = 7)]
    Illegal,
    #[sea_orm(num_value = 8)]
    Other,
}

/// What came of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum ReportOutcome {
    /// There was nothing to be done.
    #[sea_orm(num_value = 1)]
    Dismissed,
    /// Something was done.
    #[sea_orm(num_value = 2)]
    Acted,
}

/// Whom a report of a message is about, as far as it matters to who may judge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whom {
    /// What the user is in the room; who has left it is a member like any other.
    pub role: RoomRole,
    /// What kind of user it is.
    pub r#type: UserType,
}

impl Whom {
    /// All that there are.
    pub fn all() -> impl Iterator<Item = Self> {
        RoomRole::iter().flat_map(|role| UserType::iter().map(move |r#type| Self { role, r#type }))
    }

    /// Its bit in [`Judged`], which is counted as [`Judged::holds`] counts it.
    fn bit(self) -> i32 {
        1 << (2 * self.role.into_value() + i16::from(self.r#type == UserType::Support))
    }

    /// The role of whom a report is about: SQL, of the table of reports that the statement calls `table`.
    #[must_use]
    pub fn role_in(table: &str) -> String {
        format!(
            "CAST(COALESCE((SELECT whom.role FROM member AS whom WHERE whom.room_id = {table}.room_id \
             AND whom.user_id = {table}.user_id AND {is_counted}), {member}) AS smallint)",
            is_counted = member::is_counted("whom"),
            member = RoomRole::Member.into_value(),
        )
    }

    /// The type of whom a report is about, likewise.
    #[must_use]
    pub fn type_in(table: &str) -> String {
        format!("(SELECT whom.type FROM \"user\" AS whom WHERE whom.id = {table}.user_id)")
    }
}

/// A set of [`Whom`], for statements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Judged(pub i32);

impl Judged {
    /// Whether nobody is in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the set in this column holds whom a report is about: SQL, of the table of reports that the statement calls
    /// `table`.
    #[must_use]
    pub fn holds(column: &str, table: &str) -> String {
        let (role, r#type) = (Whom::role_in(table), Whom::type_in(table));
        let support = UserType::Support.into_value();
        format!("({column} & (1 << (2 * {role} + CASE WHEN {type} = '{support}' THEN 1 ELSE 0 END))) <> 0")
    }
}

impl FromIterator<Whom> for Judged {
    fn from_iter<I: IntoIterator<Item = Whom>>(all: I) -> Self {
        Self(all.into_iter().fold(0, |set, whom| set | whom.bit()))
    }
}

/// Joins that start at a report: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
