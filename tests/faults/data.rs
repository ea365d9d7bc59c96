//! The data that nodes serve: an SQLite file, or a database of the suite's own PostgreSQL.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection};
use tempfile::TempDir;

/// A database and a data directory. The directory is deleted when this is dropped, unless `PARLOR_FAULTS_KEEP` is set.
pub struct Data {
    dir: TempDir,
    postgres: Option<String>,
    /// Where the nodes keep files, if not in their data directory.
    files: Option<PathBuf>,
}

impl Data {
    /// An SQLite file that the node is to create.
    pub fn sqlite() -> Self {
        let mut dir = tempfile::tempdir().expect("a temporary directory can be made");
        if std::env::var_os("PARLOR_FAULTS_KEEP").is_some() {
            dir.disable_cleanup(true);
            println!("    data and logs: {}", dir.path().display());
        }
        Self { dir, postgres: None, files: None }
    }

    /// A new database on the server at this address.
    pub async fn postgres(server: &str) -> Self {
        let admin = sea_orm::Database::connect(server).await.expect("PostgreSQL can be reached");
        let name = format!("faults_{}", uuid::Uuid::now_v7().simple());
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database can be made");
        admin.close().await.expect("the connection closes");
        let (address, _) = server.rsplit_once('/').expect("the address names a database");
        Self { postgres: Some(format!("{address}/{name}")), ..Self::sqlite() }
    }

    /// The same database and files for a node that reaches the database at this address, and has a data directory of its own.
    pub fn reached_at(&self, url: &str) -> Self {
        Self { postgres: Some(url.to_owned()), files: Some(self.files_dir()), ..Self::sqlite() }
    }

    /// Another database of the same server, which is there, with files of its own.
    pub fn beside(&self, name: &str) -> Self {
        let url = self.postgres.as_deref().and_then(|url| url.rsplit_once('/')).expect("a database of a server");
        Self { postgres: Some(format!("{}/{name}", url.0)), ..Self::sqlite() }
    }

    /// The directory that holds everything.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The nodes' data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        self.data_dir().join("parlor.db")
    }

    /// The database's address, if it isn't the file.
    pub fn url(&self) -> Option<&str> {
        self.postgres.as_deref()
    }

    fn files_dir(&self) -> PathBuf {
        self.files.clone().unwrap_or_else(|| self.data_dir().join("files"))
    }

    /// Where files are kept, if the nodes must be told: in one directory for all of them.
    pub fn files(&self) -> Vec<(&'static str, String)> {
        let told = [
            ("PARLOR_FILES_URL", format!("file://{}", self.files_dir().display())),
            ("PARLOR_FILES_SHARED", "on".into()),
        ];
        self.url().map_or_else(Vec::new, |_| told.to_vec())
    }

    /// Waits until the database answers: a PostgreSQL that was stopped in immediate mode first recovers.
    pub async fn until_reachable(&self) {
        let url = self.postgres.as_deref().expect("an SQLite file is always reachable");
        while sea_orm::Database::connect(url).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Runs `parlor check` on it.
    ///
    /// # Errors
    /// The program's output, if it finds anything wrong.
    pub fn check(&self) -> Result<(), String> {
        self.checked(&[])
    }

    /// As [`Self::check`]; the storage of files is compared with it, too.
    ///
    /// # Errors
    /// As [`Self::check`] says.
    pub fn check_files(&self) -> Result<(), String> {
        self.checked(&["--files"])
    }

    fn checked(&self, how: &[&str]) -> Result<(), String> {
        let mut check = Command::new(env!("CARGO_BIN_EXE_parlor"));
        check.arg("check").args(how).current_dir(self.dir()).env_clear().env("PARLOR_DATA_DIR", self.data_dir());
        check.envs(self.url().iter().map(|url| ("PARLOR_DATABASE_URL", url)));
        check.envs(self.files());
        let output = check.output().map_err(|error| error.to_string())?;
        let said = || [output.stdout.as_slice(), &output.stderr].map(String::from_utf8_lossy).concat();
        output.status.success().then_some(()).ok_or_else(said)
    }

    /// A connection that the nodes don't know of.
    pub async fn connect(&self) -> DatabaseConnection {
        let url = self.postgres.clone().unwrap_or_else(|| format!("sqlite:{}", self.file().display()));
        let mut options = sea_orm::ConnectOptions::new(url);
        options.max_connections(2).sqlx_logging(false);
        sea_orm::Database::connect(options).await.expect("the database can be opened")
    }
}
