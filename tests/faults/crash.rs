//! Nodes that are killed without a word.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::data::Data;
use crate::line::Line;
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::scenario::{Context, Outcome};
use crate::servers::Nats;

/// `kill -9` every 3 s, with clients at work; each time the node must be ready again within 2 s.
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

/// A node is killed as soon as it has acknowledged a post: another must deliver it within 1 s.
pub async fn a_node_is_killed_between_commit_and_doorbell(context: Context) -> Outcome {
    let (data, broker, kills) = (context.postgres().await, Nats::start(), context.pick(5, 30));
    let settings = [("PARLOR_NATS_URL", broker.url())];
    let (mut a, b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut line = Line::events(b.addr(), &bob.access_token, None).await.expect("the node is there");
    let (mut slowest, mut lost) = (Duration::ZERO, 0);
    for n in 0..kills {
        let posted = ann.post_as(&room, &format!("post{n}"), "just in time").await;
        a.kill().await;
        let acked = Instant::now();
        let arrived = timeout(Duration::from_secs(5), async {
            loop {
                let event = line.next().await.expect("the other node stays");
                if event.kind == "MessagePosted" && event.message().id == posted.id {
                    return;
                }
            }
        });
        lost += usize::from(arrived.await.is_err());
        slowest = slowest.max(acked.elapsed());
        a.up().await;
    }
    Outcome::new("another node delivers in 1 s", format!("{kills} kills, delivered in {slowest:.2?} at most"))
        .expect(lost == 0, format_args!("{lost} were not delivered in 5 s"))
        .expect(slowest <= Duration::from_secs(1), "not delivered in 1 s")
}
