//! Restarts of one node after the other, and faults of several kinds at once.

use std::time::Duration;

use tokio::time::sleep;

use crate::data::Data;
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::proxy::{Harm, Proxy};
use crate::scenario::{Context, Outcome};
use crate::servers::{Nats, Postgres};

/// Three nodes are stopped in good order and started again, one after the other, as for a new version.
pub async fn nodes_are_restarted_one_after_the_other(context: Context) -> Outcome {
    let (data, broker, rounds) = (context.postgres().await, Nats::start(), context.pick(1, 5));
    let settings = [("PARLOR_NATS_URL", broker.url()), ("PARLOR_DRAIN_SECS", "1".to_owned())];
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::start(&data, &settings).await);
    }
    let shape = Shape { models: 20, ..Shape::default() };
    let load = Load::start(Routes::to(&nodes.iter().collect::<Vec<_>>()), shape, context.dice("rolling")).await;
    for _ in 0..rounds {
        for node in &mut nodes {
            sleep(Duration::from_secs(1)).await;
            node.stop().await;
            node.up().await;
        }
    }
    sleep(Duration::from_secs(1)).await;
    let finished = load.finish(&data).await;
    let (clients, connections) = (shape.clients, finished.connections);
    let again = connections - clients;
    let unanswered: usize = finished.errors.values().sum();
    let restarts = 3 * rounds;
    let measured =
        format!("{restarts} restarts, {again} reconnects of {clients} clients, {unanswered} posts asked again");
    Outcome::new("a client connects again at most once a restart", measured)
        .expect(again > 0, "nobody was sent to another node")
        .expect(again <= clients * restarts, "clients connected again too often")
        .finished(finished)
}

/// Within the same seconds PostgreSQL and the broker are stopped and started, a node is killed, and the listeners'
/// connections are cut.
pub async fn everything_fails_at_once(context: Context) -> Outcome {
    let (mut server, mut broker) = (tokio::task::block_in_place(|| Postgres::start(true)), Nats::start());
    let (data, rounds) = (Data::postgres(&server.url("postgres")).await, context.pick(1, 6));
    let settings = [("PARLOR_NATS_URL", broker.url())];
    let (mut a, b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let ears_a = Proxy::start(a.addr(), Harm::None, context.dice("ears of a")).await;
    let ears_b = Proxy::start(b.addr(), Harm::None, context.dice("ears of b")).await;
    let routes = Routes { ears: vec![ears_a.addr(), ears_b.addr()], ..Routes::to(&[&a, &b]) };
    let shape = Shape { models: 20, patience: Duration::from_secs(30), ..Shape::default() };
    let load = Load::start(routes, shape, context.dice("all")).await;
    let mut dice = context.dice("moments");
    for _ in 0..rounds {
        sleep(dice.about(Duration::from_secs(1))).await;
        broker.stop();
        ears_b.cut();
        tokio::task::block_in_place(|| server.stop_at_once());
        a.kill().await;
        sleep(dice.about(Duration::from_secs(1))).await;
        ears_b.cut();
        tokio::task::block_in_place(|| broker.resume());
        tokio::task::block_in_place(|| server.resume());
        data.until_reachable().await;
        a.up().await;
        ears_a.cut();
    }
    sleep(Duration::from_secs(1)).await;
    let finished = load.finish(&data).await;
    Outcome::new("nothing lost, doubled or reordered", format!("{rounds} times database, broker, node and network"))
        .finished(finished)
}
