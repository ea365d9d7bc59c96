//! Passwords: hashing them, and verifying them so that the time it takes reveals nothing.
//!
//! Keyboards write one text in several ways: `é` as one character or as two, letters and digits in two widths, spaces of
//! several kinds. So a password is hashed and compared in one form ([`prepared`]).

use std::borrow::Cow;
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use argon2::password_hash;
use icu_normalizer::ComposingNormalizerBorrowed;
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
/// are guessed first, all of it in the form in which it is hashed. All characters are allowed. `Debug` doesn't show it.
pub(crate) struct Password(String);

/// What a password was compared to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is another one, or there is none.
    Wrong,
    /// It is the one.
    Right {
        /// If the hash is of the text as it was typed, as hashes were made before: a hash to replace it.
        rehashed: Option<String>,
    },
}

impl Password {
    /// The fewest characters.
    pub(crate) const MIN_CHARS: usize = 8;

    /// The most bytes of UTF-8.
    pub(crate) const MAX_BYTES: usize = 256;

    /// The most bytes of a password as it is typed: the form that is hashed may be four times shorter.
    const MAX_TYPED_BYTES: usize = 4 * Self::MAX_BYTES;

    /// Parses a password that was given as `argument`.
    ///
    /// # Errors
    /// [`Error::Invalid`] of the argument when it is too short, too long, or among the most common ones.
    pub(crate) fn parse(text: &str, argument: Argument) -> Result<Self, Error> {
        let too_long = || Error::invalid(argument, format!("must have at most {} bytes", Self::MAX_BYTES));
        if text.len() > Self::MAX_TYPED_BYTES {
            return Err(too_long());
        }
        let text = prepared(text);
        if text.chars().count() < Self::MIN_CHARS {
            return Err(Error::invalid(argument, format!("must have at least {} characters", Self::MIN_CHARS)));
        }
        if text.len() > Self::MAX_BYTES {
            return Err(too_long());
        }
        if is_common(&text) {
            let problem = "is one of the most common passwords, which are guessed first: choose another";
            return Err(Error::invalid(argument, problem));
        }
        Ok(Self(text.into_owned()))
    }
}

/// The form in which a password is hashed and compared: Unicode's NFKC, and every space a plain one. So passwords are
/// equal that are by the profile `OpaqueString` ([RFC 8265, section 4.2](https://www.rfc-editor.org/rfc/rfc8265#section-4.2)),
/// which has NFC, and besides those that differ in width, which NIST asks for
/// ([SP 800-63B, section 5.1.1.2](https://pages.nist.gov/800-63-3/sp800-63b.html)).
fn prepared(text: &str) -> Cow<'_, str> {
    // The one space that NFKC leaves as it is.
    const OGHAM_SPACE: char = '\u{1680}';
    let text = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    if text.contains(OGHAM_SPACE) { Cow::Owned(text.replace(OGHAM_SPACE, " ")) } else { text }
}

/// The texts that an attempt may stand for, in the order in which they are tried: the form that is hashed and, if it
/// differs, the text as it was typed, of which hashes were made before. How many there are doesn't depend on whose
/// password it is.
fn readings(attempt: &str) -> Vec<Cow<'_, str>> {
    if attempt.len() > Password::MAX_TYPED_BYTES {
        return Vec::new();
    }
    let prepared = prepared(attempt);
    let typed = (prepared != attempt).then_some(Cow::Borrowed(attempt));
    [Some(prepared), typed].into_iter().flatten().filter(|text| text.len() <= Password::MAX_BYTES).collect()
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
    pub(crate) async fn verify(&self, attempt: String, hash: Option<String>) -> Result<Verdict, Error> {
        if readings(&attempt).is_empty() {
            return Ok(Verdict::Wrong);
        }
        self.in_turn(move |buffers| {
            let readings = readings(&attempt);
            let Some(hash) = hash else {
                for text in readings {
                    black_box(buffers.hash_in_vain(text.as_bytes())?);
                }
                return Ok(Verdict::Wrong);
            };
            for text in &readings {
                if buffers.verify(text.as_bytes(), &hash)? {
                    let better = readings.first().filter(|best| *best != text);
                    let rehashed = better.map(|best| buffers.hash(best.as_bytes())).transpose()?;
                    return Ok(Verdict::Right { rehashed });
                }
            }
            Ok(Verdict::Wrong)
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

    const RIGHT: Verdict = Verdict::Right { rehashed: None };

    fn parse(text: &str) -> Result<Password, Error> {
        Password::parse(text, Argument::Password)
    }

    #[tokio::test]
    async fn more_passwords_than_may_wait_are_refused_at_once() {
        let passwords = Passwords::default();
        let attempts = (0..MAX_WAITING + 30).map(|_| passwords.verify("a password".to_owned(), None));
        let outcomes = join_all(attempts).await;
        let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(Error::RateLimited { .. }))).count();
        assert_eq!(refused, 30);
        assert!(passwords.verify("a password".to_owned(), None).await.is_ok_and(|verdict| verdict == Verdict::Wrong));
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_no_other_is() {
        let passwords = Passwords::default();
        let hash = passwords.hash(parse("open sesame").expect("long enough")).await.expect("hashes");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");

        let verify =
            async |attempt: &str| passwords.verify(attempt.into(), Some(hash.clone())).await.expect("checks") == RIGHT;
        assert!(verify("open sesame").await);
        assert!(!verify("open barley").await);
        assert!(!verify("").await);
        assert!(!verify(&"x".repeat(1_000_000)).await);
    }

    #[tokio::test]
    async fn nothing_is_the_password_of_somebody_without_one() {
        let verdict = Passwords::default().verify("open sesame".into(), None).await.expect("checks");
        assert!(verdict == Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_that_is_none_is_a_defect_and_not_a_wrong_password() {
        let verified = Passwords::default().verify("open sesame".into(), Some("md5:1234".into())).await;
        assert!(matches!(verified, Err(Error::Internal(_))));
    }

    #[test]
    fn the_bounds_of_a_password_are_told_and_its_text_is_not() {
        assert!(parse("äöüäöüä").is_err(), "7 characters, though 14 bytes");
        assert!(parse("e\u{301}e\u{301}e\u{301}e\u{301}").is_err(), "4 characters, though they are typed as 8");
        assert!(parse(&"x".repeat(Password::MAX_BYTES + 1)).is_err());
        assert!(parse(&"e\u{301}".repeat(128)).is_ok(), "256 bytes, though they are typed as 384");
        assert!(parse(&"\u{fdfa}".repeat(16)).is_err(), "528 bytes, though they are typed as 48");
        assert!(parse("Password1").is_err(), "as common as any");
        assert!(parse("Ｐassword１").is_err(), "in whatever width");
        let password = parse(&"x".repeat(Password::MAX_BYTES)).expect("at the bound");
        assert_eq!(format!("{password:?}"), "Password(…)");
    }

    #[tokio::test]
    async fn a_password_is_the_same_however_a_keyboard_writes_it() {
        let passwords = Passwords::default();
        let hash = passwords.hash(parse("Pâsswörté 1가").expect("long enough")).await.expect("hashes");
        for attempt in
            ["Pâsswörté 1가", "Pa\u{302}sswo\u{308}rte\u{301} 1가", "Ｐâsswörté\u{3000}１가", "Pâsswörté\u{1680}1가"]
        {
            assert!(
                passwords.verify(attempt.into(), Some(hash.clone())).await.expect("checks") == RIGHT,
                "{attempt:?}"
            );
        }
        for attempt in ["pâsswörté 1가", "Passworte 1가", "Pâsswörté1가", " Pâsswörté 1가"] {
            let verdict = passwords.verify(attempt.into(), Some(hash.clone())).await.expect("checks");
            assert!(verdict == Verdict::Wrong, "{attempt:?}");
        }
    }

    #[tokio::test]
    async fn a_hash_of_the_text_as_it_was_typed_is_right_and_is_replaced() {
        let (passwords, typed) = (Passwords::default(), "Pa\u{302}sswo\u{308}rte\u{301}");
        let old = Buffers::default().hash(typed.as_bytes()).expect("hashes");
        let verify = async |attempt: &str, hash: &str| {
            passwords.verify(attempt.into(), Some(hash.to_owned())).await.expect("checks")
        };
        let Verdict::Right { rehashed: Some(new) } = verify(typed, &old).await else { panic!("expected a new hash") };
        assert!(verify(typed, &new).await == RIGHT && verify("Pâsswörté", &new).await == RIGHT);
        assert!(verify("Passworte", &old).await == Verdict::Wrong);
    }

    #[test]
    fn an_attempt_is_hashed_twice_at_most_whoever_it_is_for() {
        for (attempt, count) in [
            ("ascii".to_owned(), 1),
            ("é".to_owned(), 1),
            ("e\u{301}".to_owned(), 2),
            (String::new(), 1),
            ("x".repeat(257), 0),
            ("\u{fdfa}".repeat(16), 1),
            ("e\u{301}".repeat(128), 1),
            ("e\u{301}".repeat(400), 0),
        ] {
            assert_eq!(readings(&attempt).len(), count, "{attempt}");
        }
    }
}
