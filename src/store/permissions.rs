//! The files of an SQLite database: for their owner alone, because they hold what people write to each other.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;

/// Makes the file that this URL names, if it is to be made, and takes it from everybody but its owner, whatever the
/// directory allows. The files that SQLite puts beside it get the same permissions from SQLite. What can't be changed,
/// because the file belongs to somebody else, is logged.
pub(super) fn make_private(url: &str) {
    // What is wrong with the URL or the directory is reported by whoever opens it.
    let Ok(options) = SqliteConnectOptions::from_str(url) else { return };
    let path = options.get_filename();
    if url.contains(":memory:") || url.contains("mode=memory") {
        return;
    }
    if url.contains("mode=rwc") {
        create(path);
    }
    for file in ["", "-wal", "-shm", "-journal"].map(|suffix| beside(path, suffix)) {
        if let Err(error) = restrict(&file) {
            tracing::warn!(file = %file.display(), %error, "others may be able to read the database");
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// An empty file is an empty database. If it can't be made, SQLite can't either, and says why.
fn create(path: &Path) {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    drop(options.open(path));
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
