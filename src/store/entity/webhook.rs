//! Webhooks: where the app's own backend is told of what happens.

use sea_orm::entity::prelude::*;

use crate::ids::{KeyId, WebhookId};

/// Whether a webhook is told anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum WebhookState {
    /// It is.
    #[sea_orm(num_value = 1)]
    Active,
    /// Its receiver is down, and is tried again from time to time.
    #[sea_orm(num_value = 2)]
    Paused,
    /// It is told nothing until it is enabled.
    #[sea_orm(num_value = 3)]
    Disabled,
}

/// One webhook. Its place in the log is that of its consumer.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WebhookId,
    /// The key that answers for it: by which it was made, or last sent elsewhere or enabled.
    pub key_id: KeyId,
    /// Where it is told.
    pub url: String,
    /// What it is told: a subscription document.
    pub query: String,
    /// Whether it is told one event after the other.
    pub ordered: bool,
    /// With the token secret, this gives the secret with which it is signed.
    pub salt: Vec<u8>,
    /// That of the secret before.
    pub old_salt: Option<Vec<u8>>,
    /// Until when it is signed with that as well.
    pub old_salt_until: Option<ChronoDateTimeUtc>,
    /// Whether it is told anything.
    pub state: WebhookState,
    /// Counts what was changed by a key.
    pub version: i64,
    /// How often the receiver has failed in a row since it is paused.
    pub attempts: i32,
    /// Since when it is paused. Of a disabled one: since when it had failed until it was given up.
    pub failing_since: Option<ChronoDateTimeUtc>,
    /// When it is tried next, if it is paused.
    pub next_at: Option<ChronoDateTimeUtc>,
    /// What the receiver answered when it failed last.
    pub last_status: Option<i16>,
    /// How it failed last.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: ChronoDateTimeUtc,
}

/// Joins that start at a webhook: none are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The name of its consumer.
    #[must_use]
    pub fn consumer(&self) -> String {
        consumer_of(self.id)
    }

    /// Whether it was given up, because it had failed for so long.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        self.state == WebhookState::Disabled && self.failing_since.is_some()
    }
}

/// The name of the consumer of the webhook with this id.
#[must_use]
pub fn consumer_of(id: WebhookId) -> String {
    format!("webhook:{id}")
}
