//! Clients that read very slowly.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::data::Data;
use crate::finished::p99;
use crate::line::Line;
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::scenario::{Context, Outcome};

/// Sockets that read slowly: so many that the cost of one can be told from other changes of the server's memory.
const SLOW: usize = 16;

/// Memory that one slow socket may cost.
const LIMIT_KIB: u64 = 1_024;

/// Some sockets read one byte a second of everything that their user receives.
pub async fn a_reader_takes_a_byte_a_second(context: Context) -> Outcome {
    let data = Data::sqlite();
    let node = Node::start(&data, &[]).await;
    let rate_asked = context.pick(50, 1_000);
    let shape = Shape {
        clients: 4,
        members: 4,
        posters: context.pick(4, 25),
        pace: Duration::from_millis(context.pick(60, 35)),
        models: 2,
        ..Shape::default()
    };
    let load = Load::start(Routes::to(&[&node]), shape, context.dice("slow")).await;
    // By then, the memory that the load itself needs is allocated.
    sleep(Duration::from_secs(context.pick(4, 15))).await;
    let (before, begun) = (node.resident_kib(), Instant::now());
    let mut readers = JoinSet::new();
    for n in 0..SLOW {
        let token = load.users[n % load.users.len()].access_token.clone();
        readers.spawn(read_slowly(node.addr(), token));
    }
    let mut most = before;
    for _ in 0..context.pick(14, 60) {
        sleep(Duration::from_millis(500)).await;
        most = most.max(node.resident_kib());
    }
    let ended = Instant::now();
    readers.shutdown().await;
    let finished = load.finish(&data).await;
    let latencies = finished.latencies(begun, ended);
    let others = p99(&latencies);
    let rate = finished.arrived(begun, ended) as u128 * 1_000 / (ended - begun).as_millis();
    let per_socket = (most - before) / SLOW as u64;
    let measured =
        format!("{per_socket} KiB per socket ({SLOW} of them) at {rate} events/s each; others' p99 {others:.2?}");
    Outcome::new(format!("at most 1 MiB per socket at {rate_asked} events/s, others unharmed"), measured)
        .expect(rate >= rate_asked, "too little happened")
        .expect(per_socket <= LIMIT_KIB, "a slow socket costs too much memory")
        .expect(others <= Duration::from_secs(1), "others were slowed down")
        .finished(finished)
}

/// Reads one byte a second, and reconnects whenever its connection is cut.
async fn read_slowly(addr: std::net::SocketAddr, token: String) {
    let mut byte = [0];
    loop {
        if let Ok(mut line) = Line::narrow(addr, &token).await {
            while matches!(line.tcp().read(&mut byte).await, Ok(1)) {
                sleep(Duration::from_secs(1)).await;
            }
        }
        sleep(Duration::from_millis(200)).await;
    }
}
