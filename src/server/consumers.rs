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
use crate::log::{Consumer, Lags, Observer};
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

/// Starts every consumer. Returns what wakes them when the log has grown, and how far they are behind.
pub(super) fn start(
    core: &Core,
    poll: Duration,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> (Vec<Arc<dyn Observer>>, Arc<Lags>) {
    let (store, metrics, clock) = (&core.store, &core.metrics, core.chat.clock());
    let purge = Purge(core.chat.clone());
    let purge = Arc::new(Consumer::new(purge, store.clone(), clock.clone(), metrics.clone(), poll));
    let search = Index(core.chat.clone());
    let search = Arc::new(Consumer::new(search, store.clone(), clock.clone(), metrics.clone(), poll));
    tasks.spawn(in_background(complete_index(core.chat.clone(), stop.clone())));
    let names = vec![purge.name().to_owned(), search.name().to_owned()];
    tasks.spawn(in_background(purge.clone().run(stop.clone())));
    tasks.spawn(in_background(search.clone().run(stop.clone())));
    let lags = Arc::<Lags>::default();
    let watching = lags.clone().watch(store.clone(), clock.clone(), metrics.clone(), names, poll, stop.clone());
    tasks.spawn(in_background(watching));
    (vec![purge, search], lags)
}
