//! Has timers fire on one node at a time.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::chat::timer::Fired;
use crate::chat::{Chat, Error};
use crate::log::alone::{Pauses, alone};
use crate::store::Store;
use crate::store::entity::timer::TimerKind;
use crate::telemetry::Metrics;

/// How often it is looked for timers that were set meanwhile, if the log isn't polled less often: how late they may be.
const LOOK: Duration = Duration::from_secs(1);

/// The pauses after failures.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));

/// Has timers fire as they fall due, on the node that has the claim, until cancelled.
pub(super) async fn run(chat: Chat, store: Store, metrics: Arc<Metrics>, poll: Duration, stop: CancellationToken) {
    metrics.timers_fired.with_label_values(&[TimerKind::ReportTexts.name()]).reset();
    alone(&store, "timers", &stop, || fire(&chat, &metrics, LOOK.max(poll))).await;
}

async fn fire(chat: &Chat, metrics: &Metrics, longest: Duration) {
    let mut pauses = Pauses::new(PAUSES.0, PAUSES.1);
    loop {
        let pause = match chat.fire_timers().await {
            Ok(Fired { kinds, next_in }) => {
                for kind in &kinds {
                    metrics.timers_fired.with_label_values(&[kind.name()]).inc();
                }
                if !kinds.is_empty() {
                    tracing::info!(timers = kinds.len(), "timers fired");
                }
                pauses.reset();
                let next = next_in.map_or(longest, |next| next.to_std().unwrap_or_default());
                next.clamp(Duration::from_millis(1), longest)
            }
            Err(Error::ShuttingDown) => pauses.next(),
            Err(error) => {
                tracing::warn!(error = &error as &dyn StdError, "timers that are due could not fire; trying again");
                pauses.next()
            }
        };
        sleep(pause).await;
    }
}
