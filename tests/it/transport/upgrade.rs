//! Requests for a WebSocket that can't become one, and what is logged of those that come to nothing.

use reqwest::StatusCode;

use crate::support::{Database, Process, Socket, TestApp, within};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

#[tokio::test]
async fn a_bad_handshake_is_answered_with_the_version_that_is_spoken() {
    let app = TestApp::start().await;
    let good = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", KEY),
    ];
    let answer = async |headers: &[(&str, &str)]| {
        let mut request = app.endpoint().http.get(app.endpoint().url("/graphql"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = within("the answer to a handshake", request.send()).await.expect("the server responds");
        let version = response.headers().get("sec-websocket-version").map(|version| version.as_bytes().to_owned());
        (response.status(), version)
    };
    assert_eq!(answer(&good).await.0, StatusCode::SWITCHING_PROTOCOLS);
    for (name, value) in [
        ("connection", "keep-alive"),
        ("upgrade", "h2c"),
        ("sec-websocket-version", "8"),
        ("sec-websocket-version", "13, 8"),
        ("sec-websocket-key", ""),
        ("sec-websocket-key", "c2hvcnQ="),
        ("sec-websocket-key", "!!!!!!!!!!!!!!!!!!!!!!=="),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAAAA"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ"),
    ] {
        let mut headers = good.to_vec();
        headers.retain(|(other, _)| *other != name);
        let missing = answer(&headers).await;
        headers.push((name, value));
        for outcome in [answer(&headers).await, missing] {
            if name == "upgrade" && outcome.0 == StatusCode::METHOD_NOT_ALLOWED {
                // Without the header it is a request for something else.
                continue;
            }
            assert_eq!(outcome, (StatusCode::BAD_REQUEST, Some(b"13".to_vec())), "{name}: {value}");
        }
    }
    let mut twice = good.to_vec();
    twice.push(("sec-websocket-key", KEY));
    assert_eq!(answer(&twice).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_subprotocol_that_is_not_spoken_leaves_a_line_with_what_was_offered() {
    let database = Database::new().await;
    let server = Process::start(&database, &[]).await;
    for offered in [Some("mqtt, graphql-subscriptions"), Some(&*"x".repeat(1_000)), None] {
        // The client's library may insist on one of those that it asked for.
        let _ = Socket::handshake(server.endpoint(), offered, &[]).await;
    }

    let log = server.terminate().await.stderr;

    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("no subprotocol that is spoken")).collect();
    assert_eq!(lines.len(), 3, "{log}");
    assert!(lines[0].contains("mqtt, graphql-subscriptions"), "{log}");
    assert!(lines.iter().all(|line| line.len() < 400), "{log}");
}
