//! Passwords: hashing them, and verifying them so that the time it takes reveals nothing.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use argon2::password_hash;
use tokio::sync::Semaphore;

use crate::chat::{Argument, Error};

mod argon;
mod common;

use argon::Buffers;
use common::is_common;

/// The most concurrent hashings, on a machine with that many cores. Together they take at most 76 MiB, which
/// are kept once they were needed.
const MAX_AT_ONCE: usize = 4;

/// The most passwords that are being hashed or wait for it; more are refused, because they would wait longer than their
/// senders.
const MAX_WAITING: usize = 64;

/// When a caller that was refused may try again: most of the waiting passwords are done by then.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A password that a user chose: [`Self::MIN_CHARS`] characters to [`Self::MAX_BYTES`] bytes, and not one of those that
/// are guessed first. All characters are allowed, and taken as they are. `Debug` doesn't show it.
pub(crate) struct Password(String);

impl Password {
    /// The fewest characters.
    pub(crate) const MIN_CHARS: usize = 8;

    /// The most bytes of UTF-8.
    pub(crate) const MAX_BYTES: usize = 256;

    /// Parses a password.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `password` when it is too short, too long, or among the most common ones.
    pub(crate) fn parse(text: String) -> Result<Self, Error> {
        if text.chars().count() < Self::MIN_CHARS {
            return Err(Error::invalid(
                Argument::Password,
                format!("must have at least {} characters", Self::MIN_CHARS),
            ));
        }
        if text.len() > Self::MAX_BYTES {
            return Err(Error::invalid(Argument::Password, format!("must have at most {} bytes", Self::MAX_BYTES)));
        }
        if is_common(&text) {
            let problem = "is one of the most common passwords, which are guessed first: choose another";
            return Err(Error::invalid(Argument::Password, problem));
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Hashes and verifies passwords on blocking threads, a few concurrently; the others wait. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Passwords {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    /// No more than there are turns, because each is in use only while its user holds a turn.
    buffers: Arc<Buffers>,
}

impl Default for Passwords {
    /// Runs as many hashings concurrently as there are cores, but no more than four.
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            places: Arc::new(Semaphore::new(MAX_WAITING)),
            turns: Arc::new(Semaphore::new(cores.min(MAX_AT_ONCE))),
            buffers: Arc::default(),
        }
    }
}

impl Passwords {
    /// The Argon2id hash of a password, with a salt of its own, in PHC form.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when too many wait; [`Error::Internal`] when the system gives no random numbers or
    /// memory.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, Error> {
        self.in_turn(move |buffers| buffers.hash(password.0.as_bytes())).await
    }

    /// Whether `attempt` is the password of this hash. Without a hash it is not, and that takes the same time.
    ///
    /// # Errors
    /// [`Error::Internal`] when the hash isn't one, or as [`Self::hash`].
    pub(crate) async fn verify(&self, attempt: String, hash: Option<String>) -> Result<bool, Error> {
        if attempt.len() > Password::MAX_BYTES {
            return Ok(false);
        }
        self.in_turn(move |buffers| {
            if let Some(hash) = hash {
                return buffers.verify(attempt.as_bytes(), &hash);
            }
            black_box(buffers.hash_in_vain(attempt.as_bytes())?);
            Ok(false)
        })
        .await
    }

    /// Runs the work once a permit is free. The permit is released when the work ends, even if the caller has gone away
    /// before.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Buffers) -> Result<T, password_hash::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let refused = Error::RateLimited { retry_after: RETRY_AFTER };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| refused)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(internal)?;
        let buffers = Arc::clone(&self.buffers);
        let work = tokio::task::spawn_blocking(move || {
            let (_place, _turn) = (place, turn);
            work(&buffers)
        });
        work.await.map_err(internal)?.map_err(internal)
    }
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Internal(Arc::new(error))
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn more_passwords_than_may_wait_are_refused_at_once() {
        let passwords = Passwords::default();
        let attempts = (0..MAX_WAITING + 30).map(|_| passwords.verify("a password".to_owned(), None));
        let outcomes = join_all(attempts).await;
        let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(Error::RateLimited { .. }))).count();
        assert_eq!(refused, 30);
        assert!(passwords.verify("a password".to_owned(), None).await.is_ok_and(|matches| !matches));
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_no_other_is() {
        let passwords = Passwords::default();
        let hash = passwords.hash(Password::parse("open sesame".into()).expect("long enough")).await.expect("hashes");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");

        let verify = async |attempt: &str| passwords.verify(attempt.into(), Some(hash.clone())).await.expect("checks");
        assert!(verify("open sesame").await);
        assert!(!verify("open barley").await);
        assert!(!verify("").await);
        assert!(!verify(&"x".repeat(1_000_000)).await);
    }

    #[tokio::test]
    async fn nothing_is_the_password_of_somebody_without_one() {
        assert!(!Passwords::default().verify("open sesame".into(), None).await.expect("checks"));
    }

    #[tokio::test]
    async fn a_hash_that_is_none_is_a_defect_and_not_a_wrong_password() {
        let verified = Passwords::default().verify("open sesame".into(), Some("md5:1234".into())).await;
        assert!(matches!(verified, Err(Error::Internal(_))));
    }

    #[test]
    fn the_bounds_of_a_password_are_told_and_its_text_is_not() {
        assert!(Password::parse("äöüäöüä".into()).is_err(), "7 characters, though 14 bytes");
        assert!(Password::parse("x".repeat(Password::MAX_BYTES + 1)).is_err());
        assert!(Password::parse("Password1".into()).is_err(), "as common as any");
        let password = Password::parse("x".repeat(Password::MAX_BYTES)).expect("at the bound");
        assert_eq!(format!("{password:?}"), "Password(…)");
    }
}
