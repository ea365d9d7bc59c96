//! A client that missed far more than is replayed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::time::timeout;

use crate::data::Data;
use crate::line::Line;
use crate::node::Node;
use crate::receiver;
use crate::scenario::{Context, Outcome};
use crate::support::{Event, Model, TestUser, verify};
use crate::truth;

/// Users besides the one who is away; each subset of them makes a room.
const OTHERS: usize = 9;

/// Messages that are posted to each room in the meantime.
pub const PER_ROOM: usize = 400;

/// How long it may take until the client has received everything.
const LIMIT: Duration = Duration::from_secs(10);

/// Memory that the server may take to answer, in KiB.
const LIMIT_KIB: u64 = 64 * 1_024;

/// 200,000 events in 500 rooms happen in the meantime. Every gap is announced, and a client that fills the gaps has the
/// state of a fresh fetch.
pub async fn a_client_was_away_for_long(context: Context) -> Outcome {
    let (data, rooms) = (Data::sqlite(), context.pick(50, 500));
    let mut node = Node::start(&data, &[]).await;
    let ann = meet(&node, rooms).await;
    let mut model = Model::fetch(&ann).await;
    let cursor = ann.sync_cursor().await;
    node.stop().await;
    let db = data.connect().await;
    post_behind_the_back(&db).await;
    db.close().await.expect("the connection closes");

    node.up().await;
    let ann = node.endpoint().sign_in("ann").await;
    let (before, begun) = (node.resident_kib(), Instant::now());
    let (mut gaps, mut events, mut most) = (BTreeSet::new(), Vec::new(), before);
    let mut line = Line::events(node.addr(), &ann.access_token, Some(&cursor)).await.expect("the node is there");
    while events.last().is_none_or(|event: &Event| event.kind != "Synced") {
        let event = timeout(LIMIT * 3, line.next()).await.expect("it goes on").expect("the node answers");
        if event.kind == "RoomGap" {
            gaps.insert(event.room_id());
        }
        most = most.max(node.resident_kib());
        events.push(event);
    }
    let (took, grown) = (begun.elapsed(), most - before);
    model.apply_all(&ann, &events).await;
    verify(&ann, &model).await;
    let filled = begun.elapsed();
    let judged = truth::judge(&data, &[receiver::resumed(&ann.id, &cursor, &events)]).await;
    let checked = data.check();
    let count = rooms * PER_ROOM;
    let measured = format!(
        "{count} events in {rooms} rooms: {} gaps told in {took:.2?} with {grown} KiB more; filled and equal to a fetch after {filled:.1?}",
        gaps.len()
    );
    Outcome::new(format!("bounded: {LIMIT:.0?}, {} MiB", LIMIT_KIB / 1_024), measured)
        .expect(gaps.len() == rooms, "not every gap was told of")
        .expect(took <= LIMIT, "it took too long")
        .expect(grown <= LIMIT_KIB, "it took too much memory")
        .expect(checked.is_ok(), format_args!("the database is not whole: {checked:?}"))
        .clean(judged)
}

/// A user in this many rooms, each with a different set of other members.
pub async fn meet(node: &Node, rooms: usize) -> TestUser {
    let ann = node.endpoint().user("ann").await;
    let mut others = Vec::new();
    for n in 0..OTHERS {
        others.push(node.endpoint().user(&format!("other{n}")).await);
    }
    for set in 1..=rooms {
        let members = (0..OTHERS).filter(|n| set >> n & 1 == 1).map(|n| &others[n]);
        ann.initiate_chat(members).await;
    }
    ann
}

/// Adds messages to every room as the server would, to the rooms in turn, while no node runs. It is faster than
/// posting.
pub async fn post_behind_the_back(db: &DatabaseConnection) {
    let counted = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PER_ROOM})");
    let statements = [
        "CREATE TEMP TABLE author AS SELECT r.id AS room_id, \
           (SELECT min(m.user_id) FROM member m JOIN \"user\" u ON u.id = m.user_id \
            WHERE m.room_id = r.id AND u.username <> 'ann') AS user_id, \
           row_number() OVER (ORDER BY r.id) AS k, count(*) OVER () AS rooms, r.created_at AS at, \
           (SELECT max(position) FROM event) AS head FROM room r"
            .to_owned(),
        format!(
            "{counted} INSERT INTO message (id, room_id, seq, author_id, type, body, created_at) \
             SELECT randomblob(16), room_id, i, user_id, 'text', 'number ' || i, at FROM n CROSS JOIN author"
        ),
        "INSERT INTO event (position, tag, room_id, kind, message_id, seq, at) \
         SELECT head + (seq - 1) * rooms + k, abs(random() % 4294967296), message.room_id, 1, id, seq, at \
         FROM message JOIN author ON author.room_id = message.room_id ORDER BY 1"
            .to_owned(),
        format!(
            "UPDATE room SET last_seq = {PER_ROOM}, last_activity_at = created_at, last_position = \
             (SELECT max(position) FROM event WHERE event.room_id = room.id)"
        ),
        format!(
            "UPDATE member SET read_seq = {PER_ROOM} WHERE (room_id, user_id) IN (SELECT room_id, user_id FROM author)"
        ),
    ];
    // One connection, because a temporary table belongs to it.
    let mut script = statements.join(";\n");
    script.push(';');
    db.execute_unprepared(&format!("BEGIN IMMEDIATE;\n{script}\nCOMMIT;")).await.expect("the rows can be written");
}
