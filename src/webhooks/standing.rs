//! How a webhook's receiver stands: well, down, or given up. Its row says so, so that a node that takes over goes on there.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Set};

use super::schedule;
use crate::ids::WebhookId;
use crate::store::Store;
use crate::store::entity::webhook::{self, WebhookState};

/// How an attempt has failed, as the webhook's owner is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// What was answered, if anything was.
    pub status: Option<u16>,
    /// Why it is a failure.
    pub problem: String,
}

impl Failed {
    pub(super) fn status(&self) -> Option<i16> {
        self.status.and_then(|status| i16::try_from(status).ok())
    }
}

/// Why a webhook is told nothing any more.
pub(super) enum End {
    /// Its receiver has asked for that.
    Gone(Failed),
    /// Its receiver has been down for so long.
    GivenUp(Failed),
    /// It can't be told anything.
    Impossible(String),
}

/// How a receiver stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// How often it has failed in a row since it is down; 0: it isn't.
    pub attempts: i32,
    pub failing_since: Option<DateTime<Utc>>,
    pub next_at: Option<DateTime<Utc>>,
    /// How many events in a row it has refused while it wasn't down.
    pub refused: usize,
}

impl Standing {
    pub(super) fn of(webhook: &webhook::Model) -> Self {
        let webhook::Model { attempts, failing_since, next_at, .. } = webhook;
        Self { attempts: *attempts, failing_since: *failing_since, next_at: *next_at, refused: 0 }
    }

    pub(super) fn is_down(&self) -> bool {
        self.attempts > 0
    }

    /// The standing after one more attempt that has failed, at which the receiver has asked to wait so long, perhaps.
    /// `None`: it is given up.
    pub(super) fn after_failure(&self, now: DateTime<Utc>, wait: Option<TimeDelta>) -> Option<Self> {
        let failing_since = self.failing_since.unwrap_or(now);
        // One that asks to wait isn't given up for it, unless it does so for as long as others may be down.
        let (attempts, pause) = match wait {
            Some(wait) if now - failing_since < in_all() => (self.attempts.max(1), wait),
            Some(_) => return None,
            None => {
                let attempts = self.attempts + 1;
                (attempts, TimeDelta::from_std(schedule::pause_after(attempts)?).ok()?)
            }
        };
        Some(Self { attempts, failing_since: Some(failing_since), next_at: Some(now + pause), refused: 0 })
    }
}

fn in_all() -> TimeDelta {
    TimeDelta::from_std(schedule::IN_ALL).unwrap_or(TimeDelta::MAX)
}

/// Writes how a receiver stands. `false`: the webhook was changed meanwhile, and whoever asks is to end.
pub(super) async fn write(
    store: &Store,
    webhook: &webhook::Model,
    standing: &Standing,
    failed: Option<&Failed>,
) -> Result<bool, DbErr> {
    let state = if standing.is_down() { WebhookState::Paused } else { WebhookState::Active };
    let mut row = webhook::ActiveModel {
        state: Set(state),
        attempts: Set(standing.attempts),
        failing_since: Set(standing.failing_since),
        next_at: Set(standing.next_at),
        ..Default::default()
    };
    if let Some(failed) = failed {
        row.last_status = Set(failed.status());
        row.last_error = Set(Some(failed.problem.clone()));
    }
    update(store, webhook.id, webhook.version, row).await
}

/// Writes that a webhook is told nothing any more. `false` as of [`write()`].
pub(super) async fn end(
    store: &Store,
    id: WebhookId,
    version: i64,
    end: End,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let mut row = webhook::ActiveModel { state: Set(WebhookState::Disabled), next_at: Set(None), ..Default::default() };
    let (status, problem) = match end {
        End::Gone(failed) => {
            row.failing_since = Set(None);
            (failed.status(), failed.problem)
        }
        // `failing_since` stays, and says that it was given up.
        End::GivenUp(failed) => (failed.status(), failed.problem),
        End::Impossible(problem) => {
            row.failing_since = Set(Some(now));
            (None, problem)
        }
    };
    row.attempts = Set(0);
    row.last_status = Set(status);
    row.last_error = Set(Some(problem));
    update(store, id, version, row).await
}

async fn update(store: &Store, id: WebhookId, version: i64, row: webhook::ActiveModel) -> Result<bool, DbErr> {
    let tx = store.begin_write().await?;
    let updated = webhook::Entity::update_many()
        .set(row)
        .filter(webhook::Column::Id.eq(id))
        .filter(webhook::Column::Version.eq(version))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(updated.rows_affected == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_is_down_is_given_up_after_three_days() {
        let (mut standing, mut now) = (Standing::default(), DateTime::UNIX_EPOCH);
        let mut attempts = 0;
        while let Some(next) = standing.after_failure(now, None) {
            assert!(next.is_down() && next.failing_since == Some(DateTime::UNIX_EPOCH));
            now = next.next_at.expect("it is tried again");
            (standing, attempts) = (next, attempts + 1);
        }
        assert_eq!(attempts, 9);
        assert!((TimeDelta::hours(68)..TimeDelta::hours(84)).contains(&(now - DateTime::UNIX_EPOCH)), "{now}");
    }

    #[test]
    fn one_that_asks_to_wait_is_left_alone_for_so_long_and_not_for_ever() {
        let begun = DateTime::UNIX_EPOCH;
        let standing = Standing::default().after_failure(begun, Some(TimeDelta::minutes(7))).expect("it may");
        assert_eq!((standing.attempts, standing.next_at), (1, Some(begun + TimeDelta::minutes(7))));
        let later = begun + TimeDelta::hours(100);
        assert_eq!(standing.after_failure(later, Some(TimeDelta::minutes(7))), None);
    }
}
