//! What was said in a report is kept for a time after it was resolved, and then forgotten.

use chrono::TimeDelta;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use crate::chat::change::{Alone, Change};
use crate::chat::{Error, timer};
use crate::ids::ReportId;
use crate::log::Append;
use crate::store::entity::report;
use crate::store::entity::timer::TimerKind;

/// For how long what was said is kept after a report was resolved.
const KEEP_TEXTS: TimeDelta = TimeDelta::days(90);

/// This report is resolved now: its texts will be forgotten.
pub(super) async fn forget_later(append: &Append, report: ReportId) -> Result<(), DbErr> {
    timer::set(append, TimerKind::ReportTexts, report.0, append.now() + KEEP_TEXTS).await
}

/// This report is open again: its texts stay.
pub(super) async fn keep(append: &Append, report: ReportId) -> Result<(), DbErr> {
    timer::clear(append, TimerKind::ReportTexts, report.0).await
}

/// Forgets what was said in a report, if its timer is due. The outcome is whether it was.
pub struct ForgetTexts {
    /// The timer's subject.
    pub(in crate::chat) report: Uuid,
}

impl Change for ForgetTexts {
    type Outcome = bool;
}

impl Alone for ForgetTexts {
    async fn apply(&self, append: &mut Append) -> Result<bool, Error> {
        if !timer::fire(append, TimerKind::ReportTexts, self.report).await? {
            return Ok(false);
        }
        report::Entity::update_many()
            .set(report::ActiveModel { body: Set(None), note: Set(None), ..Default::default() })
            .filter(report::Column::Id.eq(self.report))
            .exec(append.tx())
            .await?;
        Ok(true)
    }
}
