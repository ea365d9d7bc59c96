//! Documents that ask for as much as they may.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Form;
use super::bystander::Bystander;
use super::outcome::Outcome;
use super::server::{Scene, Server};

/// Some 1.3 KB whose answer has tens of thousands of fields.
const QUERY: &str = "query($room: ID!) { room(id: $room) { id members(first: 100) { nodes { lastReadSeq user { id username displayName } } } \
    messages(last: 100) { nodes { id seq createdAt editedAt deletedAt author { id username displayName } readBy { readAt user { id username } } \
    room { id lastActivityAt members(first: 20) { nodes { joinedAt user { id username displayName isOnline } } } } } } } }";

pub async fn queries_on_eight_connections(form: Form) -> Outcome {
    let Scene { server, eve, room, .. } = Server::with_messages(100).await;
    let mut bystander = Bystander::arrive(&server).await;
    server.forget_peak();
    let greedy = futures_util::future::join_all((0..8).map(|_| async {
        loop {
            let asked = eve.graphql(QUERY, json!({ "room": room.id }));
            let _ = tokio::time::timeout(Duration::from_secs(30), asked).await;
        }
    }));
    let experience = tokio::select! {
        experience = bystander.live(&server, form.rounds) => experience,
        _ = greedy => unreachable!("it never ends"),
    };
    experience.judge(Outcome::default()).mib("memory at most", server.peak(), 300)
}

pub async fn subscriptions_that_differ_in_a_space(form: Form) -> Outcome {
    let Scene { server, ann, eve, room, .. } = Server::with_messages(100).await;
    let mut bystander = Bystander::arrive(&server).await;
    server.forget_peak();
    let mut sockets = Vec::new();
    for n in 0..4 {
        let mut socket = eve.socket().await;
        for m in 0..10 {
            let document = format!(
                "subscription {{ events {{ __typename ... on MessagePosted {{ message {{ room {{ messages(last: 100) {{ nodes {{ \
                 id body createdAt author {{ id }} }} }} }} }} }} }} }} {}",
                " ".repeat(10 * n + m)
            );
            socket.subscribe(&document, &json!({})).await;
        }
        sockets.push(socket);
    }
    let begun = Instant::now();
    for n in 0..10 {
        ann.post(&room, &format!("post {n}")).await;
    }
    let took = begun.elapsed();
    let experience = bystander.live(&server, form.rounds).await;
    experience.judge(Outcome::default()).within("ten posts", took, Duration::from_secs(1)).mib(
        "memory at most",
        server.peak(),
        400,
    )
}
