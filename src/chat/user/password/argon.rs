//! Argon2id in memory that is kept: the same few buffers serve every hashing.
//!
//! The allocator would keep what a hashing gives back, once for each thread that ever hashed.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{Error, try_generate_salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};

/// Memory of one hashing, in KiB. With [`PASSES`] and [`LANES`] it is what OWASP recommends of Argon2id
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id>).
const MEMORY_KIB: u32 = 19 * 1024;

/// How often one hashing goes over its memory.
const PASSES: u32 = 2;

/// Threads of one hashing.
const LANES: u32 = 1;

/// The most memory that a hash made with other parameters may ask for, in KiB: the second choice of
/// [RFC 9106, section 4](https://www.rfc-editor.org/rfc/rfc9106#section-4).
const MAX_MEMORY_KIB: u32 = 64 * 1024;

/// What new passwords are hashed with.
const PARAMS: Params = match Params::new(MEMORY_KIB, PASSES, LANES, None) {
    Ok(params) => params,
    Err(_) => panic!("the parameters are within Argon2's bounds"),
};

/// Bytes of a new hash.
const HASH_BYTES: usize = Params::DEFAULT_OUTPUT_LEN;

/// Buffers to hash in, each made when it is first needed: as many as hashings ever ran concurrently. Whoever hashes
/// limits that.
#[derive(Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<Block>>>);

impl Buffers {
    /// The hash of a password in PHC form, with a salt of its own.
    ///
    /// # Errors
    /// When the system gives no random numbers or memory.
    pub(super) fn hash(&self, password: &[u8]) -> Result<String, Error> {
        let salt = try_generate_salt().map_err(|_| Error::RngFailure)?;
        let mut hash = [0; HASH_BYTES];
        self.fill(Algorithm::Argon2id, Version::V0x13, PARAMS, password, &salt, &mut hash)?;
        let hash = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&PARAMS)?,
            salt: Some(Salt::new(&salt)?),
            hash: Some(Output::new(&hash)?),
        };
        Ok(hash.to_string())
    }

    /// Does what [`Self::hash`] does, for nothing but the time that it takes.
    ///
    /// # Errors
    /// When the system gives no memory.
    pub(super) fn hash_in_vain(&self, password: &[u8]) -> Result<[u8; HASH_BYTES], Error> {
        let mut hash = [0; HASH_BYTES];
        self.fill(Algorithm::Argon2id, Version::V0x13, PARAMS, password, &[0; 16], &mut hash)?;
        Ok(hash)
    }

    /// Whether the password has this hash, in PHC form. The hash says with which parameters it was made.
    ///
    /// # Errors
    /// When it is no hash of Argon2, asks for more than [`MAX_MEMORY_KIB`], or the system gives no memory.
    pub(super) fn verify(&self, password: &[u8], hash: &str) -> Result<bool, Error> {
        let hash = PasswordHash::new(hash)?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Err(Error::EncodingInvalid) };
        let params = Params::try_from(&hash)?;
        if params.m_cost() > MAX_MEMORY_KIB {
            return Err(Error::ParamInvalid { name: "m" });
        }
        let algorithm = Algorithm::try_from(hash.algorithm.as_str())?;
        let version = hash.version.map(Version::try_from).transpose()?.unwrap_or_default();
        let mut found = [0; Output::MAX_LENGTH];
        let found = found.get_mut(..expected.len()).ok_or(Error::OutputSize)?;
        self.fill(algorithm, version, params, password, salt, found)?;
        // Compares in constant time.
        Ok(*expected == Output::new(found)?)
    }

    /// Hashes with a buffer of its own, and gives the buffer back.
    fn fill(
        &self,
        algorithm: Algorithm,
        version: Version,
        params: Params,
        password: &[u8],
        salt: &[u8],
        hash: &mut [u8],
    ) -> Result<(), Error> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        if let Some(missing) = params.block_count().checked_sub(buffer.len()) {
            buffer.try_reserve_exact(missing).map_err(|_| Error::OutOfMemory)?;
            buffer.resize(params.block_count(), Block::new());
        }
        let hashed =
            Argon2::new(algorithm, version, params).hash_password_into_with_memory(password, salt, hash, &mut buffer);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        Ok(hashed?)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use argon2::PasswordHasher;

    use super::*;

    fn buffers(buffers: &Buffers) -> Vec<usize> {
        buffers.0.lock().expect("nobody has panicked").iter().map(Vec::len).collect()
    }

    #[test]
    fn a_hash_is_the_one_that_the_library_makes_in_memory_of_its_own() {
        let kept = Buffers::default();
        // Whatever stood in the buffer before makes no difference.
        kept.hash(b"another password").expect("hashes");
        let hash = kept.hash(b"open sesame").expect("hashes");
        let parsed = PasswordHash::new(&hash).expect("PHC form");
        let salt = parsed.salt.expect("a salt of its own");
        let expected = Argon2::new(Algorithm::Argon2id, Version::V0x13, PARAMS)
            .hash_password_with_salt(b"open sesame", &salt)
            .expect("hashes");
        assert_eq!(hash, expected.to_string());
        assert_ne!(hash, kept.hash(b"open sesame").expect("hashes"));
    }

    #[test]
    fn a_hash_made_with_other_parameters_verifies() {
        let kept = Buffers::default();
        for (algorithm, version, memory_kib, passes, lanes, bytes) in [
            (Algorithm::Argon2id, Version::V0x13, 12 * 1024, 3, 1, 32),
            (Algorithm::Argon2id, Version::V0x13, 46 * 1024, 1, 1, 16),
            (Algorithm::Argon2id, Version::V0x10, 1024, 1, 4, 64),
            (Algorithm::Argon2i, Version::V0x13, 19 * 1024, 2, 3, 20),
            (Algorithm::Argon2d, Version::V0x13, 8, 1, 1, 32),
            (Algorithm::Argon2id, Version::V0x13, MAX_MEMORY_KIB, 1, 4, 32),
        ] {
            let params = Params::new(memory_kib, passes, lanes, Some(bytes)).expect("within the bounds");
            let hash =
                Argon2::new(algorithm, version, params).hash_password(b"open sesame").expect("hashes").to_string();
            assert_eq!(kept.verify(b"open sesame", &hash), Ok(true), "{hash}");
            assert_eq!(kept.verify(b"open barley", &hash), Ok(false), "{hash}");
        }
        // One buffer, which has grown.
        assert_eq!(buffers(&kept), [MAX_MEMORY_KIB as usize]);
    }

    #[test]
    fn a_hash_that_would_take_too_much_memory_is_refused_before_it_does() {
        let kept = Buffers::default();
        let hash = kept.hash(b"open sesame").expect("hashes").replace("m=19456", "m=4000000");
        assert_eq!(kept.verify(b"open sesame", &hash), Err(Error::ParamInvalid { name: "m" }));
        for hash in ["", "md5:1234", "$argon2id$v=19$m=19456,t=2,p=1", "$scrypt$ln=4$c2FsdHNhbHQ$aGFzaGhhc2g"] {
            assert!(kept.verify(b"open sesame", hash).is_err(), "{hash}");
        }
        assert_eq!(buffers(&kept), [MEMORY_KIB as usize]);
    }

    #[test]
    fn there_are_as_many_buffers_as_hashings_ran_concurrently() {
        let kept = Buffers::default();
        for _ in 0..3 {
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| kept.hash_in_vain(b"open sesame").expect("hashes"));
                }
            });
        }
        let made = buffers(&kept);
        assert!((1..=2).contains(&made.len()) && made.iter().all(|blocks| *blocks == MEMORY_KIB as usize), "{made:?}");
    }
}
