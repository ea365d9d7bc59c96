//! A database that stops immediately, and loses everything that was not synced.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::data::Data;
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::proxy::{Harm, Proxy};
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
    let (clients, connections) = (Shape::default().clients, finished.connections);
    Outcome::new(
        "both nodes write again in 5 s, no client connects again",
        format!("{rounds} stops, wrote again {slowest:.2?} after it was back at most"),
    )
    .expect(slowest <= LIMIT, "did not recover in time")
    .expect(connections == clients, format_args!("{clients} clients connected {connections} times"))
    .finished(finished)
}

/// All clients are cut off once while PostgreSQL is away, so that every subscription begins without a database. They
/// wait for it. In the full form it is away for so long that their sockets are closed, and they come again.
pub async fn the_database_is_away_when_all_clients_come_back(context: Context) -> Outcome {
    let mut server = tokio::task::block_in_place(|| Postgres::start(true));
    let data = Data::postgres(&server.url("postgres")).await;
    let node = Node::start(&data, &[]).await;
    let proxy = Proxy::start(node.addr(), Harm::None, context.dice("ears")).await;
    let shape = Shape { patience: Duration::from_secs(40), ..Shape::default() };
    let routes = Routes { ears: vec![proxy.addr()], ..Routes::to(&[&node]) };
    let load = Load::start(routes, shape, context.dice("away")).await;
    sleep(Duration::from_secs(1)).await;
    tokio::task::block_in_place(|| server.stop_at_once());
    proxy.cut();
    // Later, nobody's token is known any more, and those who come back are sent away at once.
    let early = Duration::from_secs(context.pick(7, 30));
    let away = Duration::from_secs(context.pick(7, 100));
    sleep(early).await;
    let waiting = node.metric("parlor_subscriptions_waiting").await;
    sleep(away.saturating_sub(early)).await;
    tokio::task::block_in_place(|| server.resume());
    data.until_reachable().await;
    sleep(Duration::from_secs(1)).await;
    let finished = load.finish(&data).await;
    let (clients, connections) = (shape.clients, finished.connections);
    let asked = context.pick("each client connects twice", "each is sent away after a minute, and comes back");
    Outcome::new(asked, format!("away for {away:.0?}, {waiting} of {clients} subscriptions waited after {early:.0?}"))
        .expect(waiting > 0.0, "no subscription had to wait")
        .expect(context.full || connections == 2 * clients, format_args!("they connected {connections} times"))
        .expect(!context.full || connections > 2 * clients, "nobody was sent away")
        .finished(finished)
}
