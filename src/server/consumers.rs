//! Starts the consumers of the log, and what watches them.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Core;
use crate::chat::purge::Purge;
use crate::log::{Consumer, Lags, Observer};
use crate::store::in_background;

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
    let names = vec![purge.name().to_owned()];
    tasks.spawn(in_background(purge.clone().run(stop.clone())));
    let lags = Arc::<Lags>::default();
    let watching = lags.clone().watch(store.clone(), clock.clone(), metrics.clone(), names, poll, stop.clone());
    tasks.spawn(in_background(watching));
    (vec![purge], lags)
}
