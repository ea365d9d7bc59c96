//! A database that is replaced by an older copy of itself.

use std::fs;

use serde_json::json;

use crate::data::Data;
use crate::line::{Line, position};
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::scenario::{Context, Outcome};
use crate::support::TestUser;

/// The file is copied while the server is stopped; the server goes on; the copy is put back; the server goes on with
/// other events. A client whose cursor is beyond the copy must fetch anew, both before the log has grown to that cursor
/// and after; a client whose cursor is within the copy misses nothing.
pub async fn the_database_is_restored_from_an_older_copy(context: Context) -> Outcome {
    let (data, count) = (Data::sqlite(), context.pick(20, 100));
    let mut node = Node::start(&data, &[]).await;
    let (ann, mut others) = (node.endpoint().user("ann").await, Vec::new());
    for n in 0..count {
        others.push(node.endpoint().user(&format!("other{n}")).await);
    }
    let room = ann.initiate_chat(&others).await;
    for n in 0..20 {
        ann.post(&room, &format!("before {n}")).await;
    }
    let within = ann.sync_cursor().await;
    node.stop().await;
    let copy = data.dir().join("copy.db");
    fs::copy(data.file(), &copy).expect("the file can be copied");

    node.up().await;
    let mut beyond = Vec::new();
    let mut dice = context.dice("cursors");
    for n in 0..count {
        for m in 0..=dice.below(3) {
            ann.post(&room, &format!("lost {n} {m}")).await;
        }
        beyond.push(ann.sync_cursor().await);
    }
    node.stop().await;
    fs::copy(&copy, data.file()).expect("the copy can be put back");
    for of in ["-wal", "-shm"] {
        let _ = fs::remove_file(data.data_dir().join(format!("parlor.db{of}")));
    }
    node.up().await;

    let mut outcome = Outcome::new("every client is told ResyncRequired", "");
    let told = resumed(&node, &others, &beyond).await;
    let ahead = told.iter().filter(|kinds| kinds[..] == ["ResyncRequired", "Synced"]).count();
    outcome = outcome
        .expect(ahead == count, format_args!("{ahead} of {count} that are ahead of the log were told: {told:?}"));

    // The log grows past their cursors, with other events.
    let shape = Shape { clients: 10, members: 4, ..Shape::default() };
    let load = Load::start(Routes::to(&[&node]), shape, context.dice("onward")).await;
    while position(&ann.sync_cursor().await) <= beyond.last().map_or(0, |cursor| position(cursor)) {
        ann.post(&room, "otherwise").await;
    }
    let told = resumed(&node, &others, &beyond).await;
    let foreign = told.iter().filter(|kinds| kinds.first().is_some_and(|kind| kind == "ResyncRequired")).count();
    outcome =
        outcome.expect(foreign == count, format_args!("{foreign} of {count} with a foreign tag were told: {told:?}"));
    let told = resumed(&node, &others[..1], &[within]).await.concat();
    let resynced = told.iter().any(|kind| kind == "ResyncRequired");
    outcome = outcome.expect(!resynced, format_args!("a client within the copy was told to fetch anew: {told:?}"));
    outcome.measured = format!("{ahead} of {count} ahead of the log, {foreign} of {count} with a foreign tag");
    let fetched = ann.graphql("query($id: ID!) { room(id: $id) { id } }", json!({ "id": room.id })).await;
    outcome.expect(fetched.status == 200, "the room can't be read").finished(load.finish(&data).await)
}

/// What each client receives until `Synced` when it resumes from its cursor.
async fn resumed(node: &Node, users: &[TestUser], cursors: &[String]) -> Vec<Vec<String>> {
    let mut told = Vec::new();
    for (user, cursor) in users.iter().zip(cursors) {
        let mut line = Line::events(node.addr(), &user.access_token, Some(cursor)).await.expect("the node is there");
        let events = line.until_synced().await.expect("the node answers");
        told.push(events.into_iter().map(|event| event.kind).collect());
    }
    told
}
