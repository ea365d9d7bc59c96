//! Faults beneath everything but posts: edits, deletions, read marks, races for a room, and ended sessions.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::data::Data;
use crate::dice::Dice;
use crate::line::Line;
use crate::load::{Hall, Load, Routes, Shape};
use crate::node::Node;
use crate::scenario::{Context, Outcome};
use crate::sender::{Refusal, ask};
use crate::servers::{Nats, Postgres};
use crate::support::{Endpoint, Message, TestUser, documents};

/// How long the end of a session may take to reach every node and socket.
const ENDED: Duration = Duration::from_secs(15);

/// Messages that each author posts and alters.
const EACH: usize = 6;

/// While PostgreSQL is stopped and one of two nodes is killed, members edit, delete and mark as read, two at a time open
/// the same room, and devices are signed out. Each repeats its request until it is answered, and then it has happened
/// exactly once.
pub async fn what_was_answered_has_happened(context: Context) -> Outcome {
    let (mut server, broker) = (tokio::task::block_in_place(|| Postgres::start(true)), Nats::start());
    let (data, rounds) = (Data::postgres(&server.url("postgres")).await, context.pick(1, 6));
    let settings = [("PARLOR_NATS_URL", broker.url())];
    let (mut a, b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let shape = Shape { clients: 10, models: 10, patience: Duration::from_secs(30), ..Shape::default() };
    let load = Load::start(Routes::to(&[&a, &b]), shape, context.dice("load")).await;
    let nodes = [a.endpoint().clone(), b.endpoint().clone()];
    let mut devices = Vec::new();
    for user in &load.users {
        let device = user.at(&nodes[1]).sign_in().await;
        let mut line = Line::events(b.addr(), &device.access_token, None).await.expect("the node is there");
        line.until_synced().await.expect("the node answers");
        devices.push((device, line));
    }
    let altering = load.halls.iter().enumerate();
    let altered =
        join_all(altering.map(|(n, hall)| alter(hall, &load.users, &nodes, rounds, context.dice("alter").nth(n))));
    let raced =
        join_all((0..5).map(|n| race([&load.users[n], &load.users[9 - n]], &nodes, context.dice("race").nth(n))));
    let ended = join_all(
        devices
            .into_iter()
            .enumerate()
            .map(|(n, (device, line))| end(device, line, &nodes, context.dice("ends").nth(n))),
    );
    let mut moments = context.dice("moments");
    let faults = async {
        for _ in 0..rounds {
            sleep(moments.about(Duration::from_millis(700))).await;
            tokio::task::block_in_place(|| server.stop_at_once());
            sleep(moments.about(Duration::from_millis(700))).await;
            tokio::task::block_in_place(|| server.resume());
            data.until_reachable().await;
            a.kill().await;
            a.up().await;
        }
    };
    let (altered, raced, ended, ()) = tokio::join!(altered, raced, ended, faults);
    let wrong: Vec<String> = altered.into_iter().chain(raced).flatten().collect();
    let slowest = ended.iter().copied().max().unwrap_or_default();
    let finished = load.finish(&data).await;
    let measured = format!("{rounds} times; sessions ended everywhere after {slowest:.1?} at most");
    Outcome::new("what was answered has happened, sessions end in 15 s", measured)
        .expect(wrong.is_empty(), format_args!("{wrong:?}"))
        .expect(slowest <= ENDED, "a session that was ended went on")
        .finished(finished)
}

/// Repeats the request at one node after the other until it is answered.
async fn answered(
    nodes: &[Endpoint; 2],
    token: &str,
    document: &str,
    variables: &Value,
    dice: &mut Dice,
) -> Result<Value, Refusal> {
    loop {
        match ask(&nodes[dice.below(2)], token, document, variables.clone()).await {
            // A device that was signed out by a request without an answer stays signed out.
            Err(refusal) if refusal.passes() && refusal.name() != "UNAUTHENTICATED" => {
                sleep(Duration::from_millis(50)).await;
            }
            answer => return answer,
        }
    }
}

/// A member posts, edits each message twice, deletes every third and marks all as read. Returns what is not so then.
async fn alter(hall: &Hall, users: &[TestUser], nodes: &[Endpoint; 2], rounds: usize, mut dice: Dice) -> Vec<String> {
    let user = &users[hall.members[0]];
    let (token, room) = (&*user.access_token, &hall.room.id);
    let (mut expected, mut wrong, mut newest) = (Vec::new(), Vec::new(), 0);
    for n in 0..EACH * rounds {
        let name = format!("altered-{}-{n}", user.username);
        let post = json!({ "roomId": room, "body": name, "clientId": name });
        let posted = answered(nodes, token, documents::POST_MESSAGE, &post, &mut dice).await;
        let Ok(posted) = posted else { return vec![format!("a post was refused: {posted:?}")] };
        let message = Message::of(&posted["postMessage"]["message"]);
        newest = message.seq;
        let mut body = name;
        for edit in 0..2 {
            body = format!("edit {edit} of {n}");
            let variables = json!({ "messageId": message.id, "body": body });
            let edited = answered(nodes, token, documents::EDIT_MESSAGE, &variables, &mut dice).await;
            wrong.extend(edited.err().map(|refusal| format!("an edit was refused: {refusal:?}")));
        }
        let deleted = n % 3 == 0;
        if deleted {
            let variables = json!({ "messageId": message.id });
            let deleted = answered(nodes, token, documents::DELETE_MESSAGE, &variables, &mut dice).await;
            wrong.extend(deleted.err().map(|refusal| format!("a deletion was refused: {refusal:?}")));
        }
        let mark = json!({ "roomId": room, "seq": message.seq });
        let marked = answered(nodes, token, documents::MARK_READ, &mark, &mut dice).await;
        wrong.extend(marked.err().map(|refusal| format!("a mark was refused: {refusal:?}")));
        expected.push((message.id, (!deleted).then_some(body)));
    }
    for (id, body) in expected {
        let query = "query($id: ID!) { node(id: $id) { ... on Message { body deletedAt } } }";
        let found = answered(nodes, token, query, &json!({ "id": id }), &mut dice).await;
        let is_so = found.as_ref().is_ok_and(|found| match &body {
            Some(body) => found["node"]["body"] == **body && found["node"]["deletedAt"].is_null(),
            None => !found["node"]["deletedAt"].is_null(),
        });
        if !is_so {
            wrong.push(format!("expected {body:?}, found {found:?}"));
        }
    }
    let viewer = answered(nodes, token, documents::ROOM_VIEWER, &json!({ "roomId": room }), &mut dice).await;
    if !viewer.as_ref().is_ok_and(|viewer| viewer["room"]["viewer"]["lastReadSeq"].as_i64() >= Some(newest)) {
        wrong.push(format!("read up to {newest}, found {viewer:?}"));
    }
    wrong
}

/// Two users open a room with each other at the same time: it is the same room.
async fn race(users: [&TestUser; 2], nodes: &[Endpoint; 2], dice: Dice) -> Vec<String> {
    let opened = users.into_iter().zip([users[1], users[0]]).enumerate().map(|(n, (user, other))| {
        let mut dice = dice.nth(n);
        async move {
            let variables = json!({ "userIds": [other.id], "type": "CONSUMER_TO_CONSUMER" });
            answered(nodes, &user.access_token, documents::INITIATE_CHAT, &variables, &mut dice).await
        }
    });
    let opened = join_all(opened).await;
    let id = |n: usize| opened[n].as_ref().ok().map(|opened| &opened["initiateChat"]["room"]["id"]);
    if id(0).is_some() && id(0) == id(1) { Vec::new() } else { vec![format!("two rooms for two users: {opened:?}")] }
}

/// Signs a device out, and returns how long after the answer its socket was open, or a node took its token.
async fn end(device: TestUser, mut line: Line, nodes: &[Endpoint; 2], mut dice: Dice) -> Duration {
    sleep(dice.about(Duration::from_millis(700))).await;
    // A repetition whose predecessor took effect is refused for it.
    let _ = answered(nodes, &device.access_token, documents::SIGN_OUT, &json!({}), &mut dice).await;
    let ended = Instant::now();
    let closed = timeout(2 * ENDED, async { while line.next().await.is_ok() {} }).await;
    if closed.is_err() {
        return 2 * ENDED;
    }
    for node in nodes {
        let refused = async {
            while ask(node, &device.access_token, "{ me { id } }", json!({})).await
                != Err(Refusal::Code("UNAUTHENTICATED".to_owned()))
            {
                sleep(Duration::from_millis(50)).await;
            }
        };
        let _ = timeout(2 * ENDED, refused).await;
    }
    ended.elapsed()
}
