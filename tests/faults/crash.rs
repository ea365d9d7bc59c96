//! Nodes that are killed (SIGKILL).

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::data::Data;
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::proxy::{Harm, Proxy};
use crate::scenario::{Context, Outcome};
use crate::servers::Nats;

/// `kill -9` every 3 s, while clients work; each time the node must be ready again within 2 s.
pub async fn a_node_is_killed_again_and_again(context: Context) -> Outcome {
    let (data, kills) = (Data::sqlite(), context.pick(3, 20));
    let mut node = Node::start(&data, &[]).await;
    let shape = Shape { clients: 50, members: 5, models: context.pick(5, 20), ..Shape::default() };
    let load = Load::start(Routes::to(&[&node]), shape, context.dice("kill")).await;
    let (mut dice, mut slowest) = (context.dice("moments"), Duration::ZERO);
    for _ in 0..kills {
        sleep(dice.about(Duration::from_secs(3))).await;
        node.kill().await;
        slowest = slowest.max(node.up().await);
    }
    sleep(Duration::from_secs(1)).await;
    let finished = load.finish(&data).await;
    Outcome::new("ready again in 2 s", format!("{kills} kills, 50 clients, ready in {slowest:.2?} at most"))
        .expect(slowest <= Duration::from_secs(2), "not ready again in 2 s")
        .finished(finished)
}

/// A node whose rings reach no other node is killed as soon as it has acknowledged a post: within 1 s, another node
/// must deliver everything that it had acknowledged.
pub async fn a_node_is_killed_between_commit_and_doorbell(context: Context) -> Outcome {
    let (data, broker, kills) = (context.postgres().await, Nats::start(), context.pick(5, 30));
    let proxy = Proxy::before_broker(&broker.url(), Harm::Silence, context.dice("doorbells")).await;
    let mut a = Node::start(&data, &[("PARLOR_NATS_URL", format!("nats://{}", proxy.addr()))]).await;
    let b = Node::start(&data, &[("PARLOR_NATS_URL", broker.url())]).await;
    let routes = Routes { mouths: vec![a.endpoint().clone()], ears: vec![b.addr()], ..Routes::to(&[&a, &b]) };
    let load = Load::start(routes, Shape::default(), context.dice("load")).await;
    let mut dice = context.dice("moments");
    let begun = Instant::now();
    for _ in 0..kills {
        sleep(dice.about(Duration::from_millis(500))).await;
        let before = load.answers.last();
        while load.answers.last() == before {
            sleep(Duration::from_millis(1)).await;
        }
        a.kill().await;
        a.up().await;
    }
    let finished = load.finish(&data).await;
    let latencies = finished.latencies(begun, Instant::now());
    let slowest = latencies.last().copied().unwrap_or_default();
    let measured = format!("{kills} kills, {} deliveries in {slowest:.2?} at most", latencies.len());
    Outcome::new("another node delivers in 1 s", measured)
        .expect(proxy.published() > 10, "the node never rang")
        .expect(slowest <= Duration::from_secs(1), "not delivered in 1 s")
        .finished(finished)
}
