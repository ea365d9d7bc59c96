//! Nodes that are frozen for a while (SIGSTOP), and keep the connections and locks that they hold.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tokio::time::sleep;

use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::scenario::{Context, Outcome};
use crate::servers::Nats;

/// How long other nodes may be kept from posting.
const LIMIT: Duration = Duration::from_secs(5);

/// One of two nodes is frozen at an arbitrary moment: the other goes on, and clients that listened at the first miss
/// nothing.
pub async fn a_node_is_frozen(context: Context) -> Outcome {
    let (data, broker) = (context.postgres().await, Nats::start());
    let settings = [("PARLOR_NATS_URL", broker.url())];
    let (a, b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let load = Load::start(Routes::to(&[&a, &b]), Shape::default(), context.dice("frozen")).await;
    sleep(Duration::from_secs(1)).await;
    let frozen = Instant::now();
    a.freeze();
    sleep(Duration::from_secs(context.pick(6, 30))).await;
    let thawed = Instant::now();
    a.thaw();
    sleep(Duration::from_secs(1)).await;
    let finished = load.finish(&data).await;
    let silence = finished.longest_silence(frozen, thawed, Some(1));
    let took = thawed - frozen;
    Outcome::new("others post again in 5 s", format!("frozen {took:.0?}, others silent for {silence:.2?} at most"))
        .expect(silence <= LIMIT, "others could not post")
        .finished(finished)
}

/// A node is frozen while it holds the lock under which positions are given out: the other node can still post.
pub async fn a_node_is_frozen_within_its_append(context: Context) -> Outcome {
    let (data, broker, rounds) = (context.postgres().await, Nats::start(), context.pick(2, 4));
    let settings = [("PARLOR_NATS_URL", broker.url())];
    let (a, b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let routes = Routes { mouths: vec![a.endpoint().clone()], ..Routes::to(&[&a, &b]) };
    let shape = Shape { pace: Duration::from_millis(20), ..Shape::default() };
    let load = Load::start(routes, shape, context.dice("append")).await;
    let mut other = load.sender(0, Duration::ZERO);
    other.nodes = vec![b.endpoint().clone()];
    let (db, mut dice, mut slowest) = (data.connect().await, context.dice("moments"), Duration::ZERO);
    for round in 0..rounds {
        loop {
            sleep(dice.about(Duration::from_millis(20))).await;
            a.freeze();
            if holds_lock(&db).await {
                break;
            }
            a.thaw();
        }
        let frozen = Instant::now();
        let room = other.rooms[0].clone();
        other.post(&room, &format!("meanwhile-{round}")).await;
        slowest = slowest.max(frozen.elapsed());
        sleep(Duration::from_secs(context.pick(0, 30)).saturating_sub(frozen.elapsed())).await;
        a.thaw();
        sleep(Duration::from_millis(500)).await;
    }
    db.close().await.expect("the connection closes");
    let finished = load.finish(&data).await;
    let length = context.pick("until then", "30 s");
    let measured = format!("frozen {rounds} times, {length} each, others posted again in {slowest:.2?} at most");
    Outcome::new("others post again in 5 s", measured)
        .expect(slowest <= LIMIT, "others could not post")
        .finished(finished)
}

/// Whether the log's lock is held, and still is a moment later, when a node that runs would have released it.
async fn holds_lock(db: &DatabaseConnection) -> bool {
    let sql = "SELECT count(*) AS held FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted \
               AND state = 'idle in transaction' AND datname = current_database()";
    for _ in 0..2 {
        let rows = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
        let row = rows.expect("the locks can be read").expect("a count");
        if row.try_get::<i64>("", "held").expect("a count") == 0 {
            return false;
        }
        sleep(Duration::from_millis(50)).await;
    }
    true
}
