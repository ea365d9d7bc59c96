//! Changes to the chat: a change checks a rule and writes, both under the log's lock.
//!
//! A rule is either applied [`Alone`], or in [`Bulk`] with others of its type where that saves statements.
//! [`command`](super::command) lists which is which.

use std::sync::Arc;

use sea_orm::DbErr;
use tokio::sync::oneshot;

use super::Error;
use crate::log::Append;

/// A change to the chat.
pub trait Change: Send + Sync + 'static {
    /// What the caller receives.
    type Outcome: Send + 'static;
}

/// A change that is applied by itself, in the order of arrival.
pub trait Alone: Change {
    /// Checks the rule, then writes. A refusal must come before the first write, because a refusal doesn't roll back
    /// the transaction.
    ///
    /// # Errors
    /// The refusal; or [`Error::Database`], which rolls back the whole transaction.
    fn apply(&self, append: &mut Append) -> impl Future<Output = Result<Self::Outcome, Error>> + Send;
}

/// A change that is applied together with others of its type, by a number of statements that doesn't depend on the
/// number of changes.
///
/// Within a run of bulk changes those of one type are applied together, one type after the other, so a type may be bulk
/// only if that makes no difference. Each has a property test, in `command/tests.rs`, which shows that a run applied
/// together leaves the same rows and outcomes as one applied one by one in the order of arrival, except for the
/// differences that the test names.
pub trait Bulk: Change + Sized {
    /// Applies these changes, which arrived in this order, and returns one outcome for each, in the same order. A
    /// refused change writes nothing.
    ///
    /// May be called again for the same changes, in another transaction, after the first was rolled back.
    ///
    /// # Errors
    /// Only when the database fails, which rolls back the whole transaction.
    fn apply_many(
        changes: &[&Self],
        append: &mut Append,
    ) -> impl Future<Output = Result<Vec<Result<Self::Outcome, Error>>, DbErr>> + Send;
}

/// A change that waits for its transaction, and the channel to its caller.
pub struct Pending<C: Change> {
    change: C,
    /// Set once the change is applied; the caller receives it when the transaction is committed.
    outcome: Option<Result<C::Outcome, Error>>,
    reply: oneshot::Sender<Result<C::Outcome, Error>>,
}

impl<C: Change> Pending<C> {
    /// A change whose outcome goes to `reply`.
    pub(super) fn new(change: C, reply: oneshot::Sender<Result<C::Outcome, Error>>) -> Self {
        Self { change, outcome: None, reply }
    }

    // The caller may have gone away; then nobody needs the outcome.
    pub(super) fn settle(self) {
        let _ = self.reply.send(self.outcome.unwrap_or(Err(Error::ShuttingDown)));
    }

    pub(super) fn fail(self, error: Arc<DbErr>) {
        let _ = self.reply.send(Err(Error::Database(error)));
    }

    pub(super) fn lose(self, error: Arc<DbErr>) {
        let _ = self.reply.send(Err(Error::Unknown(error)));
    }
}

impl<C: Alone> Pending<C> {
    pub(super) async fn apply(&mut self, append: &mut Append) -> Result<(), Arc<DbErr>> {
        match self.change.apply(append).await {
            Err(Error::Database(error)) => return Err(error),
            outcome => self.outcome = Some(outcome),
        }
        Ok(())
    }
}

impl<C: Bulk> Pending<C> {
    /// Applies these together. First writes what earlier changes have deferred, because bulk rules read it.
    pub(super) async fn apply_many(pending: &mut [&mut Self], append: &mut Append) -> Result<(), Arc<DbErr>> {
        if pending.is_empty() {
            return Ok(());
        }
        append.flush().await?;
        let changes: Vec<&C> = pending.iter().map(|pending| &pending.change).collect();
        let outcomes = C::apply_many(&changes, append).await?;
        debug_assert_eq!(outcomes.len(), pending.len(), "one outcome for each change");
        for (pending, outcome) in pending.iter_mut().zip(outcomes) {
            pending.outcome = Some(outcome);
        }
        Ok(())
    }
}
