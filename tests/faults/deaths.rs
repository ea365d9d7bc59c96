//! Who is online when nodes die.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use parlor::clock::Clock;
use serde_json::json;
use tokio::time::sleep;

use crate::line::Line;
use crate::node::Node;
use crate::scenario::{Context, Outcome};
use crate::sender::ask;
use crate::servers::Nats;
use crate::support::{Endpoint, TestUser};

/// Within this time the death of a node is noticed (docs/operating.md).
const NOTICED: Duration = Duration::from_secs(15);

const PRESENCE: &str = "query($id: ID!) { user(id: $id) { presence { online lastSeenAt } } }";

/// Two of three nodes are killed together with the sockets of their users. The third says in time that these are offline,
/// when they were last seen, and that its own users are online; who comes back is online again.
pub async fn users_of_dead_nodes_go_offline(context: Context) -> Outcome {
    let (data, broker, each) = (context.postgres().await, Nats::start(), context.pick(3, 20));
    let settings = [("PARLOR_NATS_URL", broker.url())];
    let started = Clock::default().now();
    let (a, mut b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let mut c = Node::start(&data, &settings).await;
    let (mut users, mut lines) = (Vec::new(), Vec::new());
    for (n, node) in [&a, &b, &c].into_iter().enumerate() {
        for m in 0..each {
            let user = node.endpoint().user(&format!("user{n}x{m}")).await;
            lines.push(online(node, &user).await);
            users.push(user);
        }
    }
    let (at, asker) = (a.endpoint().clone(), users[0].clone());
    let count = users.len();
    let all = until(&at, &asker, &users, |states| states.iter().all(|(online, _)| *online)).await;

    b.kill().await;
    c.kill().await;
    let (living, dead) = users.split_at(each);
    let offline = until(&at, &asker, dead, |states| states.iter().all(|(online, _)| !online)).await;
    let seen = states(&at, &asker, dead).await;
    let unseen = seen.iter().filter(|(_, last_seen)| last_seen.is_none_or(|at| at < started)).count();
    let wrong = states(&at, &asker, living).await.iter().filter(|(online, _)| !online).count();
    b.up().await;
    lines.push(online(&b, &dead[0]).await);
    let again = until(&at, &asker, &dead[..1], |states| states[0].0).await;

    let measured = format!("{} of {count} users offline {offline:.1?} after the deaths", dead.len());
    Outcome::new("offline in 15 s, last seen in this visit", measured)
        .expect(all < NOTICED, "not everybody was online")
        .expect(offline < NOTICED, "the dead nodes' users are still online")
        .expect(unseen == 0, format_args!("{unseen} were last seen before this visit, or never"))
        .expect(wrong == 0, format_args!("{wrong} users of the node that lives are offline"))
        .expect(again < NOTICED, "who came back is offline")
}

async fn online(node: &Node, user: &TestUser) -> Line {
    let mut line = Line::events(node.addr(), &user.access_token, None).await.expect("the node is there");
    line.until_synced().await.expect("the node answers");
    line
}

/// Whether each is online, and when last seen.
async fn states(at: &Endpoint, asker: &TestUser, users: &[TestUser]) -> Vec<(bool, Option<DateTime<Utc>>)> {
    join_all(users.iter().map(|user| async {
        let answer = ask(at, &asker.access_token, PRESENCE, json!({ "id": user.id })).await.expect("the node answers");
        let presence = &answer["user"]["presence"];
        let last_seen = presence["lastSeenAt"].as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
        (presence["online"] == true, last_seen.map(|at| at.to_utc()))
    }))
    .await
}

/// How long it takes until their states are so, at most twice as long as it may.
async fn until(
    at: &Endpoint,
    asker: &TestUser,
    users: &[TestUser],
    are_so: impl Fn(&[(bool, Option<DateTime<Utc>>)]) -> bool,
) -> Duration {
    let started = Instant::now();
    while !are_so(&states(at, asker, users).await) && started.elapsed() < 2 * NOTICED {
        sleep(Duration::from_millis(100)).await;
    }
    started.elapsed()
}
