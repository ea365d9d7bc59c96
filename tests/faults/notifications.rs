//! Who is to be notified, whatever becomes of the node that decides it: everybody is, and what is told again has the same id.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::data::Data;
use crate::node::Node;
use crate::scenario::{Context, Outcome};
use crate::support::{Room, TestUser};
use crate::webhooks::{Receiver, Tally, backend, runner};

const CREATE: &str = "mutation($url: String!) { createWebhook(input: { url: $url, query: \"subscription { events { \
                      ... on NotificationDue { kind user { username } message { body } } } }\" }) { webhook { id } } }";

const ROOM: &str = "mutation($name: String!, $members: [NewMember!]!) {
    createRoom(input: { name: $name, members: $members }) { room { id } } }";

/// Watches that consumers aren't set back.
pub struct Watch {
    stop: Arc<AtomicBool>,
    set_back: Arc<AtomicI64>,
    watching: JoinSet<()>,
}

impl Watch {
    /// Watches the consumers with names like this, all of them together.
    pub async fn of(data: &Data, name: &'static str) -> Self {
        let (stop, set_back, db) = (Arc::<AtomicBool>::default(), Arc::<AtomicI64>::default(), data.connect().await);
        let mut watching = JoinSet::new();
        let (stopped, counted) = (stop.clone(), set_back.clone());
        watching.spawn(async move {
            let sql = format!("SELECT COALESCE(min(position), 0) AS n FROM consumer WHERE name LIKE '{name}'");
            let mut last = 0;
            while !stopped.load(Ordering::Relaxed) {
                let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), &sql)).await;
                let place = row.ok().flatten().and_then(|row| row.try_get("", "n").ok()).unwrap_or(last);
                counted.fetch_add((last - place).max(0), Ordering::Relaxed);
                last = place;
                sleep(Duration::from_millis(5)).await;
            }
        });
        Self { stop, set_back, watching }
    }

    /// By how many events they were, together.
    pub async fn set_back(mut self) -> i64 {
        self.stop.store(true, Ordering::Relaxed);
        self.watching.join_next().await.expect("one watches").expect("it watches to the end");
        self.set_back.load(Ordering::Relaxed)
    }
}

/// A new group of Ann, Bob and Kim with one message. It may be answered by a node that dies: then there is another one.
async fn post_apart(ann: &TestUser, others: [&TestUser; 2], text: &str) {
    let members = others.map(|user| json!({ "userId": user.id }));
    let made = ann.graphql(ROOM, json!({ "name": text, "members": members })).await;
    let room = Room { id: made.text("/createRoom/room/id").to_owned() };
    ann.post(&room, text).await;
}

/// Three nodes on PostgreSQL. The one that decides who is to be notified is killed in the midst of it, or frozen, again and
/// again, while somebody posts.
pub async fn the_node_that_notifies_is_killed_or_frozen(context: Context) -> Outcome {
    let (data, rounds, posts) = (context.postgres().await, context.pick(3, 20), context.pick(15, 60));
    let settings = [("PARLOR_WEBHOOK_ALLOW", "127.0.0.0/8".to_owned())];
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::start(&data, &settings).await);
    }
    let receiver = Receiver::start().await;
    backend(&data, &nodes[0]).graphql(CREATE, json!({ "url": receiver.url })).await.data();
    let endpoint = nodes[0].endpoint();
    let (ann, bob, kim) = (endpoint.user("ann").await, endpoint.user("bob").await, endpoint.user("kim").await);
    let watch = Watch::of(&data, "notify").await;
    let (mut dice, mut posted) = (context.dice("moments"), BTreeSet::new());
    let (mut after_death, mut after_freezing) = (Duration::ZERO, Duration::ZERO);
    for round in 0..rounds {
        let victim = runner(&nodes, "notify\"", None).await;
        let author = ann.at(nodes[(victim + 1) % 3].endpoint());
        for n in 0..posts {
            let text = format!("{round}-{n}");
            post_apart(&author, [&bob, &kim], &text).await;
            posted.extend(["bob", "kim"].map(|user| format!("{text} to {user}")));
        }
        sleep(dice.about(Duration::from_millis(20))).await;
        let begun = Instant::now();
        if round % 2 == 0 {
            nodes[victim].kill().await;
            runner(&nodes, "notify\"", Some(victim)).await;
            after_death = after_death.max(begun.elapsed());
            nodes[victim].up().await;
        } else {
            nodes[victim].freeze();
            runner(&nodes, "notify\"", Some(victim)).await;
            after_freezing = after_freezing.max(begun.elapsed());
            sleep(dice.about(Duration::from_millis(500))).await;
            nodes[victim].thaw();
        }
    }
    let skipped = receiver.skipped(&posted).await;
    let (Tally { again, changed, is_shared }, set_back) = (receiver.tally(), watch.set_back().await);
    let checked = data.check();
    let measured = format!(
        "{rounds} times, another node went on {after_death:.1?} after a death and {after_freezing:.1?} after a freeze at most; \
         {} notifications, {skipped} skipped, {again} told again, {changed} of them under another id, set back by {set_back}",
        posted.len()
    );
    let batch = 2 * usize::try_from(rounds * posts).unwrap_or_default();
    Outcome::new("everybody notified, again only under the same id; 5 s after a death, 15 s frozen", measured)
        .expect(skipped == 0, format_args!("{skipped} notifications were never told"))
        .expect(changed == 0, format_args!("{changed} notifications were told under several ids"))
        .expect(!is_shared, "two notifications were told under one id")
        .expect(again <= batch, format_args!("{again} notifications were told again"))
        .expect(set_back == 0, format_args!("the consumer was set back by {set_back}"))
        .expect(after_death <= Duration::from_secs(5), format_args!("nobody went on for {after_death:?} after a death"))
        .expect(after_freezing <= Duration::from_secs(15), format_args!("nobody went on for {after_freezing:?}"))
        .expect(checked.is_ok(), format_args!("the database is not whole: {checked:?}"))
}
