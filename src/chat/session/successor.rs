//! Which refresh token follows which: derived, so that it can be given out again although only its hash is kept.

use hkdf::Hkdf;
use sha2::Sha256;

use crate::ids::SessionId;
use crate::secret::Secret;

/// What the key is for, so that the secret may serve other purposes as well.
const PURPOSE: &[u8] = b"parlor refresh tokens, form 1";

/// Derives the secret of a refresh token from that of the token before: HMAC-SHA-256 under a key that all nodes derive
/// from the token secret ([RFC 5869, section 2.3](https://www.rfc-editor.org/rfc/rfc5869#section-2.3)). Who has a token
/// and not the key can't tell what comes after it. Has no `Debug`, so that the key is not logged.
pub(super) struct Successors(Hkdf<Sha256>);

impl Successors {
    /// Those of all nodes with this secret.
    pub(super) fn new(secret: &Secret) -> Self {
        Self(Hkdf::new(None, secret.bytes()))
    }

    /// The secret that follows this one in this session.
    pub(super) fn after(&self, session: SessionId, secret: &[u8; 32]) -> [u8; 32] {
        let mut next = [0; 32];
        let info = [PURPOSE, session.0.as_bytes(), secret];
        self.0.expand_multi_info(&info, &mut next).expect("one hash is fewer than 255");
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn successors(byte: u8) -> Successors {
        Successors::new(&Secret::new([byte; 32]).expect("is long enough"))
    }

    #[test]
    fn a_successor_is_the_same_on_all_nodes_and_another_for_all_else() {
        let (session, secret) = (SessionId::generate(), [7; 32]);
        let next = successors(1).after(session, &secret);
        assert_eq!(next, successors(1).after(session, &secret));
        for other in [
            successors(2).after(session, &secret),
            successors(1).after(SessionId::generate(), &secret),
            successors(1).after(session, &[8; 32]),
            successors(1).after(session, &next),
            secret,
        ] {
            assert_ne!(next, other);
        }
    }
}
