//! Signing in: who fails is limited, and nobody else.

use std::time::Duration;

use futures_util::future::join_all;
use parlor::limits::LimitSettings;
use serde_json::json;

use super::{behind, limited};
use crate::support::{Answer, Database, Endpoint, Process, TestApp, documents};

async fn attempt(endpoint: &Endpoint, name: &str, password: &str) -> Answer {
    let input = json!({ "username": name, "password": password });
    endpoint.graphql(None, documents::SIGN_IN, json!({ "input": input })).await
}

fn defaults(limits: &mut LimitSettings) {
    *limits = LimitSettings::default();
}

#[tokio::test]
async fn wrong_passwords_lock_out_the_address_that_tries_them_and_the_right_one_passes_elsewhere() {
    let app = limited(defaults).await;
    let home = app.endpoint().calling_from("203.0.113.1");
    let ann = home.user("ann").await;
    let attacker = app.endpoint().calling_from("203.0.113.66");
    for n in 0..5 {
        assert_eq!(attempt(&attacker, "ann", &format!("wrong {n}")).await.error_code(), "UNAUTHENTICATED");
    }
    for password in ["wrong again", &ann.password()] {
        assert_eq!(attempt(&attacker, "Ann", password).await.error_code(), "RATE_LIMITED", "it learns no more");
    }
    home.sign_in("ann").await;
    app.endpoint().calling_from("203.0.113.2").sign_in("ann").await;
    assert!((app.refusals("sign_in_failed").await - 5.0).abs() < f64::EPSILON);
    assert!((app.refusals("limit_sign_in").await - 2.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn an_address_that_fails_on_many_accounts_is_stopped_as_well() {
    let app = limited(|limits| limits.sign_in_failures = "1/h burst 4".parse().expect("a rate")).await;
    let attacker = app.endpoint().calling_from("203.0.113.66");
    for n in 0..2 {
        assert_eq!(attempt(&attacker, &format!("user{n}"), "wrong").await.error_code(), "UNAUTHENTICATED");
        let token = json!({ "token": format!("token{n}") });
        assert_eq!(attacker.graphql(None, documents::REFRESH_SESSION, token).await.error_code(), "UNAUTHENTICATED");
    }
    assert_eq!(attempt(&attacker, "another", "wrong").await.error_code(), "RATE_LIMITED");
    let refused = attacker.graphql(None, documents::REFRESH_SESSION, json!({ "token": "another" })).await;
    assert_eq!(refused.error_code(), "RATE_LIMITED");
}

#[tokio::test]
async fn a_request_ends_at_its_first_failed_attempt() {
    let app = limited(|limits| limits.sign_in_failures = "1/h burst 2".parse().expect("a rate")).await;
    let attacker = app.endpoint().calling_from("203.0.113.66");
    attacker.user("ann").await;
    let document: Vec<String> = (0..5)
        .map(|n| format!(r#"a{n}: signIn(input: {{ username: "ann", password: "wrong {n}" }}) {{ sessionId }}"#))
        .collect();
    attacker.graphql(None, &format!("mutation {{ {} }}", document.join(" ")), json!({})).await;
    attacker.graphql(None, &format!("mutation {{ {} }}", document.join(" ")), json!({})).await;
    assert_eq!(attempt(&attacker, "ann", "wrong").await.error_code(), "RATE_LIMITED");
    let failures = app.refusals("sign_in_failed").await;
    assert!((failures - 2.0).abs() < f64::EPSILON, "{failures}");
}

/// Whatever comes together from one place, the right password from another is never refused.
async fn storm(app: &TestApp, attacker: &Endpoint, home: &Endpoint, names: &(dyn Fn(usize) -> String + Sync)) {
    let attempts = (0..100).map(|n| async move { attempt(attacker, &names(n), "wrong, wrong").await.status });
    let rights = (0..6).map(|_| async { attempt(home, "ann", "correct horse battery ann").await });
    let (_, rights) = tokio::join!(join_all(attempts), join_all(rights));
    for right in rights {
        assert!(right.body.get("errors").is_none(), "{:#}", right.body);
    }
    assert!(app.refusals("limit_sign_in").await + app.refusals("limit_hashing").await > 0.0, "it was a storm");
}

#[tokio::test]
async fn a_storm_on_one_account_never_refuses_its_right_password_from_another_address() {
    let app = limited(defaults).await;
    let (attacker, home) = (app.endpoint().calling_from("203.0.113.66"), app.endpoint().calling_from("203.0.113.1"));
    home.user("ann").await;
    storm(&app, &attacker, &home, &|_| "ann".to_owned()).await;
}

#[tokio::test]
async fn a_storm_on_many_accounts_takes_no_turns_from_another_address() {
    // Without limits on failures, so that all of them want to be hashed.
    let app = limited(|_| {}).await;
    let (attacker, home) = (app.endpoint().calling_from("203.0.113.66"), app.endpoint().calling_from("203.0.113.1"));
    home.user("ann").await;
    storm(&app, &attacker, &home, &|n| format!("user{n}")).await;
}

#[tokio::test]
async fn through_a_proxy_that_nobody_declared_a_storm_locks_nobody_out_either() {
    let app = behind(false, defaults).await;
    let (attacker, home) = (app.endpoint().calling_from("203.0.113.66"), app.endpoint().calling_from("203.0.113.1"));
    home.user("ann").await;
    storm(&app, &attacker, &home, &|_| "ann".to_owned()).await;
}

#[tokio::test]
async fn guessing_from_many_addresses_slows_every_attempt_and_refuses_none() {
    let app = limited(|limits| limits.account_ceiling = "1/h burst 3".parse().expect("a rate")).await;
    app.user("ann").await;
    for n in 0..3 {
        let attacker = app.endpoint().calling_from(&format!("203.0.113.{n}"));
        assert_eq!(attempt(&attacker, "ann", "wrong").await.error_code(), "UNAUTHENTICATED");
    }
    let started = std::time::Instant::now();
    app.endpoint().calling_from("198.51.100.1").sign_in("ann").await;
    assert!(started.elapsed() >= Duration::from_secs(3));
}

#[tokio::test]
async fn a_failure_is_logged_with_its_address_and_never_with_what_was_typed() {
    let database = Database::new().await;
    let settings = [("PARLOR_LIMITS", "on"), ("PARLOR_TRUSTED_PROXIES", "127.0.0.1")];
    let process = Process::start(&database, &settings).await;
    let attacker = process.endpoint().calling_from("203.0.113.66");
    let ann = attacker.user("ann").await;
    attempt(&attacker, "ann", "my other secret").await;
    attempt(&attacker, "my first secret", "ann").await;
    let output = process.terminate().await;
    let log = String::from_utf8_lossy(&output.stderr);
    let failures: Vec<&str> = log.lines().filter(|line| line.contains("signing in failed")).collect();
    assert!(failures.len() == 2 && failures.iter().all(|line| line.contains("203.0.113.66")), "{log}");
    assert!(failures[0].contains(&ann.id) && !log.contains("secret"), "{log}");
}

#[tokio::test]
async fn a_wrong_password_counts_the_same_where_it_is_to_be_changed() {
    let app = limited(defaults).await;
    let attacker = app.endpoint().calling_from("203.0.113.66");
    let ann = attacker.user("ann").await;
    let change = async |current: &str| {
        let passwords = json!({ "current": current, "new": "another horse battery" });
        ann.graphql(documents::CHANGE_PASSWORD, passwords).await
    };
    for n in 0..5 {
        assert_eq!(change(&format!("wrong {n}")).await.error_code(), "UNAUTHENTICATED");
    }
    assert_eq!(change(&ann.password()).await.error_code(), "RATE_LIMITED", "it learns no more");
    assert_eq!(attempt(&attacker, "ann", &ann.password()).await.error_code(), "RATE_LIMITED", "nor by signing in");
    app.endpoint().calling_from("203.0.113.2").sign_in("ann").await;
    assert!((app.refusals("sign_in_failed").await - 5.0).abs() < f64::EPSILON);
}
