//! Users as the app's own backend describes them.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Backend, Database, Process, Room, Socket, TestApp, documents};

const ME: &str = "{ me { id username displayName externalId avatarUrl custom isBot deactivatedAt } }";

fn outcomes(users: &[Value]) -> Vec<&str> {
    users.iter().map(|user| user["outcome"].as_str().expect("an outcome")).collect()
}

/// A socket with this token is not ended by what ended others before it: it catches up, and stays.
async fn expect_live(app: &TestApp, token: &str) {
    let mut socket = Socket::connect(app.endpoint(), Some(token), None).await;
    for _ in 0..2 {
        socket.subscribe(documents::EVENTS, &json!({ "after": null })).await;
        assert_eq!(socket.next_json().await["payload"]["data"]["events"]["__typename"], "Synced");
    }
}

#[tokio::test]
async fn users_are_made_changed_and_left_alone() {
    let app = TestApp::start().await;
    let backend = app.backend("backend").await;
    let ann = json!({
        "externalId": "42", "displayName": " Ann Lee ", "avatarUrl": "https://example.com/a.png",
        "custom": { "plan": "gold", "address": { "city": "Oslo", "zip": "0150" } },
    });
    let bot = json!({ "externalId": "bot:1", "username": "helper", "type": "SUPPORT", "isBot": true });
    let made = backend.upsert(json!([ann, bot])).await;
    assert_eq!(outcomes(&made), ["CREATED", "CREATED"]);
    let (first, second) = (&made[0]["user"], &made[1]["user"]);
    assert_eq!(first["displayName"], "Ann Lee");
    assert_eq!(first["externalId"], "42");
    assert!(first["username"].as_str().expect("a name").starts_with("u-"), "{first}");
    assert_eq!((&second["username"], &second["displayName"]), (&json!("helper"), &json!("bot:1")));
    assert_eq!((&second["type"], &second["isBot"]), (&json!("SUPPORT"), &json!(true)));

    assert_eq!(outcomes(&backend.upsert(json!([ann, bot])).await), ["UNCHANGED", "UNCHANGED"]);
    let patch = json!({ "custom": { "plan": null, "address": { "zip": "0151" }, "vip": true }, "avatarUrl": null });
    let mut changed = patch.clone();
    changed["id"] = first["id"].clone();
    let mut new = patch;
    new["externalId"] = "43".into();
    let users = backend.upsert(json!([changed, new, { "externalId": "bot:1" }])).await;
    assert_eq!(outcomes(&users), ["UPDATED", "CREATED", "UNCHANGED"]);
    let user = &users[0]["user"];
    assert_eq!(user["custom"], json!({ "address": { "city": "Oslo", "zip": "0151" }, "vip": true }));
    assert_eq!((&user["avatarUrl"], &user["displayName"]), (&json!(null), &json!("Ann Lee")));
    assert_eq!(users[1]["user"]["custom"], json!({ "address": { "zip": "0151" }, "vip": true }));

    let token = backend.token("ext:42").await;
    assert_eq!(app.with_token(&token, ME, json!({})).await["/me/custom"], user["custom"]);
    let document = "query($id: ID!) { user(id: $id) { id } node(id: $id) { id } nodes(ids: [$id]) { id } }";
    let found = app.with_token(&token, document, json!({ "id": "ext:43" })).await;
    let id = &users[1]["user"]["id"];
    assert_eq!(found.data(), &json!({ "user": { "id": id }, "node": { "id": id }, "nodes": [{ "id": id }] }));
    let unknown = app.with_token(&token, document, json!({ "id": "ext:44" })).await;
    assert_eq!(unknown.data(), &json!({ "user": null, "node": null, "nodes": [null] }));
}

#[tokio::test]
async fn one_user_at_fault_is_named_and_none_is_written() {
    let app = TestApp::start().await;
    let backend = app.backend("backend").await;
    app.user("taken").await;
    let known = backend.upsert(json!([{ "externalId": "1" }, { "externalId": "2" }])).await;
    let id = known[0]["user"]["id"].clone();
    let long = "x".repeat(5_000);
    for (user, code, field) in [
        (json!({}), "BAD_USER_INPUT", "externalId"),
        (json!({ "externalId": "" }), "BAD_USER_INPUT", "externalId"),
        (json!({ "externalId": " 9" }), "BAD_USER_INPUT", "externalId"),
        (json!({ "externalId": "9\u{0}" }), "BAD_USER_INPUT", "externalId"),
        (json!({ "externalId": "x".repeat(129) }), "BAD_USER_INPUT", "externalId"),
        (json!({ "id": id, "externalId": "2" }), "CONFLICT", "externalId"),
        (json!({ "id": "user_00000000000000000000000000" }), "NOT_FOUND", "id"),
        (json!({ "id": "ext:9" }), "NOT_FOUND", "id"),
        (json!({ "id": id, "username": "other" }), "BAD_USER_INPUT", "username"),
        (json!({ "id": id, "type": "SUPPORT" }), "BAD_USER_INPUT", "type"),
        (json!({ "externalId": "9", "username": "taken" }), "CONFLICT", "username"),
        (json!({ "externalId": "9", "username": "~" }), "BAD_USER_INPUT", "username"),
        (json!({ "externalId": "9", "displayName": " " }), "BAD_USER_INPUT", "displayName"),
        (json!({ "externalId": "9", "avatarUrl": "javascript:alert(1)" }), "BAD_USER_INPUT", "avatarUrl"),
        (json!({ "externalId": "9", "avatarUrl": "/a.png" }), "BAD_USER_INPUT", "avatarUrl"),
        (json!({ "externalId": "9", "custom": { "a": long } }), "BAD_USER_INPUT", "custom"),
        (json!({ "externalId": "9", "custom": { "a": [[[[[1]]]]] } }), "BAD_USER_INPUT", "custom"),
        (json!({ "externalId": "new" }), "BAD_USER_INPUT", "externalId"),
    ] {
        let answer = backend.try_upsert(json!([{ "externalId": "new" }, user])).await;
        assert_eq!((answer.error_code(), answer.error_field()), (code, &*format!("users.1.{field}")), "{user}");
    }
    let twice = json!([{ "id": id }, { "externalId": "1" }]);
    assert_eq!(backend.try_upsert(twice).await.error_field(), "users.1.externalId");
    let many: Vec<Value> = (0..101).map(|n| json!({ "externalId": n.to_string() })).collect();
    assert_eq!(backend.try_upsert(json!(many)).await.error_field(), "users");
    let list = backend.try_upsert(json!([{ "externalId": "9", "custom": [1] }])).await;
    assert_eq!(list.error_code(), "BAD_USER_INPUT", "custom data is an object");
    assert_eq!(outcomes(&backend.upsert(json!([{ "externalId": "new" }])).await), ["CREATED"], "nothing was written");
    assert_eq!(backend.upsert(json!([])).await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_name_of_somebody_who_was_deleted_is_held_for_the_app_as_well() {
    let app = TestApp::start().await;
    let backend = app.backend("backend").await;
    app.user("gone").await.delete_account().await;
    let refused = backend.try_upsert(json!([{ "externalId": "1" }, { "externalId": "2", "username": "gone" }])).await;
    assert_eq!((refused.error_code(), refused.error_field()), ("CONFLICT", "users.1.username"));
}

#[tokio::test]
async fn many_who_come_at_once_are_one_user_each() {
    let app = TestApp::start().await;
    let backend = app.backend("backend").await;
    let at_once =
        join_all((0..8).map(|_| backend.upsert(json!([{ "externalId": "42" }, { "externalId": "43" }])))).await;
    let ids: std::collections::HashSet<&str> =
        at_once.iter().flatten().map(|user| user["user"]["id"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), 2);
    let made = at_once.iter().flatten().filter(|user| user["outcome"] == "CREATED").count();
    assert_eq!(made, 2);
}

#[tokio::test]
async fn those_who_are_as_they_were_write_nothing() {
    let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let backend = app.backend("backend").await;
    let users = |prefix: &str| -> Value {
        let user =
            |n| json!({ "externalId": format!("{prefix}{n}"), "displayName": "x", "custom": { "n": n, "f": 1.5 } });
        (0..100).map(user).collect::<Vec<_>>().into()
    };
    backend.upsert(users("a")).await;
    let mut statements = app.watch_statements();
    assert!(backend.upsert(users("a")).await.iter().all(|user| user["outcome"] == "UNCHANGED"));
    let ran = statements.texts();
    assert!(ran.len() <= 2 && ran.iter().all(|sql| sql.trim_start().starts_with("SELECT")), "{ran:?}");
}

#[tokio::test]
async fn a_user_who_is_switched_off_is_out_everywhere_until_switched_on() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "before").await;
    let backend = app.backend("backend").await;
    let issued = backend.token(&ann.id).await;
    let mut sockets = vec![
        Socket::connect(app.endpoint(), Some(&ann.access_token), None).await,
        Socket::connect(app.endpoint(), Some(&issued), None).await,
    ];

    let users = backend.upsert(json!([{ "id": ann.id, "active": false }])).await;
    assert_eq!(outcomes(&users), ["UPDATED"]);
    assert!(users[0]["user"]["deactivatedAt"].is_string());
    for socket in &mut sockets {
        assert_eq!(socket.until_close().await.0, 4403);
    }
    for token in [&ann.access_token, &issued] {
        assert_eq!(app.with_token(token, ME, json!({})).await.error_code(), "UNAUTHENTICATED");
    }
    let refresh = app.anonymous(documents::REFRESH_SESSION, json!({ "token": ann.refresh_token })).await;
    assert_eq!(refresh.error_code(), "UNAUTHENTICATED");
    let signed_in =
        app.anonymous(documents::SIGN_IN, json!({ "input": { "username": "ann", "password": ann.password() } })).await;
    assert_eq!(
        (signed_in.error_code(), &signed_in.error()["extensions"]["reason"]),
        ("FORBIDDEN", &json!("DEACTIVATED"))
    );
    let wrong = app
        .anonymous(documents::SIGN_IN, json!({ "input": { "username": "ann", "password": "wrong password" } }))
        .await;
    assert_eq!(wrong.error_code(), "UNAUTHENTICATED", "only who knows the password learns of it");
    for answer in [
        backend
            .graphql("mutation($id: ID!) { issueToken(userId: $id) { accessToken } }", json!({ "id": ann.id }))
            .await,
        backend.acting_for(&ann.id, ME, json!({})).await,
        app.user("kim")
            .await
            .graphql(documents::INITIATE_CHAT, json!({ "userIds": [ann.id], "type": "CONSUMER_TO_CONSUMER" }))
            .await,
    ] {
        assert_eq!(
            (answer.error_code(), &answer.error()["extensions"]["reason"]),
            ("FORBIDDEN", &json!("DEACTIVATED"))
        );
    }
    let seen = bob.messages(&room).await;
    assert_eq!(seen.iter().map(|seen| &seen.id).collect::<Vec<_>>(), [&message.id], "what was said stays");

    assert_eq!(outcomes(&backend.upsert(json!([{ "id": ann.id, "active": true }])).await), ["UPDATED"]);
    let again = app.sign_in("ann").await;
    again.post(&room, "after").await;
    expect_live(&app, &again.access_token).await;
    let old = app.with_token(&issued, ME, json!({})).await;
    assert_eq!(old.error_code(), "UNAUTHENTICATED", "what was taken back stays so");
}

#[tokio::test]
async fn tokens_are_issued_for_a_time_and_taken_back_all_at_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let backend = app.backend("backend").await;
    let issue = async |ttl: i64| {
        let document =
            "mutation($id: ID!, $ttl: Int) { issueToken(userId: $id, ttlSecs: $ttl) { accessToken expiresAt } }";
        backend.graphql(document, json!({ "id": ann.id, "ttl": ttl })).await
    };
    for ttl in [59, 86_401, 0, -1] {
        let refused = issue(ttl).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "ttlSecs"), "{ttl}");
    }
    let issued = issue(60).await;
    let token = issued.text("/issueToken/accessToken").to_owned();
    assert_eq!(app.with_token(&token, ME, json!({})).await["/me/id"], json!(ann.id));
    app.clock().advance(TimeDelta::seconds(61));
    assert_eq!(app.with_token(&token, ME, json!({})).await.error_code(), "UNAUTHENTICATED");

    let token = backend.token(&ann.id).await;
    let mut socket = Socket::connect(app.endpoint(), Some(&token), None).await;
    let revoke = "mutation($id: ID!) { revokeTokens(userId: $id) { userId validAfter } }";
    let revoked = backend.graphql(revoke, json!({ "id": ann.id })).await;
    assert_eq!(revoked["/revokeTokens/userId"], json!(ann.id));
    assert_eq!(socket.until_close().await.0, 4403);
    for token in [&token, &ann.access_token] {
        assert_eq!(app.with_token(token, ME, json!({})).await.error_code(), "UNAUTHENTICATED");
    }
    let fresh = backend.token(&ann.id).await;
    assert_eq!(app.with_token(&fresh, ME, json!({})).await["/me/id"], json!(ann.id), "a new one is good at once");
    expect_live(&app, &fresh).await;
    let again = app.sign_in("ann").await;
    expect_live(&app, &again.access_token).await;
    let unknown = backend.graphql(revoke, json!({ "id": "ext:42" })).await;
    assert_eq!((unknown.error_code(), unknown.error_field()), ("NOT_FOUND", "userId"));
}

#[tokio::test]
async fn who_is_given_an_id_of_the_app_has_to_sign_in_anew() {
    let app = TestApp::start().await;
    let guest = app.user("guest").await;
    let backend = app.backend("backend").await;
    let mut socket = Socket::connect(app.endpoint(), Some(&guest.access_token), None).await;
    let linked = backend.upsert(json!([{ "id": guest.id, "externalId": "42" }])).await;
    assert_eq!((outcomes(&linked), &linked[0]["user"]["id"]), (vec!["UPDATED"], &json!(guest.id)));
    assert_eq!(socket.until_close().await.0, 4403);
    let refresh = app.anonymous(documents::REFRESH_SESSION, json!({ "token": guest.refresh_token })).await;
    assert_eq!(refresh.error_code(), "UNAUTHENTICATED");
    assert_eq!(outcomes(&backend.upsert(json!([{ "id": guest.id, "externalId": "42" }])).await), ["UNCHANGED"]);
}

#[tokio::test]
async fn a_deleted_user_is_known_by_no_id_and_can_be_made_anew_by_the_app() {
    let app = TestApp::start().await;
    let backend = app.backend("backend").await;
    let first =
        backend.upsert(json!([{ "externalId": "42", "custom": { "a": 1 }, "avatarUrl": "https://a.example/" }])).await;
    let token = backend.token("ext:42").await;
    app.with_token(&token, documents::DELETE_ACCOUNT, json!({})).await.data();
    let found = backend.graphql("{ userByExternalId(externalId: \"42\") { id } }", json!({})).await;
    assert_eq!(found["/userByExternalId"], json!(null));
    let kept =
        "SELECT count(*) FROM \"user\" WHERE external_id IS NOT NULL OR custom IS NOT NULL OR avatar_url IS NOT NULL";
    assert_eq!(
        app.text(&kept.replace("count(*)", "CAST(count(*) AS TEXT)"), &kept.replace("count(*)", "count(*)::text"))
            .await,
        "0"
    );
    for _ in 0..2 {
        let again = backend.upsert(json!([{ "externalId": "42" }])).await;
        assert_eq!(outcomes(&again), ["CREATED"]);
        assert_ne!(again[0]["user"]["id"], first[0]["user"]["id"]);
        let token = backend.token("ext:42").await;
        app.with_token(&token, documents::DELETE_ACCOUNT, json!({})).await.data();
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn who_is_switched_off_on_one_node_is_out_on_the_other() {
    let database = Database::new().await;
    let (one, other) = (Process::start(&database, &[]).await, Process::start(&database, &[]).await);
    let made = database.parlor(&["key", "add", "backend"]).output().await.expect("the program runs");
    let key = String::from_utf8(made.stdout).expect("a key is text").trim().to_owned();
    let backend = Backend::with_key(key, one.endpoint());
    let (ann, bob) = (one.endpoint().user("ann").await, one.endpoint().user("bob").await);
    let (there, token) = (ann.at(other.endpoint()), backend.token(&ann.id).await);
    let room: Room = there.initiate_chat([&bob]).await;
    let mut socket = Socket::connect(other.endpoint(), Some(&token), None).await;
    backend.upsert(json!([{ "id": ann.id, "active": false }])).await;
    assert_eq!(socket.until_close().await.0, 4403);
    let refused = there.graphql(documents::MESSAGES, json!({ "roomId": room.id, "last": 1 })).await;
    assert_eq!(refused.error_code(), "UNAUTHENTICATED");
}
