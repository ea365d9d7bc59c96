//! The secrets with which webhooks are signed. They are stored nowhere: each is derived from the token secret and from the
//! webhook's salt, so that a copy of the database signs nothing.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hkdf::Hkdf;
use sha2::Sha256;

use crate::chat::Error;
use crate::ids::WebhookId;
use crate::secret::Secret;
use crate::store::entity::webhook;

/// Bytes of a secret: [the specification](https://github.com/standard-webhooks/standard-webhooks) wants 24 to 64.
const BYTES: usize = 32;

/// What the secrets are for, so that the token secret may serve other purposes as well.
const PURPOSE: &[u8] = b"parlor webhook, form 1\n";

/// Derives the secrets of webhooks. Has no `Debug`. Cheap to clone.
#[derive(Clone)]
pub struct WebhookSecrets(Arc<Hkdf<Sha256>>);

impl WebhookSecrets {
    /// The secrets of a deployment with this token secret.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(Arc::new(Hkdf::new(None, secret.bytes())))
    }

    /// The secret of a webhook with this salt.
    fn secret(&self, id: WebhookId, salt: &[u8]) -> [u8; BYTES] {
        let mut secret = [0; BYTES];
        let parts = [PURPOSE, id.0.as_bytes(), salt];
        self.0.expand_multi_info(&parts, &mut secret).expect("one hash is fewer than 255");
        secret
    }

    /// The secrets with which a webhook is signed at this moment, the present one first.
    #[must_use]
    pub fn of(&self, webhook: &webhook::Model, now: DateTime<Utc>) -> Vec<[u8; BYTES]> {
        let old = webhook.old_salt.as_ref().filter(|_| webhook.old_salt_until.is_some_and(|until| now < until));
        [Some(&webhook.salt), old].into_iter().flatten().map(|salt| self.secret(webhook.id, salt)).collect()
    }

    /// The secret as its receiver is given it.
    #[must_use]
    pub fn shown(&self, id: WebhookId, salt: &[u8]) -> String {
        format!("whsec_{}", STANDARD.encode(self.secret(id, salt)))
    }
}

/// A new salt.
pub(super) fn salt() -> Result<Vec<u8>, Error> {
    let mut salt = vec![0; BYTES];
    getrandom::fill(&mut salt).map_err(|error| Error::Internal(Arc::new(error)))?;
    Ok(salt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_webhook_and_each_salt_has_a_secret_of_its_own() {
        let of = |secret: &str| WebhookSecrets::new(&Secret::new(secret).expect("it is long enough"));
        let (one, other) = (of("the secret of one deployment, 32 bytes"), of("the secret of another, also 32 bytes"));
        let (id, salt) = (WebhookId::generate(), salt().expect("a salt"));
        assert_eq!(one.secret(id, &salt), one.secret(id, &salt));
        assert_ne!(one.secret(id, &salt), other.secret(id, &salt));
        assert_ne!(one.secret(id, &salt), one.secret(WebhookId::generate(), &salt));
        assert_ne!(one.secret(id, &salt), one.secret(id, &super::salt().expect("a salt")));
        assert!(one.shown(id, &salt).starts_with("whsec_"));
    }
}
