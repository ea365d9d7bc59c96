//! How changes reach the log: each is asked of the scribe, which applies many in one transaction.

use std::sync::Arc;

use sea_orm::DbErr;
use tokio::sync::oneshot;

use super::Error;
use super::accounts::DeleteUser;
use super::messages::{DeleteMessage, EditMessage, Post};
use super::reading::{MarkRead, MuteRoom};
use super::rooms::{DeleteRoom, Initiate, Leave};
use super::sessions::Revoke;
use crate::ids::UserId;
use crate::log::{self, Append};

/// A change to the chat: a rule and what it writes, both under the log's lock.
pub trait Change: Send + Sync + 'static {
    /// What the caller is told.
    type Outcome: Send + 'static;

    /// Checks the rule, then writes. A refusal must come before the first write, for it does not undo the transaction.
    ///
    /// # Errors
    /// The refusal; or [`Error::Database`], which undoes the whole transaction.
    fn apply(&self, append: &mut Append) -> impl Future<Output = Result<Self::Outcome, Error>> + Send;

    /// Whose tokens may be good no longer once it is done.
    fn ends_sessions_of(&self) -> Option<UserId> {
        None
    }
}

/// A change and the one who asked for it.
pub struct Ask<C: Change> {
    /// What is asked.
    pub change: C,
    /// How it went, once applied.
    pub outcome: Option<Result<C::Outcome, Error>>,
    reply: oneshot::Sender<Result<C::Outcome, Error>>,
}

impl<C: Change> Ask<C> {
    /// Asks for a change; the outcome goes to `reply`.
    pub fn new(change: C, reply: oneshot::Sender<Result<C::Outcome, Error>>) -> Self {
        Self { change, outcome: None, reply }
    }

    async fn apply(&mut self, append: &mut Append) -> Result<(), Arc<DbErr>> {
        match self.change.apply(append).await {
            Err(Error::Database(error)) => return Err(error),
            outcome => self.outcome = Some(outcome),
        }
        Ok(())
    }

    // A caller that has gone away needs no answer.
    fn settle(self) {
        let _ = self.reply.send(self.outcome.unwrap_or(Err(Error::ShuttingDown)));
    }

    fn fail(self, error: Arc<DbErr>) {
        let _ = self.reply.send(Err(Error::Database(error)));
    }
}

macro_rules! commands {
    ($($change:ident),+ $(,)?) => {
        /// Every change that goes through the log.
        pub enum Command {
            $(#[doc = concat!("See [`", stringify!($change), "`].")] $change(Ask<$change>),)+
        }

        $(impl From<Ask<$change>> for Command {
            fn from(ask: Ask<$change>) -> Self {
                Self::$change(ask)
            }
        })+

        impl Command {
            async fn apply(&mut self, append: &mut Append) -> Result<(), Arc<DbErr>> {
                match self {
                    $(Self::$change(ask) => ask.apply(append).await,)+
                }
            }
        }

        impl log::Command for Command {
            async fn apply_all(commands: &mut [Self], append: &mut Append) -> Result<(), Arc<DbErr>> {
                apply_all(commands, append).await
            }

            fn settle(self) {
                match self {
                    $(Self::$change(ask) => ask.settle(),)+
                }
            }

            fn fail(self, error: Arc<DbErr>) {
                match self {
                    $(Self::$change(ask) => ask.fail(error),)+
                }
            }
        }
    };
}

commands![Post, MarkRead, EditMessage, DeleteMessage, Initiate, Leave, DeleteRoom, MuteRoom, Revoke, DeleteUser];

/// In the order of arrival, but a run of posts and read marks is written with as few statements as possible: first the
/// posts, then the marks. The two don't touch each other's outcome, for nobody can mark what is not yet answered.
async fn apply_all(commands: &mut [Command], append: &mut Append) -> Result<(), Arc<DbErr>> {
    let in_bulk = |command: &Command| matches!(command, Command::Post(_) | Command::MarkRead(_));
    for run in commands.chunk_by_mut(|a, b| in_bulk(a) && in_bulk(b)) {
        append.flush_rooms().await?;
        let (mut posts, mut marks) = (Vec::new(), Vec::new());
        for command in run {
            match command {
                Command::Post(ask) => posts.push(ask),
                Command::MarkRead(ask) => marks.push(ask),
                other => other.apply(append).await?,
            }
        }
        Post::apply_all(&mut posts, append).await?;
        if !marks.is_empty() {
            append.flush_rooms().await?;
            MarkRead::apply_all(&mut marks, append).await?;
        }
    }
    Ok(())
}
