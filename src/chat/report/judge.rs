//! The reports of a room as those see them who keep order in it, and resolving them.

use std::collections::HashMap;

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IntoActiveModel, Set};
use uuid::Uuid;

use super::texts::forget_later;
use crate::chat::access::{Action, Standing};
use crate::chat::change::{Alone, Change};
use crate::chat::{Actor, Argument, Chat, Error, Slice, Viewer, Window};
use crate::ids::{ReportId, RoomId, UserId};
use crate::log::{Append, NewEvent};
use crate::store::entity::member::RoomRole;
use crate::store::entity::report::{self, Judged, ReportOutcome, Whom};
use crate::store::entity::user::UserType;
use crate::store::entity::{member, room};
use crate::store::list::{Rows, columns, columns_as};

const REPORT_NOT_FOUND: Error = Error::NotFound { what: "report", argument: Argument::ReportId };

impl Chat {
    /// One page of the open reports of each of these rooms, the newest first, of those of whom the viewer may judge them.
    /// Every room has an entry. One statement.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn room_reports(
        &self,
        _: &Viewer,
        rooms: &[(RoomId, Judged)],
        window: &Window<ReportId>,
    ) -> Result<HashMap<RoomId, Slice<report::Model>>, Error> {
        if rooms.is_empty() {
            return Ok(HashMap::new());
        }
        let asked = rooms.iter().map(|(room, judged)| [(*room).into(), judged.0.into()]);
        let mut rows = Rows::new(self.store.backend(), asked);
        rows.values.push(window.after.unwrap_or(ReportId(Uuid::max())).into());
        // One report more than the page holds shows that there are more. As an array PostgreSQL looks them up by their ids,
        // as SQLite does with a list.
        let (any_of, end) = match self.store.backend() {
            DbBackend::Postgres => ("= ANY (ARRAY(", "))"),
            _ => ("IN (", ")"),
        };
        let sql = format!(
            "WITH asked (room_id, judged) AS ({rows}) SELECT {columns} FROM asked JOIN report ON report.id {any_of}\
               SELECT next.id FROM report AS next WHERE next.room_id = asked.room_id AND next.resolved_at IS NULL \
               AND next.id < ${after} AND {is_judged} ORDER BY next.id DESC LIMIT {limit}{end} \
             ORDER BY report.room_id, report.id DESC",
            rows = rows.sql,
            columns = columns::<report::Entity>(),
            is_judged = Judged::holds("asked.judged", "next"),
            after = rows.values.len(),
            limit = window.limit + 1,
        );
        let statement = self.store.statement(&sql, rows.values);
        let mut found: HashMap<RoomId, Vec<report::Model>> =
            rooms.iter().map(|(room, _)| (*room, Vec::new())).collect();
        for report in report::Entity::find().from_raw_sql(statement).all(self.store.read()).await? {
            if let Some(reports) = report.room_id.and_then(|room| found.get_mut(&room)) {
                reports.push(report);
            }
        }
        Ok(found.into_iter().map(|(room, reports)| (room, Slice::probed(reports, window))).collect())
    }

    /// Resolves a report. The same outcome again changes nothing; another one changes it, by who has resolved it or by a
    /// server key.
    ///
    /// # Errors
    /// `NotFound` when there is no such report, or it isn't theirs to judge; `Conflict` when somebody else has resolved it
    /// otherwise.
    pub async fn resolve_report(
        &self,
        actor: Actor,
        id: ReportId,
        outcome: ReportOutcome,
    ) -> Result<report::Model, Error> {
        self.change(ResolveReport { actor, id, outcome }).await
    }
}

/// Resolve a report.
pub struct ResolveReport {
    actor: Actor,
    id: ReportId,
    outcome: ReportOutcome,
}

impl Change for ResolveReport {
    type Outcome = report::Model;
}

impl Alone for ResolveReport {
    async fn apply(&self, append: &mut Append) -> Result<report::Model, Error> {
        let report = match self.actor {
            Actor { key: true, .. } => report::Entity::find_by_id(self.id).one(append.tx()).await?,
            Actor { key: false, user: Some(judge) } => to_be_judged_by(append, judge, self.id).await?,
            Actor { key: false, user: None } => return Err(Error::Unauthenticated),
        };
        let report = report.ok_or(REPORT_NOT_FOUND)?;
        if report.outcome == Some(self.outcome) {
            return Ok(report);
        }
        if report.outcome.is_some() && !self.actor.key && report.resolved_by != self.actor.user {
            let problem = "somebody else has resolved it otherwise";
            return Err(Error::Conflict { argument: Argument::ReportId, problem });
        }
        let told = report.reporter_id.unwrap_or(report.user_id);
        let mut report = report.into_active_model();
        report.outcome = Set(Some(self.outcome));
        report.resolved_by = Set(self.actor.user);
        report.resolved_at = Set(Some(append.now()));
        let report = report.update(append.tx()).await?;
        forget_later(append, report.id).await?;
        append.record(NewEvent::report_resolved(told, report.id));
        Ok(report)
    }
}

/// Who judges a report, and of whom it is.
#[derive(FromQueryResult)]
struct Parties {
    judge_type: UserType,
    whom_role: RoomRole,
    whom_type: UserType,
}

/// The report, if this user may judge it. One statement for what is absent and for what isn't the user's to see, so that
/// nothing tells them apart.
async fn to_be_judged_by(append: &Append, judge: UserId, id: ReportId) -> Result<Option<report::Model>, Error> {
    let sql = format!(
        "SELECT {of_report}, {of_room}, {of_member}, judge.type AS judge_type, {whom_role} AS whom_role, \
         {whom_type} AS whom_type FROM report JOIN room ON room.id = report.room_id \
         JOIN member ON member.room_id = report.room_id AND member.user_id = $2 AND {is_present} \
         JOIN \"user\" AS judge ON judge.id = member.user_id WHERE report.id = $1",
        of_report = columns_as::<report::Entity>("report_"),
        of_room = columns_as::<room::Entity>("room_"),
        of_member = columns_as::<member::Entity>("member_"),
        whom_role = Whom::role_in("report"),
        whom_type = Whom::type_in("report"),
        is_present = member::is_present("member"),
    );
    let statement = append.store().statement(&sql, vec![id.into(), judge.into()]);
    let Some(row) = append.tx().query_one_raw(statement).await? else { return Ok(None) };
    let report = report::Model::from_query_result(&row, "report_")?;
    let (room, member) =
        (room::Model::from_query_result(&row, "room_")?, member::Model::from_query_result(&row, "member_")?);
    let Parties { judge_type, whom_role, whom_type } = Parties::from_query_result(&row, "")?;
    let whom = Whom { role: whom_role, r#type: whom_type };
    let may = Standing::in_support(&room, &member, append.now(), judge_type).may(Action::JudgeReportOf(whom));
    Ok(may.is_ok().then_some(report))
}
