//! A database that is replaced beneath running nodes by a copy that has missed the last commits.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::time::{sleep, timeout};

use crate::data::Data;
use crate::finished::Finished;
use crate::line::{Line, position};
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::proxy::{Harm, Proxy};
use crate::scenario::{Context, Outcome};
use crate::servers::{Nats, Postgres};
use crate::support::{Room, TestUser, documents};

/// How long nodes may take to write again once the copy may be written.
const LIMIT: Duration = Duration::from_secs(15);

/// Three nodes reach PostgreSQL through a proxy, as through an address that moves. Its asynchronous standby stops
/// following, more is posted, the primary dies, the standby is promoted, and the address moves to it, again and again.
/// What the standby had not received is gone: no device may keep it, and none may miss what comes instead.
pub async fn a_standby_without_the_last_commits_is_promoted(context: Context) -> Outcome {
    let (mut primary, broker) = (tokio::task::block_in_place(|| Postgres::start(true)), Nats::start());
    let proxy = Proxy::start(primary.addr(), Harm::None, context.dice("address")).await;
    let data = Data::postgres(&format!("postgres://parlor@{}/postgres", proxy.addr())).await;
    let settings = [("PARLOR_NATS_URL", broker.url()), ("PARLOR_POLL_MS", "50".to_owned())];
    let (a, b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let c = Node::start(&data, &settings).await;
    let (mut dice, rounds) = (context.dice("moments"), context.pick(1, 5));
    // With few posts, nodes find the log replaced before it has gone on.
    let pace = Duration::from_millis(if dice.below(2) == 0 { 150 } else { 900 });
    let shape = Shape { patience: Duration::from_secs(40), pace, ..Shape::default() };
    let load = Load::start(Routes::to(&[&a, &b, &c]), shape, context.dice("failover")).await;
    let (mut slowest, mut replaced, mut gone) = (Duration::ZERO, Instant::now(), 0);
    for _ in 0..rounds {
        let standby = tokio::task::block_in_place(|| primary.standby());
        sleep(Duration::from_secs(1)).await;
        let behind = server(&standby).await;
        behind.execute_unprepared("ALTER SYSTEM SET primary_conninfo = ''").await.expect("a setting");
        behind.execute_unprepared("SELECT pg_reload_conf()").await.expect("the settings are read again");
        let followed = Instant::now();
        sleep(dice.about(Duration::from_millis(700))).await;
        tokio::task::block_in_place(|| primary.stop_at_once());
        behind.execute_unprepared("SELECT pg_promote()").await.expect("it is promoted");
        behind.close().await.expect("the connection closes");
        replaced = Instant::now();
        gone += load.answers.acked().iter().filter(|acked| acked.answered > followed).count();
        proxy.redirect(standby.addr());
        while (0..3).any(|node| load.answers.last_of(node).is_none_or(|at| at <= replaced)) {
            if replaced.elapsed() > 2 * LIMIT {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        slowest = slowest.max(replaced.elapsed());
        primary = standby;
    }
    sleep(Duration::from_secs(1)).await;
    let finished = load.finish_replaced(&data, replaced).await;
    let measured =
        format!("{rounds} failovers, up to {gone} acknowledged posts gone, wrote again in {slowest:.1?} at most");
    judge(finished, "no device keeps what is gone, all nodes write again in 15 s", &measured)
        .expect(gone > 0, "nothing was posted after the standby had stopped to follow")
        .expect(slowest <= LIMIT, "did not write again in time")
}

fn judge(finished: Finished, asked: &str, measured: &str) -> Outcome {
    let resynced = finished.resynced;
    Outcome::new(asked, format!("{measured}; {resynced} of {} devices told to fetch anew", finished.logs.len()))
        .expect(resynced > 0, "no device was told")
        .finished(finished)
}

async fn server(postgres: &Postgres) -> DatabaseConnection {
    sea_orm::Database::connect(postgres.url("postgres")).await.expect("PostgreSQL can be reached")
}

/// A client comes from a node that was faster to one that has not read the log for a while. Before that one reads it,
/// the database is replaced by a copy that had missed what the client has seen, and the log goes on: to the node, the log
/// has only grown. What comes at positions that the client had seen events of must not be skipped.
pub async fn a_cursor_ahead_of_a_node_outlives_the_log_that_it_was_of(context: Context) -> Outcome {
    let postgres = tokio::task::block_in_place(|| Postgres::start(true));
    let proxy = Proxy::start(postgres.addr(), Harm::None, context.dice("address")).await;
    let data = Data::postgres(&format!("postgres://parlor@{}/postgres", proxy.addr())).await;
    // Neither reads the log by itself.
    let settings = [("PARLOR_POLL_MS", "60000".to_owned())];
    let (fast, slow) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let endpoint = fast.endpoint();
    let (ann, bob) = (endpoint.user("ann").await, endpoint.user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let slow_ann = ann.at(slow.endpoint());
    // Its own commit is what the slow node has read.
    slow_ann.post(&room, "on both").await;
    let copy = Copy::of(&postgres, &data).await;
    let seen = 2 + context.dice("seen").below(30);
    for n in 0..seen {
        persist(&ann, &room, &format!("gone {n}")).await;
    }
    let cursor = bob.sync_cursor().await;
    // The first connections may fail with those to the database.
    let open = async || {
        let mut line = Line::events(slow.addr(), &bob.access_token, Some(&cursor)).await?;
        line.until_synced().await.map(|caught_up| (line, caught_up))
    };
    let (mut line, caught_up) = loop {
        match open().await {
            Ok(opened) => break opened,
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    };
    copy.put_in_place().await;
    for n in 0..=seen {
        persist(&slow_ann, &room, &format!("{n}")).await;
    }
    let told = timeout(LIMIT, async {
        loop {
            let event = line.next().await.expect("the socket stays open");
            if event.kind == "ResyncRequired" {
                return event;
            }
        }
    });
    let told = told.await;
    Outcome::new("the client is told to fetch anew", format!("{seen} messages seen and gone, others in their places"))
        .expect(caught_up.iter().all(|event| event.kind == "Synced"), "the cursor was not ahead of the node")
        .expect(told.is_ok(), "the client was told nothing")
}

/// A node's database is replaced by one that was the same once and has gone on to the same position with other events.
/// The node doesn't look at its log by itself, so that its own next commit, at the next position, is all that it sees.
pub async fn the_next_commit_on_another_log_falls_on_the_next_position(context: Context) -> Outcome {
    let postgres = tokio::task::block_in_place(|| Postgres::start(true));
    let proxy = Proxy::start(postgres.addr(), Harm::None, context.dice("address")).await;
    let data = Data::postgres(&format!("postgres://parlor@{}/postgres", proxy.addr())).await;
    let node = Node::start(&data, &[("PARLOR_POLL_MS", "60000".to_owned())]).await;
    let shape = Shape { clients: 6, pace: Duration::from_hours(1), ..Shape::default() };
    let load = Load::start(Routes::to(&[&node]), shape, context.dice("another log")).await;
    let (hall, count) = (load.halls[0].clone(), context.pick(5, 50));
    let author = load.users[hall.members[0]].clone();
    for n in 0..5 {
        author.post(&hall.room, &format!("on both {n}")).await;
    }
    let copy = Copy::of(&postgres, &data).await;

    let post = async |n: usize| persist(&author, &hall.room, &format!("gone {n}")).await;
    for n in 0..count {
        post(n).await;
    }
    let old = author.sync_cursor().await;
    let other = Node::start(&data.beside("copy"), &[]).await;
    let elsewhere = author.at(other.endpoint());
    while position(&elsewhere.sync_cursor().await) < position(&old) {
        elsewhere.post(&hall.room, "on the other log").await;
    }
    let same = position(&elsewhere.sync_cursor().await) == position(&old);
    drop(other);
    copy.put_in_place().await;
    let replaced = Instant::now();
    // The first answer may fail with the connections; each post is one more hand-over.
    let told = async {
        for n in count.. {
            post(n).await;
            let mut logs = load.logs.iter().filter(|(user, _)| hall.members.contains(user));
            if logs.all(|(_, log)| log.was_resynced()) {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let told = tokio::time::timeout(LIMIT, told).await.is_ok();
    let finished = load.finish_replaced(&data, replaced).await;
    judge(finished, "every device is told", &format!("{count} messages replaced by {count} others"))
        .expect(told, "not every device was told in time")
        .expect(same, "the other log is not at the same position")
}

/// Posts until it is answered: the first answers may fail with the connections.
pub async fn persist(author: &TestUser, room: &Room, name: &str) {
    let variables = serde_json::json!({ "roomId": room.id, "body": name, "clientId": name });
    while !author.graphql(documents::POST_MESSAGE, variables.clone()).await.body["errors"].is_null() {
        sleep(Duration::from_millis(50)).await;
    }
}

/// A copy of a database, beside it on the same server, under the name `copy`.
struct Copy {
    server: DatabaseConnection,
    name: String,
}

impl Copy {
    /// Of the database as it is now. Its connections end, and new ones are made.
    async fn of(postgres: &Postgres, data: &Data) -> Self {
        let name = data.url().and_then(|url| url.rsplit_once('/')).expect("it has a name").1.to_owned();
        let copy = Self { server: server(postgres).await, name };
        copy.lock(&copy.name).await;
        copy.run(format!("CREATE DATABASE copy TEMPLATE {}", copy.name)).await;
        copy.run(format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", copy.name)).await;
        copy
    }

    /// Takes the name, and so the place, of what it was copied from.
    async fn put_in_place(self) {
        let name = &self.name;
        self.lock(name).await;
        self.lock("copy").await;
        self.run(format!("ALTER DATABASE {name} RENAME TO replaced")).await;
        self.run(format!("ALTER DATABASE copy RENAME TO {name}")).await;
        self.run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
    }

    async fn lock(&self, name: &str) {
        self.run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
        self.run(format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")).await;
    }

    async fn run(&self, sql: String) {
        self.server.execute_unprepared(&sql).await.expect("PostgreSQL accepts it");
    }
}
