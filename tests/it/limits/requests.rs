//! Requests per address, and complexity per user.

use serde_json::json;

use super::{limited, send};

const GRAPHQL: &str = "application/graphql-response+json";

#[tokio::test]
async fn requests_of_one_address_are_refused_before_anything_is_looked_at_and_others_are_not() {
    let app = limited(|limits| limits.requests = "1/h burst 3".parse().expect("a rate")).await;
    let (one, other) = (app.endpoint().calling_from("203.0.113.1"), app.endpoint().calling_from("203.0.113.2"));
    for _ in 0..3 {
        assert_eq!(send(&one, None, GRAPHQL, "{ __typename }", json!({})).await.status, 200);
    }
    for (accept, token) in [(GRAPHQL, None), ("application/json", None), ("*/*", Some("no token"))] {
        let refused = send(&one, token, accept, "{", json!({})).await;
        assert_eq!(refused.status, 429, "{accept}");
        assert!((3_500_000..=3_600_000).contains(&refused.retry_after_ms()), "{:#}", refused.body);
    }
    let page = one.http.get(one.url("/graphql")).header("accept", "text/html").send().await.expect("an answer");
    assert_eq!(page.status().as_u16(), 429, "the playground is a request, too");
    assert_eq!(one.get("/livez").await.status().as_u16(), 200, "health is not");
    assert_eq!(send(&other, None, GRAPHQL, "{ __typename }", json!({})).await.status, 200);
    assert!((app.refusals("limit_requests").await - 4.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn ipv6_counts_by_64_bits_and_ipv4_within_it_as_itself() {
    let app = limited(|limits| limits.requests = "1/h".parse().expect("a rate")).await;
    for (address, status) in [
        ("2001:db8:1:2:3::4", 200),
        ("2001:db8:1:2:ffff::5", 429),
        ("2001:db8:1:3::4", 200),
        ("203.0.113.7", 200),
        ("::ffff:203.0.113.7", 429),
    ] {
        let endpoint = app.endpoint().calling_from(address);
        assert_eq!(send(&endpoint, None, GRAPHQL, "{ __typename }", json!({})).await.status, status, "{address}");
    }
}

#[tokio::test]
async fn what_a_user_asks_for_is_bounded_by_its_complexity_whatever_the_connection() {
    let app = limited(|limits| limits.complexity = "1/h burst 3000".parse().expect("a rate")).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let costly = "{ users(first: 100) { nodes { id username displayName } } }";
    let (one, other) = (app.endpoint().calling_from("203.0.113.1"), app.endpoint().calling_from("203.0.113.2"));

    let mut passed = 0;
    let refused = loop {
        let answer =
            send(if passed % 2 == 0 { &one } else { &other }, Some(&ann.access_token), GRAPHQL, costly, json!({}));
        let answer = answer.await;
        if answer.status != 200 {
            break answer;
        }
        passed += 1;
        assert!(passed < 20, "it must end some time");
    };

    assert!((4..=8).contains(&passed), "each asks for about 400 fields, and counts as 100 besides: {passed}");
    assert_eq!((refused.status, refused.body.get("data")), (429, None), "{:#}", refused.body);
    refused.retry_after_ms();
    bob.graphql(costly, json!({})).await.data();
    let mut statements = app.watch_statements();
    let again = send(&one, Some(&ann.access_token), "application/json", costly, json!({})).await;
    let read = statements.so_far();
    assert!(again.status == 429 && read.iter().all(|statement| !statement.sql.contains("display_name")), "{read:?}");
}
