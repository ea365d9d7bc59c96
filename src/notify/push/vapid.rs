//! How this deployment tells push services who it is ([RFC 8292](https://www.rfc-editor.org/rfc/rfc8292)).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use sea_orm::sea_query::OnConflict;
use sea_orm::{DbErr, EntityTrait, IntoActiveModel};
use serde_json::json;

use crate::store::Store;
use crate::store::entity::push_key::{self, THE_ONE};

/// How long a token is good. A service takes none of more than a day
/// ([RFC 8292, section 2](https://www.rfc-editor.org/rfc/rfc8292#section-2)).
const LIFETIME: TimeDelta = TimeDelta::hours(12);

/// A token that is good for less than this is made anew.
const LEFT_AT_LEAST: TimeDelta = TimeDelta::hours(6);

/// The most services whose tokens are kept.
const MAX_KEPT: usize = 100;

/// The one key, and the tokens that were signed with it.
pub struct Vapid {
    key: EcdsaKeyPair,
    /// Whom a service may turn to: a `mailto:` or `https:` URI.
    contact: Option<String>,
    /// By the service's origin.
    tokens: Mutex<HashMap<String, (String, DateTime<Utc>)>>,
}

/// The key can't be read or made.
#[derive(Debug, thiserror::Error)]
pub enum VapidError {
    /// The database failed.
    #[error("{0}")]
    Database(#[from] DbErr),
    /// The key is none.
    #[error("the key of this deployment for push services can't be used")]
    Key,
}

/// Makes the key, unless another node was faster.
async fn make(store: &Store, now: DateTime<Utc>, random: &SystemRandom) -> Result<Vec<u8>, VapidError> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random).map_err(|_| VapidError::Key)?;
    let row = push_key::Model { id: THE_ONE, pkcs8: made.as_ref().to_vec(), created_at: now };
    let tx = store.begin_write().await?;
    push_key::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(push_key::Column::Id).do_nothing().to_owned())
        .exec_without_returning(&tx)
        .await?;
    let kept = push_key::Entity::find_by_id(THE_ONE).one(&tx).await?;
    tx.commit().await?;
    Ok(kept.ok_or(VapidError::Key)?.pkcs8)
}

impl Vapid {
    /// Reads the deployment's key. Whichever node is the first makes it.
    ///
    /// # Errors
    /// When the database fails, or holds something else.
    pub async fn open(store: &Store, now: DateTime<Utc>, contact: Option<String>) -> Result<Self, VapidError> {
        let random = SystemRandom::new();
        let kept = push_key::Entity::find_by_id(THE_ONE).one(store.read()).await?;
        let pkcs8 = match kept {
            Some(kept) => kept.pkcs8,
            None => make(store, now, &random).await?,
        };
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &random);
        Ok(Self { key: key.map_err(|_| VapidError::Key)?, contact, tokens: Mutex::default() })
    }

    /// The public key, as browsers take it: `applicationServerKey`.
    #[must_use]
    pub fn public_key(&self) -> Arc<str> {
        URL_SAFE_NO_PAD.encode(self.key.public_key()).into()
    }

    /// What to put into `Authorization` for this service. `None`: the system has no chance to offer.
    pub(super) fn authorization(&self, origin: &str, now: DateTime<Utc>) -> Option<String> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, until)) = tokens.get(origin)
            && *until - now > LEFT_AT_LEAST
            && *until - now <= LIFETIME
        {
            return Some(token.clone());
        }
        if tokens.len() >= MAX_KEPT {
            tokens.clear();
        }
        let until = now + LIFETIME;
        let mut claims = json!({ "aud": origin, "exp": until.timestamp() });
        if let Some(contact) = &self.contact {
            claims["sub"] = json!(contact);
        }
        let header = json!({ "typ": "JWT", "alg": "ES256" });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        let token = format!("vapid t={signed}.{signature}, k={}", self.public_key());
        tokens.insert(origin.to_owned(), (token.clone(), until));
        Some(token)
    }
}
