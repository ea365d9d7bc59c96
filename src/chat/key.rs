//! Server keys: with one, the app's own backend calls, by itself or for a user.
//!
//! A key is shown once, when the operator makes it, and only its hash is stored. No request can make one, so a key that
//! leaked can't make another; and what it has issued is refused with it.

use std::fmt;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, Set, SqlErr,
};
use sha2::{Digest, Sha256};

use super::user::UserRef;
use super::{Argument, Chat, Error, Reason, Viewer};
use crate::ids::KeyId;
use crate::store::entity::webhook::{self, WebhookState};
use crate::store::entity::{server_key, user};

/// How the text of every key begins, by which it is told from a user's token.
const PREFIX: &str = "sk_";

/// Random bytes of a key.
const KEY_BYTES: usize = 32;

/// The most characters of a key's name.
pub const MAX_NAME_CHARS: usize = 64;

/// How long it is remembered whether a key is still good by those who check it again and again: tokens that it has
/// issued, and their sockets. A request that shows the key itself is always checked in the database.
const REMEMBERED: Duration = Duration::from_secs(10);

/// The most keys of which that is remembered.
const CAPACITY: usize = 256;

/// A key that is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerKey {
    /// Which key.
    pub id: KeyId,
}

/// A key that was just made. `Debug` doesn't show its text.
pub struct NewKey {
    /// Which key.
    pub id: KeyId,
    /// The key itself, for the app's backend to keep: it can't be shown again.
    pub text: String,
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Which keys were good a moment ago.
pub(super) struct KeyCache(Cache<KeyId, (bool, Instant)>);

impl Default for KeyCache {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

/// Whether this text is meant as a key, good or not.
#[must_use]
pub fn is_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

impl Chat {
    /// Makes a key. For the operator.
    ///
    /// # Errors
    /// [`Error::Invalid`] of the name when it is empty, too long or holds control characters; [`Error::Conflict`] when
    /// a key of that name is good.
    pub async fn add_key(&self, name: &str) -> Result<NewKey, Error> {
        let name = name.trim();
        if !(1..=MAX_NAME_CHARS).contains(&name.chars().count()) || name.contains(char::is_control) {
            let problem = format!("must have 1 to {MAX_NAME_CHARS} characters, and no control characters");
            return Err(Error::invalid(Argument::Name, problem));
        }
        let mut random = [0; KEY_BYTES];
        getrandom::fill(&mut random).map_err(|error| Error::Internal(std::sync::Arc::new(error)))?;
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let key = server_key::Model {
            id: KeyId::generate(),
            name: name.to_owned(),
            hash: digest(&text),
            created_at: self.clock.now(),
            revoked_at: None,
        };
        let id = key.id;
        let tx = self.store.begin_write().await?;
        key.into_active_model().insert(&tx).await.map_err(|error| match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => {
                Error::Conflict { argument: Argument::Name, problem: "a key of this name is in use" }
            }
            _ => error.into(),
        })?;
        tx.commit().await?;
        Ok(NewKey { id, text })
    }

    /// All keys that were ever made, the oldest first. For the operator.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys(&self) -> Result<Vec<server_key::Model>, Error> {
        let keys = server_key::Entity::find().order_by_asc(server_key::Column::CreatedAt);
        Ok(keys.order_by_asc(server_key::Column::Id).all(self.store.read()).await?)
    }

    /// Revokes the key of this id or name: from now on it is refused, within a minute also the tokens that it has
    /// issued, and their sockets end. Webhooks that it answers for are disabled. For the operator.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such key that is good.
    pub async fn revoke_key(&self, id_or_name: &str) -> Result<KeyId, Error> {
        let named = match id_or_name.parse::<KeyId>() {
            Ok(id) => Condition::any().add(server_key::Column::Id.eq(id)),
            Err(_) => Condition::any().add(server_key::Column::Name.eq(id_or_name.trim())),
        };
        let tx = self.store.begin_write().await?;
        let key = server_key::Entity::live().filter(named).one(&tx).await?;
        let key = key.ok_or(Error::NotFound { what: "key", argument: Argument::Name })?;
        let revoked_at = Set(Some(self.clock.now()));
        server_key::Entity::update(server_key::ActiveModel { revoked_at, ..key.clone().into_active_model() })
            .exec(&tx)
            .await?;
        // Where it has sent what happens, nothing is sent any more.
        let disabled = webhook::ActiveModel { state: Set(WebhookState::Disabled), ..Default::default() };
        webhook::Entity::update_many()
            .set(disabled)
            .col_expr(webhook::Column::Version, Expr::col(webhook::Column::Version).add(1))
            .filter(webhook::Column::KeyId.eq(key.id))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(key.id)
    }

    /// The key with this text. It is looked up each time, so that a revoked one is refused at once, on every node.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when there is none that is good; or when the database fails.
    pub async fn authenticate_key(&self, text: &str) -> Result<ServerKey, Error> {
        let key = server_key::Entity::live().filter(server_key::Column::Hash.eq(digest(text)));
        let key = key.one(self.store.read()).await?.ok_or(Error::Unauthenticated)?;
        Ok(ServerKey { id: key.id })
    }

    /// Whether this key is still good, as of [`REMEMBERED`] ago at most.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_key_good(&self, key: KeyId) -> Result<bool, Error> {
        if let Some((good, at)) = self.keys.0.get(&key)
            && at.elapsed() < REMEMBERED
        {
            return Ok(good);
        }
        let at = Instant::now();
        let found = server_key::Entity::live().filter(server_key::Column::Id.eq(key)).one(self.store.read()).await?;
        self.keys.0.insert(key, (found.is_some(), at));
        Ok(found.is_some())
    }

    /// The user for whom a key acts, as a viewer of one request.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such user; [`Reason::Deactivated`] when the app has switched it off.
    pub async fn acting_for(&self, _: &ServerKey, user: &UserRef) -> Result<Viewer, Error> {
        let user = user::Entity::present().filter(user.condition()).one(self.store.read()).await?;
        let user = user.ok_or(Error::NotFound { what: "user", argument: Argument::ActingFor })?;
        if user.deactivated_at.is_some() {
            return Err(Error::Refused(Reason::Deactivated));
        }
        let until = DateTime::<Utc>::MAX_UTC;
        Ok(Viewer {
            user: user.id,
            session: None,
            issued_by: None,
            acted_for: true,
            valid_after: user.tokens_valid_after,
            until,
        })
    }
}

fn digest(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}
