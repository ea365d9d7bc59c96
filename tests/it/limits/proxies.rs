//! Proxies that nobody declared.

use serde_json::json;

use super::behind;
use crate::support::{Database, Process};

#[tokio::test]
async fn behind_a_proxy_that_nobody_declared_nobody_is_locked_out() {
    let app = behind(false, |limits| {
        for rates in [&mut limits.requests, &mut limits.sockets_opened, &mut limits.sign_ups] {
            *rates = "1/h".parse().expect("a rate");
        }
    })
    .await;
    for (n, endpoint) in [app.endpoint().clone(), app.endpoint().calling_from("203.0.113.1")].iter().enumerate() {
        for m in 0..3 {
            let user = endpoint.user(&format!("user{n}{m}")).await;
            user.socket().await;
            user.graphql("{ me { id } }", json!({})).await.data();
        }
    }
}

#[tokio::test]
async fn accounts_that_one_address_creates_are_bounded_even_if_several_are_asked_for_together() {
    let app = behind(true, |limits| limits.sign_ups = "1/h burst 3".parse().expect("a rate")).await;
    let one = app.endpoint().calling_from("203.0.113.1");
    one.sign_up("ann").await.data();
    let several: Vec<String> = (0..4)
        .map(|n| {
            let input = format!(r#"username: "user{n}", password: "correct horse {n}", displayName: "x""#);
            format!("a{n}: signUp(input: {{ {input} }}) {{ user {{ id }} }}")
        })
        .collect();
    one.graphql(None, &format!("mutation {{ {} }}", several.join(" ")), json!({})).await;
    assert_eq!(one.sign_up("eve").await.error_code(), "RATE_LIMITED");
    app.endpoint().calling_from("203.0.113.2").sign_up("eve").await.data();
    assert!(app.refusals("limit_sign_ups").await >= 2.0);
}

#[tokio::test]
async fn a_warning_says_once_what_to_set() {
    let database = Database::new().await;
    let process = Process::start(&database, &[("PARLOR_LIMITS", "on")]).await;
    let through_a_proxy = process.endpoint().calling_from("203.0.113.1");
    for _ in 0..3 {
        through_a_proxy.graphql(None, "{ __typename }", json!({})).await.data();
    }
    let output = process.terminate().await;
    let log = String::from_utf8_lossy(&output.stderr);
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("PARLOR_TRUSTED_PROXIES")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("127.0.0.1") && warnings[0].contains("WARN"), "{log}");
}
