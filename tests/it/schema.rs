//! The public contract: `schema.graphql` is what the server serves.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::TestApp;

const OUT_OF_DATE: &str = "schema.graphql is not what the code serves. If the change is meant, run\n\n    \
    cargo run -- schema > schema.graphql\n\nand review the difference: it is the public contract.";

fn committed() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("schema.graphql: {error}\n{OUT_OF_DATE}"))
}

#[test]
fn the_committed_schema_is_the_one_that_is_served() {
    let (committed, served) = (committed(), parlor::graphql::sdl());
    let differing = committed.lines().zip(served.lines()).position(|(committed, served)| committed != served);
    if let Some(n) = differing {
        let line = |text: &str| text.lines().nth(n).unwrap_or_default().to_owned();
        panic!("{OUT_OF_DATE}\nLine {}:\n- {}\n+ {}", n + 1, line(&committed), line(&served));
    }
    assert!(committed == served, "{OUT_OF_DATE}");
}

#[tokio::test]
async fn the_command_line_prints_the_schema() {
    let app = TestApp::start().await;
    let output = app.parlor(&["schema"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), parlor::graphql::sdl());
}

#[tokio::test]
async fn introspection_tells_of_everything_that_the_file_does_and_nobody_needs_to_sign_in_for_it() {
    let app = TestApp::start().await;
    let document = "{ __schema { description types { name enumValues { name } } } errorCodes }";
    let answer = app.anonymous(document, json!({})).await;
    assert_eq!(answer.body["data"]["__schema"]["description"], Value::Null, "the file has none either");
    let types: BTreeMap<&str, &Value> = answer
        .list("/__schema/types")
        .iter()
        .map(|it| (it["name"].as_str().expect("a type has a name"), &it["enumValues"]))
        .collect();
    let defined = ["type ", "interface ", "enum ", "input ", "scalar ", "union "];
    let schema = parlor::graphql::sdl();
    let named = schema.lines().filter_map(|line| defined.iter().find_map(|word| line.strip_prefix(word)));
    let named: Vec<&str> = named.filter_map(|line| line.split([' ', '{']).next()).collect();
    assert!(named.contains(&"ErrorCode") && named.contains(&"Query"), "{named:?}");
    let hidden: Vec<_> = named.iter().filter(|name| !types.contains_key(**name)).collect();
    assert!(hidden.is_empty(), "{hidden:?}");

    let values = types["ErrorCode"].as_array().expect("an enum").iter().map(|value| &value["name"]);
    let mut values: Vec<&str> = values.filter_map(Value::as_str).collect();
    let mut codes: Vec<&str> = answer.list("/errorCodes").iter().filter_map(Value::as_str).collect();
    values.sort_unstable();
    codes.sort_unstable();
    assert!(codes.contains(&"NOT_FOUND"));
    assert_eq!(values, codes);
}

#[test]
fn the_schema_lists_every_code_of_an_error() {
    let schema = parlor::graphql::sdl();
    let codes = schema.split("enum ErrorCode {").nth(1).and_then(|rest| rest.split('}').next()).expect("the enum");
    let is_code = |line: &&str| !line.is_empty() && line.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let codes: Vec<&str> = codes.lines().map(str::trim).filter(is_code).collect();
    assert_eq!(
        codes,
        [
            "BAD_USER_INPUT",
            "CONFLICT",
            "FORBIDDEN",
            "GRAPHQL_PARSE_FAILED",
            "GRAPHQL_VALIDATION_FAILED",
            "INTERNAL_SERVER_ERROR",
            "NOT_FOUND",
            "PERSISTED_QUERY_NOT_SUPPORTED",
            "RATE_LIMITED",
            "UNAUTHENTICATED",
            "UNAVAILABLE",
        ]
    );
}
