//! The index of messages, whatever becomes of the node that fills it: what is found is what was posted.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::data::Data;
use crate::failover::persist;
use crate::node::Node;
use crate::scenario::{Context, Outcome};
use crate::support::{Endpoint, Room, TestUser, documents};

/// How many messages are posted before each death, at the same time.
const POSTED: usize = 60;

/// So many messages the index may wait for others with.
const LEAST: i64 = 256;

const SEARCH: &str = "query($text: String!, $after: String) { search(text: $text, first: 100, after: $after) {
    nodes { message { body } } pageInfo { hasNextPage endCursor } } }";

const BEHIND: &str = "SELECT count(*) AS n FROM message, search_state \
    WHERE search_state.form = 0 OR message.position IS NULL OR message.position > search_state.upto";

/// All that is found, and how many of it more than once.
async fn found(user: &TestUser, text: &str) -> (BTreeSet<String>, usize) {
    let (mut all, mut again, mut after) = (BTreeSet::new(), 0, Value::Null);
    loop {
        let page = user.graphql(SEARCH, json!({ "text": text, "after": after })).await;
        for hit in page.list("/search/nodes") {
            again += usize::from(!all.insert(hit["message"]["body"].as_str().unwrap_or_default().to_owned()));
        }
        after = page["/search/pageInfo/endCursor"].clone();
        if page["/search/pageInfo/hasNextPage"] != json!(true) {
            return (all, again);
        }
    }
}

/// Posts it, if the node answers: whoever posts tries again later.
async fn say(endpoint: &Endpoint, author: &TestUser, room: &Room, n: usize) {
    let name = format!("needle {n}");
    let variables = json!({ "roomId": room.id, "body": name, "clientId": name });
    let _ = endpoint.try_graphql(Some(&author.access_token), documents::POST_MESSAGE, variables).await;
}

/// `kill -9` in the midst of posts and of the index's work, again and again. In the end, each message is found once.
pub async fn the_node_is_killed_while_it_fills_the_index(context: Context) -> Outcome {
    let (data, kills) = (Data::sqlite(), context.pick(4, 30));
    let mut node = Node::start(&data, &[]).await;
    let (ann, bob) = (node.endpoint().user("ann").await, node.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let endpoint = node.endpoint().clone();
    let mut dice = context.dice("moments");
    let mut posted = 0;
    for _ in 0..kills {
        let numbers = posted..posted + POSTED;
        let posting = join_all(numbers.clone().map(|n| say(&endpoint, &ann, &room, n)));
        let wait = dice.about(Duration::from_millis(150));
        let killing = async {
            sleep(wait).await;
            node.kill().await;
        };
        tokio::join!(posting, killing);
        node.up().await;
        for n in numbers {
            persist(&ann, &room, &format!("needle {n}")).await;
        }
        posted += POSTED;
    }
    let begun = Instant::now();
    let db = data.connect().await;
    let mut behind = i64::MAX;
    while behind >= LEAST && begun.elapsed() < Duration::from_secs(30) {
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), BEHIND)).await;
        behind = row.ok().flatten().and_then(|row| row.try_get("", "n").ok()).unwrap_or(i64::MAX);
        sleep(Duration::from_millis(20)).await;
    }
    db.close().await.expect("the connection closes");
    let caught_up = begun.elapsed();
    let expected: BTreeSet<String> = (0..posted).map(|n| format!("needle {n}")).collect();
    let (all, again) = found(&bob, "needle").await;
    let (missing, strange) = (expected.difference(&all).count(), all.difference(&expected).count());
    let one = found(&bob, "needle 7").await.0;
    let narrow: BTreeSet<String> = expected.iter().filter(|text| text.starts_with("needle 7")).cloned().collect();
    node.stop().await;
    let checked = data.check();
    let measured = format!(
        "{kills} kills, {posted} messages, {missing} not found, {again} found twice, {strange} others; complete {caught_up:.1?} after"
    );
    Outcome::new("each message is found, once", measured)
        .expect(behind < LEAST, format_args!("the index lacks {behind} messages"))
        .expect(missing == 0, format_args!("{missing} messages are not found"))
        .expect(again + strange == 0, format_args!("{again} are found twice, and {strange} others"))
        .expect(one == narrow, format_args!("of {} that have two words {} are found", narrow.len(), one.len()))
        .expect(checked.is_ok(), format_args!("the database is not whole: {checked:?}"))
}
