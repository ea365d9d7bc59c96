//! Queries by GET, and what else answers to it: nothing that a link can reach changes anything.

use reqwest::header::{ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, HeaderMap, VARY};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::{Value, json};

use super::{BROWSER, GRAPHQL_JSON, JSON, code, media_type, request, send};
use crate::support::{TestApp, documents};

fn path(parameters: &[(&str, &str)]) -> String {
    let url = Url::parse_with_params("http://parlor/graphql", parameters).expect("a URL");
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

fn get(app: &TestApp, accept: &str, parameters: &[(&str, &str)]) -> RequestBuilder {
    request(app, Method::GET, &path(parameters)).header(ACCEPT, accept)
}

async fn body(response: Response) -> Value {
    response.json().await.expect("the body is JSON")
}

fn varies(headers: &HeaderMap) -> String {
    let lines = headers.get_all(VARY).iter().map(|line| line.to_str().expect("ASCII").to_lowercase());
    lines.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_query_in_the_url_is_answered_like_one_in_a_body() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let two = "query A($s: Boolean!) { me { id @skip(if: $s) username } } query B { __typename }";
    for (parameters, expected) in [
        (&[("query", "{ __typename }")][..], json!({ "__typename": "Query" })),
        (&[("query", "{ __typename }"), ("operationName", ""), ("variables", "")], json!({ "__typename": "Query" })),
        (&[("query", "{ __typename }"), ("fbclid", "1"), ("fbclid", "2")], json!({ "__typename": "Query" })),
        (
            &[("query", two), ("operationName", "A"), ("variables", r#"{"s":true}"#), ("extensions", r#"{"x":1}"#)],
            json!({ "me": { "username": "ann" } }),
        ),
        (&[("query", two), ("operationName", "B"), ("variables", "null")], json!({ "__typename": "Query" })),
    ] {
        for accept in [GRAPHQL_JSON, JSON] {
            let response = send(get(&app, accept, parameters).bearer_auth(&ann.access_token)).await;
            assert_eq!((response.status(), media_type(&response)), (StatusCode::OK, accept), "{parameters:?}");
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
            let vary = varies(response.headers());
            assert!(vary.contains("authorization") && vary.contains("accept"), "{vary}");
            assert_eq!(body(response).await, json!({ "data": expected }), "{parameters:?}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_query_in_the_url_is_told_in_the_media_type_asked_for() {
    let app = TestApp::start().await;
    let long = "x".repeat(17 * 1024);
    for (query, in_graphql, in_json, expected) in [
        ("query={", 400, 200, "GRAPHQL_PARSE_FAILED"),
        ("query={nothing}", 400, 200, "GRAPHQL_VALIDATION_FAILED"),
        ("query={me{id}}", 401, 200, "UNAUTHENTICATED"),
        ("query={__typename}&variables=[1]", 400, 400, "BAD_USER_INPUT"),
        ("query={__typename}&variables={", 400, 400, "BAD_USER_INPUT"),
        ("query={__typename}&query={__typename}", 400, 400, "BAD_USER_INPUT"),
        ("query={__typename}&variables={}&variables={}", 400, 400, "BAD_USER_INPUT"),
        ("query=%ff", 400, 400, "BAD_USER_INPUT"),
        ("operationName=A", 400, 400, "BAD_USER_INPUT"),
        ("", 400, 400, "BAD_USER_INPUT"),
        (&format!("query={{{long}}}"), 400, 400, "GRAPHQL_VALIDATION_FAILED"),
        (
            "extensions={\"persistedQuery\":{\"version\":1,\"sha256Hash\":\"x\"}}",
            400,
            200,
            "PERSISTED_QUERY_NOT_SUPPORTED",
        ),
    ] {
        for (accept, status) in [(GRAPHQL_JSON, in_graphql), (JSON, in_json)] {
            let path = format!("/graphql?{query}");
            let response = send(request(&app, Method::GET, &path).header(ACCEPT, accept)).await;
            assert_eq!((response.status().as_u16(), media_type(&response)), (status, accept), "{query:.80}");
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store", "{query:.80}");
            assert_eq!(code(response).await, expected, "{query:.80}");
        }
    }
    let response = send(get(&app, "text/plain", &[("query", "{ __typename }")])).await;
    assert_eq!(response.status(), StatusCode::NOT_ACCEPTABLE);
    let response = send(get(&app, JSON, &[("query", "{ __typename }"), ("x", &"x".repeat(33 * 1024))])).await;
    assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn a_link_changes_nothing_whatever_the_browser_sends_along() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let variables = json!({ "roomId": room.id, "body": "by a link" }).to_string();
    let both = format!("query A {{ __typename }} {}", documents::POST_MESSAGE);
    let name =
        documents::POST_MESSAGE.split_whitespace().nth(1).and_then(|name| name.split('(').next()).expect("a name");
    for method in [Method::GET, Method::HEAD] {
        for accept in [GRAPHQL_JSON, JSON, BROWSER] {
            for parameters in [
                &[("query", documents::POST_MESSAGE), ("variables", &*variables)][..],
                &[("query", &*both), ("variables", &*variables), ("operationName", name)],
                &[("query", "mutation { signOut { sessionId } }")],
                &[("query", "mutation { ...F } fragment F on Mutation { deleteAccount { userId } }")],
                &[("query", "subscription { events { __typename } }")],
            ] {
                let request = request(&app, method.clone(), &path(parameters)).header(ACCEPT, accept);
                let response = send(request.bearer_auth(&ann.access_token)).await;
                assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{parameters:?}");
                assert_eq!(response.headers()[ALLOW], "POST");
                assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
            }
        }
    }
    assert_eq!(ann.messages(&room).await, []);
    ann.post(&room, "the account and its session are still there").await;
}

#[tokio::test]
async fn a_query_by_get_is_limited_like_any_other() {
    let app = TestApp::start_with(|config| {
        config.limits.enabled = true;
        config.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
        config.limits.requests = "1/h burst 3".parse().expect("a rate");
    })
    .await;
    let http = app.endpoint().calling_from("203.0.113.1").http;
    let url = app.endpoint().url(&path(&[("query", "{ __typename }")]));
    for status in [200, 200, 200, 429] {
        let response = send(http.get(&url).header(ACCEPT, JSON)).await;
        assert_eq!(response.status().as_u16(), status);
    }
}

#[tokio::test]
async fn head_is_answered_like_get_without_the_body() {
    let app = TestApp::start().await;
    for (path, accept) in [
        (&*path(&[("query", "{ __typename }")]), JSON),
        ("/graphql", BROWSER),
        ("/", BROWSER),
        ("/", JSON),
        ("/livez", "*/*"),
        ("/metrics", "*/*"),
        ("/nothing", "*/*"),
    ] {
        let response = |method: Method| send(request(&app, method, path).header(ACCEPT, accept));
        let (get, head) = (response(Method::GET).await, response(Method::HEAD).await);
        assert_eq!(head.status(), get.status(), "{path}");
        assert_eq!(head.headers().get("content-type"), get.headers().get("content-type"), "{path}");
        assert_eq!(head.text().await.expect("no body"), "", "{path}");
    }
}

#[tokio::test]
async fn each_path_says_by_which_methods_it_is_served() {
    for origins in [vec![], vec!["https://chat.example".to_owned()]] {
        let app = TestApp::start_with(|config| config.allowed_origins = origins).await;
        for (path, expected) in [
            ("/graphql", "GET, HEAD, POST, OPTIONS"),
            ("/", "GET, HEAD, OPTIONS"),
            ("/livez", "GET, HEAD, OPTIONS"),
            ("/metrics", "GET, HEAD, OPTIONS"),
        ] {
            let response = send(request(&app, Method::OPTIONS, path)).await;
            assert!(response.status().is_success(), "{path}");
            assert_eq!(response.headers()[ALLOW], expected, "{path}");
            let response = send(request(&app, Method::DELETE, path)).await;
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert_eq!(response.headers()[ALLOW], expected, "{path}");
        }
    }
}

#[tokio::test]
async fn a_browser_is_shown_a_page_unless_the_link_holds_a_query() {
    let app = TestApp::start().await;
    for (parameters, expected) in [
        (&[][..], "text/html"),
        (&[("utm_source", "mail")], "text/html"),
        (&[("query", "")], "text/html"),
        (&[("query", "{ __typename }")], JSON),
        (&[("query", "mutation { signOut { sessionId } }")], JSON),
    ] {
        let response = send(get(&app, BROWSER, parameters)).await;
        assert_eq!(media_type(&response), expected, "{parameters:?}");
        assert!(varies(response.headers()).contains("accept"), "{parameters:?}");
    }
}

#[tokio::test]
async fn a_token_in_the_url_is_nobodys() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let query =
        [("query", "{ me { id } }"), ("access_token", &*ann.access_token), ("authorization", &ann.access_token)];
    let response = send(get(&app, GRAPHQL_JSON, &query).header(AUTHORIZATION, "")).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_client_that_offers_http_2_is_answered_all_the_same() {
    let app = TestApp::start().await;
    let offer = get(&app, JSON, &[("query", "{ __typename }")]).header("connection", "Upgrade, HTTP2-Settings");
    let offer = offer.header("upgrade", "h2c").header("http2-settings", "AAMAAABkAAQCAAAAAAIAAAAA");
    assert_eq!(send(offer).await.status(), StatusCode::OK);
}
