//! A database that stops immediately, and loses everything that was not synced.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::data::Data;
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::scenario::{Context, Outcome};
use crate::servers::Postgres;

/// How long nodes may take to write again once the database is back.
const LIMIT: Duration = Duration::from_secs(5);

/// PostgreSQL is stopped in immediate mode, and started again.
pub async fn the_database_is_stopped_at_once(context: Context) -> Outcome {
    // A server of its own, because recovery takes longer the more databases there are.
    let mut server = tokio::task::block_in_place(|| Postgres::start(true));
    let data = Data::postgres(&server.url("postgres")).await;
    let (a, b) = (Node::start(&data, &[]).await, Node::start(&data, &[]).await);
    let load = Load::start(Routes::to(&[&a, &b]), Shape::default(), context.dice("stopped")).await;
    let (mut dice, mut slowest, rounds) = (context.dice("moments"), Duration::ZERO, context.pick(2, 10));
    for _ in 0..rounds {
        sleep(dice.about(Duration::from_secs(2))).await;
        tokio::task::block_in_place(|| server.stop_at_once());
        sleep(dice.about(Duration::from_secs(1))).await;
        tokio::task::block_in_place(|| server.resume());
        data.until_reachable().await;
        let back = Instant::now();
        while (0..2).any(|node| load.answers.last_of(node).is_none_or(|at| at <= back)) {
            if back.elapsed() > 2 * LIMIT {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        slowest = slowest.max(back.elapsed());
    }
    sleep(Duration::from_secs(1)).await;
    let finished = load.finish(&data).await;
    Outcome::new(
        "both nodes write again in 5 s",
        format!("{rounds} stops, wrote again {slowest:.2?} after it was back at most"),
    )
    .expect(slowest <= LIMIT, "did not recover in time")
    .finished(finished)
}
