//! Prunes what the database need not keep, once a minute.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::chat::Chat;
use crate::chat::retention::Pruned;

/// How often old rows are pruned.
const INTERVAL: Duration = Duration::from_mins(1);

/// Prunes immediately and then every [`INTERVAL`], until cancelled.
pub(super) async fn run(chat: Chat, keep: TimeDelta, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => {}
        }
        match chat.prune(keep).await {
            Ok(pruned) if pruned == Pruned::default() => {}
            Ok(Pruned { events, sessions, names }) => {
                tracing::info!(events, sessions, names, "pruned old rows");
            }
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "pruning failed; trying again"),
        }
    }
}
