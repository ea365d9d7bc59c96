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

/// Starts every consumer that runs on its own. Returns what wakes them when the log has grown, and how far they are behind.
pub(super) fn start(
    core: &Core,
    notify: &Arc<Notifications>,
    poll: Duration,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> (Vec<Arc<dyn Observer>>, Arc<Lags>) {
    let mut consumers = Consumers { core, tasks, stop, observers: Vec::new(), names: Vec::new() };
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
    tasks: &'c TaskTracker,
    stop: &'c CancellationToken,
    observers: Vec<Arc<dyn Observer>>,
    names: Vec<String>,
}

impl Consumers<'_> {
    /// Starts one more, which looks at the log every `poll` at least.
    fn start(&mut self, handler: impl Handler, poll: Duration) {
        let (store, metrics, clock) = (&self.core.store, &self.core.metrics, self.core.chat.clock());
        let consumer = Arc::new(Consumer::new(handler, store.clone(), clock.clone(), metrics.clone(), poll));
        self.names.push(consumer.name().to_owned());
        self.tasks.spawn(in_background(consumer.clone().run(self.stop.clone())));
        self.observers.push(consumer);
    }
}
