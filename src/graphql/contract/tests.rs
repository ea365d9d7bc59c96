use async_graphql::parser::parse_query;
use serde_json::json;
use serde_json::value::RawValue;

use super::*;

fn contract() -> Contract {
    Contract::of(
        r"
        type Query { a(int: Int, id: ID, ids: [ID!], text: String, float: Float, yes: Boolean, kind: Kind, input: Input, at: Moment, must: Int!): String, node: Node }
        type Subscription { events: Int, others: Int }
        interface Node { id: ID! }
        type User implements Node { id: ID! }
        type Room implements Node { id: ID! }
        enum Kind { ONE TWO }
        input Input { name: String!, size: Int = 3, inner: Input, ids: [ID!] }
        scalar Moment
        ",
    )
}

/// The values that are coerced of these, as JSON, or the problems and the fields at fault.
fn coerce(declared: &str, given: &str) -> Result<serde_json::Value, Vec<(String, String)>> {
    let document = parse_query(format!("query({declared}) {{ a }}")).expect("a document");
    let (_, operation) = document.operations.iter().next().expect("an operation");
    let given: &RawValue = serde_json::from_str(given).expect("JSON");
    let given = GivenVariables::new(Some(given)).expect("an object");
    let argument = |name: &str| (name == "x").then(|| "argument".to_owned());
    let coerced = contract().coerce((&operation.node.variable_definitions, &argument), &given);
    let field = |error: &ServerError| serde_json::to_value(&error.extensions).expect("JSON")["field"].to_string();
    coerced
        .map(|values| serde_json::to_value(&values).expect("JSON"))
        .map_err(|errors| errors.into_iter().map(|error| (error.message.clone(), field(&error))).collect())
}

fn fault(declared: &str, given: &str) -> (String, String) {
    let mut problems = coerce(declared, given).expect_err(given);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

#[test]
fn the_schema_of_the_server_is_valid() {
    let contract = Contract::new();
    assert_eq!(contract.validate("{ me { id username } rooms(first: 1) { nodes { id } } }"), Ok(()));
    assert!(contract.validate("{ nothing }").is_err());
    // Beyond what the crate knows of introspection.
    assert_eq!(contract.validate("{ __schema { types { isOneOf } } }"), Ok(()));
    assert!(contract.validate("{ __schema { types { isOneOf { a } nothing } } }").is_err());
}

#[test]
fn values_are_of_their_declared_types() {
    for (declared, given, value) in [
        ("$v: Int", "5", json!(5)),
        ("$v: Int", "5.0", json!(5)),
        ("$v: Int", "5e0", json!(5)),
        ("$v: Int", "-2147483648", json!(-2_147_483_648_i64)),
        ("$v: Int", "null", json!(null)),
        ("$v: Float", "1", json!(1.0)),
        ("$v: ID", "5", json!("5")),
        ("$v: ID", "5.0", json!("5")),
        ("$v: ID", "123456789012345678901234567890", json!("123456789012345678901234567890")),
        ("$v: ID", "-9223372036854775809", json!("-9223372036854775809")),
        ("$v: ID", "\"\\u0061\"", json!("a")),
        ("$v: [ID!]", "7", json!(["7"])),
        ("$v: [[ID!]!]", "[7, [8]]", json!([["7"], ["8"]])),
        ("$v: [[Int]]", "5", json!([[5]])),
        ("$v: Kind", "\"ONE\"", json!("ONE")),
        ("$v: Moment", "\"now\"", json!("now")),
        ("$v: Input", r#"{"name":"n"}"#, json!({"name": "n", "size": 3})),
        (
            "$v: Input",
            r#"{"size":null,"inner":{"name":"i","ids":1},"name":"n"}"#,
            json!({"name": "n", "size": null, "inner": {"name": "i", "size": 3, "ids": ["1"]}}),
        ),
    ] {
        assert_eq!(coerce(declared, &format!(r#"{{"v":{given}}}"#)), Ok(json!({ "v": value })), "{declared} {given}");
    }
}

#[test]
fn values_of_other_types_are_refused() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (declared, given) in [
        ("Int", "5.5"),
        ("Int", "2147483648"),
        ("Int", "1e999"),
        ("Int", "\"5\""),
        ("Int", "true"),
        ("Int", "[5]"),
        ("Int", "{}"),
        ("Int!", "null"),
        ("Float", "1e999"),
        ("Float", "\"1\""),
        ("Boolean", "1"),
        ("Boolean", "\"true\""),
        ("String", "5"),
        ("String", "true"),
        ("String", "\"\\ud83d\""),
        ("String", "[\"a\"]"),
        ("ID", "5.5"),
        ("ID", "true"),
        ("ID", "[1]"),
        ("ID", &deep),
        ("[ID!]", "[null]"),
        ("[ID!]", "[[1]]"),
        ("[Int]", "[\"1\"]"),
        ("Kind", "\"THREE\""),
        ("Kind", "\"one\""),
        ("Kind", "1"),
        ("Moment", "1"),
        ("Moment", "{}"),
        ("Input", "\"n\""),
        ("Input", "{}"),
        ("Input", r#"{"name":null}"#),
        ("Input", r#"{"name":"n","other":1}"#),
        ("Input", r#"{"name":"n","\ud83d":1}"#),
        ("Input", r#"{"name":"n","inner":{"name":1}}"#),
    ] {
        let (message, field) = fault(&format!("$x: {declared}"), &format!(r#"{{"x":{given}}}"#));
        assert!(message.starts_with("the variable \"$x\"") && message.len() < 200, "{message}");
        assert!(!field.is_empty());
    }
}

#[test]
fn what_is_at_fault_is_named() {
    assert_eq!(
        fault("$x: ID!", "{}"),
        ("the variable \"$x\" of the type \"ID!\" was not given".into(), "\"argument\"".into())
    );
    assert_eq!(
        fault("$x: Input", r#"{"x":{"name":"n","inner":{"name":"i","ids":["a",{}]}}}"#),
        ("the variable \"$x\" at \"inner.ids.1\" must be a string or an integer".into(), "\"ids\"".into()),
    );
    assert_eq!(fault("$y: Int", r#"{"y":"half \ud83d"}"#).1, "\"y\"");
    assert_eq!(coerce("$x: ID!, $y: Int!", "{}").expect_err("two").len(), 2);
}

#[test]
fn what_is_left_out_has_its_default_and_what_is_not_declared_is_dropped() {
    assert_eq!(coerce("$a: Int, $b: Int", "{}"), Ok(json!({})));
    assert_eq!(coerce("$a: Int = 1, $b: Int! = 2", r#"{"a":null}"#), Ok(json!({"a": null, "b": 2})));
    assert_eq!(coerce("$a: [ID!] = 5, $k: Kind = TWO", "{}"), Ok(json!({"a": ["5"], "k": "TWO"})));
    assert_eq!(
        coerce("$i: Input = {name: \"n\", ids: 4}", "{}"),
        Ok(json!({"i": {"name": "n", "size": 3, "ids": ["4"]}}))
    );
    assert_eq!(fault("$n: Int! = 1", r#"{"n":null}"#).0, "the variable \"$n\" of the type \"Int!\" must not be null");
    assert_eq!(coerce("$a: Int", r#"{"a":1,"a":2,"\ud83d":3,"b":{"c":[1e999]}}"#), Ok(json!({"a": 2})));
}

#[test]
fn documents_are_valid_by_the_specification() {
    let contract = contract();
    for valid in [
        "query($v: Int! = 1) { a(must: $v) }",
        "query($v: Int = 1) { a(must: $v) }",
        "query($yes: Boolean = true) { a(must: 1) @include(if: $yes) }",
        "query($v: ID!) { a(must: 1, ids: [$v]) }",
        "{ node { ...F } } fragment F on Node { id ... on User { id } }",
        "query($v: ID = 1) { a(must: 1, ids: [$v]) }",
        "query($v: Int) { a(must: 1, input: {name: \"n\", size: $v}) }",
        "subscription { events ...F } fragment F on Subscription { ...G events } fragment G on Subscription { events }",
        "{ a(must: 1, float: 1, id: 5, ids: \"x\", kind: ONE, input: {name: \"n\"}) }",
    ] {
        assert_eq!(contract.validate(valid), Ok(()), "{valid}");
    }
    for (refused, says) in [
        ("query($v: Int!) { a(must: 1, id: $v) }", "$v"),
        ("query($v: Int) { a(must: $v) }", "$v"),
        ("query($v: [ID]) { a(must: 1, ids: $v) }", "$v"),
        ("query($v: Int) { a(must: 1) }", "$v"),
        ("{ a(must: $v) }", "$v"),
        ("query($v: Boolean) { a(must: 1) @skip(if: $v) }", "$v"),
        ("{ a(must: 1, kind: \"ONE\") }", "Kind"),
        ("{ a(must: 1, kind: THREE) }", "THREE"),
        ("{ a }", "must"),
        ("{ a(must: 1, must: 2) }", "must"),
        ("{ a(must: 1, input: {name: \"n\", name: \"m\"}) }", "name"),
        ("{ a(must: 1) a(must: 2) }", "\"a\""),
        ("{ node { id { x } } }", "ID"),
        ("{ node }", "subselection"),
        ("{ ...F } fragment F on Query { a(must: 1) ...F }", "F"),
        ("{ a(must: 1) } fragment F on Query { a(must: 2) }", "F"),
        ("{ a(must: 1) @unknown }", "unknown"),
        ("{ a(must: 1) @skip(if: true) @skip(if: true) }", "skip"),
        ("query A { a(must: 1) } query B { b }", "b"),
        ("query($v: Int = null) { a(must: $v) }", "$v"),
        ("query($v: ID) { a(must: 1, ids: [$v]) }", "$v"),
        ("query($v: ID = \"x\") { a(must: 1, ids: [[$v]]) }", "ID!"),
        ("query($v: String) { a(must: 1, input: {name: $v}) }", "$v"),
        ("query($v: String) { a(must: 1, input: {name: \"n\", inner: {name: $v}}) }", "$v"),
        ("query($v: Boolean = null) { ...F } fragment F on Query { a(must: 1) @skip(if: $v) }", "$v"),
        ("subscription { a: events b: events }", "one"),
        (
            "subscription { ...F ...G } fragment F on Subscription { events } fragment G on Subscription { others }",
            "one",
        ),
        ("subscription { events @skip(if: false) }", "root"),
        ("subscription { ... @include(if: true) { events } }", "root"),
        ("subscription { __typename }", "introspection"),
    ] {
        let problems = contract.validate(refused).expect_err(refused);
        assert!(problems.iter().any(|problem| problem.message.contains(says)), "{refused}: {problems:?}");
    }
}

#[test]
fn no_more_problems_are_told_than_anybody_reads() {
    let document = format!("{{ {} }}", "x ".repeat(900));
    assert_eq!(contract().validate(&document).expect_err("unknown fields").len(), MAX_PROBLEMS);
}

#[test]
fn a_fragment_applies_to_what_its_condition_holds() {
    let contract = contract();
    assert!(contract.applies("Node", "User") && contract.applies("User", "User"));
    assert!(!contract.applies("Room", "User") && !contract.applies("User", "Node"));
}
