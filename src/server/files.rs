//! Opens the storage of files, and has what nobody can fetch any more deleted there.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Core, StartError};
use crate::chat::attachment::Collected;
use crate::chat::{Chat, Error};
use crate::config::Config;
use crate::files::{Files, Links, S3Settings, open};
use crate::log::alone::alone;
use crate::store::Store;

/// The bytes of a MiB.
const MIB: u64 = 1024 * 1024;

/// How often it is looked for what is to be deleted.
const INTERVAL: Duration = Duration::from_mins(1);

/// The same chat, with the files that the settings speak of.
pub(super) fn keep(config: &Config, core: &Core, chat: Chat, tasks: &TaskTracker) -> Result<Chat, StartError> {
    let Some(url) = config.files_url() else { return Ok(chat) };
    let s3 = S3Settings {
        endpoint: config.files_s3_endpoint.clone(),
        region: config.files_s3_region.clone(),
        key: config.files_s3_key.clone(),
        secret: config.files_s3_secret.clone(),
    };
    let files = Files::new(open(&url, &s3, tasks)?, Links::new(&core.secret), u64::from(config.files_max_mib) * MIB);
    let daily_bytes = u64::from(config.limits.in_force().upload_mib) * MIB;
    Ok(chat.with_files(Some(Arc::new(files)), daily_bytes))
}

/// Has what nobody can fetch any more deleted every [`INTERVAL`], by one node at a time, until cancelled.
pub(super) async fn collect(chat: Chat, store: Store, stop: CancellationToken) {
    alone(&store, "files", &stop, || async {
        let mut rounds = tokio::time::interval(INTERVAL);
        loop {
            rounds.tick().await;
            match chat.collect_files().await {
                Ok(collected) if collected == Collected::default() => {}
                Ok(Collected { files, attempts }) => tracing::info!(files, attempts, "deleted files"),
                Err(Error::ShuttingDown) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn StdError, "deleting files failed; trying again");
                }
            }
        }
    })
    .await;
}
