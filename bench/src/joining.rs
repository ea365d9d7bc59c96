//! A hundred users put into a large group at once, and a small room beside it.

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use parlor::store::Store;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::delivery::{POST, variables};
use crate::http::Client;
use crate::seed::{self, Room};
use crate::server::{SECRET, Server};
use crate::sockets::{Dialect, Sockets};
use crate::stats::Spread;
use crate::subject::PARLOR_EVENTS;
use crate::table::{Section, Table, Target, figure};

/// How late a small room's message may be meanwhile, in ms.
const ASKED_LATE_MS: f64 = 50.0;

/// Users of one call: the most that it takes.
const PUT_IN: usize = 100;

/// Between two posts in the small room.
const PAUSE: Duration = Duration::from_millis(10);

/// What a client selects of those who joined, and everything else that happens.
const DOCUMENTS: [(&str, &str); 2] = [
    (
        "who joined",
        "subscription { events { __typename cursor ... on MessagePosted { message { id seq body } } \
         ... on MembersJoined { room { id memberCount } userIds } } }",
    ),
    (
        "their names",
        "subscription { events { __typename cursor ... on MessagePosted { message { id seq body } } \
         ... on MembersJoined { room { id memberCount } members { id role user { id username displayName } } } } }",
    ),
];

const ADD: &str =
    "mutation ($room: ID!, $users: [ID!]!) { addMembers(roomId: $room, userIds: $users) { added { id } } }";

/// Puts a hundred users into a group of this many members, all with a socket, so many times for each document.
pub async fn run(members: usize, times: usize) -> io::Result<Section> {
    let data = tempfile::tempdir()?;
    let store = seed::open(&Store::sqlite_url(data.path())).await?;
    let large = seed::one_room(&store, members).await?;
    let tx = store.begin_write().await.map_err(io::Error::other)?;
    let into_group = "UPDATE room SET kind = 2, member_key = NULL; UPDATE member SET role = 1";
    tx.execute_unprepared(into_group).await.map_err(io::Error::other)?;
    tx.commit().await.map_err(io::Error::other)?;
    let small = seed::one_room(&store, 2).await?;
    let newcomers = seed::many_rooms(&store, times * DOCUMENTS.len(), PUT_IN).await?;
    store.close().await.map_err(io::Error::other)?;

    let mut table = Table::new(["selected", "what", "times", "p50 ms", "p99 ms", "max ms"]);
    let mut targets = Vec::new();
    for ((selected, document), newcomers) in DOCUMENTS.into_iter().zip(newcomers.chunks(times.max(1))) {
        let server = PARLOR_EVENTS.start(data.path()).await?;
        let Took { calls, told, beside, posts } = join(&server, document, &large, &small, newcomers).await?;
        server.stop().await?;
        for (what, times, spread) in [
            ("`addMembers` is answered", times, &calls),
            ("the last socket of the group has the event", times, &told),
            ("the second socket of the small room has a post", posts, &beside),
        ] {
            let [p50, p99, max] = [spread.p50, spread.p99, spread.max].map(figure);
            table.row([selected.to_owned(), what.to_owned(), times.to_string(), p50, p99, max]);
        }
        targets.push(Target {
            asked: format!(
                "a small room's message within {ASKED_LATE_MS} ms while {PUT_IN} join a group of {members}: {selected}"
            ),
            measured: format!("p50 {} ms, at most {} ms, of {posts}", figure(beside.p50), figure(beside.max)),
            met: beside.max <= ASKED_LATE_MS,
        });
    }
    let text = format!(
        "{PUT_IN} users are put into a group of {members} members by one call, {times} times for each document; every member \
         has a socket with `events` and receives one event, of which it selects the ids of those who joined, or their names as \
         well. Meanwhile a room of two is posted to, {} ms after its last post has arrived. The load reads all frames on the \
         same cores.",
        PAUSE.as_millis()
    );
    Ok(Section { title: "A hundred join a large group".to_owned(), text, tables: vec![table], targets })
}

/// What was measured with one document.
struct Took {
    calls: Spread,
    told: Spread,
    beside: Spread,
    posts: usize,
}

/// Puts these newcomers into the group, one call each, while the small room is posted to.
async fn join(
    server: &Server,
    document: &'static str,
    large: &Room,
    small: &Room,
    newcomers: &[Room],
) -> io::Result<Took> {
    let mut crowd = subscribe(server, document, large).await?;
    let few = subscribe(server, document, small).await?;
    let mut adder = Client::connect(server.addr, Some(&seed::token(SECRET, large.members[0]))).await?;
    let mut poster = Client::connect(server.addr, Some(&seed::token(SECRET, small.members[0]))).await?;
    let (mut calls, mut told, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    for newcomers in newcomers {
        let users: Vec<String> = newcomers.members.iter().map(ToString::to_string).collect();
        let (room, before, is_done) = (large.id.to_string(), crowd.received.so_far().0, Cell::new(false));
        let joining = async {
            let begun = Instant::now();
            adder.graphql(ADD, json!({ "room": room, "users": users })).await?;
            calls.push(begun.elapsed());
            crowd.received.reach(before + large.members.len() as u64).await?;
            told.push(begun.elapsed());
            is_done.set(true);
            Ok::<_, io::Error>(())
        };
        let posting = async {
            while !is_done.get() {
                let (begun, before) = (Instant::now(), few.received.so_far().0);
                poster.graphql(POST, variables(&small.id.to_string())).await?;
                few.received.reach(before + small.members.len() as u64).await?;
                beside.push(begun.elapsed());
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        };
        tokio::try_join!(joining, posting)?;
    }
    crowd.all_open()?;
    let posts = beside.len();
    let [calls, told, beside] = [&mut calls, &mut told, &mut beside].map(|took| Spread::of_millis(took));
    Ok(Took { calls, told, beside, posts })
}

/// A socket for each member, after its greeting.
async fn subscribe(server: &Server, document: &'static str, room: &Room) -> io::Result<Sockets> {
    let members = room.members.iter().map(|user| (seed::token(SECRET, *user), json!({})));
    let sockets = Sockets::subscribe(server.addr, Dialect::GraphQl(document), members).await?;
    sockets.received.reach(PARLOR_EVENTS.greetings * sockets.len() as u64).await?;
    Ok(sockets)
}
