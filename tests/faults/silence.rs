//! A database that falls silent: connections stay open, and nothing comes through them any more.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::data::Data;
use crate::line::Line;
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::proxy::{Harm, Proxy};
use crate::scenario::{Context, Outcome};
use crate::servers::Nats;

/// How long a node may take to write, deliver and subscribe again.
const LIMIT: Duration = Duration::from_secs(15);

/// One of two nodes reaches PostgreSQL through a proxy that stops to pass anything through the connections that there
/// are; new ones work. The node must notice, and write, deliver and take subscriptions again.
pub async fn open_connections_to_the_database_fall_silent(context: Context) -> Outcome {
    let (direct, broker, rounds) = (context.postgres().await, Nats::start(), context.pick(1, 4));
    let server = direct.url().and_then(|url| url.split(['@', '/']).nth(3)).and_then(|at| at.parse().ok());
    let proxy = Proxy::start(server.expect("an address"), Harm::None, context.dice("silence")).await;
    let name = direct.url().and_then(|url| url.rsplit('/').next()).expect("a name").to_owned();
    let silenced = Data::postgres_at(&format!("postgres://parlor@{}/{name}", proxy.addr()));
    let settings = [("PARLOR_NATS_URL", broker.url())];
    let (a, b) = (Node::start(&silenced, &settings).await, Node::start(&direct, &settings).await);
    let shape = Shape { patience: Duration::from_secs(40), ..Shape::default() };
    let load = Load::start(Routes::to(&[&a, &b]), shape, context.dice("load")).await;
    let (mut written, mut heard) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..rounds {
        sleep(Duration::from_secs(1)).await;
        proxy.silence();
        let silent = Instant::now();
        let token = load.users[0].access_token.clone();
        let subscribed = async {
            loop {
                if let Ok(mut line) = Line::events(a.addr(), &token, None).await
                    && line.until_synced().await.is_ok()
                    && line.next().await.is_ok()
                {
                    return silent.elapsed();
                }
            }
        };
        let wrote = async {
            // What was on its way may still be answered for a moment.
            sleep(Duration::from_secs(1)).await;
            let since = Instant::now();
            while load.answers.last_of(0).is_none_or(|at| at <= since) {
                sleep(Duration::from_millis(50)).await;
            }
            silent.elapsed()
        };
        let (subscribed, wrote) = tokio::join!(timeout(2 * LIMIT, subscribed), timeout(2 * LIMIT, wrote));
        heard = heard.max(subscribed.unwrap_or(2 * LIMIT));
        written = written.max(wrote.unwrap_or(2 * LIMIT));
    }
    let finished = load.finish(&direct).await;
    let measured =
        format!("{rounds} times; wrote again after {written:.1?}, a new subscription heard after {heard:.1?}");
    Outcome::new("the node writes and delivers again in 15 s", measured)
        .expect(written <= LIMIT, "it did not write again in time")
        .expect(heard <= LIMIT, "a new subscription heard nothing in time")
        .finished(finished)
}
