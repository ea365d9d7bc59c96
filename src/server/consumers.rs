//! Starts the consumers of the log, and what watches them.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Core;
use crate::chat::Chat;
use crate::chat::message::Index;
use crate::chat::purge::Purge;
use crate::log::alone::Pauses;
use crate::log::recent::Memory;
use crate::log::{Consumer, Handler, Lags, Observer};
use crate::notify::Notifications;
use crate::store::in_background;

/// Pauses after failures to complete the index of messages.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Completes the index of messages: it may be of another form, or be told to be made anew, and nobody post.
async fn complete_index(chat: Chat, stop: CancellationToken) {
    let mut pauses = Pauses::new(PAUSES.0, PAUSES.1);
    loop {
        let indexed = tokio::select! {
            () = stop.cancelled() => return,
            indexed = chat.index_all_messages() => indexed,
        };
        match indexed {
            Ok(messages) => return tracing::debug!(messages, "the index of messages is complete"),
            Err(error) => tracing::warn!(%error, "the index of messages can't be completed; trying again"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pauses.next()) => {}
        }
    }
}

/// How often consumers look at the log that are woken by whatever concerns them.
const LEISURE: Duration = Duration::from_secs(1);

/// What those who read the log for themselves are given.
pub(super) struct Readers<'c> {
    /// What the tail has seen last.
    pub memory: &'c Arc<Memory>,
    /// How often the log is looked at, at least.
    pub poll: Duration,
    /// What they run on.
    pub tasks: &'c TaskTracker,
    /// Cancelled when they are to end.
    pub stop: &'c CancellationToken,
}

/// Starts every consumer that runs on its own. Returns what wakes them when the log has grown, and how far they are behind.
pub(super) fn start(
    core: &Core,
    notify: &Arc<Notifications>,
    readers: &Readers<'_>,
) -> (Vec<Arc<dyn Observer>>, Arc<Lags>) {
    let Readers { poll, tasks, stop, .. } = *readers;
    let mut consumers = Consumers { core, readers, observers: Vec::new(), names: Vec::new() };
    consumers.start(Purge(core.chat.clone()), poll);
    consumers.start(Index(core.chat.clone()), poll);
    // Whatever is news to them wakes them; what isn't may be passed at leisure.
    consumers.start(notify.at_once(), poll.max(LEISURE));
    consumers.start(notify.later(), poll.max(LEISURE));
    let Consumers { observers, names, .. } = consumers;
    tasks.spawn(in_background(complete_index(core.chat.clone(), stop.clone())));
    let lags = Arc::<Lags>::default();
    let (store, metrics, clock) = (core.store.clone(), core.metrics.clone(), core.chat.clock().clone());
    tasks.spawn(in_background(lags.clone().watch(store, clock, metrics, names, poll, stop.clone())));
    (observers, lags)
}

/// The consumers that were started so far.
struct Consumers<'c> {
    core: &'c Core,
    readers: &'c Readers<'c>,
    observers: Vec<Arc<dyn Observer>>,
    names: Vec<String>,
}

impl Consumers<'_> {
    /// Starts one more, which looks at the log every `poll` at least.
    fn start(&mut self, handler: impl Handler, poll: Duration) {
        let (store, metrics, clock) = (&self.core.store, &self.core.metrics, self.core.chat.clock());
        let (store, memory, clock, metrics) =
            (store.clone(), self.readers.memory.clone(), clock.clone(), metrics.clone());
        let consumer = Arc::new(Consumer::new(handler, store, memory, clock, metrics, poll));
        self.names.push(consumer.name().to_owned());
        self.readers.tasks.spawn(in_background(consumer.clone().run(self.readers.stop.clone())));
        self.observers.push(consumer);
    }
}
