//! The files of an SQLite database: for their owner alone, because they hold what people write to each other.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{DbErr, RuntimeErr};

/// Makes the file that this URL names, if it is to be made, and takes it from everybody but its owner, whatever the
/// directory allows. The files that SQLite puts beside it get the same permissions from SQLite.
///
/// # Errors
/// When the file can't be made, or its permissions can't be changed.
pub(super) fn make_private(url: &str) -> Result<(), DbErr> {
    // What is wrong with the URL is reported by whoever opens it.
    let Ok(options) = SqliteConnectOptions::from_str(url) else { return Ok(()) };
    let path = options.get_filename();
    if path.as_os_str().is_empty() || url.contains(":memory:") || url.contains("mode=memory") {
        return Ok(());
    }
    let denied = |error: io::Error| {
        let problem = format!("{} can't be kept from others: {error}", path.display());
        DbErr::Conn(RuntimeErr::Internal(problem))
    };
    if url.contains("mode=rwc") {
        create(path).map_err(denied)?;
    }
    for suffix in ["", "-wal", "-shm", "-journal"] {
        restrict(&beside(path, suffix)).map_err(denied)?;
    }
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// An empty file is an empty database.
fn create(path: &Path) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        // SQLite tells what is wrong with the directory.
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn restrict(path: &Path) -> io::Result<()> {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    let permissions = match fs::metadata(path) {
        Ok(found) => found.permissions(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if permissions.mode() & 0o777 == 0o600 { Ok(()) } else { fs::set_permissions(path, Permissions::from_mode(0o600)) }
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> io::Result<()> {
    Ok(())
}
