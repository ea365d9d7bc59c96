//! A disk that is full.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;

use crate::data::Data;
use crate::line::Line;
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::scenario::{Context, Outcome};
use crate::sender::{Refusal, ask};
use crate::servers::disk::SmallDisk;
use crate::support::{Room, TestUser, documents};

/// Posts of 16 KB until the disk is full; then checks what must still work; then frees space, and posts again.
pub async fn the_disk_is_full(context: Context) -> Outcome {
    let (data, mib) = (Data::sqlite(), context.pick(4, 32));
    let disk = SmallDisk::mount(&data.data_dir(), mib).expect("a small file system can be mounted");
    let mut node = Node::start(&data, &[]).await;
    let shape = Shape { clients: 8, ..Shape::default() };
    let load = Load::start(Routes::to(&[&node]), shape, context.dice("load")).await;
    let (ann, bob) = (node.endpoint().user("ann").await, node.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let cursor = bob.sync_cursor().await;
    let (taken, refusals) = fill(&ann, &room).await;

    let refused = refusals.iter().all(|refusal| *refusal == Refusal::Code("UNAVAILABLE".to_owned()));
    let mut outcome = Outcome::new("UNAVAILABLE, reads work, nothing corrupt", "")
        .expect(!refusals.is_empty(), "the disk was never full")
        .expect(refused, format_args!("refused by {refusals:?}"));
    let read =
        ask(node.endpoint(), &bob.access_token, documents::MESSAGES, json!({ "roomId": room.id, "last": 1 })).await;
    outcome = outcome.expect(read.is_ok(), format_args!("reading was refused: {read:?}"));
    let mut line = Line::events(node.addr(), &bob.access_token, Some(&cursor)).await.expect("the node is there");
    let resumed = tokio::time::timeout(Duration::from_secs(5), line.next()).await;
    outcome = outcome.expect(matches!(resumed, Ok(Ok(_))), "resuming did not work");

    // A restart on the full disk changes nothing: it reads, and posts again once there is room.
    node.kill().await;
    node.up_though_unready().await;
    let read =
        ask(node.endpoint(), &bob.access_token, documents::MESSAGES, json!({ "roomId": room.id, "last": 1 })).await;
    outcome = outcome.expect(read.is_ok(), format_args!("reading after a restart was refused: {read:?}"));
    disk.resize(mib * 8);
    ann.post_as(&room, "again", "there is room again").await;
    let finished = load.finish(&data).await;
    let db = data.connect().await;
    let checked = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check")).await;
    let checked: String = checked.expect("it can be checked").expect("a row").try_get_by_index(0).expect("a text");
    db.close().await.expect("the connection closes");
    node.stop().await;
    outcome.measured =
        format!("{mib} MiB were full after {taken} posts of 16 KB, {} refused, integrity {checked}", refusals.len());
    outcome.expect(checked == "ok", "the file is corrupt").finished(finished)
}

/// One message is edited again and again. The database stays small, and only its write-ahead log would grow beyond the
/// disk.
pub async fn the_write_ahead_log_alone_does_not_fill_the_disk(context: Context) -> Outcome {
    let (data, mib) = (Data::sqlite(), 24);
    let _disk = SmallDisk::mount(&data.data_dir(), mib).expect("a small file system can be mounted");
    let mut node = Node::start(&data, &[]).await;
    let (ann, bob) = (node.endpoint().user("ann").await, node.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "first").await;
    let (edits, mut refused) = (context.pick(1_500, 6_000), Vec::new());
    for n in 0..edits {
        let edited = json!({ "messageId": message.id, "body": format!("{n} {}", "x".repeat(16_000)) });
        refused.extend(ask(node.endpoint(), &ann.access_token, documents::EDIT_MESSAGE, edited).await.err());
    }
    node.kill().await;
    node.up().await;
    let posted = ann.post(&room, "after a restart").await;
    node.stop().await;
    Outcome::new(
        "no edit refused",
        format!(
            "{edits} edits of 16 KB on {mib} MiB, {} refused; posted as number {} after a kill",
            refused.len(),
            posted.seq
        ),
    )
    .expect(refused.is_empty(), format_args!("refused by {:?}", refused.first()))
}

/// How many posts were accepted, and how the next ones were refused.
async fn fill(user: &TestUser, room: &Room) -> (usize, Vec<Refusal>) {
    let (mut taken, mut refusals) = (0, Vec::new());
    while refusals.len() < 10 && taken < 20_000 {
        let body = "x".repeat(16_000);
        let posted = json!({ "roomId": room.id, "body": body });
        match ask(user.endpoint(), &user.access_token, documents::POST_MESSAGE, posted).await {
            Ok(_) => taken += 1,
            Err(refusal) => refusals.push(refusal),
        }
    }
    (taken, refusals)
}
