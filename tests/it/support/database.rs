//! The database that a test runs on. Only this file knows which; every test holds on all of them.

use std::path::PathBuf;
use std::process::Stdio;

use parlor::config::Config;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use tempfile::TempDir;
use tokio::process::Command;

use crate::servers::Postgres;

/// The variable in which `tests/postgres.rs` gives the address of its server. Without it, tests run on SQLite.
const POSTGRES: &str = "PARLOR_TEST_POSTGRES";

/// The key of the lock under which positions are given out (`log::append`).
const LOG_LOCK: i64 = 0x5041_524c_4f52_0002;

/// A database and a data directory for one test. The directory and the SQLite file are deleted when this is dropped; a
/// PostgreSQL database is deleted with its server.
pub struct Database {
    dir: TempDir,
    postgres: Option<String>,
}

impl Database {
    /// An empty database without a data directory, because the server makes that itself.
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let postgres = match std::env::var(POSTGRES) {
            Ok(server) if !server.is_empty() => Some(create(&server, "").await),
            _ => None,
        };
        Self { dir, postgres }
    }

    /// An empty database on this PostgreSQL, which the test has for itself.
    pub async fn on(server: &Postgres) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        Self { dir, postgres: Some(create(&server.url("postgres"), "").await) }
    }

    /// An empty database that PostgreSQL, on which this test runs, makes with these options.
    pub async fn made_with(options: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let server = std::env::var(POSTGRES).expect("it runs on PostgreSQL");
        Self { dir, postgres: Some(create(&server, options).await) }
    }

    /// Sets a server's settings to this database.
    pub fn configure(&self, config: &mut Config) {
        config.data_dir = self.data_dir();
        config.database_url.clone_from(&self.postgres);
        if self.postgres.is_some() {
            config.files_url = Some(format!("file://{}", self.files_dir().display()));
            config.files_shared = Some(true);
        }
    }

    /// The directory of the server's secrets and its SQLite file.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The directory of files.
    pub fn files_dir(&self) -> PathBuf {
        self.data_dir().join("files")
    }

    /// The program with these arguments, on this data, with nothing else in its environment. It is killed when its
    /// handle is dropped.
    pub fn parlor(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
        command.args(arguments).current_dir(self.dir.path()).env_clear().env("PARLOR_DATA_DIR", self.data_dir());
        command.env("PARLOR_LIMITS", "off");
        command.envs(self.postgres.iter().map(|url| ("PARLOR_DATABASE_URL", url)));
        if self.postgres.is_some() {
            let files = format!("file://{}", self.files_dir().display());
            command.env("PARLOR_FILES_URL", files).env("PARLOR_FILES_SHARED", "on");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs one statement, on a connection of its own.
    pub async fn execute(&self, sql: &str) {
        let database = self.connect().await;
        database.execute_unprepared(sql).await.expect("the statement is accepted");
        database.close().await.expect("the connection closes");
    }

    /// The text that one SQL statement returns, in one row and column, read on a connection of its own.
    pub async fn text(&self, sqlite: &str, postgres: &str) -> String {
        let database = self.connect().await;
        let sql = if self.postgres.is_some() { postgres } else { sqlite };
        let statement = Statement::from_string(database.get_database_backend(), sql);
        let row =
            database.query_one_raw(statement).await.expect("the statement is accepted").expect("it answers a row");
        let text = row.try_get_by_index(0).expect("the row holds a text");
        database.close().await.expect("the connection closes");
        text
    }

    /// Keeps the server from appending to its log until the transaction ends.
    pub async fn hold_writes(&self) -> DatabaseTransaction {
        let immediate = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let held = self.connect().await.begin_with_options(immediate).await.expect("nobody else writes now");
        if self.postgres.is_some() {
            let lock = format!("SELECT pg_advisory_xact_lock({LOG_LOCK})");
            held.execute_unprepared(&lock).await.expect("the lock comes free");
        }
        held
    }

    /// A transaction that has run this statement, and has what it has locked until it ends.
    pub async fn hold(&self, sql: &str) -> DatabaseTransaction {
        let held = self.connect().await.begin_with_options(TransactionOptions::default()).await.expect("it begins");
        held.execute_unprepared(sql).await.expect("the statement is accepted");
        held
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.postgres.clone().unwrap_or_else(|| format!("sqlite:{}", self.data_dir().join("parlor.db").display()))
    }

    async fn connect(&self) -> DatabaseConnection {
        sea_orm::Database::connect(self.url()).await.expect("the server's database can be opened")
    }
}

/// Makes a database on this server, with these options, and returns its address.
async fn create(server: &str, options: &str) -> String {
    let admin = sea_orm::Database::connect(server).await.expect("PostgreSQL can be reached");
    let name = format!("it_{}", uuid::Uuid::now_v7().simple());
    admin.execute_unprepared(&format!("CREATE DATABASE {name} {options}")).await.expect("a database can be made");
    admin.close().await.expect("the connection closes");
    let (address, _) = server.rsplit_once('/').expect("the address names a database");
    format!("{address}/{name}")
}
