//! Where the data of a run lies: an SQLite file, or a database on a throwaway PostgreSQL that syncs every commit.

use std::io;

use parlor::store::Store;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use crate::seed;
use crate::servers::Postgres;

/// A kind of database.
#[derive(Clone, Copy)]
pub enum Kind<'p> {
    /// A file.
    Sqlite,
    /// A database on this server.
    Postgres(&'p Postgres),
}

/// A database of one's own.
pub struct Database {
    /// The server's data directory, with the SQLite file in it.
    pub dir: TempDir,
    /// The address of the PostgreSQL database, if it is one.
    pub url: Option<String>,
}

impl Kind<'_> {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// An empty database.
    pub async fn create(self) -> io::Result<Database> {
        let dir = tempfile::tempdir()?;
        let url = match self {
            Self::Sqlite => None,
            Self::Postgres(server) => {
                let name = format!("bench_{}", uuid::Uuid::now_v7().simple());
                let admin = sea_orm::Database::connect(server.url("postgres")).await.map_err(io::Error::other)?;
                admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.map_err(io::Error::other)?;
                admin.close().await.map_err(io::Error::other)?;
                Some(server.url(&name))
            }
        };
        Ok(Database { dir, url })
    }
}

impl Database {
    /// Opens it as Parlor's, with its tables, for rows to be written before a server runs.
    pub async fn open(&self) -> io::Result<Store> {
        seed::open(&self.url.clone().unwrap_or_else(|| Store::sqlite_url(self.dir.path()))).await
    }

    /// Leaves PostgreSQL as its own upkeep would before long: with statistics, and nothing to clean up. It takes a
    /// connection of its own, for Parlor's bound how long a statement may take.
    pub async fn settle(&self) -> io::Result<()> {
        let Some(url) = &self.url else { return Ok(()) };
        let connection = sea_orm::Database::connect(url).await.map_err(io::Error::other)?;
        connection.execute_unprepared("VACUUM ANALYZE").await.map_err(io::Error::other)?;
        connection.close().await.map_err(io::Error::other)
    }
}

/// A throwaway PostgreSQL, if it is installed; else says what to install.
pub fn postgres() -> io::Result<Postgres> {
    Postgres::installed().map_err(|missing| io::Error::other(missing.0))?;
    Ok(tokio::task::block_in_place(|| Postgres::start(true)))
}
