//! Connections that break, and connections that hang without breaking.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::data::Data;
use crate::line::Line;
use crate::load::{Load, Routes, Shape};
use crate::node::Node;
use crate::proxy::{Harm, Proxy};
use crate::receiver;
use crate::scenario::{Context, Outcome};
use crate::support::Endpoint;
use crate::truth;

/// Connections of listeners and of posters are cut at any byte, in the middle of a handshake, a frame or an answer.
pub async fn connections_are_cut_at_any_byte(context: Context) -> Outcome {
    let (data, cuts) = (Data::sqlite(), context.pick(100, 1_000));
    let node = Node::start(&data, &[]).await;
    let ears = Proxy::start(node.addr(), Harm::CutBelow(6_000), context.dice("ears")).await;
    let mouths = Proxy::start(node.addr(), Harm::CutBelow(4_000), context.dice("mouths")).await;
    let routes = Routes { mouths: vec![Endpoint::new(mouths.addr())], ears: vec![ears.addr()], ..Routes::to(&[&node]) };
    let load = Load::start(routes, Shape::default(), context.dice("cut")).await;
    let begun = Instant::now();
    while ears.ended() < cuts && begun.elapsed() < Duration::from_secs(context.pick(20, 300)) {
        sleep(Duration::from_millis(50)).await;
    }
    let (cut, answers) = (ears.ended(), mouths.ended());
    ears.set(Harm::None);
    mouths.set(Harm::None);
    let finished = load.finish(&data).await;
    Outcome::new(format!("{cuts} reconnects"), format!("{cut} subscriptions cut, {answers} connections of posters cut"))
        .expect(cut >= cuts, "too few were cut")
        .finished(finished)
}

/// The server's own pings close connections through which nothing comes any more. Their clients resume elsewhere and
/// receive what they missed.
pub async fn half_open_connections_are_closed(context: Context) -> Outcome {
    let (data, count) = (Data::sqlite(), 20);
    let settings = [("PARLOR_KEEPALIVE_SECS", context.pick(1, 25).to_string())];
    let node = Node::start(&data, &settings).await;
    let proxy = Proxy::start(node.addr(), Harm::None, context.dice("hold")).await;
    let (ann, bob) = (node.endpoint().user("ann").await, node.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut lines = Vec::new();
    for _ in 0..count {
        let mut line = Line::events(proxy.addr(), &bob.access_token, None).await.expect("the node is there");
        let events = line.until_synced().await.expect("the node answers");
        lines.push((line, events.last().map(|event| event.cursor.clone()).expect("it is synced")));
    }
    let sockets = node.metric("parlor_sockets").await;
    let (held, limit) = (Instant::now(), Duration::from_secs(context.pick(5, 70)));
    proxy.set(Harm::Hold);
    for n in 0..10 {
        ann.post(&room, &format!("unheard {n}")).await;
    }
    while node.metric("parlor_sockets").await > 0.0 && held.elapsed() < limit * 2 {
        sleep(Duration::from_millis(50)).await;
    }
    let took = held.elapsed();
    let mut receivers = Vec::new();
    for (_, cursor) in &lines {
        let mut line = Line::events(node.addr(), &bob.access_token, Some(cursor)).await.expect("the node is there");
        let events = line.until_synced().await.expect("the node answers");
        receivers.push(receiver::resumed(&bob.id, cursor, &events));
    }
    Outcome::new(format!("closed in {limit:.0?}"), format!("{count} sockets closed in {took:.1?}"))
        .expect(
            (sockets - f64::from(count)).abs() < 0.5,
            format_args!("{sockets} sockets were open instead of {count}"),
        )
        .expect(took <= limit, "held open for too long")
        .clean(truth::judge(&data, &receivers).await)
}
