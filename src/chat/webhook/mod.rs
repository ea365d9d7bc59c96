//! Webhooks: where the app's own backend is told of what happens. Only a server key makes and changes them.
//!
//! A webhook is a subscription document whose socket is a URL. Its place in the log is the row of its consumer, which is
//! made with it, so that it misses nothing that happens from then on. Sending is not the chat's: what runs the webhooks
//! looks at their rows, and is woken by [`Webhooks::changed`].

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, FromQueryResult, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Set,
};
use tokio::sync::Notify;

use super::{Argument, Chat, Error, ServerKey, Slice, Window};
use crate::ids::WebhookId;
use crate::log::{self, Kind};
use crate::position::{Cursor, Position, Tag};
use crate::store::Transaction;
use crate::store::entity::webhook::{self, WebhookState, consumer_of};
use crate::store::entity::{consumer, event, webhook_failure};
use crate::store::list::one_of;

mod replay;
mod secret;

pub use replay::Again;
pub use secret::WebhookSecrets;

/// The most webhooks.
const MAX_WEBHOOKS: u64 = 20;

/// For how long after its secret was replaced a webhook is signed with the old one as well.
const OLD_SECRET: TimeDelta = TimeDelta::hours(24);

const NOT_FOUND: Error = Error::NotFound { what: "webhook", argument: Argument::WebhookId };

/// Says whether a webhook could be told by what was given for it.
pub trait CheckWebhook: Send + Sync {
    /// Whether this is the URL of a receiver that could be reached. The error ends a sentence.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check_url(&self, url: &str) -> Result<(), String>;

    /// Whether this document says what a webhook is told. The error ends a sentence.
    fn check_query<'a>(&'a self, query: &'a str) -> BoxFuture<'a, Result<(), String>>;
}

/// What the rules of webhooks need.
pub struct Webhooks {
    secrets: WebhookSecrets,
    check: Arc<dyn CheckWebhook>,
    changed: Arc<Notify>,
}

impl Webhooks {
    /// Webhooks with these secrets, of what this takes.
    #[must_use]
    pub fn new(secrets: WebhookSecrets, check: Arc<dyn CheckWebhook>) -> Self {
        Self { secrets, check, changed: Arc::default() }
    }

    /// The secrets.
    #[must_use]
    pub fn secrets(&self) -> &WebhookSecrets {
        &self.secrets
    }

    /// Notified when a webhook was made, changed or deleted on this node.
    #[must_use]
    pub fn changed(&self) -> &Arc<Notify> {
        &self.changed
    }
}

/// A webhook as a key describes it. What is left out stays as it is. `Debug` is not needed: a URL may hold a secret.
#[derive(Default)]
pub struct WebhookInput {
    /// Where it is told.
    pub url: Option<String>,
    /// What it is told.
    pub query: Option<String>,
    /// Whether one event after the other.
    pub ordered: Option<bool>,
    /// Whether at all.
    pub enabled: Option<bool>,
    /// Whether it gets another secret.
    pub rotate_secret: bool,
}

/// A webhook, and how far it is.
pub struct Told {
    /// The webhook.
    pub webhook: webhook::Model,
    /// It was told everything up to here, or could not be.
    pub at: Cursor,
    /// Since when the oldest event waits that comes after that.
    pub waiting_since: Option<DateTime<Utc>>,
    /// How many events its receiver has refused.
    pub failures: u64,
}

/// An event that a webhook's receiver has refused.
pub struct Failure {
    /// What became of it.
    pub failure: webhook_failure::Model,
    /// The event's kind. `None`: the log doesn't hold it any more.
    pub kind: Option<Kind>,
}

/// Where a consumer is, and since when the next event waits for it.
#[derive(FromQueryResult)]
struct Place {
    name: String,
    position: Position,
    tag: Tag,
    waiting_since: Option<DateTime<Utc>>,
}

impl Chat {
    /// What the rules of webhooks need; `None` where nobody is told, as on the command line.
    #[must_use]
    pub fn webhook_parts(&self) -> Option<&Arc<Webhooks>> {
        self.webhooks.as_ref()
    }

    /// Makes a webhook, and returns it with its secret, which isn't shown again.
    ///
    /// # Errors
    /// `Invalid` of a URL that can't be reached or a document that isn't one of webhooks; `Conflict` when there are too many.
    pub async fn create_webhook(&self, key: &ServerKey, input: WebhookInput) -> Result<(Told, String), Error> {
        let parts = self.parts()?;
        let url = input.url.ok_or_else(|| Error::invalid(Argument::Url, "is needed"))?;
        let query = input.query.ok_or_else(|| Error::invalid(Argument::Query, "is needed"))?;
        parts.expect_fit(Some(&url), Some(&query)).await?;
        let (id, salt) = (WebhookId::generate(), secret::salt()?);
        let webhook = webhook::Model {
            id,
            key_id: key.id,
            url,
            query,
            ordered: input.ordered.unwrap_or_default(),
            salt: salt.clone(),
            old_salt: None,
            old_salt_until: None,
            state: if input.enabled == Some(false) { WebhookState::Disabled } else { WebhookState::Active },
            version: 1,
            attempts: 0,
            failing_since: None,
            next_at: None,
            last_status: None,
            last_error: None,
            created_at: self.clock.now(),
        };
        let tx = self.store.begin_write().await?;
        if webhook::Entity::find().count(&tx).await? >= MAX_WEBHOOKS {
            return Err(Error::Conflict { argument: Argument::Url, problem: "there are 20 webhooks already" });
        }
        webhook.into_active_model().insert(&tx).await?;
        // From here on it misses nothing: what is committed later stands after this.
        let at = log::head_in(&tx).await?;
        let place =
            consumer::Model { name: consumer_of(id), position: at.position, tag: at.tag, updated_at: self.clock.now() };
        place.into_active_model().insert(&tx).await?;
        tx.commit().await?;
        parts.changed.notify_one();
        Ok((self.told(id).await?, parts.secrets.shown(id, &salt)))
    }

    /// Changes a webhook. Returns it with its secret, if it got another.
    ///
    /// # Errors
    /// `NotFound` when there is no such webhook; otherwise as of [`Self::create_webhook`].
    pub async fn update_webhook(
        &self,
        key: &ServerKey,
        id: WebhookId,
        input: WebhookInput,
    ) -> Result<(Told, Option<String>), Error> {
        let parts = self.parts()?;
        parts.expect_fit(input.url.as_deref(), input.query.as_deref()).await?;
        let salt = input.rotate_secret.then(secret::salt).transpose()?;
        let tx = self.store.begin_write().await?;
        let present = find(&tx, id).await?;
        let mut change = present.clone().into_active_model();
        change.version = Set(present.version + 1);
        if input.url.is_some() || input.enabled == Some(true) {
            // Whoever sends it somewhere answers for it: when that key is revoked, so is this.
            change.key_id = Set(key.id);
        }
        if let Some(url) = input.url {
            change.url = Set(url);
        }
        if let Some(query) = input.query {
            change.query = Set(query);
        }
        if let Some(ordered) = input.ordered {
            change.ordered = Set(ordered);
        }
        if let Some(enabled) = input.enabled {
            change.state = Set(if enabled { WebhookState::Active } else { WebhookState::Disabled });
            change.attempts = Set(0);
            change.failing_since = Set(None);
            change.next_at = Set(None);
        }
        if let Some(salt) = &salt {
            change.old_salt = Set(Some(present.salt));
            change.old_salt_until = Set(Some(self.clock.now() + OLD_SECRET));
            change.salt = Set(salt.clone());
        }
        change.update(&tx).await?;
        tx.commit().await?;
        parts.changed.notify_one();
        Ok((self.told(id).await?, salt.map(|salt| parts.secrets.shown(id, &salt))))
    }

    /// Deletes a webhook, and everything that is known of it.
    ///
    /// # Errors
    /// `NotFound` when there is no such webhook.
    pub async fn delete_webhook(&self, _: &ServerKey, id: WebhookId) -> Result<(), Error> {
        let tx = self.store.begin_write().await?;
        find(&tx, id).await?;
        let failures = webhook_failure::Entity::delete_many().filter(webhook_failure::Column::WebhookId.eq(id));
        failures.exec(&tx).await?;
        webhook::Entity::delete_by_id(id).exec(&tx).await?;
        consumer::Entity::delete_by_id(consumer_of(id)).exec(&tx).await?;
        tx.commit().await?;
        if let Some(parts) = &self.webhooks {
            parts.changed.notify_one();
        }
        Ok(())
    }

    /// All webhooks, the oldest first. Three statements.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhooks(&self, _: &ServerKey) -> Result<Vec<Told>, Error> {
        let webhooks = webhook::Entity::find().order_by_asc(webhook::Column::Id).all(self.store.read()).await?;
        self.all_told(webhooks).await
    }

    /// The events that a webhook's receiver has refused, the oldest first, with their kinds as long as the log holds them. Two
    /// statements.
    ///
    /// # Errors
    /// `NotFound` when there is no such webhook.
    pub async fn webhook_failures(
        &self,
        _: &ServerKey,
        id: WebhookId,
        window: &Window<i64>,
    ) -> Result<Slice<Failure>, Error> {
        let failures = webhook_failure::Entity::find()
            .filter(webhook_failure::Column::WebhookId.eq(id))
            .filter(webhook_failure::Column::Position.gt(window.after.unwrap_or_default()))
            .order_by_asc(webhook_failure::Column::Position)
            .limit(u64::from(window.limit) + 1)
            .all(self.store.read())
            .await?;
        if failures.is_empty() && webhook::Entity::find_by_id(id).one(self.store.read()).await?.is_none() {
            return Err(NOT_FOUND);
        }
        Ok(Slice::probed(self.with_kinds(failures).await?, window))
    }

    async fn with_kinds(&self, failures: Vec<webhook_failure::Model>) -> Result<Vec<Failure>, Error> {
        let mut kinds = HashMap::new();
        if !failures.is_empty() {
            let positions = failures.iter().map(|failure| failure.position);
            let positions = one_of(self.store.backend(), event::Column::Position, positions);
            let kept = event::Entity::find().filter(positions).all(self.store.read()).await?;
            kinds.extend(kept.into_iter().map(|event| (event.cursor(), event.kind)));
        }
        let failures = failures.into_iter();
        Ok(failures.map(|failure| Failure { kind: kinds.get(&failure.cursor()).copied(), failure }).collect())
    }

    fn parts(&self) -> Result<&Arc<Webhooks>, Error> {
        self.webhooks.as_ref().ok_or(Error::Forbidden("nobody is told of anything by this program"))
    }

    async fn told(&self, id: WebhookId) -> Result<Told, Error> {
        let webhook = webhook::Entity::find_by_id(id).all(self.store.read()).await?;
        self.all_told(webhook).await?.pop().ok_or(NOT_FOUND)
    }

    async fn all_told(&self, webhooks: Vec<webhook::Model>) -> Result<Vec<Told>, Error> {
        let (db, backend) = (self.store.read(), self.store.backend());
        if webhooks.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT name, position, tag, (SELECT at FROM event WHERE event.position > consumer.position \
                   ORDER BY event.position LIMIT 1) AS waiting_since FROM consumer WHERE name LIKE 'webhook:%'";
        let places = Place::find_by_statement(self.store.statement(sql, [])).all(db).await?;
        let mut places: HashMap<String, Place> = places.into_iter().map(|place| (place.name.clone(), place)).collect();
        let failures: Vec<(WebhookId, i64)> = webhook_failure::Entity::find()
            .select_only()
            .column(webhook_failure::Column::WebhookId)
            .column_as(webhook_failure::Column::Position.count(), "failures")
            .filter(one_of(backend, webhook_failure::Column::WebhookId, webhooks.iter().map(|webhook| webhook.id)))
            .group_by(webhook_failure::Column::WebhookId)
            .into_tuple()
            .all(db)
            .await?;
        let failures: HashMap<WebhookId, i64> = failures.into_iter().collect();
        let told = webhooks.into_iter().map(|webhook| {
            let place = places.remove(&webhook.consumer());
            let at = place.as_ref().map(|place| Cursor { position: place.position, tag: place.tag });
            let failures = failures.get(&webhook.id).copied().unwrap_or_default();
            Told {
                at: at.unwrap_or_default(),
                waiting_since: place.and_then(|place| place.waiting_since),
                failures: u64::try_from(failures).unwrap_or_default(),
                webhook,
            }
        });
        Ok(told.collect())
    }
}

impl Webhooks {
    async fn expect_fit(&self, url: Option<&str>, query: Option<&str>) -> Result<(), Error> {
        if let Some(url) = url {
            self.check.check_url(url).map_err(|problem| Error::invalid(Argument::Url, problem))?;
        }
        if let Some(query) = query {
            self.check.check_query(query).await.map_err(|problem| Error::invalid(Argument::Query, problem))?;
        }
        Ok(())
    }
}

async fn find(tx: &Transaction, id: WebhookId) -> Result<webhook::Model, Error> {
    webhook::Entity::find_by_id(id).one(tx).await?.ok_or(NOT_FOUND)
}
