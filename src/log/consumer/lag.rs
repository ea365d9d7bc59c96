//! How far consumers are behind the log, looked at on every node: if none runs a consumer, all of them say so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::log::event::Event;
use crate::position::Cursor;
use crate::store::Store;
use crate::store::entity::webhook::{self, WebhookState};
use crate::store::entity::{consumer, event};
use crate::telemetry::Metrics;

/// How often it is looked at, if the log isn't polled less often.
const LOOK: Duration = Duration::from_secs(5);

/// A consumer that is so far behind is no longer on its way.
const DEGRADED: TimeDelta = TimeDelta::minutes(5);

/// What metrics call the states of webhooks.
const STATES: [(WebhookState, &str); 3] =
    [(WebhookState::Active, "active"), (WebhookState::Paused, "paused"), (WebhookState::Disabled, "disabled")];

/// How far the consumers of a node's version are behind, as last looked at.
#[derive(Default)]
pub struct Lags(Mutex<Vec<(String, TimeDelta)>>);

impl Lags {
    /// Those that are more than [`DEGRADED`] behind.
    #[must_use]
    pub fn degraded(&self) -> Vec<String> {
        let lags = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lags.iter().filter(|(_, lag)| *lag > DEGRADED).map(|(name, _)| name.clone()).collect()
    }

    /// Looks at these consumers until cancelled, every `poll` and no more often than every [`LOOK`].
    pub async fn watch(
        self: Arc<Self>,
        store: Store,
        clock: Clock,
        metrics: Arc<Metrics>,
        names: Vec<String>,
        poll: Duration,
        stop: CancellationToken,
    ) {
        let mut looks = interval(LOOK.max(poll));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let lags = tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => look(&store, &clock, &names, &metrics),
            };
            match lags.await {
                Ok(lags) => {
                    for (name, lag) in &lags {
                        metrics.consumer_lag.with_label_values(&[name]).set(lag.as_seconds_f64());
                    }
                    let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                    for (name, _) in last.iter().filter(|(name, _)| !lags.iter().any(|(other, _)| other == name)) {
                        let _ = metrics.consumer_lag.remove_label_values(&[name]);
                    }
                    *last = lags;
                    drop(last);
                }
                // That the database is away is told elsewhere.
                Err(error) => tracing::debug!(%error, "how far consumers are behind can't be read"),
            }
        }
    }
}

async fn look(
    store: &Store,
    clock: &Clock,
    names: &[String],
    metrics: &Metrics,
) -> Result<Vec<(String, TimeDelta)>, DbErr> {
    let webhooks = webhook::Entity::find().all(store.read()).await?;
    for (state, name) in STATES {
        let count = webhooks.iter().filter(|webhook| webhook.state == state).count();
        metrics.webhooks.with_label_values(&[name]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    let mut lags = Vec::with_capacity(names.len());
    // Those that were given up are behind until somebody sees to them; those that were switched off are not.
    let webhooks = webhooks.iter().filter(|it| it.state != WebhookState::Disabled || it.is_given_up());
    let webhooks: Vec<String> = webhooks.map(webhook::Model::consumer).collect();
    for name in names.iter().chain(&webhooks) {
        // One that isn't registered yet will begin in a moment.
        let Some(row) = consumer::Entity::find_by_id(name).one(store.read()).await? else { continue };
        let next = event::Entity::find()
            .filter(event::Column::Position.gte(row.position))
            .order_by_asc(event::Column::Position)
            .limit(2)
            .all(store.read())
            .await?;
        let lag = match waiting_since(&row, &next) {
            Some(since) => (store.now(clock).await? - since).max(TimeDelta::zero()),
            None => TimeDelta::zero(),
        };
        lags.push((name.clone(), lag));
    }
    Ok(lags)
}

/// Since when this consumer has had something to do, given the first two events at its place and after it. `None`: it has
/// nothing to do. One that isn't of this log has not moved since it was.
fn waiting_since(row: &consumer::Model, next: &[Event]) -> Option<DateTime<Utc>> {
    match next {
        [at, rest @ ..] if at.cursor() == row.cursor() => rest.first().map(|event| event.at),
        [other, ..] if other.position == row.position => Some(row.updated_at),
        [event, ..] => Some(event.at),
        [] if row.cursor() == Cursor::default() => None,
        [] => Some(row.updated_at),
    }
}
