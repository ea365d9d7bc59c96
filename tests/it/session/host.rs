//! Tokens of the app's own, and the users that they stand for.

use chrono::TimeDelta;
use futures_util::future::{join_all, try_join_all};
use parlor::issuers::IssuerSettings;
use serde_json::{Value, json};

use crate::keys::TestKey;
use crate::support::{Database, Event, Frame, Process, SUBPROTOCOL, Socket, TestApp, documents};

use issuer::{TestIssuer, claims};

mod issuer;

const SECRET: &str = "a secret of the app's own backend, long enough";

/// A server that takes the tokens of an issuer `app`, which signs with [`SECRET`].
async fn app_with(more: Value) -> TestApp {
    let mut settings = json!({ "issuer": "app", "secret": SECRET, "audience": "chat", "prefix": "app:" });
    let Value::Object(more) = more else { panic!("settings are an object") };
    settings.as_object_mut().expect("an object").extend(more);
    TestApp::start_with(|config| config.issuer = vec![settings_of(settings)]).await
}

fn settings_of(settings: Value) -> IssuerSettings {
    serde_json::from_value(settings).expect("settings")
}

fn hs256(claims: &Value) -> String {
    TestKey::secret(SECRET.as_bytes()).sign(&json!({ "alg": "HS256" }), claims)
}

/// A token of this user of `app`, with these claims in place of the usual ones.
fn token(app: &TestApp, sub: &str, more: &Value) -> String {
    let mut claims = claims("app", sub, app.clock().now());
    claims.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    hs256(&claims)
}

/// How a socket with this token is closed. It isn't acknowledged before.
async fn refusal(app: &TestApp, token: &str) -> u16 {
    let mut socket = Socket::open(app.endpoint(), Some(SUBPROTOCOL)).await;
    socket.send(&json!({ "type": "connection_init", "payload": { "authorization": token } })).await;
    socket.next_close().await.0
}

#[tokio::test]
async fn first_requests_that_come_together_make_one_user() {
    let app = app_with(json!({})).await;
    let tokens: Vec<String> = (0..20).map(|n| token(&app, "42", &json!({ "jti": n }))).collect();
    let me = "{ me { id username displayName } }";
    let answers = join_all(tokens.iter().map(|token| app.with_token(token, me, json!({})))).await;
    for answer in &answers {
        assert_eq!(answer["/me"], answers[0]["/me"]);
    }
    let (id, username) = (answers[0].text("/me/id"), answers[0].text("/me/username"));
    assert_eq!(id.strip_prefix("user_"), username.strip_prefix("u-"));
    assert_eq!(answers[0].text("/me/displayName"), "The 42");

    let count = "SELECT CAST(count(*) AS TEXT) FROM \"user\" WHERE external_id = 'app:42'";
    assert_eq!(app.text(count, count).await, "1");
}

#[tokio::test]
async fn what_a_token_says_of_a_user_is_taken_once_and_made_acceptable() {
    let app = app_with(json!({})).await;
    let me = async |sub: &str, more: Value| {
        let token = token(&app, sub, &more);
        app.with_token(&token, "{ me { displayName } }", json!({})).await.text("/me/displayName").to_owned()
    };
    assert_eq!(me("42", json!({ "name": "Ann" })).await, "Ann");
    assert_eq!(me("42", json!({ "name": "Somebody else" })).await, "Ann");
    assert_eq!(me("43", json!({ "name": "Ann\u{0}\nLee" })).await, "Ann Lee");
    assert_eq!(me("44", json!({ "name": "ä".repeat(1_000) })).await, "ä".repeat(64));
    assert_eq!(me("45", json!({ "name": null })).await, "app:45");
    assert_eq!(me("46", json!({ "name": ["Ann"] })).await, "app:46");
}

#[tokio::test]
async fn hosted_users_and_others_talk_to_each_other() {
    let app = app_with(json!({})).await;
    let ann = app.endpoint().hosted(token(&app, "ann", &json!({}))).await;
    let bob = app.user("bob").await;
    let (mut anns, mut bobs) = (ann.subscribe().await, bob.subscribe().await);
    let room = ann.initiate_chat([&bob]).await;
    let posted = bob.post(&room, "hello").await;
    anns.until_posted(&posted).await;
    bobs.until_posted(&posted).await;

    let out = ann.graphql(documents::SIGN_OUT, json!({})).await;
    assert_eq!(out.error_code(), "FORBIDDEN", "there is no session to end: {out:?}");
}

#[tokio::test]
async fn a_token_that_is_not_valid_is_no_sign_of_a_user() {
    let app = app_with(json!({})).await;
    for more in [
        json!({ "aud": "other" }),
        json!({ "iss": "other" }),
        json!({ "exp": 1 }),
        json!({ "iat": null }),
        json!({ "sub": "a\u{0}b" }),
        json!({ "sub": "x".repeat(300) }),
    ] {
        let token = token(&app, "42", &more);
        let answer = app.with_token(&token, "{ me { id } }", json!({})).await;
        assert_eq!((answer.status, answer.error_code()), (401, "UNAUTHENTICATED"), "{more}");
        assert_eq!(refusal(&app, &token).await, 4403, "{more}");
    }
    let count = "SELECT CAST(count(*) AS TEXT) FROM \"user\"";
    assert_eq!(app.text(count, count).await, "0");
}

#[tokio::test]
async fn without_provisioning_an_unknown_user_is_refused() {
    let app = app_with(json!({ "provision": false })).await;
    let token = token(&app, "42", &json!({}));
    let answer = app.with_token(&token, "{ me { id } }", json!({})).await;
    assert_eq!((answer.status, answer.error_code()), (401, "UNAUTHENTICATED"));
    assert_eq!(refusal(&app, &token).await, 4403);

    let ann = app.user("ann").await;
    app.execute(&format!("UPDATE \"user\" SET external_id = 'app:42' WHERE username = '{}'", ann.username)).await;
    assert_eq!(app.endpoint().hosted(token).await.id, ann.id);
}

#[tokio::test]
async fn a_deleted_user_does_not_come_back_by_a_token_that_is_still_valid() {
    let app = app_with(json!({})).await;
    let ann = app.endpoint().hosted(token(&app, "42", &json!({}))).await;
    let mut socket = ann.socket().await;
    ann.delete_account().await;
    socket.next_close().await;

    for token in [ann.access_token.clone(), token(&app, "42", &json!({ "jti": "next" }))] {
        let answer = app.with_token(&token, "{ me { id } }", json!({})).await;
        assert_eq!((answer.status, answer.error_code()), (401, "UNAUTHENTICATED"));
        assert_eq!(refusal(&app, &token).await, 4403);
    }
    let left = "SELECT coalesce(external_id, 'none') FROM \"user\"";
    assert_eq!(app.text(left, left).await, "none");
    app.endpoint().hosted(token(&app, "43", &json!({}))).await;
}

#[tokio::test]
async fn a_deactivated_user_is_refused_until_it_is_active_again() {
    let app = app_with(json!({})).await;
    let token = |n: i64| token(&app, "42", &json!({ "jti": n }));
    let ann = app.endpoint().hosted(token(0)).await;
    app.execute("UPDATE \"user\" SET deactivated_at = created_at").await;
    let answer = app.with_token(&token(1), "{ me { id } }", json!({})).await;
    assert_eq!(answer.error_code(), "UNAUTHENTICATED");
    assert_eq!(refusal(&app, &token(2)).await, 4403);
    app.execute("UPDATE \"user\" SET deactivated_at = NULL").await;
    assert_eq!(app.endpoint().hosted(token(3)).await.id, ann.id);
}

#[tokio::test]
async fn tokens_of_before_a_revocation_are_refused_and_one_of_the_same_second_is_not() {
    let app = app_with(json!({})).await;
    let issued = app.clock().now().timestamp();
    let token = |iat: i64| token(&app, "42", &json!({ "iat": issued + iat, "exp": issued + 600 }));
    let ann = app.endpoint().hosted(token(-30)).await;
    let after = chrono::DateTime::from_timestamp_millis(issued * 1_000 + 900).expect("a date");
    let after = after.format("%Y-%m-%d %H:%M:%S%.6f+00:00");
    app.execute(&format!("UPDATE \"user\" SET tokens_valid_after = '{after}'")).await;

    for (iat, is_valid) in [(-29, false), (-1, false), (0, true), (1, true), (50, false)] {
        let answer = app.with_token(&token(iat), "{ me { id } }", json!({})).await;
        assert_eq!(answer.body["errors"].is_null(), is_valid, "{iat}: {answer:?}");
    }
    app.clock().advance(TimeDelta::seconds(61));
    assert_eq!(app.endpoint().hosted(token(50)).await.id, ann.id, "the clock of its issuer is ahead");
}

#[tokio::test]
async fn a_socket_ends_with_its_token_and_goes_on_with_the_next() {
    let app = app_with(json!({})).await;
    let bob = app.user("bob").await;
    let now = app.clock().now().timestamp();
    // A minute's leeway is nearly over.
    let ann = app.endpoint().hosted(token(&app, "ann", &json!({ "iat": now - 600, "exp": now - 54 }))).await;
    let room = bob.initiate_chat([&ann]).await;
    let mut feed = ann.subscribe().await;
    let first = bob.post(&room, "first").await;
    feed.until_posted(&first).await;
    let cursor = feed.cursor.clone().expect("events have cursors");

    let (code, _) = feed.socket().until_close().await;
    assert_eq!(code, 4403);
    let second = bob.post(&room, "second").await;

    assert_eq!(refusal(&app, &ann.access_token).await, 4403);
    let ann = app.endpoint().hosted(token(&app, "ann", &json!({}))).await;
    let mut feed = ann.subscribe_after(&cursor).await;
    let missed = feed.until_synced().await;
    let missed: Vec<_> = missed.iter().filter(|event| event.kind == "MessagePosted").map(Event::message).collect();
    assert_eq!(missed, [second]);
}

#[tokio::test]
async fn while_an_issuer_is_away_its_tokens_are_neither_refused_nor_taken() {
    let key = TestKey::ed25519();
    let issuer = TestIssuer::publishing(&[("a", &key)]).await;
    issuer.go_away(true);
    let url = issuer.url();
    let settings = json!({ "issuer": url, "discover": true, "algorithms": ["EdDSA"], "audience": "chat" });
    let app = TestApp::start_with(|config| config.issuer = vec![settings_of(settings)]).await;
    let signed = key.sign(&json!({ "alg": "EdDSA", "kid": "a" }), &issuer.claims("42", app.clock().now()));

    let answer = app.with_token(&signed, "{ me { id } }", json!({})).await;
    assert_eq!((answer.status, answer.error_code()), (503, "UNAVAILABLE"));
    assert_eq!(refusal(&app, &signed).await, 1013);
    app.user("bob").await.subscribe().await;

    issuer.go_away(false);
    app.clock().advance(TimeDelta::seconds(31));
    app.endpoint().hosted(signed).await;
    assert_eq!(issuer.asked(), 1);

    // What is known serves while the issuer is away again.
    issuer.go_away(true);
    app.clock().advance(TimeDelta::minutes(11));
    app.endpoint().hosted(key.sign(&json!({ "alg": "EdDSA" }), &issuer.claims("43", app.clock().now()))).await;
}

#[tokio::test]
async fn made_up_keys_make_no_requests_and_known_ones_never() {
    let (key, other) = (TestKey::p256(), TestKey::p256());
    let issuer = TestIssuer::publishing(&[("a", &key)]).await;
    let keys = format!("{}/keys", issuer.url());
    let settings = json!({ "issuer": issuer.url(), "jwks_url": keys, "algorithms": ["ES256"], "audience": "chat" });
    let app = TestApp::start_with(|config| config.issuer = vec![settings_of(settings)]).await;
    let signed = |key: &TestKey, kid: &str| {
        key.sign(&json!({ "alg": "ES256", "kid": kid }), &issuer.claims("42", app.clock().now()))
    };
    app.endpoint().hosted(signed(&key, "a")).await;
    assert_eq!(issuer.asked(), 1);
    let refused = async |kid: String| {
        let answer = app.with_token(&signed(&other, &kid), "{ me { id } }", json!({})).await;
        assert_eq!(answer.error_code(), "UNAUTHENTICATED", "{kid}");
    };
    join_all((0..50).map(|_| refused("a".to_owned()))).await;
    assert_eq!(issuer.asked(), 1, "a known key with a wrong signature fetches nothing");
    join_all((0..200).map(|n| refused(format!("made up {n}")))).await;
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn keys_change_under_load_without_one_token_refused() {
    let keys = [("one", TestKey::rsa(0)), ("two", TestKey::rsa(1))];
    let issuer = TestIssuer::publishing(&[(keys[0].0, &keys[0].1)]).await;
    let settings = json!([{ "issuer": issuer.url(), "discover": true, "audience": "chat", "prefix": "id:" }]);
    let database = Database::new().await;
    let server = Process::start(&database, &[("PARLOR_ISSUER", &settings.to_string())]).await;
    let clock = parlor::clock::Clock::default();
    let signed = |sub: &str, n: usize, (kid, key): &(&str, TestKey)| {
        let mut claims = issuer.claims(sub, clock.now());
        claims["jti"] = json!(n);
        key.sign(&json!({ "alg": "RS256", "kid": kid }), &claims)
    };
    let ann = server.endpoint().hosted(signed("ann", 0, &keys[0])).await;
    let bob = server.endpoint().hosted(signed("bob", 0, &keys[0])).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;

    issuer.publish(&[(keys[0].0, &keys[0].1), (keys[1].0, &keys[1].1)]);
    let posts = (0..100).map(|n| {
        let (endpoint, room) = (server.endpoint(), room.id.clone());
        let token = signed("ann", n + 1, &keys[n % 2]);
        async move {
            let variables = json!({ "roomId": room, "body": format!("{n}") });
            let document = "mutation($roomId: ID!, $body: String!) { postMessage(roomId: $roomId, body: $body) { message { id } } }";
            let answer = endpoint.graphql(Some(&token), document, variables).await;
            if answer.body["errors"].is_null() { Ok(()) } else { Err(format!("{n}: {answer:?}")) }
        }
    });
    try_join_all(posts).await.expect("no token is refused");
    let mut bodies: Vec<usize> = Vec::new();
    while bodies.len() < 100 {
        bodies.push(feed.next_message().await.body.parse().expect("a number"));
    }
    bodies.sort_unstable();
    assert_eq!(bodies, (0..100).collect::<Vec<_>>());
    assert_eq!(issuer.asked(), 2);

    // A socket by the new key, too.
    let mut socket = Socket::connect(server.endpoint(), Some(&signed("bob", 1, &keys[1])), None).await;
    assert!(socket.ack.is_object());
    socket.send(&json!({ "type": "ping" })).await;
    assert!(matches!(socket.next_frame().await, Frame::Json(pong) if pong["type"] == "pong"));
    assert!(server.terminate().await.status.success());
}
