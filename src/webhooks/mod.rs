//! From the log to the app's own backend: a webhook is a subscription whose socket is a URL.
//!
//! One node at a time runs all webhooks, by a claim. Each has a consumer of its own, so that a receiver that is down stops
//! its own webhook only, and nothing waits anywhere but in the log. [`worker`] tells a receiver what happens, [`retries`]
//! tells it again what it has refused, and [`standing`] says when it is down, and when it is given up. [`document`] says
//! what of the log a webhook is told, and [`signature`] how its receiver knows who tells it.
//!
//! What was changed by a key is found by the version of a webhook's row: its worker ends, and another begins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::chat::Chat;
use crate::chat::webhook::Webhooks as Rules;
use crate::delivery::Execute;
use crate::ids::WebhookId;
use crate::log::alone::alone;
use crate::log::recent::Memory;
use crate::log::{Consumer, Event, Observer};
use crate::outgoing::Outgoing;
use crate::position::CursorCodec;
use crate::store::entity::webhook::{self, WebhookState};
use crate::store::{Store, in_background};
use crate::telemetry::Metrics;

mod attempt;
mod body;
pub mod document;
mod notifications;
mod retries;
mod schedule;
mod signature;
mod standing;
mod worker;

pub use document::Documents;
pub use notifications::Notifier;
use worker::Worker;

/// How often it is looked for webhooks that were made, changed or deleted on another node, if the log isn't polled less
/// often.
const LOOK: Duration = Duration::from_secs(1);

/// What the workers of all webhooks share.
pub struct Parts {
    /// The rules.
    pub chat: Chat,
    /// The database.
    pub store: Store,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// What enciphers the cursors of clients.
    pub cursors: CursorCodec,
    /// What renders events.
    pub execute: Execute,
    /// What reads documents.
    pub documents: Arc<Documents>,
    /// What sends requests.
    pub outgoing: Outgoing,
    /// What the tail of this node has seen last.
    pub(crate) memory: Arc<Memory>,
    /// What the workers run on.
    pub tasks: TaskTracker,
    /// How often the log is looked at, at least.
    pub poll: Duration,
}

/// The webhooks of a node. They observe the tail to be woken.
pub struct Webhooks {
    parts: Arc<Parts>,
    rules: Arc<Rules>,
    /// Those that run on this node.
    consumers: Mutex<HashMap<WebhookId, Arc<Consumer<Arc<Worker>>>>>,
}

/// A webhook that runs, until this is dropped.
struct Running {
    version: i64,
    task: AbortOnDropHandle<()>,
}

impl Webhooks {
    /// The webhooks of these rules, none of which runs yet.
    #[must_use]
    pub fn new(parts: Parts, rules: Arc<Rules>) -> Arc<Self> {
        for result in attempt::RESULTS {
            parts.metrics.webhook_attempts.with_label_values(&[result]).reset();
        }
        Arc::new(Self { parts: Arc::new(parts), rules, consumers: Mutex::default() })
    }

    /// What tells those webhooks of notifications that ask for them. What is told together takes so long at most, by default
    /// 20 s.
    #[must_use]
    pub fn notifier(&self, at_most: Option<Duration>) -> Arc<Notifier> {
        let at_most = at_most.unwrap_or(notifications::AT_MOST);
        Arc::new(Notifier::new(self.parts.clone(), self.rules.clone(), at_most))
    }

    /// Runs all webhooks whenever this node has the claim to it, until cancelled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        alone(&self.parts.store, "webhooks", &stop, || self.work()).await;
    }

    async fn work(&self) {
        let mut running = HashMap::new();
        let _clear = Clear(&self.consumers);
        loop {
            match self.enabled().await {
                Ok(enabled) => self.settle(&enabled, &mut running).await,
                Err(error) => tracing::debug!(%error, "the webhooks can't be read"),
            }
            tokio::select! {
                () = self.rules.changed().notified() => {}
                () = sleep(LOOK.max(self.parts.poll)) => {}
            }
        }
    }

    async fn enabled(&self) -> Result<Vec<webhook::Model>, DbErr> {
        let enabled = webhook::Entity::find().filter(webhook::Column::State.ne(WebhookState::Disabled));
        enabled.all(self.parts.store.read()).await
    }

    /// Ends what is not to run any more, and begins what isn't running yet.
    async fn settle(&self, enabled: &[webhook::Model], running: &mut HashMap<WebhookId, Running>) {
        let stays = |id: &WebhookId, running: &Running| {
            let is_same = |webhook: &webhook::Model| webhook.id == *id && webhook.version == running.version;
            enabled.iter().any(is_same) && !running.task.is_finished()
        };
        for (id, ended) in running.extract_if(|id, running| !stays(id, running)) {
            self.lock().remove(&id);
            // Nobody else begins before it has ended.
            ended.task.abort();
            let _ = ended.task.await;
            if !enabled.iter().any(|webhook| webhook.id == id) {
                self.forget(id);
            }
        }
        for webhook in enabled {
            if running.contains_key(&webhook.id) {
                continue;
            }
            match Worker::new(self.parts.clone(), self.rules.clone(), webhook.clone()) {
                Ok(worker) => drop(running.insert(webhook.id, self.begin(Arc::new(worker)))),
                Err(problem) => self.disable(webhook, &problem).await,
            }
        }
    }

    fn begin(&self, worker: Arc<Worker>) -> Running {
        let Parts { store, chat, memory, metrics, poll, tasks, .. } = &*self.parts;
        let (id, version) = (worker.id(), worker.version());
        let (store, clock, memory) = (store.clone(), chat.clock().clone(), memory.clone());
        let consumer = Arc::new(Consumer::new(worker.clone(), store, memory, clock, metrics.clone(), *poll));
        self.lock().insert(id, consumer.clone());
        tracing::info!(webhook = %id, "this node tells the webhook");
        let work = async move {
            tokio::select! {
                () = consumer.work() => {}
                () = worker.retry() => {}
            }
        };
        Running { version, task: AbortOnDropHandle::new(tasks.spawn(in_background(work))) }
    }

    /// Disables a webhook that can't be told anything, for example because the operator has changed a setting.
    async fn disable(&self, webhook: &webhook::Model, problem: &str) {
        tracing::error!(webhook = %webhook.id, problem, "the webhook can't be told anything, and is disabled");
        let end = standing::End::Impossible(problem.to_owned());
        let now = self.parts.chat.clock().now();
        if let Err(error) = standing::end(&self.parts.store, webhook.id, webhook.version, end, now).await {
            tracing::warn!(webhook = %webhook.id, %error, "the webhook could not be disabled");
        }
    }

    /// Takes the webhook out of the metrics.
    fn forget(&self, id: WebhookId) {
        let (metrics, name) = (&self.parts.metrics, webhook::consumer_of(id));
        let _ = metrics.consumer_running.remove_label_values(&[&name]);
        let _ = metrics.consumer_lag.remove_label_values(&[&name]);
        for counter in [&metrics.consumer_events, &metrics.consumer_failures, &metrics.consumer_missed] {
            let _ = counter.remove_label_values(&[&name]);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<WebhookId, Arc<Consumer<Arc<Worker>>>>> {
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Webhooks {
    fn observe(&self, events: &[Event]) {
        self.lock().values().for_each(|consumer| consumer.observe(events));
    }

    fn reset(&self) {
        self.lock().values().for_each(|consumer| consumer.reset());
    }
}

/// Forgets the consumers when the claim is lost.
struct Clear<'c>(&'c Mutex<HashMap<WebhookId, Arc<Consumer<Arc<Worker>>>>>);

impl Drop for Clear<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
