//! The consumer of the log, whatever becomes of the node on which it runs: nothing is skipped, nothing is set back, and no
//! more is done again than one batch for each time that it was ended.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::data::Data;
use crate::failover::persist;
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::proxy::{Harm, Proxy};
use crate::scenario::{Context, Outcome};
use crate::servers::{Nats, Postgres};
use crate::support::TestUser;

/// How soon another node goes on after a death, and after one has frozen, as docs/operating.md says.
const HANDED_OVER: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(15));

/// The most events that a consumer reads together.
const BATCH: i64 = 500;

/// Has nodes log what their consumers read.
const LOG: (&str, &str) = ("PARLOR_LOG", "info,parlor::log::consumer=debug");

const PLACE: &str = "SELECT COALESCE((SELECT position FROM consumer WHERE name = 'purge'), 0) AS n";
const HEAD: &str = "SELECT COALESCE((SELECT max(position) FROM event), 0) AS n";
/// What deleted rooms have left.
const LEFT: &str =
    "SELECT count(*) AS n FROM message JOIN room ON room.id = message.room_id WHERE room.deleted_at IS NOT NULL";

async fn number(db: &DatabaseConnection, sql: &str) -> Option<i64> {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.ok()??;
    row.try_get("", "n").ok()
}

/// The consumer is where the log ends, and what deleted rooms have left is gone.
async fn is_done(db: &DatabaseConnection) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        let (place, head, left) = (number(db, PLACE).await, number(db, HEAD).await, number(db, LEFT).await);
        if place.is_some() && place == head && left == Some(0) {
            return true;
        }
        sleep(Duration::from_millis(20)).await;
    }
    false
}

/// Opens a room, posts to it, and deletes it.
async fn delete_a_room(ann: &TestUser, bob: &TestUser) {
    let room = ann.initiate_chat([bob]).await;
    for n in 0..3 {
        ann.post(&room, &format!("soon gone {n}")).await;
    }
    ann.delete_room(&room).await;
}

/// Which of these nodes runs the consumer, waiting for it.
async fn runner(nodes: &[Node], except: Option<usize>) -> usize {
    let begun = Instant::now();
    loop {
        for (n, node) in nodes.iter().enumerate().filter(|(n, _)| Some(*n) != except) {
            if node.metric("parlor_consumer_running").await > 0.0 {
                return n;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "no node runs the consumer");
        sleep(Duration::from_millis(20)).await;
    }
}

/// What nodes have logged that their consumers read: intervals of positions, the first of which is not in it.
fn read(data: &Data) -> Vec<(i64, i64)> {
    let files = fs::read_dir(data.dir()).expect("the directory can be read").filter_map(Result::ok);
    let logs = files.filter(|file| file.file_name().to_string_lossy().ends_with(".log"));
    let text: String = logs.map(|log| fs::read_to_string(log.path()).expect("a log can be read")).collect();
    let field = |line: &str, name: &str| line.split(' ').find_map(|word| word.strip_prefix(name)?.parse().ok());
    let lines = text.lines().filter(|line| line.contains(": read ") && line.contains("consumer=\"purge\""));
    lines.filter_map(|line| Some((field(line, "after=")?, field(line, "upto=")?))).collect()
}

/// How many times positions up to the last one were never read, and how many positions were read again.
fn skipped_and_repeated(mut read: Vec<(i64, i64)>) -> (i64, i64) {
    read.sort_unstable();
    let (mut upto, mut skipped, mut repeated) = (0, 0, 0);
    for (after, last) in read {
        skipped += i64::from(after > upto);
        repeated += (upto.min(last) - after).max(0);
        upto = upto.max(last);
    }
    (skipped, repeated)
}

/// Three nodes. The one that runs the consumer is killed or frozen, again and again, while everybody posts and rooms are
/// deleted.
pub async fn the_node_with_the_consumer_is_killed_or_frozen(context: Context) -> Outcome {
    let (data, broker, rounds) = (context.postgres().await, Nats::start(), context.pick(3, 20));
    let settings = [("PARLOR_NATS_URL", broker.url()), (LOG.0, LOG.1.to_owned())];
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::start(&data, &settings).await);
    }
    let (ann, bob) = (nodes[0].endpoint().user("ann").await, nodes[0].endpoint().user("bob").await);
    let load =
        Load::start(Routes::to(&[&nodes[0], &nodes[1], &nodes[2]]), Shape::default(), context.dice("load")).await;
    let (stop, set_back) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let mut watching = JoinSet::new();
    {
        let (stop, set_back, db) = (stop.clone(), set_back.clone(), data.connect().await);
        watching.spawn(async move {
            let mut last = 0;
            while !stop.load(Ordering::Relaxed) {
                let place = number(&db, PLACE).await.unwrap_or(last);
                set_back.fetch_add((last - place).max(0), Ordering::Relaxed);
                last = place;
                sleep(Duration::from_millis(5)).await;
            }
        });
    }
    let mut dice = context.dice("moments");
    let (mut after_death, mut after_freezing, mut deleted) = (Duration::ZERO, Duration::ZERO, 0);
    for round in 0..rounds {
        let victim = runner(&nodes, None).await;
        let other = ann.at(nodes[(victim + 1) % 3].endpoint());
        // In the midst of its work.
        delete_a_room(&other, &bob).await;
        sleep(dice.about(Duration::from_millis(50))).await;
        let begun = Instant::now();
        if round % 2 == 0 {
            nodes[victim].kill().await;
            delete_a_room(&other, &bob).await;
            runner(&nodes, Some(victim)).await;
            after_death = after_death.max(begun.elapsed());
            nodes[victim].up().await;
        } else {
            nodes[victim].freeze();
            delete_a_room(&other, &bob).await;
            runner(&nodes, Some(victim)).await;
            after_freezing = after_freezing.max(begun.elapsed());
            sleep(dice.about(Duration::from_secs(1))).await;
            nodes[victim].thaw();
        }
        deleted += 2;
        sleep(Duration::from_secs(1)).await;
    }
    let finished = load.finish(&data).await;
    let db = data.connect().await;
    let done = is_done(&db).await;
    let head = number(&db, HEAD).await.unwrap_or_default();
    stop.store(true, Ordering::Relaxed);
    watching.join_next().await.expect("one watches").expect("it watches to the end");
    let (intervals, set_back) = (read(&data), set_back.load(Ordering::Relaxed));
    let upto = intervals.iter().map(|(_, upto)| *upto).max().unwrap_or_default();
    let (skipped, repeated) = skipped_and_repeated(intervals);
    let deaths = (rounds + 1) / 2;
    let measured = format!(
        "{rounds} times, {deleted} rooms deleted; another node went on {after_death:.1?} after a death and \
         {after_freezing:.1?} after a freeze at most; {head} events, {skipped} skipped, {repeated} read again, set back by {set_back}"
    );
    Outcome::new(
        "nothing skipped or set back, a batch at most read again each time; 5 s after a death, 15 s frozen",
        measured,
    )
    .expect(done, "what deleted rooms have left is not gone, or the consumer is not at the end of the log")
    .expect(upto == head, format_args!("it was read up to {upto} of {head}"))
    // A node that is killed may take its last line with it.
    .expect(skipped <= deaths, format_args!("events were skipped {skipped} times"))
    .expect(repeated <= BATCH * rounds, format_args!("{repeated} events were read again"))
    .expect(set_back == 0, format_args!("the consumer was set back by {set_back}"))
    .expect(after_death <= HANDED_OVER.0, format_args!("nobody went on for {after_death:?} after a death"))
    .expect(after_freezing <= HANDED_OVER.1, format_args!("nobody went on for {after_freezing:?} after a freeze"))
    .finished(finished)
}

/// Two nodes reach PostgreSQL by an address that moves. The standby stops following, rooms are deleted and consumed, the
/// primary dies, the standby is promoted, and the log goes on, past the place that the consumer had reached: what the copy
/// has written there must not be skipped.
pub async fn a_standby_that_has_missed_the_consumers_place_is_promoted(context: Context) -> Outcome {
    let mut primary = tokio::task::block_in_place(|| Postgres::start(true));
    let proxy = Proxy::start(primary.addr(), Harm::None, context.dice("address")).await;
    let data = Data::postgres(&format!("postgres://parlor@{}/postgres", proxy.addr())).await;
    let settings = [("PARLOR_POLL_MS", "50".to_owned())];
    let nodes = [Node::start(&data, &settings).await, Node::start(&data, &settings).await];
    let endpoint = nodes[0].endpoint();
    let (ann, bob, eve) = (endpoint.user("ann").await, endpoint.user("bob").await, endpoint.user("eve").await);
    let kept = ann.initiate_chat([&bob, &eve]).await;
    let (mut rounds, mut done, mut gone) = (context.pick(1, 5), true, 0);
    while rounds > 0 {
        rounds -= 1;
        delete_a_room(&ann, &bob).await;
        let db = data.connect().await;
        done &= is_done(&db).await;
        let standby = tokio::task::block_in_place(|| primary.standby());
        sleep(Duration::from_secs(1)).await;
        let behind = sea_orm::Database::connect(standby.url("postgres")).await.expect("PostgreSQL can be reached");
        behind.execute_unprepared("ALTER SYSTEM SET primary_conninfo = ''").await.expect("a setting");
        behind.execute_unprepared("SELECT pg_reload_conf()").await.expect("the settings are read again");
        sleep(Duration::from_millis(500)).await;
        let before = number(&db, HEAD).await.unwrap_or_default();
        for _ in 0..5 {
            delete_a_room(&ann, &bob).await;
        }
        done &= is_done(&db).await;
        gone += number(&db, HEAD).await.unwrap_or_default() - before;
        db.close().await.expect("the connection closes");
        tokio::task::block_in_place(|| primary.stop_at_once());
        behind.execute_unprepared("SELECT pg_promote()").await.expect("it is promoted");
        behind.close().await.expect("the connection closes");
        proxy.redirect(standby.addr());
        primary = standby;
        for node in &nodes {
            while node.endpoint().get("/readyz").await.status() != 200 {
                sleep(Duration::from_millis(20)).await;
            }
        }
        // Connections that were idle are looked at before they are used again.
        sleep(Duration::from_secs(2)).await;
        for n in 0..4 {
            persist(&ann, &kept, &format!("round {rounds} {n}")).await;
        }
        for _ in 0..8 {
            delete_a_room(&ann, &eve).await;
        }
        let db = data.connect().await;
        done &= is_done(&db).await;
        db.close().await.expect("the connection closes");
    }
    let checked = data.check();
    let measured = format!("{} failovers, {gone} consumed events gone", context.pick(1, 5));
    Outcome::new("what the copy says is done, and nothing of it skipped", measured)
        .expect(done, "what deleted rooms have left is not gone, or the consumer is not at the end of the log")
        .expect(gone > 0, "nothing was consumed that the standby had missed")
        .expect(checked.is_ok(), format_args!("the database is not whole: {checked:?}"))
}

/// The file is copied, the server goes on, and the copy is put back: what is in it, and was done since, is done again.
pub async fn the_database_is_restored_with_the_consumers_place(context: Context) -> Outcome {
    let (data, rooms) = (Data::sqlite(), context.pick(5, 100));
    let mut node = Node::start(&data, &[(LOG.0, LOG.1.to_owned())]).await;
    let (ann, bob, eve) =
        (node.endpoint().user("ann").await, node.endpoint().user("bob").await, node.endpoint().user("eve").await);
    let kept = ann.initiate_chat([&bob, &eve]).await;
    ann.post(&kept, "kept").await;
    for _ in 0..rooms {
        delete_a_room(&ann, &bob).await;
    }
    node.kill().await;
    let copy = data.dir().join("copy.db");
    for of in ["", "-wal"] {
        let _ = fs::copy(data.data_dir().join(format!("parlor.db{of}")), data.dir().join(format!("copy.db{of}")));
    }
    node.up().await;
    for _ in 0..rooms {
        delete_a_room(&ann, &bob).await;
    }
    let db = data.connect().await;
    let done_before = is_done(&db).await;
    db.close().await.expect("the connection closes");
    node.stop().await;
    fs::copy(&copy, data.file()).expect("the copy can be put back");
    let wal = data.data_dir().join("parlor.db-wal");
    let _ = fs::remove_file(data.data_dir().join("parlor.db-shm"));
    if fs::copy(data.dir().join("copy.db-wal"), &wal).is_err() {
        let _ = fs::remove_file(&wal);
    }
    node.up().await;
    for _ in 0..2 * rooms {
        delete_a_room(&ann, &eve).await;
    }
    let db = data.connect().await;
    let done = is_done(&db).await;
    let head = number(&db, HEAD).await.unwrap_or_default();
    db.close().await.expect("the connection closes");
    let left = ann.messages(&kept).await.len();
    let (skipped, _) = skipped_and_repeated(read(&data));
    node.stop().await;
    let checked = data.check();
    let measured = format!(
        "{rooms} rooms deleted before, {rooms} in what is gone, {} after; {head} events, {skipped} skipped",
        2 * rooms
    );
    Outcome::new("what the copy says is done, and nothing of it skipped", measured)
        .expect(
            done_before && done,
            "what deleted rooms have left is not gone, or the consumer is not at the end of the log",
        )
        .expect(skipped <= 1, format_args!("events were skipped {skipped} times"))
        .expect(left == 1, format_args!("a room that exists has {left} messages"))
        .expect(checked.is_ok(), format_args!("the database is not whole: {checked:?}"))
}
