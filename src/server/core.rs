//! The core of every server, which is all that the command line needs: the rules over an open database.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::TimeDelta;
use sea_orm::{DbBackend, DbErr, RuntimeErr, SqlxError};
use tokio::runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::banner::without_secrets;
use crate::broker::BrokerError;
use crate::chat::Chat;
use crate::chat::session::token::Tokens;
use crate::chat::user::HeldNames;
use crate::chat::webhook::WebhookSecrets;
use crate::chat::words::WordsError;
use crate::clock::Clock;
use crate::config::Config;
use crate::files::FilesError;
use crate::issuers::IssuerError;
use crate::log::Scribe;
use crate::log::scribe::Commits;
use crate::notify::push::{FcmError, VapidError};
use crate::position::CursorCodec;
use crate::secret::Secret;
use crate::store::{ServerLockError, Store};
use crate::telemetry::Metrics;

/// Why the server can't start, or didn't stop gracefully.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory can't be created.
    #[error("the data directory {} can't be created: {source}", path.display())]
    DataDir {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The secrets can't be read or created.
    #[error("the secrets in {} can't be used: {source}", path.display())]
    Secrets {
        /// The directory that holds them.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database can't be opened or migrated.
    #[error("the database {name} can't be used: {cause}")]
    Open {
        /// Where it is, without passwords.
        name: String,
        /// Why, in the words of the database.
        cause: String,
    },
    /// The database can't be read or closed.
    #[error("the database can't be used: {0}")]
    Database(#[from] DbErr),
    /// Another server has the database to itself.
    #[error("{0}")]
    Lock(#[from] ServerLockError),
    /// An issuer of tokens can't be used.
    #[error("{0}")]
    Issuer(#[from] IssuerError),
    /// The list of words can't be used.
    #[error("{0}")]
    Words(#[from] WordsError),
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
    /// The storage of files can't be used.
    #[error("{0}")]
    Files(#[from] FilesError),
    /// Notifications can't be sent.
    #[error("{0}")]
    Push(#[from] VapidError),
    /// The account with Firebase Cloud Messaging can't be used.
    #[error("{0}")]
    Fcm(#[from] FcmError),
    /// The broker's settings are wrong.
    #[error("{0}")]
    Broker(#[from] BrokerError),
    /// The scribe or the tail has ended before the server, which is a defect: without them nothing is written or
    /// delivered.
    #[error("a part of the server broke down; the log says which")]
    Halted,
    /// The listener has no address.
    #[error("can't listen: {0}")]
    Listen(#[from] io::Error),
}

/// The rules over an open database, and the scribe that writes for them. The command line needs no more than this.
pub struct Core {
    /// The rules.
    pub chat: Chat,
    /// The database, migrated.
    pub store: Store,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// What enciphers the cursors of clients.
    pub cursors: CursorCodec,
    /// The secrets of webhooks.
    pub webhook_secrets: WebhookSecrets,
    /// What tokens are signed with, and links.
    pub(super) secret: Secret,
    scribe: JoinHandle<()>,
    stop_scribe: CancellationToken,
    /// Cancelled when the scribe or the tail has ended.
    pub(super) halted: CancellationToken,
}

impl Core {
    /// Opens the database, which is created or migrated if need be, and starts the scribe on `tasks`. Works beside a
    /// running server, whose tail reads from the log what is written here.
    ///
    /// # Errors
    /// When the data directory, the secrets or the database can't be used.
    pub async fn open(config: &Config, clock: Clock, tasks: &TaskTracker) -> Result<(Self, Commits), StartError> {
        make_data_dir(config)?;
        let path = &config.data_dir;
        let secret = match &config.token_secret {
            Some(text) => Secret::new(text.as_str()).map_err(io::Error::other),
            None => Secret::load_or_create(path),
        };
        let secret = secret.map_err(|source| StartError::Secrets { path: path.clone(), source })?;
        let (tokens, cursors) = (Tokens::new(&secret), CursorCodec::new(secret.bytes()));
        let webhook_secrets = WebhookSecrets::new(&secret);
        let metrics = Arc::new(Metrics::new());
        let name = without_secrets(&database_url(config));
        let failed = |error: DbErr| StartError::Open { name: name.clone(), cause: cause(&error) };
        let store = open_store(config, &metrics).await.map_err(failed)?;
        store.migrate().await.map_err(failed)?;

        let (scribe, handle, commits) = Scribe::new(store.clone(), clock.clone(), metrics.clone());
        let (stop_scribe, halted) = (CancellationToken::new(), CancellationToken::new());
        let writing = halting(scribe.run(stop_scribe.clone()), &halted);
        let scribe = match store.backend() {
            DbBackend::Sqlite => on_own_thread(tasks, writing)?,
            _ => tasks.spawn(writing),
        };
        let held_names = HeldNames::new(&secret, TimeDelta::days(config.username_hold_days.into()));
        let chat = Chat::new(store.clone(), clock, handle, tokens, config.receipts_max_members);
        let chat = chat.with_held_names(held_names);
        Ok((Self { chat, store, metrics, cursors, webhook_secrets, secret, scribe, stop_scribe, halted }, commits))
    }

    /// Writes what is queued, then closes the database.
    ///
    /// # Errors
    /// When the database reports one on closing.
    pub async fn close(self) -> Result<(), StartError> {
        self.finish_writing().await.close().await.map_err(StartError::Database)
    }

    /// Writes what is queued, and returns the database, which is still open.
    pub(super) async fn finish_writing(self) -> Store {
        self.stop_scribe.cancel();
        if let Err(error) = self.scribe.await {
            tracing::error!(%error, "the scribe did not end normally");
        }
        self.store
    }
}

/// Does the work on a thread and a runtime of its own, so that requests don't delay it: each step of a transaction, and
/// the return of its connection, would otherwise wait until the server's threads are free. Not for connections that are
/// sockets, because those belong to the runtime that opened them.
fn on_own_thread(
    tasks: &TaskTracker,
    work: impl Future<Output = ()> + Send + 'static,
) -> Result<JoinHandle<()>, io::Error> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(tasks.spawn_blocking(move || {
        runtime.block_on(async {
            work.await;
            // A task still returns the connection to the pool, which closes it later.
            while runtime.metrics().num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        });
    }))
}

/// Does the work, and cancels `halted` when it is over, however it ended.
pub(super) fn halting<W: Future<Output = ()>>(
    work: W,
    halted: &CancellationToken,
) -> impl Future<Output = ()> + use<W> {
    let halted = halted.clone().drop_guard();
    async move {
        let _halted = halted;
        work.await;
    }
}

async fn open_store(config: &Config, metrics: &Metrics) -> Result<Store, DbErr> {
    let (asked_for, of_background) = (metrics.sql_statements.clone(), metrics.sql_background_statements.clone());
    let on_statement = Arc::new(move |in_background| if in_background { of_background.inc() } else { asked_for.inc() });
    Store::connect(&database_url(config), config.database_connections, on_statement).await
}

/// The URL of the configured database, by default that of the file in the data directory.
pub(super) fn database_url(config: &Config) -> String {
    config.database_url.clone().unwrap_or_else(|| Store::sqlite_url(&config.data_dir))
}

/// Creates the data directory if it is missing.
pub(super) fn make_data_dir(config: &Config) -> Result<(), StartError> {
    let path = &config.data_dir;
    make_private_dir(path).map_err(|source| StartError::DataDir { path: path.clone(), source })
}

/// What the database has said, without what the layers above it say before.
fn cause(error: &DbErr) -> String {
    match error {
        DbErr::Conn(RuntimeErr::Internal(text)) => text.clone(),
        DbErr::Conn(RuntimeErr::SqlxError(error)) => match &**error {
            SqlxError::Database(error) => error.message().to_owned(),
            SqlxError::Io(error) => error.to_string(),
            error => error.to_string(),
        },
        error => error.to_string(),
    }
}

/// Creates the directory if it is missing, for its owner alone, because it holds secrets.
fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
