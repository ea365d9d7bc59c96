//! Controls: readers that are wrong on purpose. An oracle that finds nothing here can't be trusted anywhere.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::Subscriber;
use futures_util::StreamExt;
use parlor::log::Kind;
use parlor::position::Position;
use parlor::store::entity::event;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, QueryOrder, Statement, TransactionOptions,
    TransactionTrait,
};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clients::{self, Keeps};
use crate::data::Data;
use crate::dice::Dice;
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::oracle::{Acked, Connection, Findings, Post, Receiver, Seen, Truth, What};
use crate::proxy::{Harm, Proxy};
use crate::receiver::Habits;
use crate::scenario::{Context, Outcome};
use crate::servers::Nats;
use crate::truth;

/// Writers that run concurrently.
const WRITERS: usize = 8;

/// The subject on which nodes ring, as in the product.
const DOORBELL: &str = "parlor.head";

/// A reader of `id > cursor` over a table whose ids are given out before their commit.
pub async fn a_reader_of_uncommitted_order_loses_events(context: Context) -> Outcome {
    let (data, each) = (context.postgres().await, context.pick(60, 300));
    let db = data.connect().await;
    db.execute_unprepared("CREATE TABLE naive (id BIGSERIAL PRIMARY KEY, author TEXT NOT NULL)")
        .await
        .expect("a table");
    let mut writers = JoinSet::new();
    for n in 0..WRITERS {
        let (connection, dice) = (data.connect().await, context.dice("writers").nth(n));
        writers.spawn(write(connection, format!("writer{n}"), each, dice));
    }
    let (mut cursor, mut seen, mut acked) = (0, Vec::new(), Vec::new());
    while !writers.is_empty() {
        while let Some(written) = writers.try_join_next() {
            acked.extend(written.expect("the writers write"));
        }
        read_after(&db, &mut cursor, &mut seen).await;
    }
    read_after(&db, &mut cursor, &mut seen).await;

    let posts = acked.iter().map(|ack: &Acked| (ack.seq, post(ack)));
    let stays = HashMap::from([(("reader".to_owned(), "room".to_owned()), std::iter::once(0..i64::MAX).collect())]);
    let truth = Truth { posts: posts.collect(), stays, ..Truth::default() };
    let reader = Receiver {
        user: "reader".into(),
        connections: vec![Connection { after: 0, seen }],
        forgotten: Vec::new(),
        faults: Vec::new(),
    };
    let counts = truth.judge(&acked, &[reader]).counts;
    let measured = format!("{} of {} lost with {WRITERS} writers", counts.lost, acked.len());
    let outcome = Outcome::new("the oracle finds losses", measured);
    Outcome { counts, ..outcome }.expect(counts.lost > 0, "a reader that loses events passes for a good one")
}

fn post(ack: &Acked) -> Post {
    let Acked { room, author, client_id, seq } = ack.clone();
    Post { message: seq.to_string(), room, author, client_id: Some(client_id), seq }
}

async fn write(db: DatabaseConnection, author: String, count: usize, mut dice: Dice) -> Vec<Acked> {
    let mut acked = Vec::with_capacity(count);
    for n in 0..count {
        let tx = db.begin_with_options(TransactionOptions::default()).await.expect("a transaction");
        let insert = "INSERT INTO naive (author) VALUES ($1) RETURNING id";
        let insert = Statement::from_sql_and_values(DbBackend::Postgres, insert, [author.clone().into()]);
        let row = tx.query_one_raw(insert).await.expect("the row is written").expect("it has an id");
        // The rest of the transaction takes some time.
        sleep(dice.about(Duration::from_millis(3))).await;
        tx.commit().await.expect("it is committed");
        let seq = row.try_get("", "id").expect("an id");
        acked.push(Acked { room: "room".into(), author: author.clone(), client_id: n.to_string(), seq });
    }
    acked
}

async fn read_after(db: &DatabaseConnection, cursor: &mut i64, seen: &mut Vec<Seen>) {
    let select = "SELECT id FROM naive WHERE id > $1 ORDER BY id";
    let select = Statement::from_sql_and_values(DbBackend::Postgres, select, [(*cursor).into()]);
    for row in db.query_all_raw(select).await.expect("the table can be read") {
        *cursor = row.try_get("", "id").expect("an id");
        let what = What::Posted { message: cursor.to_string(), room: "room".into(), seq: *cursor };
        seen.push(Seen { position: *cursor, what });
    }
}

/// Clients of a real node that reconnect without their cursor.
pub async fn a_client_that_forgets_its_cursor_loses_events(context: Context) -> Outcome {
    let data = Data::sqlite();
    let node = Node::start(&data, &[]).await;
    let proxy = Proxy::start(node.addr(), Harm::CutBelow(8_000), context.dice("cuts")).await;
    let habits = Habits { forgetful: true, ..Habits::default() };
    let shape = Shape {
        habits,
        models: 0,
        pace: Duration::from_millis(60),
        patience: Duration::from_secs(1),
        ..Shape::default()
    };
    let routes = Routes { ears: vec![proxy.addr()], ..Routes::to(&[&node]) };
    let load = Load::start(routes, shape, context.dice("forgetful")).await;
    sleep(Duration::from_secs(context.pick(2, 10))).await;
    proxy.set(Harm::None);
    let Findings { counts, .. } = load.finish(&data).await.findings;
    let outcome = Outcome::new("the oracle finds losses", format!("{} cuts, {} lost", proxy.ended(), counts.lost));
    Outcome { counts, ..outcome }.expect(counts.lost > 0, "a client that loses events passes for a good one")
}

/// Subscriptions of graphql-ws on one socket that keep one cursor for all of them and give it in `connection_init`.
pub async fn several_subscriptions_with_one_cursor_lose_events(context: Context) -> Outcome {
    let several = clients::run(&context, 2, Keeps::BySocket).await;
    let counts = several.findings.counts;
    let measured = format!("{} cuts, {} of 2 × {} lost", several.cuts, counts.lost, several.posts);
    let outcome = Outcome::new("the oracle finds losses", measured);
    Outcome { counts, ..outcome }.expect(counts.lost > 0, "subscriptions that lose events pass for good ones")
}

/// A tail that reads the log only when it is rung, and never polls. The nodes ring through a proxy that does harm, and
/// in the end lets no ring through: the tail doesn't learn of the posts after that, but the nodes' own clients receive
/// them.
pub async fn a_tail_that_trusts_the_doorbell_loses_events(context: Context) -> Outcome {
    let (data, broker) = (context.postgres().await, Nats::start());
    let proxy = Proxy::before_broker(&broker.url(), Harm::Doorbells, context.dice("doorbells")).await;
    let settings = [("PARLOR_NATS_URL", format!("nats://{}", proxy.addr()))];
    let (a, b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let load = Load::start(Routes::to(&[&a, &b]), Shape::default(), context.dice("load")).await;
    let user = load.users[0].id.clone();
    let halls = load.halls.iter().filter(|hall| hall.members.contains(&0));
    let rooms: Vec<String> = halls.map(|hall| hall.room.id.clone()).collect();
    let client = async_nats::connect(broker.url()).await.expect("the broker is there");
    let rings = client.subscribe(DOORBELL).await.expect("the broker can be listened to");
    let (stop, mut tail) = (CancellationToken::new(), JoinSet::new());
    tail.spawn(follow_when_rung(rings, data.connect().await, rooms, stop.clone()));

    sleep(Duration::from_secs(context.pick(3, 15))).await;
    proxy.set(Harm::Silence);
    sleep(Duration::from_secs(1)).await;
    let finished = load.finish(&data).await;
    stop.cancel();
    let (rung, connection) = tail.join_next().await.expect("there is a tail").expect("the tail follows");
    let seen = connection.seen.len();
    let counts = truth::judge(
        &data,
        &[Receiver { user, connections: vec![connection], forgotten: Vec::new(), faults: Vec::new() }],
    )
    .await
    .counts;
    let measured = format!("rung for {rung} times, it saw {seen} posts, {} lost", counts.lost);
    let outcome = Outcome::new("the oracle finds losses", measured)
        .expect(seen > 0, "the tail saw nothing at all")
        .finished(finished);
    Outcome { counts, ..outcome }.expect(counts.lost > 0, "a tail that loses events passes for a good one")
}

/// Reads the new events of these rooms at each ring, in order. Returns how often it was rung, and the events it read.
async fn follow_when_rung(
    mut rings: Subscriber,
    db: DatabaseConnection,
    rooms: Vec<String>,
    stop: CancellationToken,
) -> (usize, Connection) {
    let mut cursor = head(&db).await;
    let (mut rung, mut connection) = (0, Connection { after: cursor.0, seen: Vec::new() });
    while let Some(Some(_)) = stop.run_until_cancelled(rings.next()).await {
        rung += 1;
        let events = event::Entity::range(cursor, Position(i64::MAX)).all(&db).await.expect("the log can be read");
        for event in events {
            cursor = event.position;
            let (Kind::MessagePosted, Some(room), Some(id), Some(seq)) =
                (event.kind, event.room_id, event.message_id, event.seq)
            else {
                continue;
            };
            if rooms.contains(&room.to_string()) {
                let what = What::Posted { message: id.to_string(), room: room.to_string(), seq: seq.into() };
                connection.seen.push(Seen { position: cursor.0, what });
            }
        }
    }
    (rung, connection)
}

async fn head(db: &DatabaseConnection) -> Position {
    let newest = event::Entity::find().order_by_desc(event::Column::Position).one(db).await;
    newest.expect("the log can be read").map_or(Position(0), |event| event.position)
}
