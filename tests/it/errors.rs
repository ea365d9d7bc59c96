//! Errors: each code can be met, names what is at fault, and tells nothing of the inside.

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, documents};

#[tokio::test]
async fn text_that_is_no_graphql_fails_to_parse() {
    let app = TestApp::start().await;
    for document in ["", "{", "query {", "{ me { id } } }", "select * from user"] {
        let answer = app.anonymous(document, json!({})).await;
        assert_eq!(answer.error_code(), "GRAPHQL_PARSE_FAILED", "{document}");
        assert!(answer.body.get("data").is_none(), "what did not run has no data");
    }
}

#[tokio::test]
async fn a_document_that_does_not_fit_the_schema_fails_to_validate() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for document in [
        "{ nothing }",
        "{ me }",
        "{ me { id { x } } }",
        "{ room { id } }",
        "{ user(id: \"x\", name: \"y\") { id } }",
        "query($a: Nothing) { me { id } }",
        "{ me { ...unknown } }",
        "{ me { ...a } } fragment a on User { ...a }",
        "mutation { initiateChat(userIds: [], type: FRIENDS) { isNew } }",
        "{ me @unknown { id } }",
    ] {
        let answer = ann.graphql(document, json!({})).await;
        let errors = answer.body["errors"].as_array().expect(document);
        let codes = errors.iter().map(|error| &error["extensions"]["code"]);
        assert!(codes.clone().all(|code| code == "GRAPHQL_VALIDATION_FAILED"), "{document}: {:#}", answer.body);
        assert!(answer.body.get("data").is_none(), "{document}: what did not run has no data");
    }
}

#[tokio::test]
async fn variables_of_another_type_are_refused() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for variables in [json!({}), json!({ "roomId": null, "seq": 1 }), json!({ "roomId": 7.5, "seq": "one" })] {
        let answer = ann.graphql(documents::MARK_READ, variables).await;
        let code = answer.body["errors"][0]["extensions"]["code"].as_str().expect("an error has a code");
        assert!(["GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"].contains(&code), "{:#}", answer.body);
    }
}

#[tokio::test]
async fn an_id_of_another_kind_is_refused_by_argument() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let user = &ann.id;
    for (document, variables, field) in [
        (documents::POST_MESSAGE, json!({ "roomId": user, "body": "x" }), "roomId"),
        (documents::MARK_READ, json!({ "roomId": user, "seq": 1 }), "roomId"),
        (documents::MUTE_ROOM, json!({ "roomId": "", "muted": true }), "roomId"),
        (documents::LEAVE_ROOM, json!({ "roomId": "room_" }), "roomId"),
        (documents::DELETE_ROOM, json!({ "roomId": "room_1" }), "roomId"),
        (documents::EDIT_MESSAGE, json!({ "messageId": user, "body": "x" }), "messageId"),
        (documents::DELETE_MESSAGE, json!({ "messageId": "MSG_00000000000000000000000000" }), "messageId"),
        (documents::INITIATE_CHAT, json!({ "userIds": ["room_x"], "type": "CONSUMER_TO_CONSUMER" }), "userIds"),
        (documents::ROOM, json!({ "roomId": user }), "id"),
        (documents::ROOMS, json!({ "after": "no cursor" }), "after"),
        (documents::USERS, json!({ "after": "%%%" }), "after"),
    ] {
        let answer = ann.graphql(document, variables).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", field), "{document}");
    }
    let answer = ann.graphql(documents::POST_MESSAGE, json!({ "roomId": user, "body": "x" })).await;
    assert!(answer.error_message().contains("room_"), "says what would be right: {}", answer.error_message());
}

#[tokio::test]
async fn the_size_of_a_page_has_bounds_and_they_are_told() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let paged = [
        (documents::USERS, "first"),
        (documents::ROOMS, "first"),
        (documents::MEMBERS, "first"),
        (documents::MESSAGES, "first"),
        (documents::MESSAGES, "last"),
    ];
    for (document, argument) in paged {
        for size in [101, -1, i32::MAX] {
            let answer = ann.graphql(document, json!({ "roomId": room.id, argument: size })).await;
            assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", argument), "{document}");
            assert!(answer.error_message().contains("100"), "the limit is told: {}", answer.error_message());
        }
        ann.graphql(document, json!({ "roomId": room.id, argument: 100 })).await.data();
        ann.graphql(document, json!({ "roomId": room.id, argument: 0 })).await.data();
    }
    let answer = ann.graphql(documents::MESSAGES, json!({ "roomId": room.id, "first": 1, "last": 1 })).await;
    assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "last"));
}

#[tokio::test]
async fn an_error_of_one_field_leaves_the_others_their_data() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let document = "query($id: ID!) {
      room(id: $id) { id messages(first: 101) { nodes { id } } } mine: me { username } other: user(id: $id) { id } }";

    let answer = ann.graphql(document, json!({ "id": room.id })).await;

    let errors = answer.body["errors"].as_array().expect("errors are a list");
    let told: Vec<(&Value, &Value)> =
        errors.iter().map(|error| (&error["path"], &error["extensions"]["field"])).collect();
    assert!(told.contains(&(&json!(["room", "messages"]), &json!("first"))), "{told:?}");
    assert!(told.contains(&(&json!(["other"]), &json!("id"))), "{told:?}");
    assert_eq!(answer.body["data"], json!({ "room": null, "mine": { "username": "ann" }, "other": null }));
    assert_eq!(answer.status, 200, "a request of which a part was answered is no bad request");
}

#[tokio::test]
async fn mutations_of_one_request_run_in_order_and_the_second_may_fail() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let document = "mutation($id: ID!) {
      a: postMessage(roomId: $id, body: \"a\") { message { seq } }
      b: postMessage(roomId: $id, body: \"b\") { message { seq } }
      c: markRead(roomId: $id, seq: 2) { room { viewer { lastReadSeq unreadCount } } } }";

    let answer = ann.graphql(document, json!({ "id": room.id })).await;

    assert_eq!((answer.number("/a/message/seq"), answer.number("/b/message/seq")), (1, 2));
    assert_eq!(answer["/c/room/viewer"], json!({ "lastReadSeq": 2, "unreadCount": 0 }));
}

/// No word of a database, a statement or a file.
fn assert_discreet(answer: &Answer) {
    let errors = answer.body["errors"].as_array().expect("errors are a list");
    let texts = errors.iter().map(|error| format!("{} {}", error["message"], error["extensions"]).to_lowercase());
    let text: String = texts.collect();
    for word in ["table", "sql", "select", "no such", "relation", "column", "sea", "query error", "exec", ".rs", "lock"]
    {
        assert!(!text.contains(word), "expected nothing of the inside, got {text}");
    }
}

#[tokio::test]
async fn a_broken_database_is_an_internal_error_without_its_words() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "before").await;
    app.execute("ALTER TABLE message RENAME TO elsewhere").await;

    for (document, variables) in [
        (documents::MESSAGES, json!({ "roomId": room.id, "last": 5 })),
        (documents::ROOMS, json!({})),
        (documents::POST_MESSAGE, json!({ "roomId": room.id, "body": "lost" })),
        (documents::EDIT_MESSAGE, json!({ "messageId": message.id, "body": "lost" })),
        ("query($id: ID!) { node(id: $id) { id } }", json!({ "id": message.id })),
    ] {
        let answer = ann.graphql(document, variables).await;
        let errors = answer.body["errors"].as_array().expect("errors are a list");
        assert!(errors.iter().all(|error| error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"), "{:#}", answer.body);
        assert!(errors.iter().all(|error| error["message"] == "internal error"), "{:#}", answer.body);
        assert_discreet(&answer);
    }

    app.execute("ALTER TABLE elsewhere RENAME TO message").await;
    assert_eq!(ann.post(&room, "after").await.seq, 2, "what failed left no trace");
}

#[tokio::test]
async fn a_database_that_cannot_be_written_is_an_outage_and_reading_goes_on() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "before").await;
    let held = app.hold_writes().await;

    let refused = ann.graphql(documents::POST_MESSAGE, json!({ "roomId": room.id, "body": "lost" }));
    let (refused, read) = tokio::join!(refused, bob.messages(&room));

    assert_eq!(refused.error_code(), "UNAVAILABLE");
    assert_discreet(&refused);
    assert_eq!(read.len(), 1);
    held.rollback().await.expect("the lock is let go");
    assert_eq!(ann.post(&room, "after").await.seq, 2, "what was refused left no trace");
}

#[tokio::test]
async fn more_sign_ins_at_once_than_the_server_takes_are_told_when_to_come_back() {
    let app = TestApp::start().await;
    let sign_in = "mutation { signIn(input: {username: \"nobody\", password: \"a password\"}) { accessToken } }";
    let attempts = (0..150).map(|_| app.anonymous(sign_in, json!({})));
    let answers = futures_util::future::join_all(attempts).await;
    let codes: std::collections::BTreeSet<&str> = answers.iter().map(Answer::error_code).collect();
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), ["RATE_LIMITED", "UNAUTHENTICATED"]);
    let refused = answers.iter().find(|answer| answer.error_code() == "RATE_LIMITED").expect("some are refused");
    assert_eq!(refused.error()["extensions"]["retryAfterMs"], 1_000);
}
