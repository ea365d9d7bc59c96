//! Small requests for large answers.

use std::fmt::Write;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::Form;
use super::bystander::Bystander;
use super::outcome::Outcome;
use super::server::{Scene, Server};

/// The most that an answer may have.
const ANSWER: usize = 4 * 1024 * 1024;

fn bomb() -> String {
    let texts = (0..49).fold(String::new(), |mut text, n| {
        let _ = write!(text, "a{n}: body ");
        text
    });
    format!("query($room: ID!) {{ room(id: $room) {{ messages(last: 100) {{ nodes {{ {texts} }} }} }} }}")
}

pub async fn half_a_kilobyte_that_asks_for_megabytes(_: Form) -> Outcome {
    let Scene { mut server, eve, room, .. } = Server::with_messages(100).await;
    server.forget_peak();
    let before = server.resident();
    let document = bomb();
    let answer = eve.graphql(&document, json!({ "room": room.id })).await.body.to_string();
    let (asked, answered) = (document.len(), answer.len());
    Outcome::default()
        .expect(answered <= ANSWER, format_args!("{asked} bytes asked, {answered} answered (≤ {ANSWER})"))
        .mib("memory on top", server.peak() - before, 64)
        .expect(server.lives(), "the server lives on")
}

pub async fn many_large_answers_at_once(form: Form) -> Outcome {
    let Scene { mut server, eve, room, .. } = Server::with_messages(100).await;
    let mut bystander = Bystander::arrive(&server).await;
    server.forget_peak();
    // Just below what an answer may have.
    let document = "query($room: ID!) { room(id: $room) { messages(last: 100) { nodes { a: body b: body } } } }";
    let greedy = async {
        loop {
            join_all((0..40).map(|_| async {
                let asked = eve.graphql(document, json!({ "room": room.id }));
                let _ = tokio::time::timeout(Duration::from_secs(30), asked).await;
            }))
            .await;
        }
    };
    let experience = tokio::select! {
        experience = bystander.live(&server, form.rounds) => experience,
        () = greedy => unreachable!("it never ends"),
    };
    let outcome = experience.judge(Outcome::default());
    outcome.mib("memory at most", server.peak(), 400).expect(server.lives(), "the server lives on")
}
