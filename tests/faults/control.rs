//! Readers that are wrong on purpose. If the oracle finds nothing here, it can find nothing at all.

use std::collections::HashMap;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionOptions, TransactionTrait};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::data::Data;
use crate::dice::Dice;
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::oracle::{Acked, Connection, Findings, Post, Receiver, Seen, Truth, What};
use crate::proxy::{Harm, Proxy};
use crate::receiver::Habits;
use crate::scenario::{Context, Outcome};

/// Writers at once.
const WRITERS: usize = 8;

/// A reader of `id > cursor` over a table whose ids are given out before they are committed.
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
    let truth = Truth { posts: posts.collect(), stays };
    let reader = Receiver { user: "reader".into(), connections: vec![Connection { after: 0, seen }] };
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
        // What else a transaction does takes its time.
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

/// Clients of a real node that connect anew without their cursor.
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
