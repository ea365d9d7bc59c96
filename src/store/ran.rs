//! What is told of each statement that the database has run.

use std::sync::{Arc, OnceLock};

use sea_orm::{DatabaseConnection, Statement};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::OnStatement;

/// Is told of each statement. Clones share it.
#[derive(Clone)]
pub(super) struct Ran {
    on_statement: OnStatement,
    /// Set by the first call of [`Self::watch`].
    watcher: Arc<OnceLock<UnboundedSender<Statement>>>,
}

impl Ran {
    pub(super) fn new(on_statement: OnStatement) -> Self {
        Self { on_statement, watcher: Arc::default() }
    }

    /// This statement was run, well or not.
    pub(super) fn note(&self, statement: &Statement) {
        (self.on_statement)();
        if let Some(watcher) = self.watcher.get() {
            // The watcher may have gone away.
            let _ = watcher.send(statement.clone());
        }
    }

    /// Has what these connections run noted.
    pub(super) fn note_all_of(&self, connections: &mut DatabaseConnection) {
        let this = self.clone();
        connections.set_metric_callback(move |ran| this.note(ran.statement));
    }

    /// Every statement from now on. `None`: there is a watcher already.
    pub(super) fn watch(&self) -> Option<UnboundedReceiver<Statement>> {
        let (sender, statements) = mpsc::unbounded_channel();
        self.watcher.set(sender).ok().map(|()| statements)
    }
}
