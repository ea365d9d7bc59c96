//! What falls due: a timer has a command given to the scribe, once, when its time has come.

use sea_orm::entity::prelude::*;

/// One timer. It is set by the change that makes it necessary, and deleted by the change that it has made, each within the
/// change's own transaction.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "timer")]
pub struct Model {
    /// What is to be done.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: TimerKind,
    /// To what; by kind.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    /// When; later if nobody was there to do it, never sooner.
    pub due_at: ChronoDateTimeUtc,
}

/// What is to be done. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum TimerKind {
    /// What was said in a resolved report is forgotten. The subject is the report.
    #[sea_orm(num_value = 10)]
    ReportTexts,
}

impl TimerKind {
    /// What metrics call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReportTexts => "report_texts",
        }
    }
}

/// Joins that start at a timer: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
