//! The schema as a document, without a database.

use std::collections::BTreeSet;

use async_graphql::Request;
use serde_json::{Value, json};

use super::*;

async fn execute(document: &str) -> Value {
    let response = builder().data(CursorCodec::new(&[0; 32])).finish().execute(Request::new(document)).await;
    serde_json::to_value(response).expect("a response is JSON")
}

#[tokio::test]
async fn everything_in_the_schema_is_described() {
    let types = execute(
        "{ __schema { types { name description
            fields { name description args { name description } }
            inputFields { name description } enumValues { name description } } } }",
    )
    .await;
    let mut silent = BTreeSet::new();
    for r#type in types["data"]["__schema"]["types"].as_array().expect("types") {
        let name = r#type["name"].as_str().expect("a name");
        if name.starts_with("__") {
            continue;
        }
        let mut check = |path: String, it: &Value| {
            if it["description"].as_str().is_none_or(str::is_empty) {
                silent.insert(path);
            }
        };
        check(name.to_owned(), r#type);
        for members in ["fields", "inputFields", "enumValues"] {
            for member in r#type[members].as_array().into_iter().flatten() {
                check(format!("{name}.{}", member["name"]), member);
                for argument in member["args"].as_array().into_iter().flatten() {
                    check(format!("{name}.{}({})", member["name"], argument["name"]), argument);
                }
            }
        }
    }
    assert_eq!(silent, BTreeSet::new());
}

/// What a document asks for of an event is found by the fragments on its type, and on this one interface.
#[tokio::test]
async fn events_have_but_the_one_interface_in_common() {
    let interface = execute("{ __type(name: \"Event\") { possibleTypes { name interfaces { name } } } }").await;
    let types = interface["data"]["__type"]["possibleTypes"].as_array().expect("types");
    assert!(types.len() > 20, "{types:?}");
    for of_event in types {
        assert_eq!(of_event["interfaces"], json!([{ "name": "Event" }]), "{of_event}");
    }
}

#[tokio::test]
async fn a_full_page_of_rooms_with_full_pages_of_members_is_allowed() {
    let answer = execute(
        "{ __typename rooms(first: 100) @include(if: false) { edges { cursor node {
            id type initiator { id username } createdAt lastActivityAt
            members(first: 100) { nodes { user { id username displayName type } joinedAt lastReadSeq } }
            lastMessage { id seq body author { id username displayName } createdAt }
            viewer { unreadCount lastReadSeq muted } } } } }",
    )
    .await;
    assert_eq!(answer, json!({ "data": { "__typename": "Query" } }));
}

#[tokio::test]
async fn full_pages_of_lists_in_lists_in_lists_are_refused() {
    let answer =
        execute("{ rooms(first: 100) { nodes { messages(last: 100) { nodes { readBy { readAt } } } } } }").await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{answer}");
    assert_eq!(answer["data"], json!(null));
}

#[tokio::test]
async fn a_bad_argument_is_named() {
    for (document, field) in [
        ("{ room(id: \"user_00000000000000000000000000\") { id } }", "id"),
        ("{ node(id: \"?\") { id } }", "id"),
        ("{ users(after: \"?\") { nodes { id } } }", "after"),
        ("mutation { markRead(roomId: \"room_1\", seq: 1) { room { id } } }", "roomId"),
        ("mutation { initiateChat(userIds: [\"room_1\"], type: CONSUMER_TO_SUPPORT) { isNew } }", "userIds"),
    ] {
        let answer = execute(document).await;
        let extensions = &answer["errors"][0]["extensions"];
        assert_eq!((&extensions["code"], &extensions["field"]), (&json!("BAD_USER_INPUT"), &json!(field)), "{answer}");
    }
}

#[test]
fn the_printed_schema_is_always_the_same() {
    assert_eq!(sdl(), sdl());
    assert!(sdl().contains("@specifiedBy(url: \"https://www.rfc-editor.org/rfc/rfc3339\")"));
}
