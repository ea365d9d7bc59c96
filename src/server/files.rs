//! Opens the storage of files, and has what nobody can fetch any more deleted there.

use std::collections::BTreeSet;
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
use crate::store::check::{self, CheckError, Report};

/// The bytes of a MiB.
const MIB: u64 = 1024 * 1024;

/// How often it is looked for what is to be deleted.
const INTERVAL: Duration = Duration::from_mins(1);

/// The same chat, with the files that the settings speak of.
pub(super) fn keep(config: &Config, core: &Core, chat: Chat, tasks: &TaskTracker) -> Result<Chat, StartError> {
    let Some(url) = config.files_url() else { return Ok(chat) };
    let files =
        Files::new(open(&url, &s3(config), tasks)?, Links::new(&core.secret), u64::from(config.files_max_mib) * MIB);
    let daily_bytes = u64::from(config.limits.in_force().upload_mib) * MIB;
    Ok(chat.with_files(Some(Arc::new(files)), daily_bytes))
}

fn s3(config: &Config) -> S3Settings {
    S3Settings {
        endpoint: config.files_s3_endpoint.clone(),
        region: config.files_s3_region.clone(),
        key: config.files_s3_key.clone(),
        secret: config.files_s3_secret.clone(),
    }
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

/// Says in the log if the storage can't be used, which else would be found out by the first who sends a file.
pub(super) async fn look(chat: Chat, stop: CancellationToken) {
    let Ok(files) = chat.files() else { return };
    let looked = stop.run_until_cancelled(files.storage.expect_there()).await;
    if let Some(Err(error)) = looked {
        tracing::error!(error = &error as &dyn StdError, "the storage of files can't be used");
    }
}

/// Compares what is in the storage of files with what the database says is there, beside running servers or without one.
///
/// # Errors
/// When either can't be read.
pub(super) async fn check(config: &Config, database_url: &str, report: &mut Report) -> Result<(), CheckError> {
    let Some(url) = config.files_url() else { return Ok(()) };
    let failed = |error: &dyn StdError| CheckError::Files(error.to_string());
    let tasks = TaskTracker::new();
    let storage = open(&url, &s3(config), &tasks).map_err(|error| failed(&error))?;
    let before: BTreeSet<_> = storage.listed().await.map_err(|error| failed(&error))?.into_iter().collect();
    let rows = check::objects(database_url).await?;
    // What came meanwhile is in the second list alone, and what went in the first.
    let after: BTreeSet<_> = storage.listed().await.map_err(|error| failed(&error))?.into_iter().collect();
    let known: BTreeSet<_> = rows.iter().map(|(object, _)| Ok(*object)).collect();
    let unknown = before.intersection(&after).filter(|found| !known.contains(*found));
    let unknown = unknown.map(|found| match found {
        Ok(object) => format!("{object} is in the storage, and the database knows nothing of it"),
        Err(name) => format!("`{name}` is in the storage, and is no file of Parlor's"),
    });
    let lost = rows
        .iter()
        .filter(|(object, is_kept)| *is_kept && !before.contains(&Ok(*object)) && !after.contains(&Ok(*object)));
    let lost = lost.map(|(object, _)| format!("{object} isn't in the storage, and is the file of an attachment"));
    report.add("files", unknown.chain(lost).collect());
    Ok(())
}
