//! Wires the webhooks.

use std::sync::Arc;

use super::consumers::Readers;
use super::{Core, StartError};
use crate::chat::Chat;
use crate::chat::webhook::Webhooks as Rules;
use crate::config::Config;
use crate::delivery::Execute;
use crate::graphql::Contract;
use crate::outgoing::Outgoing;
use crate::store::in_background;
use crate::webhooks::{Documents, Parts, Webhooks};

/// What the rules of webhooks and those who run them share.
pub(super) struct WebhookParts {
    rules: Arc<Rules>,
    documents: Arc<Documents>,
    outgoing: Outgoing,
}

impl WebhookParts {
    /// The parts, and the chat whose events webhooks are told.
    pub(super) fn wire(config: &Config, core: &Core, chat: Chat) -> Result<(Self, Chat), StartError> {
        let outgoing = Outgoing::new(&config.webhook_allow).map_err(StartError::Tls)?;
        let documents = Arc::new(Documents::new(Contract::new(), outgoing.clone()));
        let rules = Arc::new(Rules::new(core.webhook_secrets.clone(), documents.clone()));
        let chat = chat.with_webhooks(rules.clone());
        Ok((Self { rules, documents, outgoing }, chat))
    }

    /// Runs the webhooks. Returns what wakes them when the log has grown.
    pub(super) fn start(self, core: &Core, chat: &Chat, execute: Execute, readers: &Readers<'_>) -> Arc<Webhooks> {
        let Self { rules, documents, outgoing } = self;
        let Readers { memory, poll, tasks, stop } = *readers;
        let parts = Parts {
            chat: chat.clone(),
            store: core.store.clone(),
            metrics: core.metrics.clone(),
            cursors: core.cursors.clone(),
            execute,
            documents,
            outgoing,
            memory: memory.clone(),
            tasks: tasks.clone(),
            poll,
        };
        let webhooks = Webhooks::new(parts, rules);
        tasks.spawn(in_background(webhooks.clone().run(stop.clone())));
        webhooks
    }
}
