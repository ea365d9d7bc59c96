//! What a receiver has refused, while it took others: sent again by the schedule, and then kept until somebody asks for it.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Set,
};
use tokio::time::sleep;

use super::attempt::Outcome;
use super::schedule;
use super::standing::{End, Failed};
use super::worker::{IN_FLIGHT, Worker};
use crate::log::Event;
use crate::position::Position;
use crate::store::Transaction;
use crate::store::entity::{event, webhook_failure};
use crate::store::list::one_of;

/// The most events of one webhook that may stand refused: a table of a million failures would be a second log. What
/// isn't sent any more by itself makes room. A receiver of which more wait to be sent again is down.
const MAX_FAILURES: u64 = 1_000;

/// The pause after the database has failed.
const AGAIN: Duration = Duration::from_secs(5);

/// Notes that these were refused, so that the webhook may go on. `false`: too many such wait to be told again already.
pub(super) async fn note(worker: &Worker, failed: &[(&Event, &Failed)]) -> Result<bool, DbErr> {
    let tx = worker.parts().store.begin_write().await?;
    let of_webhook = webhook_failure::Entity::find().filter(webhook_failure::Column::WebhookId.eq(worker.id()));
    let waiting = of_webhook.clone().filter(webhook_failure::Column::NextAt.is_not_null()).count(&tx).await?;
    let with_these = waiting + failed.len() as u64;
    if with_these > MAX_FAILURES {
        return Ok(false);
    }
    let exhausted = of_webhook.filter(webhook_failure::Column::NextAt.is_null()).count(&tx).await?;
    let too_many = (with_these + exhausted).saturating_sub(MAX_FAILURES);
    if too_many > 0 {
        forget(worker, &tx, too_many).await?;
    }
    let rows = failed.iter().map(|(event, failed)| {
        let row = webhook_failure::Model {
            webhook_id: worker.id(),
            position: event.position,
            tag: event.tag,
            attempts: 1,
            next_at: next_at(1, worker.now()),
            status: failed.status(),
            error: failed.problem.clone(),
        };
        row.into_active_model()
    });
    // One that is told again after a crash may stand there already.
    let again = OnConflict::columns([webhook_failure::Column::WebhookId, webhook_failure::Column::Position])
        .do_nothing()
        .to_owned();
    webhook_failure::Entity::insert_many(rows).on_conflict(again).exec_without_returning(&tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// Forgets the oldest of those that aren't told any more by themselves.
async fn forget(worker: &Worker, tx: &Transaction, count: u64) -> Result<(), DbErr> {
    let oldest: Vec<Position> = webhook_failure::Entity::find()
        .select_only()
        .column(webhook_failure::Column::Position)
        .filter(webhook_failure::Column::WebhookId.eq(worker.id()))
        .filter(webhook_failure::Column::NextAt.is_null())
        .order_by_asc(webhook_failure::Column::Position)
        .limit(count)
        .into_tuple()
        .all(tx)
        .await?;
    let Some(last) = oldest.last() else { return Ok(()) };
    let forgotten = webhook_failure::Entity::delete_many()
        .filter(webhook_failure::Column::WebhookId.eq(worker.id()))
        .filter(webhook_failure::Column::NextAt.is_null())
        .filter(webhook_failure::Column::Position.lte(*last))
        .exec(tx)
        .await?;
    tracing::warn!(
        webhook = %worker.id(),
        count = forgotten.rows_affected,
        upto = last.0,
        "the oldest events that the receiver has refused to the end are forgotten: there are too many"
    );
    Ok(())
}

fn next_at(attempts: i32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    Some(now + TimeDelta::from_std(schedule::pause_after(attempts)?).ok()?)
}

/// Tells again what was refused as it falls due, for ever.
pub(super) async fn run(worker: &Worker) {
    loop {
        if let Err(error) = step(worker).await {
            tracing::warn!(webhook = %worker.id(), %error, "what the receiver has refused can't be told again now");
            sleep(AGAIN).await;
        }
    }
}

/// Waits for what falls due next, and tells it.
async fn step(worker: &Worker) -> Result<(), DbErr> {
    let due = due(worker).await?;
    let Some(next_at) = due.first().and_then(|failure| failure.next_at) else {
        worker.refused.notified().await;
        return Ok(());
    };
    if next_at > worker.now() {
        tokio::select! {
            () = worker.until(next_at) => {}
            () = worker.refused.notified() => {}
        }
        return Ok(());
    }
    let standing = worker.standing();
    if let Some(later) = standing.next_at {
        // A receiver that is down is asked by its own schedule alone, and by what waits in the log, if anything does.
        worker.until(later).await;
        sleep(AGAIN).await;
        if worker.is_busy() || worker.standing() != standing {
            return Ok(());
        }
    }
    let now = worker.now();
    let due = due.into_iter().filter(|failure| failure.next_at.is_some_and(|at| at <= now));
    let due = due.take(if standing.is_down() { 1 } else { IN_FLIGHT }).collect();
    again(worker, due).await
}

/// What falls due first.
async fn due(worker: &Worker) -> Result<Vec<webhook_failure::Model>, DbErr> {
    webhook_failure::Entity::find()
        .filter(webhook_failure::Column::WebhookId.eq(worker.id()))
        .filter(webhook_failure::Column::NextAt.is_not_null())
        .order_by_asc(webhook_failure::Column::NextAt)
        .limit(IN_FLIGHT as u64)
        .all(worker.parts().store.read())
        .await
}

async fn again(worker: &Worker, due: Vec<webhook_failure::Model>) -> Result<(), DbErr> {
    let store = &worker.parts().store;
    let positions: Vec<Position> = due.iter().map(|failure| failure.position).collect();
    let positions = one_of(store.backend(), event::Column::Position, positions);
    let kept = event::Entity::find().filter(positions).all(store.read()).await?;
    let mut kept: HashMap<Position, Event> = kept.into_iter().map(|event| (event.position, event)).collect();
    let (mut failures, mut events) = (Vec::new(), Vec::new());
    for failure in due {
        match kept.remove(&failure.position).filter(|event| event.cursor() == failure.cursor()) {
            Some(event) => {
                failures.push(failure);
                events.push(event);
            }
            None => settle(worker, failure, None).await?,
        }
    }
    let outcomes = worker.tell(&events).await?;
    if outcomes.contains(&Outcome::Delivered) && worker.standing().is_down() {
        worker.recovered(true).await?;
    }
    let mut gone = None;
    for (failure, outcome) in failures.into_iter().zip(outcomes) {
        if let Outcome::Gone(failed) = &outcome {
            gone = Some(failed.clone());
        }
        settle(worker, failure, Some(outcome)).await?;
    }
    match gone {
        Some(failed) => worker.end(End::Gone(failed)).await,
        None => Ok(()),
    }
}

/// Writes what became of a failure. Without an outcome, its event isn't kept any more.
async fn settle(worker: &Worker, failure: webhook_failure::Model, outcome: Option<Outcome>) -> Result<(), DbErr> {
    let tx = worker.parts().store.begin_write().await?;
    let key = (failure.webhook_id, failure.position);
    let now = worker.now();
    let attempts = failure.attempts.saturating_add(1);
    let gone = Failed { status: None, problem: "the event is not kept any more".to_owned() };
    let failed = match &outcome {
        Some(outcome) => outcome.failed(),
        None => Some(&gone),
    };
    match failed {
        None => {
            webhook_failure::Entity::delete_by_id(key).exec(&tx).await?;
        }
        Some(failed) => {
            let wait = if let Some(Outcome::Wait(wait, _)) = &outcome { Some(now + *wait) } else { None };
            // However long it is to wait: after the last attempt there is no other.
            let next_at =
                outcome.as_ref().and_then(|_| next_at(attempts, now)).map(|at| wait.map_or(at, |wait| wait.max(at)));
            let row = webhook_failure::ActiveModel {
                attempts: Set(attempts),
                next_at: Set(next_at),
                status: Set(failed.status()),
                error: Set(failed.problem.clone()),
                ..Default::default()
            };
            webhook_failure::Entity::update_many()
                .set(row)
                .filter(webhook_failure::Column::WebhookId.eq(key.0))
                .filter(webhook_failure::Column::Position.eq(key.1))
                .exec(&tx)
                .await?;
        }
    }
    tx.commit().await
}
