//! What users, or the list of words, have reported.

use sea_orm::entity::prelude::*;

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

/// Joins that start at a report: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
