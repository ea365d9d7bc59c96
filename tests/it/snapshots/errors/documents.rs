//! Documents that are no GraphQL, don't fit the schema, or ask for too much.

use serde_json::json;

use super::{Answers, GRAPHQL_JSON, JSON, post};
use crate::support::{TestApp, documents};

#[tokio::test]
async fn a_document_that_is_no_graphql_is_refused_with_the_place() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut answers = Answers::default();
    answers.note_in_both(&ann, "no end", "{ me { id }", json!({})).await;
    for (what, document) in [
        ("nothing", ""),
        ("another language", "select * from user"),
        ("a name too many", "query A B { me { id } }"),
        ("a fragment defined twice", "{ me { ...F } } fragment F on User { id } fragment F on User { id }"),
        ("an operation defined twice", "query A { me { id } } query A { me { id } }"),
    ] {
        answers.note_of(&ann, what, document, json!({})).await;
    }
    answers.assert("graphql_parse_failed");
}

#[tokio::test]
async fn a_document_that_does_not_fit_the_schema_is_refused_with_the_reason() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut answers = Answers::default();
    answers.note_in_both(&ann, "an unknown field", "{ nothing }", json!({})).await;
    for (what, document) in [
        ("an unknown argument", "{ me(id: 1) { id } }"),
        ("an argument that is missing", "{ room { id } }"),
        ("an argument of another type", "{ rooms(first: \"ten\") { nodes { id } } }"),
        ("an unknown value of an enum", "mutation { initiateChat(userIds: [], type: FRIENDS) { isNew } }"),
        ("an object with nothing selected", "{ me }"),
        ("a scalar with something selected", "{ me { username { x } } }"),
        ("an unknown fragment", "{ me { ...unknown } }"),
        ("an unknown directive", "{ me @unknown { id } }"),
        ("a variable that is not declared", "{ user(id: $id) { id } }"),
        ("a variable of an unknown type", "query($id: Nothing) { me { id } }"),
        ("two operations and no name", "query A { me { id } } query B { me { id } }"),
    ] {
        answers.note_of(&ann, what, document, json!({})).await;
    }
    answers.note_of(&ann, "a variable that is missing", documents::ROOM, json!({})).await;
    answers.note_of(&ann, "a variable of another type", documents::MARK_READ, json!({ "roomId": 7.5, "seq": 1 })).await;
    let unknown = json!({ "query": "query A { me { id } }", "operationName": "B" }).to_string();
    answers.note("the name of no operation", post(app.endpoint(), GRAPHQL_JSON, unknown)).await;
    answers.assert("graphql_validation_failed");
}

#[tokio::test]
async fn a_document_over_a_limit_is_refused_with_the_limit() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut answers = Answers::default();
    let pages = "messages(first: 100) { nodes { room { messages(first: 100) { nodes { id body } } } } }";
    for (what, document) in [
        ("text that is too long", " ".repeat(17 * 1024)),
        ("too many tokens", format!("{{ {}}}", "a ".repeat(2_100))),
        ("brackets in brackets", format!("{{ a(b: {}1{}) }}", "[".repeat(200), "]".repeat(200))),
        ("fields in fields", format!("{}{}", "{ me ".repeat(33), "}".repeat(33))),
        ("a fragment that spreads itself", "{ me { ...F } } fragment F on User { ...F }".to_owned()),
        ("pages of pages of pages", format!("{{ rooms(first: 100) {{ nodes {{ {pages} }} }} }}")),
        ("a subscription to two things", "subscription { a: events { at } b: events { at } }".to_owned()),
    ] {
        answers.note_of(&ann, what, &document, json!({})).await;
    }
    let cycle = json!({ "query": "{ ...F } fragment F on Query { ...F }" }).to_string();
    answers.note(&format!("a fragment that spreads itself, for {JSON}"), post(app.endpoint(), JSON, cycle)).await;
    answers.assert("over_a_limit");
}
