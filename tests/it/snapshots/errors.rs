//! Bodies of errors by HTTP: each `ErrorCode`, in both media types where they differ.

mod documents;
mod input;
mod operations;
mod people;
mod trouble;

use std::fmt::Write;
use std::path::Path;

use reqwest::header::{ACCEPT, ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::{assert_snapshot, without_ids};
use crate::support::{Answer, Endpoint, TestApp, TestUser, within};

const GRAPHQL_JSON: &str = "application/graphql-response+json";

const JSON: &str = "application/json";

/// The headers that are part of an answer's meaning.
const SHOWN: [reqwest::header::HeaderName; 5] = [CONTENT_TYPE, ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE];

/// Requests, in words, and how they were answered.
#[derive(Default)]
struct Answers(String);

impl Answers {
    /// Notes the response to any request.
    async fn note(&mut self, what: &str, request: RequestBuilder) {
        let response = within(format_args!("the response to {what}"), request.send()).await;
        self.note_response(what, response.expect("the server responds")).await;
    }

    /// Notes an answer of which nothing but status and body is left.
    fn note_answer(&mut self, what: &str, answer: &Answer) {
        let body = without_ids(&answer.body.to_string());
        writeln!(self.0, "# {what}\n{}\n{body}\n", answer.status).expect("a string takes what is written");
    }

    /// Notes a response.
    async fn note_response(&mut self, what: &str, response: Response) {
        let mut shown = format!("# {what}\n{}\n", response.status());
        for name in &SHOWN {
            for value in response.headers().get_all(name) {
                writeln!(shown, "{name}: {}", value.to_str().expect("ASCII")).expect("a string takes what is written");
            }
        }
        let body = within("the body", response.text()).await.expect("the body is text");
        writeln!(self.0, "{shown}{}\n", without_ids(&body)).expect("a string takes what is written");
    }

    /// Notes the answer to an operation of this user.
    async fn note_of(&mut self, user: &TestUser, what: &str, document: &str, variables: Value) {
        let request = operation(user.endpoint(), GRAPHQL_JSON, document, variables).bearer_auth(&user.access_token);
        self.note(what, request).await;
    }

    /// Notes the answer to an operation without a token.
    async fn note_anonymous(&mut self, app: &TestApp, what: &str, document: &str, variables: Value) {
        self.note(what, operation(app.endpoint(), GRAPHQL_JSON, document, variables)).await;
    }

    /// Notes the answers to an operation of this user in both media types.
    async fn note_in_both(&mut self, user: &TestUser, what: &str, document: &str, variables: Value) {
        for accept in [GRAPHQL_JSON, JSON] {
            let request = operation(user.endpoint(), accept, document, variables.clone());
            self.note(&format!("{what}, for {accept}"), request.bearer_auth(&user.access_token)).await;
        }
    }

    fn assert(self, name: &str) {
        assert_snapshot("errors", name, self.0.trim_end());
    }
}

/// A POST of this body.
fn post(endpoint: &Endpoint, accept: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    let request = endpoint.http.request(Method::POST, endpoint.url("/graphql"));
    request.header(ACCEPT, accept).header(CONTENT_TYPE, JSON).body(body)
}

/// A POST of this operation.
fn operation(endpoint: &Endpoint, accept: &str, document: &str, variables: Value) -> RequestBuilder {
    let mut body = json!({ "query": document });
    body["variables"] = variables;
    post(endpoint, accept, body.to_string())
}

/// A code without a snapshot would be one whose body nobody has looked at.
#[test]
fn each_code_is_in_a_snapshot() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/errors");
    let files = std::fs::read_dir(dir).expect("the directory can be listed");
    let files = files.map(|file| file.expect("the entry can be read").path());
    let snapshots = files.filter(|file| file.extension().is_some_and(|extension| extension == "snap"));
    let bodies: String = snapshots.map(|file| std::fs::read_to_string(file).expect("the file can be read")).collect();
    let schema = parlor::graphql::sdl();
    let codes = schema.split("enum ErrorCode {").nth(1).and_then(|rest| rest.split('}').next()).expect("the enum");
    let codes = codes.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_code = |line: &&str| line.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let missing: Vec<&str> = codes.filter(is_code).filter(|code| !bodies.contains(&format!("\"{code}\""))).collect();
    assert!(missing.is_empty(), "no snapshot in tests/it/snapshots/errors has {missing:?}");
}
