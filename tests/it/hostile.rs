//! Documents, variables and bodies that abort or stall an unguarded server: over HTTP and over a socket they are
//! refused at once, and the server goes on.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, Frame, Socket, TestApp, TestUser, within};

/// A refusal may take this long, in a build without optimisation on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Hostile documents, each with the reason for which it is refused.
fn hostile_documents() -> Vec<(String, &'static str)> {
    let nested = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let fragments = |count: usize, body: &dyn Fn(usize) -> String, last: &str| {
        let mut text = "{ ...F0 }".to_owned();
        for n in 0..count {
            let _ = write!(text, " fragment F{n} on Query {{ {} }}", body(n + 1));
        }
        text + last
    };
    let bomb = |count: usize| {
        let last = format!(" fragment F{count} on User {{ id }}");
        let text = fragments(count, &|next| format!("...F{next} ...F{next}"), &last);
        text.replacen("{ ...F0 }", "{ me { ...F0 } }", 1).replace(" on Query ", " on User ")
    };
    let chain = fragments(200, &|next| format!("...F{next}"), " fragment F200 on Query { me { id } }");
    let room = "{ nodes { room ";
    vec![
        (format!("{{ users(search: {}) {{ nodes {{ id }} }} }}", nested("[", "", "]", 2_000)), "nested_too_deep"),
        (format!("{{ users(search: {}) {{ nodes {{ id }} }} }}", nested("{a:", "1", "}", 2_000)), "nested_too_deep"),
        (format!("query($v: {}) {{ me {{ id }} }}", nested("[", "Int", "]", 2_000)), "nested_too_deep"),
        (format!("{{ users(search: {}", "[".repeat(7_000)), "nested_too_deep"),
        ("{ me ".repeat(1_500), "nested_too_deep"),
        (nested("{ ... on Query ", "{ me { id } }", "}", 400), "nested_too_deep"),
        (format!("{{ rooms {} }}", nested("{ nodes { messages ", "{ nodes { id } }", "} }", 12)), "too_deep"),
        (format!("{{ rooms {{ nodes {{ messages {} }} }} }}", nested(room, "{ id }", "} }", 7)), "too_deep"),
        (bomb(40), "nested_too_deep"),
        (bomb(28), "too_many_fields"),
        (bomb(22), "too_many_fields"),
        (chain, "nested_too_deep"),
        ("{ ...A } fragment A on Query { ...A }".to_owned(), "fragment_cycle"),
        (
            "{ ...A } fragment A on Query { ...B } fragment B on Query { ...C ...A } fragment C on Query { me { id } }"
                .to_owned(),
            "fragment_cycle",
        ),
        ("{ me { id } } fragment A on Query { ...B } fragment B on Query { ...A }".to_owned(), "fragment_cycle"),
        (format!("{{ {} }}", aliases(10_000, "me { id }")), "too_long"),
        (format!("{{ {} }}", "me{id}".repeat(600)), "too_many_tokens"),
        (format!("{{ {} }}", "a: me { id } ".repeat(21)), "too_many_roots"),
        (format!("{{ me {{ {} }} }}", "id ".repeat(1_000)), "too_many_fields"),
        (format!("mutation {{ {} }}", "signOut { __typename } ".repeat(6)), "too_many_roots"),
        (format!("{{ me {{ id {} }} }}", "@skip(if: false) ".repeat(21)), "too_many_directives"),
        (format!("{{ me {{ id {} }} }}", "@nothing ".repeat(990)), "too_many_directives"),
        (format!("{{ user({}) {{ id }} }}", "id: \"x\" ".repeat(33)), "too_many_arguments"),
        (
            format!("query($v: String) {{ users(search: [{}]) {{ nodes {{ id }} }} }}", "$v ".repeat(101)),
            "too_many_variable_uses",
        ),
        (
            nested("{ __schema { types ", "{ name }", "} }", 1)
                .replace("{ name }", &nested("{ fields { type ", "{ name }", "} }", 9)),
            "introspection_too_deep",
        ),
        (
            "subscription { ...S } fragment S on Subscription { events { cursor } a: events { cursor } }".to_owned(),
            "invalid",
        ),
        (format!("{{ me {{ id }} }} # {}", "x".repeat(17_000)), "too_long"),
        (format!("{{ users(search: \"\"\"{}", "[".repeat(9_000)), "syntax"),
        (format!("{{ users(search: \"{}", "\\\"".repeat(8_000)), "syntax"),
        ("\u{feff}\u{0}{ me { id } }".to_owned(), "syntax"),
    ]
}

/// This selection so many times, each under a name of its own.
fn aliases(count: usize, selection: &str) -> String {
    let mut text = String::new();
    for n in 0..count {
        let _ = write!(text, "a{n}: {selection} ");
    }
    text
}

async fn expect_alive(user: &TestUser) {
    let me = within("an answer in between", user.graphql("{ me { username } }", json!({}))).await;
    assert_eq!(me.text("/me/username"), user.username);
}

async fn pong(socket: &mut Socket) {
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next_json().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn hostile_documents_are_refused_at_once_by_post() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (document, reason) in hostile_documents() {
        let before = app.refusals(reason).await;
        let started = Instant::now();

        let answer = ann.graphql(&document, json!({})).await;

        let (took, begin) = (started.elapsed(), document.chars().take(60).collect::<String>());
        assert!(took < AT_ONCE, "{begin}: {took:?}");
        assert_eq!(answer.status, 400, "{begin}");
        let expected = if reason == "syntax" { "GRAPHQL_PARSE_FAILED" } else { "GRAPHQL_VALIDATION_FAILED" };
        assert_eq!(answer.error_code(), expected, "{begin}");
        assert!(answer.body["data"].is_null() && answer.error_message().len() < 300, "{begin}");
        let counted = app.refusals(reason).await - before;
        assert!((counted - 1.0).abs() < f64::EPSILON, "{begin}: expected {reason}, got {:#}", answer.body);
        expect_alive(&ann).await;
    }
}

#[tokio::test]
async fn hostile_documents_are_refused_at_once_by_socket_and_the_socket_goes_on() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    for (n, (document, reason)) in hostile_documents().into_iter().enumerate() {
        if document.len() > 60_000 {
            // Longer than a message may be at all.
            continue;
        }
        if n % 12 == 11 {
            socket = ann.socket().await;
        }
        let before = app.refusals(reason).await;
        let started = Instant::now();

        let id = socket.subscribe(&document, &json!({})).await;
        let refusal = socket.next_json().await;

        let (took, begin) = (started.elapsed(), document.chars().take(60).collect::<String>());
        assert!(took < AT_ONCE, "{begin}: {took:?}");
        assert_eq!((&refusal["type"], &refusal["id"]), (&json!("error"), &json!(id)), "{begin}");
        let counted = app.refusals(reason).await - before;
        assert!((counted - 1.0).abs() < f64::EPSILON, "{begin}: expected {reason}, got {refusal:#}");
        pong(&mut socket).await;
    }
    expect_alive(&ann).await;
}

#[tokio::test]
async fn a_query_for_more_than_any_client_needs_is_refused_before_it_runs() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let statements = app.metric("parlor_sql_statements_total").await;

    let greedy =
        "{ rooms(first: 100) { nodes { messages(first: 100) { nodes { readBy { user { id username displayName } }
        room { members(first: 100) { nodes { user { id } } } } } } } } }";
    let answer = ann.graphql(greedy, json!({})).await;

    assert_eq!((answer.status, answer.error_code()), (400, "GRAPHQL_VALIDATION_FAILED"));
    let more = app.metric("parlor_sql_statements_total").await - statements;
    assert!(more < 5.0, "{more} statements were run, more than it takes to know who asks");
}

/// A body that may be no JSON at all.
async fn post_raw(app: &TestApp, body: impl Into<reqwest::Body>) -> Answer {
    let request = app.endpoint().http.post(app.endpoint().url("/graphql")).header("content-type", "application/json");
    within("the answer to a raw body", async {
        let response = request.body(body).send().await.expect("the server responds");
        Answer { status: response.status().as_u16(), body: response.json().await.expect("the answer is JSON") }
    })
    .await
}

fn deep(depth: usize) -> [String; 3] {
    let lists = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    [lists, objects, "[".repeat(depth)]
}

#[tokio::test]
async fn json_that_is_nested_without_end_is_refused_or_not_read() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for depth in [200, 5_000, 40_000] {
        for value in deep(depth) {
            let bodies = [
                format!(r#"{{"query":"{{me{{id}}}}","variables":{{"v":{value}}}}}"#),
                format!(r#"{{"query":"{{me{{id}}}}","extensions":{{"v":{value}}}}}"#),
                format!(r#"{{"query":{value}}}"#),
                format!(r#"{{"query":"{{me{{id}}}}","unknown":{value}}}"#),
                value.clone(),
            ];
            for body in bodies {
                let begin: String = body.chars().take(60).collect();
                let answer = post_raw(&app, body).await;
                // What nobody reads is not taken apart, so that the operation runs: it needs somebody.
                let is_read = answer.body["errors"][0]["path"].is_null();
                let refused = [(400, "BAD_USER_INPUT"), (413, "BAD_USER_INPUT")];
                let ran = !is_read && begin.starts_with(r#"{"query":"{me{id}}""#);
                assert!(ran || refused.contains(&(answer.status, answer.error_code())), "{begin}: {:?}", answer.body);
            }
        }
        expect_alive(&ann).await;
    }
}

#[tokio::test]
async fn json_that_is_nested_without_end_ends_the_socket_that_sends_it_at_worst() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for depth in [200, 10_000] {
        for value in deep(depth) {
            for message in [
                format!(
                    r#"{{"id":"1","type":"subscribe","payload":{{"query":"{{me{{id}}}}","variables":{{"v":{value}}}}}}}"#
                ),
                format!(r#"{{"id":"1","type":"subscribe","payload":{value}}}"#),
                format!(r#"{{"type":"ping","payload":{value}}}"#),
                format!(r#"{{"type":"ping","more":{value}}}"#),
                value.clone(),
            ] {
                let begin: String = message.chars().take(60).collect();
                let mut socket = ann.socket().await;
                socket.send_text(&message).await;
                // What nobody reads is not taken apart either, so that a ping is a ping whatever it carries.
                match socket.next_frame().await {
                    Frame::Json(pong) if begin.contains("ping") => assert_eq!(pong["type"], "pong", "{begin}"),
                    Frame::Json(answer) => {
                        let expected = if begin.contains("me{id}") { "next" } else { "error" };
                        assert_eq!((&answer["type"], &answer["id"]), (&json!(expected), &json!("1")), "{begin}");
                    }
                    Frame::Closed(code, reason) => {
                        assert!(code == 4400 && reason.len() <= 123, "{begin}: {code} {reason}");
                    }
                    Frame::Ping => panic!("a ping so soon"),
                }
            }
        }
        expect_alive(&ann).await;
    }
}

#[tokio::test]
async fn huge_variables_are_refused_or_harmless() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let document = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let many: Vec<Value> = (0..4_000).map(|_| json!(ann.id)).collect();
    let answer = ann.graphql(document, json!({ "ids": many })).await;
    assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "ids"));

    let search = "query($s: String) { users(search: $s) { nodes { id } } }";
    let started = Instant::now();
    let answer = ann.graphql(search, json!({ "s": "%_".repeat(60_000) })).await;
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    assert!(answer.body.get("errors").is_some() || answer.list("/users/nodes").is_empty());

    let answer = ann.graphql(search, json!({ "s": "x".repeat(300_000) })).await;
    assert_eq!((answer.status, answer.error_code()), (413, "BAD_USER_INPUT"));

    // Each use of a variable is a copy of its value.
    let uses = aliases(20, "users(search: $s) { nodes { id } }");
    let started = Instant::now();
    let answer = ann.graphql(&format!("query($s: String) {{ {uses} }}"), json!({ "s": "y".repeat(200_000) })).await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(answer.body.get("errors").is_some() || answer.data().is_object());
    let unused: serde_json::Map<String, Value> = (0..5_000).map(|n| (format!("v{n}"), json!(n))).collect();
    assert!(ann.graphql("{ me { id } }", Value::Object(unused)).await.status < 500);
    expect_alive(&ann).await;
}

#[tokio::test]
async fn a_subscription_may_not_ask_for_more_per_event_than_a_query() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    let greedy = "subscription { events { ... on RoomJoined { room { messages(first: 100) { nodes { readBy { readAt }
        room { messages(first: 100) { nodes { id body room { members(first: 100) { nodes { user { id } } } } } } } } } }
        } } }";
    let id = socket.subscribe(greedy, &json!({})).await;
    let refusal = socket.next_json().await;
    assert_eq!((&refusal["type"], &refusal["id"]), (&json!("error"), &json!(id)), "{refusal:#}");
    assert_eq!(refusal["payload"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
}
