//! A database that falls silent: connections stay open, and nothing comes through them any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parlor::store::Store;
use sea_orm::ConnectionTrait;
use tokio::time::{sleep, timeout};

use crate::data::Data;
use crate::dice::Dice;
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
    let (proxy, silenced) = behind_a_proxy(&direct, context.dice("silence")).await;
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

/// The proxy before PostgreSQL falls silent exactly when one connection waits for one answer: to a statement, to its
/// end, or to whatever else the pool asks. Whichever it is, and however often, what follows the log must read again.
pub async fn an_answer_of_the_database_is_the_last_on_its_connection(context: Context) -> Outcome {
    let (data, rounds) = (context.postgres().await, context.pick(3, 6));
    let readers = (1..=context.pick(4, 8)).map(|answer| {
        let (data, dice) = (&data, context.dice("silence").nth(answer));
        async move {
            let (proxy, silenced) = behind_a_proxy(data, dice).await;
            let store = Store::connect(silenced.url().expect("an address"), 1, Arc::new(|_| {})).await;
            let store = store.expect("PostgreSQL can be reached").for_followers();
            let read = async || store.read().query_one_raw(store.statement("SELECT 1", [])).await.is_ok();
            let mut longest = Duration::ZERO;
            for _ in 0..rounds {
                // Both connections are open, and in use in turn.
                for _ in 0..10 {
                    assert!(tokio::join!(read(), read()) == (true, true), "nothing is silent yet");
                }
                proxy.silence_at_answer(answer);
                let (mut silent, mut reads) = (None, 0);
                // It reads for a while after it has come to it, or has never been stopped.
                while reads < 20 {
                    let began = Instant::now();
                    if read().await {
                        reads += 1;
                        longest = longest.max(silent.take().map_or(Duration::ZERO, |since: Instant| since.elapsed()));
                    } else if silent.get_or_insert(began).elapsed() > 2 * LIMIT {
                        return silent.map_or(Duration::ZERO, |since| since.elapsed());
                    }
                }
            }
            longest
        }
    });
    let longest = join_all(readers).await.into_iter().max().unwrap_or_default();
    Outcome::new("what follows the log reads again in 15 s", format!("read again after {longest:.1?}"))
        .expect(longest <= LIMIT, "it did not read again in time")
        .expect(longest > Duration::ZERO, "nothing ever fell silent")
}

/// A proxy before this database, and the database as it is behind it.
async fn behind_a_proxy(direct: &Data, dice: Dice) -> (Proxy, Data) {
    let server = direct.url().and_then(|url| url.split(['@', '/']).nth(3)).and_then(|at| at.parse().ok());
    let proxy = Proxy::start(server.expect("an address"), Harm::None, dice).await;
    let name = direct.url().and_then(|url| url.rsplit('/').next()).expect("a name").to_owned();
    let silenced = direct.reached_at(&format!("postgres://parlor@{}/{name}", proxy.addr()));
    (proxy, silenced)
}
