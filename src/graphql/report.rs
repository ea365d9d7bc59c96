//! Reports of messages and users, and their queue.

use async_graphql::{Context, Description, Enum, ID, InputObject, Object, SimpleObject};

use super::error::ApiError;
use super::events::{Event, Stamp, event};
use super::execution::context::ContextExt;
use super::user::User;
use super::values::page::{self, GivenKey, List, Page, page};
use super::values::scalars::{DateTime, ShownCursor};
use crate::chat::user::UserRef;
use crate::chat::{self, Window};
use crate::delivery::notice::ReportNotice;
use crate::ids::{MessageId, ReportId};
use crate::limits::PerUser;
use crate::store::entity::report;

/// Why something is reported.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "report::ReportReason")]
pub enum ReportReason {
    /// Advertising, or the same again and again.
    Spam,
    /// Somebody is bothered or threatened.
    Harassment,
    /// Against a group of people.
    Hate,
    /// Violence, or a call for it.
    Violence,
    /// Sexual content.
    Sexual,
    /// Somebody may harm themselves.
    SelfHarm,
    /// Against the law.
    Illegal,
    /// Anything else, and what the operator's list of words has found.
    Other,
}

/// What came of a report.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "report::ReportOutcome")]
pub enum ReportOutcome {
    /// There was nothing to be done.
    Dismissed,
    /// Something was done, by the mutations for it.
    Acted,
}

/// Somebody, or the operator's list of words, finds that a message or a user shouldn't be so.
#[derive(Clone, Description)]
pub(crate) struct Report(pub(super) report::Model);

#[Object(use_type_description)]
impl Report {
    /// The report's id, which never changes. `node` doesn't take it.
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Who made it. Null when the list of words did, or the account has been deleted since.
    async fn reporter(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        match self.0.reporter_id {
            Some(reporter) => Ok(ctx.loader().load_one(reporter).await?.map(User)),
            None => Ok(None),
        }
    }

    /// The id of the message that it is about. Null: it is about the user.
    async fn message_id(&self) -> Option<ID> {
        self.0.message_id.map(Into::into)
    }

    /// The id of the message's room.
    async fn room_id(&self) -> Option<ID> {
        self.0.room_id.map(Into::into)
    }

    /// The message's text as it was when it was reported, whatever became of it since. Null once its author has deleted
    /// the account with all messages, and 90 days after the report was resolved.
    async fn reported_body(&self) -> Option<&str> {
        self.0.body.as_deref()
    }

    /// The id of whom it is about: the message's author, or the user.
    async fn user_id(&self) -> ID {
        self.0.user_id.into()
    }

    /// Whom it is about. Null when the account has been deleted since.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        Ok(ctx.loader().load_one(self.0.user_id).await?.map(User))
    }

    /// Why.
    async fn reason(&self) -> ReportReason {
        self.0.reason.into()
    }

    /// What the reporter says of it.
    async fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// What came of it. Null while it is open.
    async fn outcome(&self) -> Option<ReportOutcome> {
        self.0.outcome.map(Into::into)
    }

    /// Who resolved it. Null while it is open, when the app's own backend did, or when the account has been deleted since.
    async fn resolved_by(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        match self.0.resolved_by {
            Some(judge) => Ok(ctx.loader().load_one(judge).await?.map(User)),
            None => Ok(None),
        }
    }

    /// When it was resolved.
    async fn resolved_at(&self) -> Option<DateTime> {
        self.0.resolved_at.map(Into::into)
    }
}

event! {
    /// Somebody, or the operator's list of words, has reported a message or a user. **Webhooks and `log` only**: no socket
    /// receives it, neither the reporter's nor that of whom it is about.
    ReportFiled {
        /// The report as it is now.
        report: Report,
    }
}
event! {
    /// A report was resolved. **Webhooks and `log` only**, as `ReportFiled`.
    ReportResolved {
        /// The report as it is now.
        report: Report,
    }
}

pub(super) fn event(stamp: Stamp, notice: &ReportNotice) -> Event {
    let (Stamp { cursor, at }, report) = (stamp, Report(notice.report.clone()));
    if notice.resolved {
        ReportResolved { cursor, at, report }.into()
    } else {
        ReportFiled { cursor, at, report }.into()
    }
}

/// What is reported: either a message or a user.
#[derive(InputObject)]
pub(crate) struct ReportInput {
    /// A message that the viewer sees.
    message_id: Option<MessageId>,
    /// A user whom the viewer sees: `user_…`, or the app's own id after `ext:`.
    user_id: Option<UserRef>,
    /// Why.
    reason: ReportReason,
    /// What the viewer says of it: at most 1,000 characters.
    note: Option<String>,
}

/// The report that was made.
#[derive(SimpleObject)]
pub(crate) struct ReportPayload {
    /// The report's id.
    report_id: ID,
}

/// The report that was resolved.
#[derive(SimpleObject)]
pub(crate) struct ResolveReportPayload {
    /// The report.
    report: Report,
}

/// The queue of reports.
#[derive(Default)]
pub(crate) struct ReportQuery;

#[Object]
impl ReportQuery {
    /// Server key: the reports that are open, or those that are resolved, the oldest first.
    ///
    /// Errors: `FORBIDDEN` with `SERVER_KEY_NEEDED` for everybody else.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn reports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whether those that are resolved.", default = false)] resolved: bool,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<
            GivenKey<ReportId>,
        >,
    ) -> Result<Page<ReportId, Report>, ApiError> {
        let key = ctx.server()?;
        let window = Window::forward(first, page::after(ctx, List::Reports, after)?)?;
        let reports = ctx.chat().reports(key, resolved, &window).await?;
        Ok(page(ctx, List::Reports, reports, |report| report.id, Report))
    }
}

/// Reporting, and resolving what was reported.
#[derive(Default)]
pub(crate) struct ReportMutation;

#[Object]
impl ReportMutation {
    /// Reports a message or a user to the operator. A message's text is kept as it is now. The same again answers the
    /// report that there is; that of a user waits again if it was resolved. Nobody who is reported is told.
    ///
    /// Errors: `NOT_FOUND` when the viewer sees no such message or user; `BAD_USER_INPUT` for both or neither, one's own,
    /// or a note that is too long; `CONFLICT` for a message that was deleted, and when 100 reports of the viewer's are
    /// open.
    async fn report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is reported, and why.")] input: ReportInput,
    ) -> Result<ReportPayload, ApiError> {
        let ReportInput { message_id, user_id, reason, note } = input;
        let input = chat::report::ReportInput { message: message_id, user: user_id, reason: reason.into(), note };
        let report = ctx.chat().report(ctx.charge(PerUser::Reports).await?, input).await?;
        Ok(ReportPayload { report_id: report.into() })
    }

    /// Says what came of a report: for a server key, and for those whose `Room.viewer.reports` has it. Acting is by the
    /// mutations that there are for it.
    ///
    /// Errors: `NOT_FOUND` when there is no such report, or it isn't the viewer's to judge; `CONFLICT` when somebody else has
    /// resolved it otherwise, which only a server key may change.
    async fn resolve_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The report's id: `report_…`.")] report_id: ReportId,
        #[graphql(desc = "What came of it.")] outcome: ReportOutcome,
    ) -> Result<ResolveReportPayload, ApiError> {
        let actor = ctx.charge_actor(PerUser::Writes).await?;
        let report = ctx.chat().resolve_report(actor, report_id, outcome.into()).await?;
        Ok(ResolveReportPayload { report: Report(report) })
    }
}
