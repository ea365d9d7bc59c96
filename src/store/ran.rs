//! What is told of each statement that the database has run.

use std::sync::{Arc, OnceLock};

use sea_orm::Statement;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::OnStatement;

tokio::task_local! {
    /// Set in tasks whose statements nobody has asked for.
    static IN_BACKGROUND: ();
}

/// A statement that has run, well or not.
#[derive(Clone, Debug)]
pub struct Watched {
    /// It, with its parameters.
    pub statement: Statement,
    /// Whether work of [`in_background`] ran it.
    pub in_background: bool,
}

/// Work that a node does by itself and whenever it comes to it, marked as such to whoever watches the statements.
pub(crate) fn in_background<W: Future>(work: W) -> impl Future<Output = W::Output> {
    IN_BACKGROUND.scope((), work)
}

/// Is told of each statement. Clones share it.
#[derive(Clone)]
pub(super) struct Ran {
    on_statement: OnStatement,
    /// Set by the first call of [`Self::watch`].
    watcher: Arc<OnceLock<UnboundedSender<Watched>>>,
}

impl Ran {
    pub(super) fn new(on_statement: OnStatement) -> Self {
        Self { on_statement, watcher: Arc::default() }
    }

    /// This statement was run, well or not.
    pub(super) fn note(&self, statement: &Statement) {
        let in_background = IN_BACKGROUND.try_with(|()| ()).is_ok();
        (self.on_statement)(in_background);
        if let Some(watcher) = self.watcher.get() {
            // The watcher may have gone away.
            let _ = watcher.send(Watched { statement: statement.clone(), in_background });
        }
    }

    /// Every statement from now on. `None`: there is a watcher already.
    pub(super) fn watch(&self) -> Option<UnboundedReceiver<Watched>> {
        let (sender, statements) = mpsc::unbounded_channel();
        self.watcher.set(sender).ok().map(|()| statements)
    }
}
