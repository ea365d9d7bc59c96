//! Deletes the messages of deleted users who wanted that, in the background.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::chat::{Chat, Error};

/// How often it is looked for what another node, or this one before it was started anew, has left undone.
const INTERVAL: Duration = Duration::from_mins(1);

/// Deletes what is to be deleted at the start, whenever it is asked for on this node, and every [`INTERVAL`], until
/// cancelled.
pub(super) async fn run(chat: Chat, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => {}
            () = chat.erasure_asked() => {}
        }
        let erased = tokio::select! {
            () = stop.cancelled() => return,
            erased = chat.erase_messages() => erased,
        };
        match erased {
            Ok(0) | Err(Error::ShuttingDown) => {}
            Ok(messages) => tracing::info!(messages, "deleted messages of deleted users"),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "deleting messages failed; trying again");
            }
        }
    }
}
