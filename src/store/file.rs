//! The file of an SQLite database: whether it is still the one that was opened, and whether its disk has room.
//!
//! SQLite goes on with a file that was deleted or replaced beneath it, and what it writes there is gone with the last
//! process that has it open. So the file is looked at within each transaction that writes, and on a timer.
//!
//! The write-ahead log is moved into the database now and then, which takes room in the database before it frees any in
//! the log. So nothing is written unless the disk has room for the whole log once more: a disk that is full of it would
//! stay so.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{DbErr, RuntimeErr};

/// Bytes that stay free on the disk of the database, beside the room to move the write-ahead log: for the index of that
/// log, and for files of others.
const RESERVE: u64 = 1 << 20;

/// A write-ahead log of more bytes than this has outgrown its usual bound, four times: readers have overlapped for so
/// long that it could not begin anew.
const OUTGROWN: u64 = 128 << 20;

/// The file of an open SQLite database.
pub(super) struct DatabaseFile {
    path: PathBuf,
    wal: PathBuf,
    is: Identity,
    /// Set when the log is first seen. It stays while the database is open.
    wal_is: OnceLock<Identity>,
    /// Whether it was logged that the file is gone.
    told: AtomicBool,
}

/// Device and inode.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(path)?;
        Ok(Self(metadata.dev(), metadata.ino()))
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|_| Self(0, 0))
    }
}

impl DatabaseFile {
    /// The file at this path, which SQLite has just opened.
    pub(super) fn opened(path: PathBuf) -> io::Result<Self> {
        let is = Identity::of(&path)?;
        let wal = with_suffix(&path, "-wal");
        Ok(Self { path, wal, is, wal_is: OnceLock::new(), told: AtomicBool::new(false) })
    }

    /// Fails when the file or its write-ahead log is not the one that was opened, and logs that once.
    pub(super) fn in_place(&self) -> Result<(), DbErr> {
        let is_in_place = Identity::of(&self.path).is_ok_and(|is| is == self.is) && self.is_log_in_place();
        if !is_in_place {
            if !self.told.swap(true, Ordering::Relaxed) {
                let file = self.path.display();
                tracing::error!(%file, "the database was deleted or replaced beneath the server; nothing is written until it is back, or the server is started again");
            }
            return Err(self.failed("was deleted or replaced beneath the server"));
        }
        if self.told.swap(false, Ordering::Relaxed) {
            tracing::warn!(file = %self.path.display(), "the database is back");
        }
        Ok(())
    }

    fn is_log_in_place(&self) -> bool {
        match (Identity::of(&self.wal), self.wal_is.get()) {
            (Ok(is), Some(was)) => is == *was,
            (Ok(is), None) => *self.wal_is.get_or_init(|| is) == is,
            (Err(_), was) => was.is_none(),
        }
    }

    /// Whether the disk has room to write, and then to move the write-ahead log into the database.
    pub(super) fn has_room(&self) -> bool {
        free(&self.path).is_none_or(|free| free >= RESERVE + self.wal_length())
    }

    /// The disk has no room.
    pub(super) fn full(&self) -> DbErr {
        self.failed("is on a disk that is full")
    }

    /// Whether readers have kept the write-ahead log from beginning anew for long.
    pub(super) fn has_outgrown(&self) -> bool {
        self.wal_length() > OUTGROWN
    }

    fn wal_length(&self) -> u64 {
        fs::metadata(&self.wal).map_or(0, |log| log.len())
    }

    fn failed(&self, why: &str) -> DbErr {
        DbErr::Conn(RuntimeErr::Internal(format!("{} {why}", self.path.display())))
    }
}

/// Free bytes of the file system that holds this file, for users who are not root. `None` where it doesn't say.
#[cfg(unix)]
fn free(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path.parent()?).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

/// The file that this URL names. `None`: the database is in memory.
pub(super) fn path_of(url: &str) -> Option<PathBuf> {
    let options = SqliteConnectOptions::from_str(url).ok()?;
    let path = options.get_filename();
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    (!in_memory).then(|| path.to_owned())
}

/// Why this database can't be opened, as far as its file shows it; otherwise as the database has said it.
pub(super) fn explain(path: &Path, error: &DbErr) -> String {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let named = |why: &str| format!("{} {why}", path.display());
    match code(error) {
        _ if !dir.is_dir() => format!("there is no directory {}", dir.display()),
        _ if path.is_dir() => named("is a directory"),
        Some(8 | 14 | 23) if !path.exists() => {
            named("is not there, and can't be made: may the directory be written to?")
        }
        Some(8 | 14 | 23) => named("can't be opened to be written to: may it, and its directory?"),
        Some(10) => named("can't be read or written: the disk fails"),
        Some(11) => named("is damaged: restore it from a backup"),
        Some(13) => named("is on a disk that is full"),
        Some(26) => named("is no SQLite database"),
        _ => format!("{}: {error}", path.display()),
    }
}

/// The primary code of an error of SQLite.
fn code(error: &DbErr) -> Option<u32> {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    Some(error.as_database_error()?.code()?.parse::<u32>().ok()? & 0xff)
}

/// A server has this database to itself until this is dropped, or its process ends in whatever way.
pub struct ServerLock(File);

/// Why a server can't have a database to itself.
#[derive(Debug, thiserror::Error)]
pub enum ServerLockError {
    /// Another server has it.
    #[error("the database {} is in use by another server{holder}", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
        /// Which process, if that is known.
        holder: String,
    },
    /// The lock can't be made.
    #[error("the lock {} can't be taken: {source}", path.display())]
    Failed {
        /// The file of the lock.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ServerLock {
    /// Takes the lock of the SQLite file that this URL names: a file beside it, whatever path leads there. `None` where
    /// there is nothing to lock: several servers may share a PostgreSQL.
    ///
    /// # Errors
    /// When another server has it, or the file of the lock can't be made.
    pub fn take(url: &str) -> Result<Option<Self>, ServerLockError> {
        let Some(path) = url.starts_with("sqlite:").then(|| path_of(url)).flatten() else { return Ok(None) };
        let path = canonical(&path);
        if !path.parent().is_some_and(Path::is_dir) {
            // Opening it says what is wrong.
            return Ok(None);
        }
        let lock = with_suffix(&path, ".lock");
        let failed = |source| ServerLockError::Failed { path: lock.clone(), source };
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&lock).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.take(32).read_to_string(&mut holder);
                let holder =
                    holder.trim().parse::<u32>().map_or_else(|_| String::new(), |id| format!(" (process {id})"));
                return Err(ServerLockError::InUse { path, holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let note = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        // A full disk takes the lock, but not the note.
        let _ = note(&mut file);
        Ok(Some(Self(file)))
    }
}

/// Closing the file alone isn't enough: a program that is being started by another thread has every open file until it
/// runs, and with the file the lock.
impl Drop for ServerLock {
    fn drop(&mut self) {
        // If it fails, closing the file is what is left.
        let _ = self.0.unlock();
    }
}

/// The path without links, also of a file that isn't there yet.
fn canonical(path: &Path) -> PathBuf {
    let in_dir = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(in_dir).unwrap_or_else(|| path.to_owned())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_from_every_form_of_the_url() {
        for url in ["sqlite:a/b.db?mode=rwc", "sqlite://a/b.db"] {
            assert_eq!(path_of(url), Some(PathBuf::from("a/b.db")), "{url}");
        }
        assert_eq!(path_of("sqlite::memory:"), None);
    }

    #[test]
    fn a_lock_is_free_when_dropped_although_a_program_that_starts_has_the_file() {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let url = format!("sqlite:{}", dir.path().join("parlor.db").display());
        let lock = ServerLock::take(&url).expect("it is free").expect("a file is locked");
        let inherited = lock.0.try_clone().expect("the file can be shared");
        assert!(matches!(ServerLock::take(&url), Err(ServerLockError::InUse { .. })));
        drop(lock);
        assert!(ServerLock::take(&url).is_ok(), "it is free");
        drop(inherited);
    }

    #[test]
    fn a_lock_is_the_same_through_a_link_and_free_when_dropped() {
        let dir = tempfile::tempdir().expect("a directory");
        let (file, link) = (dir.path().join("a.db"), dir.path().join("b.db"));
        fs::write(&file, "").expect("a file");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        let take = |path: &Path| ServerLock::take(&format!("sqlite:{}", path.display()));
        let held = take(&file).expect("nobody has it");
        let refused = take(&link).err().expect("it is held").to_string();
        assert!(refused.contains("a.db is in use by another server (process "), "{refused}");
        drop(held);
        assert!(take(&link).is_ok());
    }

    #[test]
    fn a_file_that_is_replaced_or_whose_log_is_gone_is_not_in_place() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.db");
        fs::write(&path, "").expect("a file");
        fs::write(dir.path().join("a.db-wal"), "").expect("a file");
        let file = DatabaseFile::opened(path.clone()).expect("it is there");
        assert!(file.in_place().is_ok());

        fs::rename(&path, dir.path().join("elsewhere")).expect("it can be moved");
        assert!(file.in_place().is_err());
        fs::write(&path, "").expect("another file");
        assert!(file.in_place().is_err());
        fs::rename(dir.path().join("elsewhere"), &path).expect("it can be moved back");
        assert!(file.in_place().is_ok());
        fs::remove_file(dir.path().join("a.db-wal")).expect("the log can be removed");
        assert!(file.in_place().is_err());
    }
}
