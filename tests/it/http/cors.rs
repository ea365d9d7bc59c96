//! What scripts of other websites may send and read.

use parlor::config::Config;
use reqwest::header::{CONTENT_TYPE, HeaderMap, ORIGIN};
use reqwest::{Method, Response};

use super::{JSON, request, send};
use crate::support::TestApp;

const WEBSITE: &str = "https://chat.example";

async fn app(configure: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::start_with(|config| {
        config.allowed_origins = vec![WEBSITE.to_owned()];
        configure(config);
    })
    .await
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().expect("ASCII"))
}

async fn preflight(app: &TestApp, origin: &str, headers: &str) -> Response {
    let request = request(app, Method::OPTIONS, "/graphql").header(ORIGIN, origin);
    let request = request.header("access-control-request-method", "POST");
    send(request.header("access-control-request-headers", headers)).await
}

/// Whether a browser would let a script of this website send these headers.
async fn may_send(app: &TestApp, origin: &str, headers: &str) -> bool {
    let response = preflight(app, origin, headers).await;
    let allowed_headers = text(response.headers(), "access-control-allow-headers").unwrap_or_default();
    let allowed: Vec<String> = allowed_headers.split(',').map(|name| name.trim().to_lowercase()).collect();
    let allowed_origin = text(response.headers(), "access-control-allow-origin");
    response.status().is_success()
        && (allowed_origin == Some(origin) || allowed_origin == Some("*"))
        && headers.split(',').all(|name| allowed.iter().any(|allowed| allowed == name))
}

#[tokio::test]
async fn scripts_of_other_websites_may_read_answers_only_where_that_is_configured() {
    let closed = TestApp::start().await;
    let open = app(|_| {}).await;
    let any = app(|config| config.allowed_origins = vec!["*".to_owned()]).await;
    let allowed = async |app: &TestApp, origin: &str| {
        for method in [Method::GET, Method::POST] {
            let request = request(app, method.clone(), "/graphql?query={__typename}").header(ORIGIN, origin);
            let request = request.header(CONTENT_TYPE, JSON).body(r#"{"query":"{ __typename }"}"#);
            let response = send(request).await;
            assert!(response.status().is_success(), "{method}");
            if text(response.headers(), "access-control-allow-origin").is_none() {
                return false;
            }
            let exposed = text(response.headers(), "access-control-expose-headers").expect("some").to_lowercase();
            for name in ["x-request-id", "retry-after", "www-authenticate"] {
                assert!(exposed.contains(name), "{exposed}");
            }
        }
        true
    };

    for (origin, in_open) in [
        (WEBSITE, true),
        ("https://chat.example:443", true),
        ("https://Chat.Example", true),
        ("https://evil.example", false),
        ("http://chat.example", false),
        ("https://chat.example:8443", false),
        ("https://chat.example.evil.example", false),
        ("null", false),
    ] {
        assert!(!allowed(&closed, origin).await, "{origin}");
        assert_eq!(allowed(&open, origin).await, in_open, "{origin}");
        assert!(allowed(&any, origin).await, "{origin}");
    }
}

#[tokio::test]
async fn what_clients_send_by_default_is_allowed_and_a_preflight_is_cached() {
    let app =
        app(|config| config.allowed_origins = vec!["https://other.example".to_owned(), format!("{WEBSITE}:443/")])
            .await;
    for headers in [
        "authorization,content-type",
        "accept,x-request-id",
        "apollographql-client-name,apollographql-client-version,content-type",
        "apollo-require-preflight,graphql-preflight",
        "x-apollo-operation-name,x-apollo-operation-id,x-apollo-operation-type",
        "baggage,sentry-trace,traceparent,tracestate",
        "cache-control,last-event-id",
    ] {
        assert!(may_send(&app, WEBSITE, headers).await, "{headers}");
        assert!(may_send(&app, "https://other.example", headers).await, "{headers}");
        assert!(!may_send(&app, "https://evil.example", headers).await, "{headers}");
    }
    assert!(!may_send(&app, WEBSITE, "x-unheard-of").await);
    let response = preflight(&app, WEBSITE, "authorization").await;
    let age = text(response.headers(), "access-control-max-age").and_then(|age| age.parse::<u32>().ok());
    assert!(age.is_some_and(|age| age >= 3_600), "{age:?}");
    let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
    assert!(format!("{vary:?}").contains("origin"), "caches must know: {vary:?}");
}

#[tokio::test]
async fn the_operator_names_more_headers() {
    let named =
        app(|config| config.allowed_headers = vec!["x-tenant".to_owned(), "X-Datadog-Trace-Id".to_owned()]).await;
    assert!(may_send(&named, WEBSITE, "authorization,x-tenant,x-datadog-trace-id").await);
    assert!(!may_send(&named, WEBSITE, "x-unheard-of").await);
    let any = app(|config| config.allowed_headers = vec!["*".to_owned()]).await;
    assert!(may_send(&any, WEBSITE, "authorization,x-unheard-of").await);
    assert!(!may_send(&any, "https://evil.example", "x-unheard-of").await);
}
