//! Reports: what users find that shouldn't be there, and what came of it. Acting on one is by the mutations that exist. Making
//! one and the operator's queue are here; what the keepers of a room see and resolve is in `judge`, for
//! how long texts are kept in `texts`.

use std::collections::HashSet;
use std::fmt;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Set,
};

use super::change::{Alone, Change};
use super::user::UserRef;
use super::{Argument, Chat, Error, ServerKey, Slice, Viewer, Window};
use crate::ids::{MessageId, ReportId, UserId};
use crate::log::{Append, NewEvent};
use crate::store::entity::report::{self, ReportReason};
use crate::store::entity::{message, user};
use crate::store::list::{ROWS_PER_STATEMENT, one_of};

mod judge;
mod texts;

pub use judge::ResolveReport;
pub use texts::ForgetTexts;

/// The most characters of a note.
pub const MAX_NOTE_CHARS: usize = 1_000;

/// The most open reports that a user may have made.
const MAX_OPEN: u64 = 100;

/// What is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Message(MessageId),
    User(UserId),
}

/// A report as its reporter makes it. `Debug` doesn't show what it says.
pub struct ReportInput {
    /// A message.
    pub message: Option<MessageId>,
    /// A user.
    pub user: Option<UserRef>,
    /// Why.
    pub reason: ReportReason,
    /// What the reporter says of it.
    pub note: Option<String>,
}

impl fmt::Debug for ReportInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportInput").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl Chat {
    /// Reports a message or a user. The same again answers the report that there is; that of a user waits again if it was
    /// resolved. A message's text is kept as it is now.
    ///
    /// # Errors
    /// `Invalid` unless it is about one thing, which isn't the viewer's own; `NotFound` for a message that the viewer can't
    /// see (any more), and a user whom the viewer can't; `Conflict` when too many reports of the viewer's are open.
    pub async fn report(&self, viewer: &Viewer, input: ReportInput) -> Result<ReportId, Error> {
        let note = input.note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
        if note.as_ref().is_some_and(|note| note.chars().count() > MAX_NOTE_CHARS) {
            return Err(Error::invalid(Argument::Note, format!("must have at most {MAX_NOTE_CHARS} characters")));
        }
        if note.as_ref().is_some_and(|note| note.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t'))) {
            return Err(Error::invalid(Argument::Note, "must not hold control characters"));
        }
        let subject = match (input.message, input.user) {
            (Some(message), None) => Subject::Message(message),
            (None, Some(named)) => {
                let not_found = Error::NotFound { what: "user", argument: Argument::UserId };
                Subject::User(self.user(viewer, &named).await?.ok_or(not_found)?.id)
            }
            _ => return Err(Error::invalid(Argument::MessageId, "name either a message or a user")),
        };
        self.change(MakeReport { reporter: viewer.user, subject, reason: input.reason, note }).await
    }

    /// Reports that are resolved or not, the oldest first, for a server key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reports(
        &self,
        _: &ServerKey,
        resolved: bool,
        window: &Window<ReportId>,
    ) -> Result<Slice<report::Model>, Error> {
        let state = report::Column::ResolvedAt;
        let mut reports = report::Entity::find().filter(if resolved { state.is_not_null() } else { state.is_null() });
        if let Some(after) = window.after {
            reports = reports.filter(report::Column::Id.gt(after));
        }
        let limit = u64::from(window.limit) + 1;
        let found = reports.order_by_asc(report::Column::Id).limit(limit).all(self.store.read()).await?;
        Ok(Slice::probed(found, window))
    }
}

/// Report a message or a user.
pub struct MakeReport {
    reporter: UserId,
    subject: Subject,
    reason: ReportReason,
    note: Option<String>,
}

impl Change for MakeReport {
    type Outcome = ReportId;
}

impl Alone for MakeReport {
    async fn apply(&self, append: &mut Append) -> Result<ReportId, Error> {
        let (message, whom, argument) = match self.subject {
            Subject::Message(id) => {
                let found = message::Entity::visible_to(self.reporter).filter(message::Column::Id.eq(id));
                let message = found.one(append.tx()).await?.ok_or(Error::MESSAGE_NOT_FOUND)?;
                let author = message.author_id;
                (Some(message), author, Argument::MessageId)
            }
            Subject::User(user) => (None, user, Argument::UserId),
        };
        if whom == self.reporter {
            return Err(Error::invalid(argument, "must not be your own"));
        }
        let same = Condition::all().add(report::Column::ReporterId.eq(self.reporter));
        let same = match self.subject {
            Subject::Message(id) => same.add(report::Column::MessageId.eq(id)),
            Subject::User(user) => same.add(report::Column::MessageId.is_null()).add(report::Column::UserId.eq(user)),
        };
        if let Some(same) = report::Entity::find().filter(same).one(append.tx()).await? {
            if message.is_none() && same.resolved_at.is_some() {
                self.again(&same, append).await?;
            }
            return Ok(same.id);
        }
        // Either account may have been deleted while this waited; a message outlives its author's.
        let mut present = vec![self.reporter];
        present.extend(message.is_none().then_some(whom));
        let expected = present.len() as u64;
        let found = user::Entity::present().filter(user::Column::Id.is_in(present)).count(append.tx()).await?;
        if found < expected {
            return Err(Error::NotFound { what: "user", argument: Argument::UserId });
        }
        if message.as_ref().is_some_and(|message| message.deleted_at.is_some()) {
            return Err(Error::Conflict { argument, problem: "the message was deleted" });
        }
        let open = report::Entity::find()
            .filter(report::Column::ReporterId.eq(self.reporter))
            .filter(report::Column::ResolvedAt.is_null());
        if open.count(append.tx()).await? >= MAX_OPEN {
            let problem = "as many of your reports as a user may have are open";
            return Err(Error::Conflict { argument, problem });
        }
        let report = report::Model {
            id: ReportId::generate(),
            reporter_id: Some(self.reporter),
            room_id: message.as_ref().map(|message| message.room_id),
            message_id: message.as_ref().map(|message| message.id),
            user_id: whom,
            body: message.map(|message| message.body),
            reason: self.reason,
            note: self.note.clone(),
            created_at: append.now(),
            outcome: None,
            resolved_by: None,
            resolved_at: None,
        };
        let id = report.id;
        report.into_active_model().insert(append.tx()).await?;
        append.record(NewEvent::report_made(self.reporter, id));
        Ok(id)
    }
}

impl MakeReport {
    /// Somebody of whom a report was resolved goes on: it waits again, with what is said now.
    async fn again(&self, resolved: &report::Model, append: &mut Append) -> Result<(), DbErr> {
        let mut again = resolved.clone().into_active_model();
        again.reason = Set(self.reason);
        again.note = Set(self.note.clone());
        again.created_at = Set(append.now());
        again.outcome = Set(None);
        again.resolved_at = Set(None);
        again.update(append.tx()).await?;
        texts::keep(append, resolved.id).await?;
        append.record(NewEvent::report_made(self.reporter, resolved.id));
        Ok(())
    }
}

/// Has the list of words report these messages, with the texts as they were written. A message of which an open report of
/// the list is there already isn't reported again.
///
/// # Errors
/// When the database fails.
pub(in crate::chat) async fn report_by_words(
    append: &mut Append,
    messages: &[(&message::Model, &str)],
) -> Result<(), DbErr> {
    if messages.is_empty() {
        return Ok(());
    }
    let backend = append.store().backend();
    let open: Vec<MessageId> = report::Entity::find()
        .filter(one_of(backend, report::Column::MessageId, messages.iter().map(|(message, _)| message.id)))
        .filter(report::Column::ReporterId.is_null())
        .filter(report::Column::ResolvedAt.is_null())
        .select_only()
        .column(report::Column::MessageId)
        .into_tuple()
        .all(append.tx())
        .await?;
    let mut seen: HashSet<MessageId> = open.into_iter().collect();
    let mut reports = Vec::new();
    for (message, body) in messages {
        // A message that was posted again is here twice.
        if !seen.insert(message.id) {
            continue;
        }
        let report = report::Model {
            id: ReportId::generate(),
            reporter_id: None,
            room_id: Some(message.room_id),
            message_id: Some(message.id),
            user_id: message.author_id,
            body: Some((*body).to_owned()),
            reason: ReportReason::Other,
            note: None,
            created_at: append.now(),
            outcome: None,
            resolved_by: None,
            resolved_at: None,
        };
        append.record(NewEvent::report_made(message.author_id, report.id));
        reports.push(report.into_active_model());
    }
    for reports in reports.chunks(ROWS_PER_STATEMENT) {
        report::Entity::insert_many(reports.to_vec()).exec_without_returning(append.tx()).await?;
    }
    Ok(())
}
