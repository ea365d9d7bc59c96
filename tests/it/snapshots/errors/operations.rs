//! Requests that are no operation, or not to be served here: refused by HTTP before anything is executed.

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};

use super::{Answers, GRAPHQL_JSON, JSON, post};
use crate::support::TestApp;

const TYPENAME: &str = r#"{"query":"{ __typename }"}"#;

#[tokio::test]
async fn a_body_that_is_no_operation_is_refused_with_what_is_expected() {
    let app = TestApp::start().await;
    let mut answers = Answers::default();
    for accept in [GRAPHQL_JSON, JSON] {
        answers.note(&format!("no JSON, for {accept}"), post(app.endpoint(), accept, "{")).await;
    }
    for (what, body) in [
        ("nothing", ""),
        ("no object", "7"),
        ("a batch", r#"[{"query":"{ __typename }"}]"#),
        ("no `query`", "{}"),
        ("a `query` that is no text", r#"{"query":7}"#),
        ("half of a surrogate pair", r#"{"query":"{ __typename }\ud83d"}"#),
        ("a hash in place of a document", r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"}}}"#),
        ("variables that are no object", r#"{"query":"{ __typename }","variables":[]}"#),
        ("a subscription", r#"{"query":"subscription { events { at } }"}"#),
    ] {
        answers.note(what, post(app.endpoint(), GRAPHQL_JSON, body)).await;
    }
    let long = format!(r#"{{"query":"{}"}}"#, "x".repeat(256 * 1024));
    answers.note("more than 256 KiB", post(app.endpoint(), GRAPHQL_JSON, long)).await;
    answers.assert("no_operation");
}

#[tokio::test]
async fn a_request_of_another_kind_has_the_status_that_says_so() {
    let app = TestApp::start().await;
    let mut answers = Answers::default();
    let request = |method, path: &str| app.endpoint().http.request(method, app.endpoint().url(path));
    answers.note("another address", request(Method::GET, "/nothing")).await;
    let mutation = "/graphql?query=mutation%7B__typename%7D";
    answers.note("a mutation by GET", request(Method::GET, mutation).header(ACCEPT, JSON)).await;
    answers.note("PUT", request(Method::PUT, "/graphql").body(TYPENAME)).await;
    answers.note("POST to what is only read", request(Method::POST, "/livez")).await;
    answers.note("a media type that is not served", post(app.endpoint(), "text/html", TYPENAME)).await;
    answers.note("no media type", request(Method::POST, "/graphql").body(TYPENAME)).await;
    for content_type in ["text/plain", "application/json; charset=latin1"] {
        let request = request(Method::POST, "/graphql").body(TYPENAME).header(ACCEPT, GRAPHQL_JSON);
        answers.note(content_type, request.header(CONTENT_TYPE, HeaderValue::from_static(content_type))).await;
    }
    let upgrade = request(Method::GET, "/graphql").header("connection", "upgrade").header("upgrade", "websocket");
    answers.note("an upgrade without a key", upgrade.header("sec-websocket-version", "13")).await;
    answers.assert("another_kind");
}
