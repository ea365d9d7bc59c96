//! What is asked for keys, and which answers are taken.

use axum::Router;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use axum::routing::get as answering;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

/// A server that answers by these routes, until the second is dropped.
async fn serve(routes: impl FnOnce(&str) -> Router) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it has an address"));
    let (app, mut serving) = (routes(&url), JoinSet::new());
    serving.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
    (url, serving)
}

async fn fetched(source: Source) -> Result<Fetched, String> {
    let fetch = from(source).expect("TLS can be set up");
    fetch().await.map_err(|error| error.to_string())
}

fn keys() -> String {
    json!({ "keys": [{ "kty": "RSA", "n": "A".repeat(342), "e": "AQAB" }] }).to_string()
}

#[tokio::test]
async fn keys_are_found_at_their_url_and_by_discovery() {
    let (url, _serving) = serve(|url| {
        let configuration =
            json!({ "issuer": format!("{url}/realm/"), "jwks_uri": format!("{url}/keys?v=2") }).to_string();
        Router::new()
            .route("/keys", answering(|| async { ([("cache-control", "max-age=1200")], keys()) }))
            .route("/realm/.well-known/openid-configuration", answering(|| async { configuration }))
    })
    .await;
    for source in [Source::KeySet(format!("{url}/keys")), Source::Discovery { issuer: format!("{url}/realm/") }] {
        let fetched = fetched(source).await.expect("keys");
        assert_eq!(
            (fetched.keys.unusable, fetched.lifetime),
            (1, TimeDelta::minutes(20)),
            "a modulus of zeros is none"
        );
    }
}

#[tokio::test]
async fn other_answers_than_keys_are_failures() {
    let (url, _serving) = serve(|_| {
        let long = format!("{}{}", keys(), " ".repeat(MAX_BYTES));
        Router::new()
            .route("/keys", answering(|| async { keys() }))
            .route("/moved", answering(|| async { (StatusCode::FOUND, [(LOCATION, "/keys")]).into_response() }))
            .route("/created", answering(|| async { (StatusCode::CREATED, keys()) }))
            .route("/broken", answering(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
            .route("/page", answering(|| async { "<html>" }))
            .route("/long", answering(|| async { long }))
    })
    .await;
    for (path, problem) in [
        ("/moved", "302"),
        ("/created", "201"),
        ("/broken", "500"),
        ("/nowhere", "404"),
        ("/page", "is not a JSON Web Key Set"),
        ("/long", "length limit exceeded"),
    ] {
        let error = fetched(Source::KeySet(format!("{url}{path}"))).await.map(|_| ()).expect_err(path);
        assert!(error.contains(problem) && error.contains(path), "{path}: {error}");
    }
    assert!(fetched(Source::KeySet(format!("{url}/keys"))).await.is_ok());
}

#[tokio::test]
async fn a_provider_speaks_for_itself_alone() {
    for (says, problem) in [
        (json!({ "issuer": "https://other.example", "jwks_uri": "URL/keys" }), "another issuer"),
        (json!({ "issuer": "URL/", "jwks_uri": "URL/keys" }), "another issuer"),
        (json!({ "issuer": "URL", "jwks_uri": "http://10.0.0.1/keys" }), "`https://`"),
        (json!({ "issuer": "URL", "jwks_uri": "file:///etc/passwd" }), "`https://`"),
        (json!({ "issuer": "URL" }), "names no"),
        (Value::Null, "names no"),
    ] {
        let (url, _serving) = serve(|url| {
            let configuration = says.to_string().replace("URL", url);
            Router::new()
                .route("/keys", answering(|| async { keys() }))
                .route("/.well-known/openid-configuration", answering(|| async { configuration }))
        })
        .await;
        let error = fetched(Source::Discovery { issuer: url }).await.map(|_| ()).expect_err("is refused");
        assert!(error.contains(problem), "{says}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/keys", listener.local_addr().expect("it has an address"));
    let error = fetched(Source::KeySet(url)).await.map(|_| ()).expect_err("is given up");
    assert!(error.contains("no answer within 5 s"), "{error}");
}

#[test]
fn only_tls_and_this_machine_are_asked_for_keys() {
    for (url, host, port) in [
        ("https://id.example/keys?a=1", "id.example", 443),
        ("https://id.example:8443", "id.example", 8443),
        ("https://[2001:db8::1]/", "2001:db8::1", 443),
        ("http://localhost:3000/jwks", "localhost", 3000),
        ("http://127.0.0.1/jwks", "127.0.0.1", 80),
        ("http://[::1]:3000/jwks", "::1", 3000),
    ] {
        let location = Location::parse(url).expect(url);
        assert_eq!((location.host.as_str(), location.port), (host, port), "{url}");
    }
    assert_eq!(Location::parse("https://id.example/a?b=c").expect("a URL").path, "/a?b=c");
    for url in [
        "http://id.example/keys",
        "http://localhost.example/keys",
        "http://10.0.0.1/keys",
        "http://127.0.0.1@id.example/keys",
        "https://user:password@id.example/keys",
        "ftp://localhost/keys",
        "file:///etc/passwd",
        "id.example/keys",
        "/keys",
        "",
    ] {
        assert!(Location::parse(url).is_err(), "{url}");
    }
}

#[test]
fn keys_are_kept_as_long_as_the_issuer_says_within_bounds() {
    let minutes = |header: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        headers.extend(header.map(|value| (CACHE_CONTROL, value.parse().expect("a header"))));
        lifetime(&headers).num_minutes()
    };
    for (header, expected) in [
        (None, 10),
        (Some("public"), 10),
        (Some("max-age=soon"), 10),
        (Some("public, max-age=1800, must-revalidate"), 30),
        (Some("Max-Age=\"3600\""), 60),
        (Some("max-age=1"), 5),
        (Some("max-age=0, must-revalidate"), 5),
        (Some("no-store, max-age=3600"), 5),
        (Some("no-cache"), 5),
        (Some("max-age=31536000, immutable"), 24 * 60),
        (Some("max-age=4294967295"), 24 * 60),
    ] {
        assert_eq!(minutes(header), expected, "{header:?}");
    }
}
