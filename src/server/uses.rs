//! Writes when sessions were last used, every few minutes and at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::chat::Chat;
use crate::delivery::Hub;

/// How often the times are written: how far behind they may be.
const INTERVAL: Duration = Duration::from_mins(5);

/// Writes every [`INTERVAL`], and once more when cancelled.
pub(super) async fn run(chat: Chat, hub: Arc<Hub>, stop: CancellationToken) {
    let mut rounds = tokio::time::interval_at(tokio::time::Instant::now() + INTERVAL, INTERVAL);
    loop {
        let stopped = tokio::select! {
            () = stop.cancelled() => true,
            _ = rounds.tick() => false,
        };
        if let Err(error) = chat.write_uses(hub.connected_sessions()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "when sessions were last used was not written");
        }
        if stopped {
            return;
        }
    }
}
