//! A broker that is away, or loses, doubles and delays messages. It costs time, never messages of users.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::finished::{Finished, p99};
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::proxy::{Harm, Proxy};
use crate::scenario::{Context, Outcome};
use crate::servers::Nats;

/// How late 99 of 100 deliveries may arrive.
const LIMIT: Duration = Duration::from_millis(600);

/// The broker is stopped and started again.
pub async fn the_broker_is_away(context: Context) -> Outcome {
    let (data, mut broker) = (context.postgres().await, Nats::start());
    let settings = [("PARLOR_NATS_URL", broker.url())];
    let (a, b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let load = Load::start(by_one(&a, &b), Shape::default(), context.dice("away")).await;
    sleep(Duration::from_secs(1)).await;
    let away = Instant::now();
    broker.stop();
    sleep(Duration::from_secs(context.pick(5, 60))).await;
    let back = Instant::now();
    tokio::task::block_in_place(|| broker.resume());
    sleep(Duration::from_secs(1)).await;
    judge(load.finish(&data).await, away, back)
}

/// The nodes ring through a proxy that drops, doubles and delays three in ten rings each.
pub async fn doorbells_are_dropped_doubled_and_late(context: Context) -> Outcome {
    let (data, broker) = (context.postgres().await, Nats::start());
    let proxy = Proxy::before_broker(&broker.url(), Harm::Doorbells, context.dice("doorbells")).await;
    let settings = [("PARLOR_NATS_URL", format!("nats://{}", proxy.addr()))];
    let (a, b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let load = Load::start(by_one(&a, &b), Shape::default(), context.dice("load")).await;
    let begun = Instant::now();
    sleep(Duration::from_secs(context.pick(5, 60))).await;
    let ended = Instant::now();
    let outcome = judge(load.finish(&data).await, begun, ended);
    let rung = proxy.published();
    outcome.expect(rung > 10, format_args!("the proxy saw {rung} doorbells only"))
}

/// All clients post through the first node, because a node that commits reads its log anyway, whether it is rung or
/// not.
fn by_one(a: &Node, b: &Node) -> Routes {
    Routes { mouths: vec![a.endpoint().clone()], ..Routes::to(&[a, b]) }
}

fn judge(finished: Finished, from: Instant, to: Instant) -> Outcome {
    let (latencies, sent) = (finished.latencies(from, to), finished.latencies_from_sending(from, to));
    let (late, sent, slowest) = (p99(&latencies), p99(&sent), latencies.last().copied().unwrap_or_default());
    let (count, took) = (latencies.len(), to - from);
    let measured = format!(
        "p99 {late:.2?} after the acknowledgement ({sent:.2?} after sending), slowest {slowest:.2?}, of {count} deliveries in {took:.0?}"
    );
    Outcome::new("p99 at most 0.6 s", measured)
        .expect(late <= LIMIT, "delivered too late")
        .expect(count > 100, "too little was delivered to say anything")
        .finished(finished)
}
