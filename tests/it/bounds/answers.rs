//! Answers are bounded in bytes, whatever fills them.

use std::fmt::Write;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Frame, Socket, TestApp, TestUser, within};

/// The most bytes of an answer.
const ANSWER: usize = 4 * 1024 * 1024;

/// The most bytes of one event's rendering.
const RENDERING: usize = 256 * 1024;

/// A text of 16 KiB that is six times as long in JSON, as far as it may be.
fn large() -> String {
    "\"".repeat(16 * 1024)
}

/// So many aliases of this field.
fn aliases(count: usize, field: &str) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        let _ = write!(text, "a{n}: {field} ");
        text
    })
}

async fn room_with_large_messages(messages: usize) -> (TestApp, [TestUser; 2], String) {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let body = large();
    join_all((0..messages).map(|_| ann.post(&room, &body))).await;
    (app, [ann, bob], room.id)
}

fn expect_too_long(answer: &Value) {
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1), "one error says it all");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert!(answer["data"].is_null());
}

#[tokio::test]
async fn an_answer_over_its_budget_is_one_error() {
    let (_app, [ann, _], room) = room_with_large_messages(100).await;
    let page = "query($id: ID!, $last: Int!) { room(id: $id) { messages(last: $last) { nodes { BODIES } } } }";
    // Some 32 KB each.
    for (bodies, last, fits) in [(1, 100, true), (2, 50, true), (2, 100, false), (30, 100, false), (30, 4, true)] {
        let document = page.replace("BODIES", &aliases(bodies, "body"));
        let answer = ann.graphql(&document, json!({ "id": room, "last": last })).await;
        let bytes = answer.body.to_string().len();
        assert!(bytes <= ANSWER, "{bodies} of {last}: {bytes}");
        if fits {
            assert!(bytes > bodies * last * 32 * 1024, "{bodies} of {last}: {bytes} {:#}", answer.body["errors"]);
        } else {
            expect_too_long(&answer.body);
        }
    }
}

#[tokio::test]
async fn pages_of_pages_of_large_messages_are_refused_before_they_are_held() {
    let (_app, [ann, _], room) = room_with_large_messages(100).await;
    let pages = aliases(20, "room(id: $id) { messages(last: 100) { nodes { seq } } }");
    let mut different = pages.clone();
    for n in (1..20).rev() {
        different = different.replacen("last: 100", &format!("last: {}", 100 - n), 1);
    }
    let answer = ann.graphql(&format!("query($id: ID!) {{ {different} }}"), json!({ "id": room })).await;
    let errors = answer.body["errors"].as_array().expect("it is too much");
    assert!(errors.iter().all(|error| error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"), "{errors:?}");
}

#[tokio::test]
async fn introspection_is_bounded_like_any_answer() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (what, document) in [
        (
            "keys",
            format!(
                "{{ __schema {{ types {{ fields {{ type {{ ofType {{ fields {{ {}: name }} }} }} }} }} }} }}",
                "k".repeat(15_000)
            ),
        ),
        (
            "type names",
            format!(
                "{{ __schema {{ types {{ fields {{ type {{ ofType {{ fields {{ {}: __typename }} }} }} }} }} }} }}",
                "k".repeat(15_000)
            ),
        ),
    ] {
        let answer = ann.graphql(&document, json!({})).await;
        assert!(answer.body.to_string().len() <= ANSWER, "{what}");
        expect_too_long(&answer.body);
    }
}

#[tokio::test]
async fn errors_are_bounded_in_number_and_length() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let unknown: String = (0..900).fold(String::new(), |mut text, n| {
        let _ = write!(text, "unknown{n} ");
        text
    });
    let name = "n".repeat(15_000);
    for document in [
        format!("{{ me {{ {unknown} }} }}"),
        format!("{{ me {{ {name} }} }}"),
        format!("{{ me {{ id(a: ${name}) }} }}"),
    ] {
        let answer = ann.graphql(&document, json!({})).await;
        let errors = answer.body["errors"].as_array().expect("it is refused");
        assert!((1..=100).contains(&errors.len()), "{}", errors.len());
        assert!(errors.iter().all(|error| error["message"].as_str().is_some_and(|text| text.len() <= 500)));
    }
    // One error for each item, with a path of 15 KB in each.
    let document = format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on User {{ {name}: messages }} }} }}");
    assert!(ann.graphql(&document, json!({ "ids": [ann.id] })).await.body.to_string().len() < 64 * 1024);
}

/// The same event, too large for this document, live and in a replay.
#[tokio::test]
async fn an_event_over_its_budget_is_an_error_in_its_place_and_the_next_is_shown() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let after = bob.sync_cursor().await;
    let document = format!(
        "subscription($after: Cursor) {{ events(after: $after) {{ __typename cursor ... on MessagePosted {{ message {{ seq {} }} }} }} }}",
        aliases(20, "body")
    );
    let mut live = bob.socket().await;
    live.subscribe(&document, &json!({})).await;
    assert_eq!(live.next_json().await["payload"]["data"]["events"]["__typename"], "Synced");

    ann.post(&room, &large()).await;
    ann.post(&room, "small").await;

    let mut replayed = bob.socket().await;
    replayed.subscribe(&document, &json!({ "after": after })).await;
    for (how, socket) in [("live", &mut live), ("replayed", &mut replayed)] {
        let Frame::Json(first) = socket.next_frame().await else { panic!("{how}: the socket was closed") };
        assert_eq!(first["type"], "next", "{how}: {first}");
        expect_too_long(&first["payload"]);
        assert!(first.to_string().len() <= RENDERING, "{how}");
        let second = socket.next_json().await;
        assert_eq!(second["payload"]["data"]["events"]["message"]["seq"], 2, "{how}: {second}");
    }
}

#[tokio::test]
async fn a_socket_that_resumes_with_many_subscriptions_is_answered_at_length_beside_them() {
    let (_app, [_, bob], room) = room_with_large_messages(60).await;
    let mut socket = bob.socket().await;
    let events = "subscription($after: Cursor) { events(after: $after) { __typename } }";
    let mut waiting = Vec::new();
    for _ in 0..30 {
        waiting.push(socket.subscribe(events, &json!({})).await);
    }
    let page = "query($id: ID!) { room(id: $id) { messages(last: 60) { nodes { body } } } }";
    let query = socket.subscribe(page, &json!({ "id": room })).await;
    waiting.push(query.clone());
    while !waiting.is_empty() {
        let message = socket.next_json().await;
        let id = message["id"].as_str().expect("it belongs to an operation").to_owned();
        if message["type"] == "complete" {
            continue;
        }
        assert_eq!(message["type"], "next", "{}", message["payload"]);
        assert!(message["payload"]["errors"].is_null(), "{}", message["payload"]["errors"]);
        if id == query {
            assert!(message.to_string().len() > 60 * 32 * 1024);
        }
        waiting.retain(|other| *other != id);
    }
}

#[tokio::test]
async fn answers_that_a_socket_does_not_take_are_refused_once_four_mebibytes_wait() {
    let (app, [_, bob], room) = room_with_large_messages(60).await;
    let mut socket = Socket::connect_narrow(app.endpoint(), &bob.access_token).await;
    let page = "query($id: ID!) { room(id: $id) { messages(last: 60) { nodes { body } } } }";
    // Some 2 MB each.
    for _ in 0..8 {
        socket.subscribe(page, &json!({ "id": room })).await;
    }
    within("an answer to be refused", async {
        while app.refusals("answers_waiting").await < 1.0 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    })
    .await;
    // Whoever reads in the end finds an answer to each.
    let mut codes = Vec::new();
    while codes.len() < 8 {
        let message = socket.next_json().await;
        if message["type"] == "next" {
            codes.push(message["payload"]["errors"][0]["extensions"]["code"].as_str().map(str::to_owned));
        }
    }
    assert!(codes.iter().flatten().all(|code| code == "RATE_LIMITED"), "{codes:?}");
    assert!(codes.iter().any(Option::is_none), "{codes:?}");
}
