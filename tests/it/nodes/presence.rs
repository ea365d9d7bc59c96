//! Who is online and who is typing, on whatever node.

use std::time::{Duration, Instant};

use super::{SECRET, stop, until_broker};
use crate::presence::{expect_presence, expect_typing, presence, set_typing, watch};
use crate::servers::Nats;
use crate::support::{Database, Process, within};

/// Within this time the death of a node is noticed.
const NOTICED: Duration = Duration::from_secs(15);

/// Two nodes that ping their sockets so often that a test may wait long for an event.
async fn two(database: &Database, broker: &Nats) -> [Process; 2] {
    let url = broker.url();
    let settings = [("PARLOR_TOKEN_SECRET", SECRET), ("PARLOR_NATS_URL", url.as_str()), ("PARLOR_KEEPALIVE_SECS", "3")];
    let (a, b) = tokio::join!(Process::start(database, &settings), Process::start(database, &settings));
    until_broker(&a, "ok").await;
    until_broker(&b, "ok").await;
    [a, b]
}

#[tokio::test]
#[ignore = "needs PostgreSQL and NATS: cargo test --test postgres"]
async fn presence_and_typing_are_true_across_nodes() {
    let (database, broker) = (Database::new().await, Nats::start());
    let [a, b] = two(&database, &broker).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = watch(&ann).await;

    let phone = watch(&bob).await;
    expect_presence(&mut feed, &bob, true).await;
    assert_eq!(presence(&ann, &bob).await, (true, None));
    within("ann to be online on the other node", async { while !presence(&bob, &ann).await.0 {} }).await;

    // Without a socket nobody types: told across nodes before the time of the typing is over.
    set_typing(&bob, &room).await.data();
    expect_typing(&mut feed, &bob, &room, true).await;
    let dropped = Instant::now();
    drop(phone);
    expect_typing(&mut feed, &bob, &room, false).await;
    assert!(dropped.elapsed() < Duration::from_secs(5), "ended after {:?}", dropped.elapsed());
    let phone = watch(&bob).await;

    // From one node to the other, and with a device on each.
    let laptop = watch(&bob.at(a.endpoint())).await;
    drop(phone);
    set_typing(&bob, &room).await.data();
    expect_typing(&mut feed, &bob, &room, true).await;
    set_typing(&bob.at(a.endpoint()), &room).await.data();
    let posted = bob.post(&room, "hello").await;
    feed.expect_silence_until(&posted).await;
    expect_typing(&mut feed, &bob, &room, false).await;
    set_typing(&bob, &room).await.data();
    expect_typing(&mut feed, &bob, &room, true).await;
    // Longer than somebody without a socket is online.
    expect_typing(&mut feed, &bob, &room, false).await;
    assert_eq!(presence(&ann.at(b.endpoint()), &bob).await, (true, None));

    drop(laptop);
    let last_seen = expect_presence(&mut feed, &bob, false).await;
    assert!(last_seen.is_some());
    within("bob to be offline on the other node", async {
        while presence(&ann.at(b.endpoint()), &bob).await != (false, last_seen) {}
    })
    .await;
    stop([a, b]).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL and NATS: cargo test --test postgres"]
async fn who_was_on_a_node_that_died_is_offline_within_fifteen_seconds() {
    let (database, broker) = (Database::new().await, Nats::start());
    let [a, b] = two(&database, &broker).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    ann.initiate_chat([&bob]).await;
    let mut feed = watch(&ann).await;
    let _bobs = watch(&bob).await;
    expect_presence(&mut feed, &bob, true).await;

    b.kill().await;
    let killed = Instant::now();

    let last_seen = expect_presence(&mut feed, &bob, false).await;
    assert!(killed.elapsed() < NOTICED, "noticed after {:?}", killed.elapsed());
    assert!(last_seen.is_some());
    assert_eq!(presence(&ann, &bob).await, (false, last_seen));
    stop([a]).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL and NATS: cargo test --test postgres"]
async fn a_new_name_is_told_on_every_node() {
    let (database, broker) = (Database::new().await, Nats::start());
    let [a, b] = two(&database, &broker).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    ann.initiate_chat([&bob]).await;
    let (mut own, mut bobs) = (watch(&ann.at(b.endpoint())).await, watch(&bob).await);
    let document = "mutation { updateProfile(displayName: \"Ann the Second\") { user { id } } }";
    ann.graphql(document, serde_json::json!({})).await.data();
    for feed in [&mut own, &mut bobs] {
        assert_eq!(feed.next_of("UserChanged").await.body["user"]["displayName"], "Ann the Second");
    }
    stop([a, b]).await;
}
