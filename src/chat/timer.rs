//! Timers: what happens when its time has come, exactly once, however many nodes there are.
//!
//! A row of the table `timer` is set by a change, in the change's transaction. When it is due, one node has the scribe
//! apply the change that the timer is for. That change deletes the row in its own transaction, and does nothing if the row
//! isn't there: so it doesn't matter who else has tried, nor whether an answer was lost.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use sea_orm::sea_query::OnConflict;
use sea_orm::{DbErr, EntityTrait, IntoActiveModel, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::report::ForgetTexts;
use super::{Chat, Error};
use crate::log::Append;
use crate::store::entity::timer::{self, TimerKind};

/// The most timers that are looked at together.
const TOGETHER: u64 = 100;

/// What became of the timers that were due.
#[derive(Debug, Default)]
pub struct Fired {
    /// The kinds of those that have fired.
    pub kinds: Vec<TimerKind>,
    /// How long until the next one is due; `None` if none is set.
    pub next_in: Option<TimeDelta>,
}

/// Sets this timer, or moves it.
///
/// # Errors
/// When the database fails.
pub(in crate::chat) async fn set(
    append: &Append,
    kind: TimerKind,
    subject_id: Uuid,
    due_at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let key = [timer::Column::Kind, timer::Column::SubjectId];
    timer::Entity::insert(timer::Model { kind, subject_id, due_at }.into_active_model())
        .on_conflict(OnConflict::columns(key).update_column(timer::Column::DueAt).to_owned())
        .exec_without_returning(append.tx())
        .await?;
    Ok(())
}

/// Deletes this timer, if it is set.
///
/// # Errors
/// When the database fails.
pub(in crate::chat) async fn clear(append: &Append, kind: TimerKind, subject_id: Uuid) -> Result<(), DbErr> {
    timer::Entity::delete_by_id((kind, subject_id)).exec(append.tx()).await?;
    Ok(())
}

/// Whether this timer is due now, and if so, deletes it: what it is for is to be done in this transaction.
///
/// # Errors
/// When the database fails.
pub(in crate::chat) async fn fire(append: &Append, kind: TimerKind, subject_id: Uuid) -> Result<bool, DbErr> {
    let timer = timer::Entity::find_by_id((kind, subject_id)).one(append.tx()).await?;
    if timer.is_none_or(|timer| timer.due_at > append.now()) {
        return Ok(false);
    }
    clear(append, kind, subject_id).await?;
    Ok(true)
}

impl Chat {
    /// Has the timers fire that are due.
    ///
    /// # Errors
    /// When the database fails, for whichever timer; the others have fired.
    pub async fn fire_timers(&self) -> Result<Fired, Error> {
        let mut fired = Fired::default();
        loop {
            let next = timer::Entity::find().order_by_asc(timer::Column::DueAt).limit(TOGETHER).all(self.store.read());
            let next = next.await?;
            let now = self.store.now(&self.clock).await?;
            let due = next.iter().take_while(|timer| timer.due_at <= now);
            // All of them queue, so that they share a transaction.
            let outcomes = join_all(due.map(async |timer| Ok((timer.kind, self.fire_timer(timer).await?)))).await;
            let looked_at = outcomes.len();
            let mut failure = None;
            for outcome in outcomes {
                match outcome {
                    Ok((kind, true)) => fired.kinds.push(kind),
                    // Another node was faster, or it was moved.
                    Ok((_, false)) => {}
                    Err(error) => failure = Some(error),
                }
            }
            if let Some(error) = failure {
                return Err(error);
            }
            if looked_at < next.len() || next.is_empty() {
                fired.next_in = next.get(looked_at).map(|timer| timer.due_at - now);
                return Ok(fired);
            }
        }
    }

    async fn fire_timer(&self, timer: &timer::Model) -> Result<bool, Error> {
        match timer.kind {
            TimerKind::ReportTexts => self.change(ForgetTexts { report: timer.subject_id }).await,
        }
    }
}
