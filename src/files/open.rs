//! The storage that the settings name.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, RetryConfig};
use tokio_util::task::TaskTracker;
use url::Url;

use super::Storage;
use super::connector::Connector;

/// How S3-compatible storage is reached.
#[derive(Clone, Default)]
pub struct S3Settings {
    /// Where it is, if not at Amazon.
    pub endpoint: Option<String>,
    /// In which region.
    pub region: Option<String>,
    /// By which key.
    pub key: Option<String>,
    /// The key's secret.
    pub secret: Option<String>,
}

/// The storage of files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The directory can't be made.
    #[error("the directory of files {path} can't be used: {source}")]
    Directory {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The URL names nothing that is known.
    #[error("files can be kept at `file:///directory` and `s3://bucket/prefix`, not at {0}")]
    Url(String),
    /// What the storage's client says.
    #[error("the storage of files can't be used: {0}")]
    Storage(#[from] object_store::Error),
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
}

/// The storage at this URL. A directory is made if it isn't there; S3-compatible storage isn't asked until it is used.
///
/// # Errors
/// When it can't be used.
pub fn open(url: &str, s3: &S3Settings, tasks: &TaskTracker) -> Result<Storage, FilesError> {
    let unknown = || FilesError::Url(url.to_owned());
    let parsed = Url::parse(url).map_err(|_| unknown())?;
    match parsed.scheme() {
        "file" => directory(&parsed.to_file_path().map_err(|()| unknown())?),
        "s3" => {
            let bucket = parsed.host_str().ok_or_else(unknown)?;
            let connector = Connector::new(tasks).map_err(FilesError::Tls)?;
            let mut builder = AmazonS3Builder::new()
                .with_bucket_name(bucket)
                .with_http_connector(connector)
                .with_retry(retries())
                .with_region(s3.region.as_deref().unwrap_or("us-east-1"));
            if let Some(endpoint) = &s3.endpoint {
                builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http:"));
            }
            if let (Some(key), Some(secret)) = (&s3.key, &s3.secret) {
                builder = builder.with_access_key_id(key).with_secret_access_key(secret);
            }
            let store = builder.build()?;
            match parsed.path().trim_matches('/') {
                "" => Ok(Storage::s3(Arc::new(store))),
                prefix => Ok(Storage::s3(Arc::new(PrefixStore::new(store, prefix)))),
            }
        }
        _ => Err(unknown()),
    }
}

/// How often S3-compatible storage is asked again that fails or isn't there. Somebody waits for the answer, and can send the
/// file again.
fn retries() -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: 5, retry_timeout: Duration::from_secs(15) }
}

/// Files in this directory, which only its owner reads.
fn directory(path: &FilePath) -> Result<Storage, FilesError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| FilesError::Directory { path: path.display().to_string(), source })?;
    let store = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
    Ok(Storage::directory(Arc::new(store), path))
}
