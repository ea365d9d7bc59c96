//! All clients reconnect together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::line::{Line, MESSAGES};
use crate::node::Node;
use crate::receiver;
use crate::scenario::{Context, Outcome};
use crate::support::{Event, TestUser};
use crate::truth;

/// How long it may take until all clients are synced again.
const LIMIT: Duration = Duration::from_secs(10);

/// How long clients try.
const GIVE_UP_AFTER: Duration = Duration::from_mins(1);

/// Connections that a node may hold: 8 for reading, 2 that follow the log, 2 that append to it, 3 that write beside it, 1
/// that asks whether it may be written to, and 6 for what one node at a time does.
const CONNECTIONS: i64 = 22;

/// Counts statements.
const STATEMENTS: &str = "parlor_sql_statements_total";

/// Users; each has many sockets.
const USERS: usize = 50;

/// All sockets of a node are dropped together, as when the network fails; something is posted, and all resume together.
pub async fn all_sockets_come_back_at_once(context: Context) -> Outcome {
    let (data, sockets) = (context.postgres().await, context.pick(500_u32, 5_000));
    let node = Node::start(&data, &[]).await;
    let users = join_all((0..USERS).map(|n| async move { format!("user{n}") })).await;
    let users: Vec<TestUser> = join_all(users.iter().map(|name| node.endpoint().user(name))).await;
    let room = users[0].initiate_chat(&users[1..]).await;
    let count = sockets as usize;
    let mut cursors = vec![users[0].sync_cursor().await; count];

    let (first, lines) = connect(&node, &users, &cursors).await;
    for Synced { n, events, .. } in &lines {
        cursors[*n].clone_from(&events.last().expect("it was synced").cursor);
    }
    let opened = lines.len();
    drop(lines);
    for n in 0..10 {
        users[0].post(&room, &format!("meanwhile {n}")).await;
    }
    let (db, watching) = (data.connect().await, Arc::new(AtomicBool::new(true)));
    let mut watch = JoinSet::new();
    let (most, go_on) = (Arc::new(AtomicI64::new(0)), watching.clone());
    watch.spawn(most_connections(db, most.clone(), go_on));
    let (memory, asked) = (node.resident_kib(), node.metric(STATEMENTS).await);
    let (again, lines) = connect(&node, &users, &cursors).await;
    let grown = node.resident_kib().saturating_sub(memory);
    let statements = (node.metric(STATEMENTS).await - asked) / f64::from(sockets);
    watching.store(false, Ordering::Relaxed);
    watch.join_all().await;
    let back = lines.len();
    let receivers = lines
        .iter()
        .map(|Synced { n, events, .. }| receiver::resumed(&users[n % users.len()].id, &cursors[*n], events));
    let judged = truth::judge(&data, &receivers.collect::<Vec<_>>()).await;
    let used = most.load(Ordering::Relaxed);
    let measured = format!(
        "{back} of {sockets} synced in {again:.2?} (in {first:.2?} at first), {used} database connections, \
         {statements:.1} statements a socket, {grown} KiB more"
    );
    Outcome::new(format!("{sockets} sockets synced in 10 s, at most {CONNECTIONS} connections"), measured)
        .expect(opened == count && back == count, format_args!("{opened} and {back} of {sockets} sockets were opened"))
        .expect(again <= LIMIT, "it took too long")
        .expect(used <= CONNECTIONS, "more connections than the pools have")
        .clean(judged)
}

/// A client that has come back.
struct Synced {
    /// The client's number.
    n: usize,
    /// The subscription, kept open.
    _line: Line,
    /// What it received.
    events: Vec<Event>,
}

/// Connects all clients together, and waits until each is synced.
async fn connect(node: &Node, users: &[TestUser], cursors: &[String]) -> (Duration, Vec<Synced>) {
    let started = Instant::now();
    let mut connecting = JoinSet::new();
    for (n, cursor) in cursors.iter().enumerate() {
        let (addr, token, cursor) = (node.addr(), users[n % users.len()].access_token.clone(), cursor.clone());
        connecting.spawn(async move {
            loop {
                if let Ok(mut line) = Line::open(addr, &token, MESSAGES, Some(&cursor)).await
                    && let Ok(Ok(events)) = timeout(LIMIT, line.until_synced()).await
                {
                    return Synced { n, _line: line, events };
                }
            }
        });
    }
    let mut synced = Vec::new();
    while let Ok(Some(one)) = timeout(GIVE_UP_AFTER.saturating_sub(started.elapsed()), connecting.join_next()).await {
        synced.push(one.expect("no client fails"));
    }
    (started.elapsed(), synced)
}

/// The most connections that others hold to this database, until stopped.
async fn most_connections(db: DatabaseConnection, most: Arc<AtomicI64>, go_on: Arc<AtomicBool>) {
    let sql =
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    while go_on.load(Ordering::Relaxed) {
        let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
        let count = row.ok().flatten().and_then(|row| row.try_get::<i64>("", "n").ok()).unwrap_or_default();
        most.fetch_max(count, Ordering::Relaxed);
        sleep(Duration::from_millis(20)).await;
    }
}
