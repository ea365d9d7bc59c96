//! Delivery compared: one large room, many small ones, and a small room beside a large one.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::delivery::{Drive, POST, Run, Shape, World, measure, middle, variables};
use crate::http::Client;
use crate::seed;
use crate::server::SECRET;
use crate::sockets::{Received, Sockets};
use crate::stats::{Spread, at_share};
use crate::subject::{OTHERS, PARLOR, PARLOR_EVENTS, RAW, STOCK, Subject};
use crate::table::{Section, Table, Target, figure};

/// How much more than the limit a delivery may cost.
const ASKED_RATIO: f64 = 1.3;

/// Memory of an idle socket at most, in KiB.
const ASKED_KIB: f64 = 16.0;

/// How much more than the limit a socket may hold where there are most of them.
const ASKED_MEMORY_RATIO: f64 = 1.0;

/// How much more than the limit a delivery may cost in many small rooms, without the posts.
const ASKED_SMALL_ROOMS: f64 = 1.5;

/// How much cheaper than stock async-graphql, and than the usual servers on Node.
const ASKED_STOCK: f64 = 10.0;
const ASKED_NODE: f64 = 30.0;

/// How late a small room's message may be while a large room is served, in ms.
const ASKED_LATE_MS: f64 = 50.0;

/// Posts at a time to one room: one, and as many as make a busy room.
pub const AT_A_TIME: [usize; 2] = [1, 16];

/// Rooms that are posted to at once where there are many.
const AT_ONCE: usize = 32;

/// What is measured, and for how long.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Sockets in the one large room; the first is where all servers are compared.
    pub sockets: Vec<usize>,
    /// At which of them the servers of other kinds take part.
    pub compared_at: usize,
    /// Many rooms of eight.
    pub rooms: Vec<usize>,
    /// Runs of which the middle one counts.
    pub rounds: usize,
    /// How long each takes.
    pub time: Duration,
    /// Sockets in the large room beside which a small one is served.
    pub crowd: usize,
}

/// What was measured, for plots.
#[derive(Default)]
pub struct Measured {
    /// By server, number of sockets in one room, and posts at a time.
    pub one_room: HashMap<(&'static str, usize, usize), Run>,
    /// By server and number of rooms.
    pub many_rooms: HashMap<(&'static str, usize), Run>,
}

/// One room with many sockets, all servers in turn.
pub async fn one_room(plan: &Plan, measured: &mut Measured) -> io::Result<Section> {
    let mut tables = Vec::new();
    for &sockets in &plan.sockets {
        let world = World::new(Shape { rooms: 1, sockets_each: sockets }).await?;
        let ours = [RAW, PARLOR, PARLOR_EVENTS];
        let others = OTHERS.into_iter().filter(|_| sockets == plan.compared_at);
        let all: Vec<Subject> = ours.into_iter().chain(others).collect();
        let drives = AT_A_TIME.map(|at_once| Drive { time: plan.time, at_once });
        let mut runs: HashMap<(&'static str, usize), Vec<Run>> = HashMap::new();
        for round in 0..plan.rounds {
            // What is far from the limit need not be known as closely.
            for subject in all.iter().filter(|subject| round == 0 || ours.contains(subject)) {
                for (run, at_once) in measure(&world, *subject, &drives, true).await?.into_iter().zip(AT_A_TIME) {
                    let (micros, kib) = (figure(run.micros), figure(run.kib_per_socket));
                    eprintln!("{sockets} sockets, {at_once} at a time, {}: {micros} µs, {kib} KiB", subject.name);
                    runs.entry((subject.name, at_once)).or_default().push(run);
                }
            }
        }
        for ((name, at_once), mut runs) in runs {
            let Some(run) = middle(&mut runs) else { continue };
            measured.one_room.insert((name, sockets, at_once), run);
        }
        tables.extend(AT_A_TIME.map(|at_once| one_room_table(&all, sockets, at_once, measured)));
    }
    let text = format!(
        "Each socket is a user's of its own, authenticated where the server knows users, and subscribed to the same room. Posts \
         come one at a time, so that each delivery is a wake-up and a write of its own, or {} at a time by as many members, so \
         that a socket may take several at once; the next when all sockets have got the last. {} s each, the middle one of {} \
         runs (one for servers other than Parlor and raw). CPU is user and system time of the server's process, posting \
         included. Memory is what the process holds with all sockets subscribed and idle, less what it held with none. \
         `messagePosted` is the same document on all GraphQL servers; `events` is Parlor's resumable stream.",
        AT_A_TIME[1],
        plan.time.as_secs_f64(),
        plan.rounds
    );
    let targets = one_room_targets(plan, measured);
    Ok(Section { title: "One room, many sockets".to_owned(), text, tables, targets })
}

fn one_room_table(all: &[Subject], sockets: usize, at_once: usize, measured: &Measured) -> Table {
    let first = format!("{sockets} sockets, {at_once} at a time");
    let mut table = Table::new([
        &*first,
        "µs of CPU per delivery",
        "× raw",
        "KiB per socket",
        "× raw",
        "bytes of a frame",
        "posts",
        "until all have got them: p50 ms",
        "p99 ms",
        "cores: server",
        "load",
    ]);
    let of = |subject: &Subject| measured.one_room.get(&(subject.name, sockets, at_once));
    let Some(raw) = of(&RAW) else { return table };
    for (subject, run) in all.iter().filter_map(|subject| Some((subject, of(subject)?))) {
        table.row([
            subject.name.to_owned(),
            figure(run.micros),
            figure(run.micros / raw.micros),
            figure(run.kib_per_socket),
            figure(run.kib_per_socket / raw.kib_per_socket),
            figure(run.frame_bytes),
            run.posts.to_string(),
            figure(run.last_socket_ms.p50),
            figure(run.last_socket_ms.p99),
            figure(run.cores.0),
            figure(run.cores.1),
        ]);
    }
    table
}

fn one_room_targets(plan: &Plan, measured: &Measured) -> Vec<Target> {
    let mut targets = Vec::new();
    // With fewer sockets, the figures tell of the posts and of what a server takes whoever comes.
    let asked_at = plan.sockets.iter().filter(|sockets| **sockets >= plan.compared_at);
    for (sockets, at_once) in asked_at.flat_map(|sockets| AT_A_TIME.map(|at_once| (*sockets, at_once))) {
        let of = |subject: Subject| measured.one_room.get(&(subject.name, sockets, at_once));
        let (Some(raw), Some(parlor)) = (of(RAW), of(PARLOR)) else { continue };
        for (subject, run) in [PARLOR, PARLOR_EVENTS].into_iter().filter_map(|subject| Some((subject, of(subject)?))) {
            let ratio = run.micros / raw.micros;
            targets.push(Target {
                asked: format!(
                    "≤ {ASKED_RATIO}× raw per delivery: {}, {sockets} sockets, {at_once} at a time",
                    subject.name
                ),
                measured: format!("{}×", figure(ratio)),
                met: ratio <= ASKED_RATIO,
            });
            if at_once == AT_A_TIME[0] {
                targets.push(Target {
                    asked: format!("≤ {ASKED_KIB} KiB per idle socket: {}, {sockets} sockets", subject.name),
                    measured: format!("{} KiB", figure(run.kib_per_socket)),
                    met: run.kib_per_socket <= ASKED_KIB,
                });
            }
            if at_once == AT_A_TIME[0] && plan.sockets.last() == Some(&sockets) {
                let ratio = run.kib_per_socket / raw.kib_per_socket;
                targets.push(Target {
                    asked: format!(
                        "≤ {ASKED_MEMORY_RATIO}× raw's memory of an idle socket: {}, {sockets} sockets",
                        subject.name
                    ),
                    measured: format!("{}×", figure(ratio)),
                    met: ratio <= ASKED_MEMORY_RATIO,
                });
            }
        }
        for (other, run) in OTHERS.into_iter().filter_map(|other| Some((other, of(other)?))) {
            let (cpu, memory) = (run.micros / parlor.micros, run.kib_per_socket / parlor.kib_per_socket);
            let delivery = format!("per delivery, {sockets} sockets, {at_once} at a time");
            let asked = match other {
                STOCK if at_once == AT_A_TIME[0] => {
                    vec![(delivery, cpu, ASKED_STOCK), (format!("per socket, {sockets} sockets"), memory, ASKED_STOCK)]
                }
                STOCK => vec![(delivery, cpu, ASKED_STOCK)],
                other if other.is_usual() => vec![(delivery, cpu, ASKED_NODE)],
                _ => continue,
            };
            targets.extend(asked.into_iter().map(|(of_what, ratio, asked)| Target {
                asked: format!("≥ {asked}× better than {} {of_what}", other.name),
                measured: format!("{}×", figure(ratio)),
                met: ratio >= asked,
            }));
        }
    }
    targets
}

/// Many rooms of eight sockets, the usual shape of a chat.
pub async fn many_rooms(plan: &Plan, measured: &mut Measured) -> io::Result<Section> {
    const SOCKETS_EACH: usize = 8;
    let mut table = Table::new([
        "server, rooms of 8",
        "µs of CPU per delivery, posting included",
        "of it posting",
        "delivering alone",
        "× raw",
        "KiB per socket",
        "posts",
        "cores: server",
        "load",
    ]);
    let mut targets = Vec::new();
    for &rooms in &plan.rooms {
        let world = World::new(Shape { rooms, sockets_each: SOCKETS_EACH }).await?;
        let mut raw_alone = None;
        for subject in [RAW, PARLOR, PARLOR_EVENTS] {
            let drive = [Drive { time: plan.time, at_once: AT_ONCE.min(rooms) }];
            let heard = measure(&world, subject, &drive, true).await?;
            let unheard = measure(&world, subject, &drive, false).await?;
            let (Some(heard), Some(unheard)) = (heard.first().copied(), unheard.first().copied()) else { continue };
            measured.many_rooms.insert((subject.name, rooms), heard);
            let alone = heard.micros - unheard.micros;
            let ratio = alone / *raw_alone.get_or_insert(alone);
            if subject != RAW && plan.rooms.last() == Some(&rooms) {
                targets.push(Target {
                    asked: format!(
                        "≤ {ASKED_SMALL_ROOMS}× raw per delivery, delivering alone: {}, {rooms} rooms of {SOCKETS_EACH}",
                        subject.name
                    ),
                    measured: format!("{}×", figure(ratio)),
                    met: ratio <= ASKED_SMALL_ROOMS,
                });
            }
            eprintln!("{rooms} rooms, {}: {} µs, {} alone", subject.name, figure(heard.micros), figure(alone));
            table.row([
                format!("{}, {rooms}", subject.name),
                figure(heard.micros),
                figure(unheard.micros),
                figure(alone),
                figure(ratio),
                figure(heard.kib_per_socket),
                heard.posts.to_string(),
                figure(heard.cores.0),
                figure(heard.cores.1),
            ]);
        }
    }
    let text = format!(
        "Rooms of {SOCKETS_EACH} sockets, each a user's of its own; posts go to {AT_ONCE} rooms at a time, in turn, the next when all \
         of their sockets have got the last. Raw keeps nothing: it routes by room and writes. Parlor also commits each post with \
         a full sync to disk, and with eight sockets to a post that is most of the work; what it takes without any socket \
         (\"posting\") was measured by itself, so that delivering can be compared."
    );
    Ok(Section { title: "Many small rooms".to_owned(), text, tables: vec![table], targets })
}

/// A small room beside a large one that is posted to without a pause.
pub async fn beside_a_crowd(sockets: usize, time: Duration) -> io::Result<Section> {
    const PAUSE: Duration = Duration::from_millis(50);
    let mut table = Table::new([
        "server",
        "sockets in the large room",
        "posts there",
        "small room's posts",
        "p50 ms",
        "p99 ms",
        "max ms",
    ]);
    let mut targets = Vec::new();
    for subject in [RAW, PARLOR, PARLOR_EVENTS] {
        let world = World::with_small_room(sockets, 2).await?;
        let server = world.start(subject).await?;
        let [large, small] = world.rooms() else { return Err(io::Error::other("two rooms were made")) };
        let of = |room: &seed::Room| {
            let variables = json!({ "room": room.id.to_string() });
            room.members.iter().map(move |user| (seed::token(SECRET, *user), variables.clone())).collect::<Vec<_>>()
        };
        let crowd = Sockets::subscribe(server.addr, subject.dialect(), of(large)).await?;
        let few = Sockets::subscribe(server.addr, subject.dialect(), of(small)).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let end = Instant::now() + time;
        let mut busy = JoinSet::new();
        busy.spawn(keep_busy(server.addr, large.clone(), crowd.received.clone(), end));
        let mut client = Client::connect(server.addr, Some(&seed::token(SECRET, small.members[0]))).await?;
        let mut latencies = Vec::new();
        while Instant::now() < end {
            let (begun, before) = (Instant::now(), few.received.so_far().0);
            client.graphql(POST, variables(&small.id.to_string())).await?;
            few.received.reach(before + small.members.len() as u64).await?;
            latencies.push(begun.elapsed());
            tokio::time::sleep(PAUSE).await;
        }
        let posts = latencies.len();
        let spread = Spread::of_millis(&mut latencies);
        let posts_there =
            busy.join_next().await.transpose().map_err(io::Error::other)?.transpose()?.unwrap_or_default();
        if subject != RAW {
            targets.push(Target {
                asked: format!(
                    "a small room's message within {ASKED_LATE_MS} ms while a room of {sockets} sockets is served: {}",
                    subject.name
                ),
                measured: format!(
                    "p50 {} ms, p99 {} ms, at most {} ms",
                    figure(spread.p50),
                    figure(spread.p99),
                    figure(spread.max)
                ),
                met: at_share(&latencies, 0.99).is_some_and(|late| late.as_secs_f64() * 1e3 <= ASKED_LATE_MS),
            });
        }
        table.row([
            subject.name.to_owned(),
            sockets.to_string(),
            posts_there.to_string(),
            posts.to_string(),
            figure(spread.p50),
            figure(spread.p99),
            figure(spread.max),
        ]);
        drop((crowd, few));
        server.stop().await?;
    }
    let text = "How long a post to a room of two takes from sending it to the second socket's frame, while a large room is served \
                without a pause: its next post is sent when all its sockets have got the last. The load reads all those frames \
                on the same cores. With `messagePosted` each room is a group of its own, with `events` both are one."
        .to_owned();
    Ok(Section { title: "A small room beside a large one".to_owned(), text, tables: vec![table], targets })
}

/// Posts to a room until `end`, each time when all its sockets have got the last. How often.
async fn keep_busy(addr: SocketAddr, room: seed::Room, received: Arc<Received>, end: Instant) -> io::Result<u64> {
    let mut client = Client::connect(addr, Some(&seed::token(SECRET, room.members[0]))).await?;
    let (id, before, mut posts) = (room.id.to_string(), received.so_far().0, 0);
    while Instant::now() < end {
        client.graphql(POST, variables(&id)).await?;
        posts += 1;
        received.reach(before + posts * room.members.len() as u64).await?;
    }
    Ok(posts)
}
