//! HTTP: methods, media types, status codes, and what else the server answers to.

mod cors;
mod encoding;
mod get;
mod pages;
mod tokens;

use reqwest::header::{ACCEPT, CONTENT_TYPE, ORIGIN};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::support::{TestApp, documents, within};

const GRAPHQL_JSON: &str = "application/graphql-response+json";

const JSON: &str = "application/json";

/// What a browser sends when somebody follows a link.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn request(app: &TestApp, method: Method, path: &str) -> RequestBuilder {
    app.endpoint().http.request(method, app.endpoint().url(path))
}

async fn send(request: RequestBuilder) -> Response {
    within("a response", request.send()).await.expect("the server responds")
}

/// The response to a body as JSON, accepting this media type.
async fn post(app: &TestApp, accept: &str, body: impl Into<reqwest::Body>) -> Response {
    send(post_request(app, accept, body)).await
}

fn post_request(app: &TestApp, accept: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    request(app, Method::POST, "/graphql").header(CONTENT_TYPE, JSON).header(ACCEPT, accept).body(body)
}

fn media_type(response: &Response) -> &str {
    let content_type = response.headers()[CONTENT_TYPE].to_str().expect("a media type is ASCII");
    content_type.split(';').next().unwrap_or_default()
}

async fn code(response: Response) -> Value {
    let body: Value = response.json().await.expect("the body is JSON");
    body["errors"][0]["extensions"]["code"].clone()
}

#[tokio::test]
async fn the_answer_has_the_media_type_that_was_asked_for() {
    let app = TestApp::start().await;
    for (accept, expected) in [
        (GRAPHQL_JSON, GRAPHQL_JSON),
        ("application/graphql-response+json, application/json;q=0.9", GRAPHQL_JSON),
        (JSON, JSON),
        ("*/*", JSON),
    ] {
        let response = post(&app, accept, r#"{"query":"{ __typename }"}"#).await;
        assert_eq!((response.status().as_u16(), media_type(&response)), (200, expected), "{accept}");
        let body: Value = response.json().await.expect("the body is JSON");
        assert_eq!(body, json!({ "data": { "__typename": "Query" } }));
    }
    let response = post(&app, "text/plain", r#"{"query":"{ __typename }"}"#).await;
    assert_eq!(response.status(), 406);
}

#[tokio::test]
async fn the_status_tells_whether_the_operation_ran() {
    let app = TestApp::start().await;
    for (accept, query, status, expected) in [
        (GRAPHQL_JSON, "{", 400, "GRAPHQL_PARSE_FAILED"),
        (GRAPHQL_JSON, "{ nothing }", 400, "GRAPHQL_VALIDATION_FAILED"),
        (GRAPHQL_JSON, "{ me { id } }", 401, "UNAUTHENTICATED"),
        (JSON, "{", 200, "GRAPHQL_PARSE_FAILED"),
        (JSON, "{ nothing }", 200, "GRAPHQL_VALIDATION_FAILED"),
        (JSON, "{ me { id } }", 200, "UNAUTHENTICATED"),
    ] {
        let response = post(&app, accept, json!({ "query": query }).to_string()).await;
        assert_eq!(response.status(), status, "{accept} {query}");
        assert_eq!(code(response).await, expected, "{accept} {query}");
    }
}

#[tokio::test]
async fn a_request_that_is_no_operation_is_a_bad_request() {
    let app = TestApp::start().await;
    for body in [
        "",
        "null",
        "{",
        "\"{ me { id } }\"",
        "{}",
        r#"{"query":7}"#,
        r#"{"query":"{ __typename }","variables":[]}"#,
        r#"[{"query":"{ __typename }"}]"#,
        r#"{"query":"subscription { events { __typename } }"}"#,
    ] {
        for accept in [GRAPHQL_JSON, JSON] {
            let response = post(&app, accept, body).await;
            assert_eq!(response.status(), 400, "{body}");
            assert_eq!(code(response).await, "BAD_USER_INPUT", "{body}");
        }
    }
    let response = post(&app, JSON, b"{\"query\":\"\xff\"}".as_slice()).await;
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn only_json_is_taken() {
    let app = TestApp::start().await;
    let body = r#"{"query":"{ __typename }"}"#;
    for content_type in
        ["application/graphql", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
    {
        let request = request(&app, Method::POST, "/graphql").header(CONTENT_TYPE, content_type).body(body);
        assert_eq!(send(request).await.status(), 415, "{content_type}");
    }
    assert_eq!(send(request(&app, Method::POST, "/graphql").body(body)).await.status(), 415, "no media type");
    for charset in ["UTF-8", "utf8", "\"utf-8\""] {
        let content_type = format!("application/json; charset={charset}");
        let request = request(&app, Method::POST, "/graphql").header(CONTENT_TYPE, content_type).body(body);
        assert_eq!(send(request).await.status(), 200, "{charset}");
    }
}

#[tokio::test]
async fn a_body_has_256_kib_at_most() {
    let app = TestApp::start().await;
    let body = |bytes: usize| {
        let empty = json!({ "query": "{ __typename }", "extensions": { "x": "" } }).to_string();
        json!({ "query": "{ __typename }", "extensions": { "x": "x".repeat(bytes - empty.len()) } }).to_string()
    };

    assert_eq!(post(&app, JSON, body(256 * 1024)).await.status(), 200);
    let response = post(&app, JSON, body(256 * 1024 + 1)).await;
    assert_eq!(response.status(), 413);
    assert_eq!(code(response).await, "BAD_USER_INPUT");
}

#[tokio::test]
async fn a_hostile_document_is_refused_before_it_is_parsed() {
    let app = TestApp::start().await;
    let nested = format!("{{ a(b: {}1{}) }}", "[".repeat(4_000), "]".repeat(4_000));
    let doubling = |n| format!("fragment f{n} on Query {{ ...f{next} ...f{next} }}", next = n + 1);
    let doubling = (0..30).map(doubling).collect::<Vec<_>>().join(" ");
    let wide = format!("{{ {} }}", "__typename ".repeat(2_100));
    let documents = [
        nested,
        format!("{{ ...f0 }} {doubling} fragment f30 on Query {{ __typename }}"),
        wide,
        " ".repeat(17 * 1024),
        "{ a { ".repeat(2_000),
        "{ me ".repeat(33) + &"}".repeat(33),
    ];
    for document in documents {
        for accept in [GRAPHQL_JSON, JSON] {
            let response = post(&app, accept, json!({ "query": document }).to_string()).await;
            assert_eq!(response.status(), 400, "{document:.60}");
            assert_eq!(code(response).await, "GRAPHQL_VALIDATION_FAILED", "{document:.60}");
        }
    }
    assert!(app.metric("parlor_refusals_total").await >= 12.0, "refusals are counted");
}

#[tokio::test]
async fn a_request_that_asks_for_too_much_is_refused() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let document = "{ rooms(first: 100) { nodes { messages(first: 100) { nodes {
        room { messages(first: 100) { nodes { id body } } } } } } } }";
    let answer = ann.graphql(document, json!({})).await;
    assert_eq!((answer.status, answer.error_code()), (400, "GRAPHQL_VALIDATION_FAILED"));
}

#[tokio::test]
async fn no_browser_may_guess_what_an_answer_is() {
    let app = TestApp::start_with(|config| config.allowed_origins = vec!["https://chat.example.com".into()]).await;
    let upgrade = |origin: &str| {
        let request = request(&app, Method::GET, "/graphql").header("connection", "upgrade").header(ORIGIN, origin);
        let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
        request
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-protocol", "graphql-transport-ws")
    };
    let post = |body: &'static str| request(&app, Method::POST, "/graphql").header(CONTENT_TYPE, JSON).body(body);
    for (expected, request) in [
        (200, post(r#"{"query":"{ __typename }"}"#)),
        (200, post(r#"{"query":"{ me { id } }"}"#)),
        (400, post("{")),
        (401, post(r#"{"query":"{ me { id } }"}"#).header(ACCEPT, GRAPHQL_JSON).bearer_auth("none")),
        (406, post(r#"{"query":"{ __typename }"}"#).header(ACCEPT, "text/plain")),
        (415, request(&app, Method::POST, "/graphql").body("query")),
        (413, post("{").body("x".repeat(300_000))),
        (405, request(&app, Method::PUT, "/graphql")),
        (404, request(&app, Method::GET, "/favicon.ico")),
        (200, request(&app, Method::GET, "/graphql").header(ACCEPT, "text/html")),
        (200, request(&app, Method::GET, "/livez")),
        (200, request(&app, Method::GET, "/readyz")),
        (200, request(&app, Method::GET, "/metrics")),
        (405, request(&app, Method::POST, "/metrics")),
        (403, upgrade("https://elsewhere.example.com")),
        (101, upgrade("https://chat.example.com")),
        (
            200,
            request(&app, Method::OPTIONS, "/graphql")
                .header(ORIGIN, "https://chat.example.com")
                .header("access-control-request-method", "POST"),
        ),
    ] {
        let response = send(request).await;
        assert_eq!(response.status(), expected, "{response:?}");
        let given = response.headers().get("x-content-type-options");
        assert_eq!(given.and_then(|value| value.to_str().ok()), Some("nosniff"), "{response:?}");
    }
}

#[tokio::test]
async fn one_of_several_operations_is_chosen_by_name() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let two = format!("{} query B {{ b: me {{ username }} }}", documents::ROOM);
    let request = |name: Value| json!({ "query": two, "operationName": name, "variables": { "roomId": ann.id } });
    let send = async |body: Value| {
        let request = request_as(&app, &ann.access_token).body(body.to_string());
        within("a response", request.send()).await.expect("the server responds")
    };

    let body: Value = send(request("B".into())).await.json().await.expect("the body is JSON");
    assert_eq!(body, json!({ "data": { "b": { "username": "ann" } } }));
    for name in [Value::Null, "C".into()] {
        let response = send(request(name)).await;
        assert_eq!(response.status(), 400);
        assert_eq!(code(response).await, "GRAPHQL_VALIDATION_FAILED");
    }
}

fn request_as(app: &TestApp, token: &str) -> RequestBuilder {
    request(app, Method::POST, "/graphql").header(CONTENT_TYPE, JSON).header(ACCEPT, GRAPHQL_JSON).bearer_auth(token)
}
