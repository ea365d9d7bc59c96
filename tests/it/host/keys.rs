//! Server keys: who has one is the app's own backend.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::{Answer, Frame, Room, SUBPROTOCOL, Socket, TestApp, documents, within};

const ME: &str = "{ me { id } }";
const FIND: &str = "query($id: ID!) { userByExternalId(externalId: $id) { id } }";

fn reason(answer: &Answer) -> (&str, &str) {
    let reason = answer.error()["extensions"]["reason"].as_str();
    (answer.error_code(), reason.unwrap_or_else(|| panic!("expected a reason, got {:#}", answer.body)))
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked_beside_the_server() {
    let app = TestApp::start().await;
    let (first, second) = (app.backend("first").await, app.backend("second").await);
    assert!(first.key.starts_with("sk_") && first.key.len() >= 46, "{}", first.key);
    let again = app.parlor(&["key", "add", "first"]).await;
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("a key of this name is in use"), "{again:?}");
    for name in ["", " ", "a\nb", &"x".repeat(65)] {
        assert!(!app.parlor(&["key", "add", name]).await.status.success(), "{name:?}");
    }

    let listed = String::from_utf8(app.parlor(&["key", "list"]).await.stdout).expect("text");
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.iter().map(|line| line[1]).collect::<Vec<_>>(), ["first", "second"]);
    assert!(lines.iter().all(|line| line[0].starts_with("key_") && line.len() == 3), "{listed}");
    assert!(!listed.contains(&first.key[3..]), "a key is shown once");
    let stored = app
        .text("SELECT hex(hash) FROM server_key LIMIT 1", "SELECT encode(hash, 'hex') FROM server_key LIMIT 1")
        .await;
    assert_eq!(stored.len(), 64, "only a hash is stored");

    for backend in [&first, &second] {
        assert_eq!(backend.graphql(FIND, json!({ "id": "42" })).await["/userByExternalId"], json!(null));
    }
    assert!(app.parlor(&["key", "revoke", lines[0][0]]).await.status.success());
    assert_eq!(first.graphql(FIND, json!({ "id": "42" })).await.error_code(), "UNAUTHENTICATED");
    assert!(second.graphql(FIND, json!({ "id": "42" })).await.data().is_object());
    // Its name may be used again, and a key is revoked by its name as well.
    let third = app.backend("first").await;
    assert!(app.parlor(&["key", "revoke", "first"]).await.status.success());
    assert_eq!(third.graphql(FIND, json!({ "id": "42" })).await.error_code(), "UNAUTHENTICATED");
    assert!(!app.parlor(&["key", "revoke", "first"]).await.status.success(), "it is revoked");
    let listed = String::from_utf8(app.parlor(&["key", "list"]).await.stdout).expect("text");
    assert_eq!(listed.lines().filter(|line| line.contains("\trevoked ")).count(), 2, "{listed}");
}

#[tokio::test]
async fn a_key_acts_for_whom_the_request_names() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let backend = app.backend("backend").await;
    backend.upsert(json!([{ "id": ann.id, "externalId": "42" }])).await;
    for named in [ann.id.clone(), "ext:42".to_owned()] {
        assert_eq!(backend.acting_for(&named, ME, json!({})).await["/me/id"], json!(ann.id));
    }

    let variables = json!({ "userIds": [bob.id, "ext:42"], "type": "CONSUMER_TO_CONSUMER" });
    let answer = backend.acting_for("ext:42", documents::INITIATE_CHAT, variables).await;
    let room = Room::of(&answer["/initiateChat/room"]);
    let variables = json!({ "roomId": room.id, "body": "hello", "clientId": "1" });
    let posted = backend.acting_for("ext:42", documents::POST_MESSAGE, variables).await;
    assert_eq!(posted["/postMessage/message/author/id"], json!(ann.id));
    assert_eq!(bob.messages(&room).await.len(), 1);
    let eve = app.user("eve").await;
    let refused = backend.acting_for(&eve.id, documents::MESSAGES, json!({ "roomId": room.id, "last": 1 })).await;
    assert_eq!(refused["/room"], json!(null), "a key sees for a user what the user sees");
}

#[tokio::test]
async fn what_a_key_may_not_do_and_what_only_a_key_may_is_told_apart() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let backend = app.backend("backend").await;
    for document in [
        "{ userByExternalId(externalId: \"42\") { id } }",
        "mutation { upsertUsers(users: []) { users { outcome } } }",
        "mutation { issueToken(userId: \"ext:42\") { accessToken } }",
        "mutation { revokeTokens(userId: \"ext:42\") { userId } }",
    ] {
        assert_eq!(reason(&ann.graphql(document, json!({})).await), ("FORBIDDEN", "SERVER_KEY_NEEDED"), "{document}");
        assert_eq!(app.anonymous(document, json!({})).await.error_code(), "UNAUTHENTICATED", "{document}");
    }
    for document in [ME, "{ rooms { nodes { id } } }", "{ syncCursor }", "mutation { signOut { sessionId } }"] {
        let answer = backend.graphql(document, json!({})).await;
        assert_eq!(reason(&answer), ("FORBIDDEN", "USER_NEEDED"), "{document}");
    }
    let answer = backend.acting_for(&ann.id, "mutation { signOut { sessionId } }", json!({})).await;
    assert_eq!(answer.error_code(), "FORBIDDEN", "there is no session to end");
}

#[tokio::test]
async fn who_names_a_user_without_a_key_or_a_user_who_is_not_there_is_refused() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let backend = app.backend("backend").await;
    let endpoint = app.endpoint();

    let answer = endpoint.graphql_as(&ann.access_token, &[&bob.id], ME, json!({})).await;
    assert_eq!((answer.status, reason(&answer)), (403, ("FORBIDDEN", "SERVER_KEY_NEEDED")));
    let wrong = format!("sk_{}", "A".repeat(43));
    for token in [&*wrong, "sk_", &backend.key[..backend.key.len() - 1], "nonsense"] {
        let answer = endpoint.graphql_as(token, &[&bob.id], ME, json!({})).await;
        assert_eq!(answer.error_code(), "UNAUTHENTICATED", "{token}");
    }
    for (users, code) in [
        (vec!["ext:42"], "NOT_FOUND"),
        (vec!["user_00000000000000000000000000"], "NOT_FOUND"),
        (vec!["42"], "BAD_USER_INPUT"),
        (vec!["ext:"], "BAD_USER_INPUT"),
        (vec![""], "BAD_USER_INPUT"),
        (vec!["room_00000000000000000000000000"], "BAD_USER_INPUT"),
        (vec![&*ann.id, &*bob.id], "BAD_USER_INPUT"),
    ] {
        let answer = endpoint.graphql_as(&backend.key, &users, ME, json!({})).await;
        assert_eq!((answer.status, answer.error_code()), (400, code), "{users:?}");
    }
    bob.delete_account().await;
    assert_eq!(backend.acting_for(&bob.id, ME, json!({})).await.error_code(), "NOT_FOUND");
}

#[tokio::test]
async fn a_key_has_no_sockets_and_no_streams() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let backend = app.backend("backend").await;
    let mut socket = Socket::open(app.endpoint(), Some(SUBPROTOCOL)).await;
    let payload = json!({ "authorization": format!("Bearer {}", backend.key) });
    socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
    match socket.next_frame().await {
        Frame::Closed(4400, reason) => assert!(reason.contains("server key"), "{reason}"),
        other => panic!("expected a close, got {other:?}"),
    }
    let body = json!({ "query": "subscription { events { __typename } }" });
    let request = app.endpoint().http.post(app.endpoint().url("/graphql")).header("accept", "text/event-stream");
    let request = request.bearer_auth(&backend.key).header("parlor-user", &ann.id).json(&body);
    assert_eq!(within("the answer", request.send()).await.expect("the server responds").status(), 403);
}

#[tokio::test]
async fn a_key_is_limited_by_its_own_rate_and_not_by_the_users_or_the_address() {
    let app = TestApp::start_with(|config| {
        config.limits = parlor::limits::LimitSettings { enabled: true, ..parlor::limits::LimitSettings::off() };
        config.limits.server_keys = "1/h burst 30".parse().expect("a rate");
        config.limits.requests = "1/h burst 12".parse().expect("a rate");
        config.limits.reads = "1/h burst 2".parse().expect("a rate");
        config.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    })
    .await;
    let users = app.endpoint().calling_from("203.0.113.1");
    let ann = users.user("ann").await;
    let backend = app.backend("backend").await.at(&app.endpoint().calling_from("203.0.113.7"));
    for n in 0..30 {
        let answer = backend.acting_for(&ann.id, ME, json!({})).await;
        assert_eq!(answer["/me/id"], json!(ann.id), "{n}");
    }
    let refused = backend.acting_for(&ann.id, ME, json!({})).await;
    assert_eq!((refused.status, refused.error_code()), (429, "RATE_LIMITED"));
    assert!((app.refusals("limit_server_keys").await - 1.0).abs() < f64::EPSILON);
    let other = app.backend("other").await.at(&app.endpoint().calling_from("203.0.113.7"));
    assert_eq!(other.acting_for(&ann.id, ME, json!({})).await["/me/id"], json!(ann.id), "each key has its own");
    assert_eq!(ann.graphql(ME, json!({})).await["/me/id"], json!(ann.id), "what a key did isn't the user's");
}

#[tokio::test]
async fn a_key_that_is_revoked_takes_what_it_has_issued_with_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (backend, other) = (app.backend("backend").await, app.backend("other").await);
    let (token, kept) = (backend.token(&ann.id).await, other.token(&ann.id).await);
    let mut socket = Socket::connect(app.endpoint(), Some(&token), None).await;
    let mut others = Socket::connect(app.endpoint(), Some(&kept), None).await;
    let unused = backend.token(&ann.id).await;

    assert!(app.parlor(&["key", "revoke", "backend"]).await.status.success());
    assert_eq!(socket.until_close().await.0, 4403);
    assert_eq!(app.with_token(&unused, ME, json!({})).await.error_code(), "UNAUTHENTICATED");
    app.clock().advance(TimeDelta::seconds(61));
    assert_eq!(app.with_token(&token, ME, json!({})).await.error_code(), "UNAUTHENTICATED");
    assert_eq!(app.with_token(&kept, ME, json!({})).await["/me/id"], json!(ann.id));
    others.send(&json!({ "type": "ping" })).await;
    assert_eq!(others.next_json().await["type"], "pong");
}

#[tokio::test]
async fn a_key_names_rooms_by_the_apps_own_ids_and_nobody_else_does() {
    const NAMED: &str = "query($id: ID!) { room(id: $id) { id name } }";
    const BY_EXTERNAL_ID: &str = "query($id: ID!) { roomByExternalId(externalId: $id) { id externalId memberCount } }";
    let app = TestApp::start().await;
    let [ann, eve] = app.users(["ann", "eve"]).await;
    let backend = app.backend("shop").await;
    let create = "mutation($u: ID!) { createRoom(input: { externalId: \"order:42\", members: [{ userId: $u }] }) { room { id } } }";
    let room = backend.graphql(create, json!({ "u": ann.id })).await.text("/createRoom/room/id").to_owned();
    let named = json!({ "id": "ext:order:42" });

    let found = backend.graphql(BY_EXTERNAL_ID, json!({ "id": "order:42" })).await;
    assert_eq!((found.text("/roomByExternalId/id"), found.number("/roomByExternalId/memberCount")), (&*room, 1));
    assert_eq!(backend.graphql(BY_EXTERNAL_ID, json!({ "id": "order:43" })).await["/roomByExternalId"], json!(null));
    let post = json!({ "roomId": "ext:order:42", "body": "paid" });
    backend.acting_for(&ann.id, documents::POST_MESSAGE, post.clone()).await.data();
    assert_eq!(backend.acting_for(&ann.id, NAMED, named.clone()).await.text("/room/id"), room);
    assert_eq!(backend.acting_for(&eve.id, NAMED, named.clone()).await["/room"], json!(null), "she isn't in it");
    let add = "mutation($r: ID!, $u: [ID!]!) { addMembers(roomId: $r, userIds: $u) { added { id } } }";
    let added = backend.graphql(add, json!({ "r": "ext:order:42", "u": [eve.id] })).await;
    assert_eq!(added.list("/addMembers/added").len(), 1);
    let absent = backend.graphql(add, json!({ "r": "ext:order:43", "u": [eve.id] })).await;
    assert_eq!((absent.error_code(), absent.error_field()), ("NOT_FOUND", "roomId"));

    for id in ["ext:order:42", "ext:order:43"] {
        assert_eq!(reason(&ann.graphql(NAMED, json!({ "id": id })).await), ("FORBIDDEN", "SERVER_KEY_NEEDED"));
        let posting = ann.graphql(documents::POST_MESSAGE, json!({ "roomId": id, "body": "x" })).await;
        assert_eq!(reason(&posting), ("FORBIDDEN", "SERVER_KEY_NEEDED"), "whether there is such a room or not");
    }
    assert_eq!(reason(&ann.graphql(BY_EXTERNAL_ID, json!({ "id": "order:42" })).await).1, "SERVER_KEY_NEEDED");
    let delete = "mutation($r: ID!) { deleteRoom(roomId: $r) { roomId } }";
    assert_eq!(backend.graphql(delete, json!({ "r": "ext:order:42" })).await.text("/deleteRoom/roomId"), room);
    assert_eq!(backend.graphql(delete, json!({ "r": "ext:order:42" })).await.error_code(), "NOT_FOUND");
}
