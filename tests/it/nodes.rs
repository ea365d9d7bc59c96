//! Several nodes on one PostgreSQL, with a broker between them and without.
//!
//! Ignored on SQLite, which serves one node; `tests/postgres.rs` runs them.

mod around;
mod blocks;
mod clocks;
mod consumers;
mod files;
mod groups;
mod hiding;
mod invites;
mod judging;
mod pooler;
mod presence;
mod reactions;
mod refresh;
mod round_trips;
mod search;
mod sessions;
mod silence;
mod timers;
mod webhooks;

use futures_util::future::join_all;
use serde_json::json;

use crate::servers::Nats;
use crate::support::{Database, Model, Process, TestUser, documents, verify, within};

const SECRET: &str = "the same on every node, at least 32 bytes";

/// Nodes on one database, started all at once.
async fn nodes<const N: usize>(database: &Database, broker: Option<&Nats>) -> [Process; N] {
    let mut settings = vec![("PARLOR_TOKEN_SECRET", SECRET.to_owned())];
    settings.extend(broker.map(|broker| ("PARLOR_NATS_URL", broker.url())));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let started = join_all((0..N).map(|_| Process::start(database, &settings))).await;
    started.try_into().unwrap_or_else(|_| panic!("expected {N} nodes"))
}

async fn stop(nodes: impl IntoIterator<Item = Process>) {
    for node in nodes {
        assert!(node.terminate().await.status.success());
    }
}

/// What `/readyz` says of the broker.
async fn broker_state(node: &Process) -> (u16, String) {
    let response = node.endpoint().get("/readyz").await;
    let status = response.status().as_u16();
    let body: serde_json::Value = response.json().await.expect("readiness is JSON");
    (status, body["broker"].as_str().expect("a text").to_owned())
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn three_nodes_boot_at_once_on_an_empty_database() {
    let database = Database::new().await;
    let [a, b, c] = nodes(&database, None).await;
    let ann = a.endpoint().user("ann").await;
    for node in [&a, &b, &c] {
        let me = ann.at(node.endpoint()).graphql("{ me { username } }", json!({})).await;
        assert_eq!(me.text("/me/username"), "ann");
    }
    stop([a, b, c]).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL and NATS: cargo test --test postgres"]
async fn a_message_reaches_the_sockets_of_a_user_on_every_node_in_the_same_order() {
    let (database, broker) = (Database::new().await, Nats::start());
    let [a, b, c] = nodes(&database, Some(&broker)).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let bobs = [&a, &b, &c].map(|node| bob.at(node.endpoint()));
    let mut feeds = join_all(bobs.iter().map(TestUser::subscribe)).await;

    let posters: Vec<TestUser> =
        [&a, &b, &c].iter().flat_map(|node| [ann.at(node.endpoint()), bob.at(node.endpoint())]).collect();
    join_all(posters.iter().enumerate().map(|(poster, user)| {
        let room = &room;
        async move {
            for n in 0..20 {
                user.post(room, &format!("{poster}/{n}")).await;
            }
        }
    }))
    .await;

    for feed in &mut feeds {
        for seq in 1..=120 {
            assert_eq!(feed.next_message().await.seq, seq);
        }
    }
    stop([a, b, c]).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn without_a_broker_events_of_another_node_come_all_the_same() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    assert_eq!(broker_state(&a).await, (200, "none".to_owned()));
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;
    ann.post(&room, "hello").await;
    assert_eq!(feed.next_message().await.body, "hello");
    stop([a, b]).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL and NATS: cargo test --test postgres"]
async fn a_broker_that_is_away_loses_nothing_and_is_taken_up_again() {
    let (database, mut broker) = (Database::new().await, Nats::start());
    let [a, b] = nodes(&database, Some(&broker)).await;
    until_broker(&a, "ok").await;
    until_broker(&b, "ok").await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;

    broker.stop();
    until_broker(&a, "degraded").await;
    ann.post(&room, "while it is away").await;
    assert_eq!(feed.next_message().await.body, "while it is away");

    broker.resume();
    until_broker(&a, "ok").await;
    until_broker(&b, "ok").await;
    ann.post(&room, "when it is back").await;
    assert_eq!(feed.next_message().await.body, "when it is back");
    stop([a, b]).await;
}

async fn until_broker(node: &Process, wanted: &str) {
    within(format_args!("the broker to be {wanted}"), async {
        while broker_state(node).await != (200, wanted.to_owned()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn the_same_chat_initiated_on_two_nodes_at_once_is_one_room_and_new_once() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let (ann_at_b, bob_at_a) = (ann.at(b.endpoint()), bob.at(a.endpoint()));
    let initiated = join_all((0..100).map(|n| {
        let (caller, other) = [(&ann, &bob), (&bob, &ann), (&ann_at_b, &bob), (&bob_at_a, &ann)][n % 4];
        caller.initiate([other, caller, other], "CONSUMER_TO_CONSUMER")
    }))
    .await;
    assert!(initiated.iter().all(|(room, _)| room.id == initiated[0].0.id));
    assert_eq!(initiated.iter().filter(|(_, is_new)| *is_new).count(), 1);
    stop([a, b]).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_session_that_is_ended_on_one_node_ends_its_sockets_on_another() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let ann = a.endpoint().user("ann").await;
    let mut feed = ann.at(b.endpoint()).subscribe().await;
    ann.sign_out().await;
    assert_eq!(feed.socket().until_close().await.0, 4403);
    stop([a, b]).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_room_that_one_node_opened_can_be_listened_to_on_another_at_once() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let (mut socket, cursor) = (bob.socket().await, bob.sync_cursor().await);
    let room = ann.initiate_chat([&bob]).await;
    socket.subscribe(documents::MESSAGE_POSTED, &json!({ "roomId": room.id, "after": cursor })).await;
    let message = ann.post(&room, "hello").await;

    let heard = socket.next_json().await;
    assert_eq!(heard["payload"]["data"]["messagePosted"]["id"], message.id, "{heard:#}");
    stop([a, b]).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn who_leaves_through_one_node_gets_nothing_more_through_another() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let other = a.endpoint().user("cy").await;
    let room = ann.initiate_chat([&bob, &other]).await;
    let shared = other.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;

    bob.at(a.endpoint()).leave(&room).await;
    ann.post(&room, "not for bob").await;
    let marker = other.post(&shared, "for bob").await;

    let events = feed.until_posted(&marker).await;
    // That the rooms were opened may come a moment later, through the log.
    let kinds: Vec<&str> =
        events.iter().map(|event| event.kind.as_str()).filter(|kind| *kind != "RoomJoined").collect();
    assert_eq!(kinds, ["RoomLeft", "MessagePosted"]);
    stop([a, b]).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_client_resumes_on_another_node_where_it_was_cut_off() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut model = Model::fetch(&bob).await;
    let mut feed = bob.at(a.endpoint()).subscribe_after(&bob.sync_cursor().await).await;
    feed.until_synced().await;
    for n in 0..10 {
        ann.post(&room, &n.to_string()).await;
        let event = feed.next_of("MessagePosted").await;
        model.apply(&bob, &event).await;
    }
    let cursor = feed.cursor.clone().expect("events carry cursors");
    assert!(a.terminate().await.status.success());

    let ann = ann.at(b.endpoint());
    let edited = ann.post(&room, "while nobody looks").await;
    ann.edit(&edited, "edited").await;
    let mut feed = bob.subscribe_after(&cursor).await;
    let missed = feed.until_synced().await;
    model.apply_all(&bob, &missed).await;
    verify(&bob, &model).await;
    stop([b]).await;
}
