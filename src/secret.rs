//! The secret with which a deployment signs its tokens.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The file in the data directory that holds the secret.
const FILE: &str = "token-secret";

/// At least [`Secret::MIN_BYTES`] secret bytes. Has no `Debug`, so that they are not logged.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// The secret is shorter than [`Secret::MIN_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be at least {} bytes", Secret::MIN_BYTES)]
pub struct TooShort;

impl Secret {
    /// The fewest bytes of a secret: the size of the signing hash, as
    /// [RFC 7518, section 3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2) requires of HS256.
    pub const MIN_BYTES: usize = 32;

    /// These bytes as a secret.
    ///
    /// # Errors
    /// When they are too few.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, TooShort> {
        let bytes = bytes.into();
        if bytes.len() >= Self::MIN_BYTES { Ok(Self(bytes)) } else { Err(TooShort) }
    }

    /// The secret in the data directory: base64url text in the file `token-secret`, which only its owner may read. The
    /// first process to start creates it from 32 random bytes; all others read the same one.
    ///
    /// # Errors
    /// When the file can't be read or created, or holds no secret of at least 32 bytes.
    pub fn load_or_create(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join(FILE);
        let text = match read(&path) {
            Ok(text) if !text.is_empty() => text,
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => create(&path)?,
        };
        let secret = URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|bytes| Self::new(bytes).ok());
        secret.ok_or_else(|| {
            let problem = format!("{} must hold at least {} bytes as base64url", path.display(), Self::MIN_BYTES);
            io::Error::new(ErrorKind::InvalidData, problem)
        })
    }

    /// The bytes themselves.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

// A process that writes the file holds its lock, so that no other reads half of it.
fn read(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.lock_shared()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn create(path: &Path) -> io::Result<String> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    if text.is_empty() {
        let mut secret = [0; Secret::MIN_BYTES];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        text = URL_SAFE_NO_PAD.encode(secret);
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_start_together_find_the_same_secret() {
        let dir = tempfile::tempdir().expect("a directory");
        let secrets: Vec<Secret> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| Secret::load_or_create(dir.path()))).collect();
            starts.into_iter().map(|start| start.join().expect("no panic").expect("a secret")).collect()
        });
        for other in &secrets {
            assert_eq!(other.bytes(), secrets[0].bytes());
        }

        let again = Secret::load_or_create(dir.path()).expect("the same secret");
        assert_eq!(again.bytes(), secrets[0].bytes());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let file = dir.path().join(FILE).metadata().expect("is there");
            assert_eq!(file.permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_without_a_whole_secret_is_not_used() {
        let dir = tempfile::tempdir().expect("a directory");
        for text in ["too short", "c2hvcnQ", "\n"] {
            std::fs::write(dir.path().join(FILE), text).expect("writes");
            let refused = Secret::load_or_create(dir.path()).err().expect("is refused");
            assert_eq!(refused.kind(), ErrorKind::InvalidData);
            assert!(refused.to_string().contains(FILE));
        }
    }
}
