//! What the app's own backend is told of reports. No socket receives it.

use super::EventRows;
use crate::log::{Event, Kind};
use crate::store::entity::report;

/// A report was made, or resolved.
#[derive(Clone, Debug)]
pub struct ReportNotice {
    /// The report as it is now.
    pub report: report::Model,
    /// Whether it was resolved; otherwise it was made.
    pub resolved: bool,
}

impl ReportNotice {
    /// `None` if the report isn't there any more.
    pub(super) fn of(event: &Event, rows: &EventRows) -> Option<Self> {
        let report = rows.report(event.report()?)?.clone();
        Some(Self { report, resolved: event.kind == Kind::ReportResolved })
    }
}
