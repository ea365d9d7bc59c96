//! Sessions: tokens, how long they last, and their end.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestUser, documents};

mod host;
mod own;
mod refresh;

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.anonymous(documents::REFRESH_SESSION, json!({ "token": token })).await
}

async fn me(user: &TestUser) -> Answer {
    user.graphql("{ me { id } }", json!({})).await
}

#[tokio::test]
async fn an_ended_session_does_not_even_the_next_field_of_the_same_mutation() {
    const NEXT: &str = "postMessage(roomId: $room, body: \"from beyond\") { message { id } }";
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    // Somebody is still there when ann is gone.
    let room = bob.initiate_chat([&ann, &eve]).await;
    let (tablet, laptop) = (ann.sign_in().await, ann.sign_in().await);
    let run = async |user: &TestUser, first: &str| {
        let document = format!("mutation($room: ID!) {{ {first} {NEXT} }}");
        user.graphql(&document, json!({ "room": room.id })).await
    };

    for (user, first, refused) in [
        (&tablet, "signOut { sessionId }", "postMessage"),
        // Nothing comes after a field that failed.
        (&laptop, "a: signOut { sessionId } b: signOut { sessionId }", "b"),
        (&ann, "deleteAccount { userId }", "postMessage"),
    ] {
        let answer = run(user, first).await;
        assert_eq!(answer.error_code(), "UNAUTHENTICATED", "{first}: {answer:?}");
        assert_eq!(answer.body["errors"][0]["path"], json!([refused]), "{first}: {answer:?}");
        assert_eq!(bob.messages(&room).await, [], "{first}");
    }
    assert!(run(&bob, "").await.data().is_object(), "whoever is signed in may");
}

#[tokio::test]
async fn what_needs_no_session_may_follow_its_end() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let document = "mutation($input: SignInInput!) { signOut { sessionId } signIn(input: $input) { sessionId } }";
    let input = json!({ "username": "ann", "password": ann.password() });

    let answer = ann.graphql(document, json!({ "input": input })).await;

    assert_ne!(answer["/signOut/sessionId"], answer["/signIn/sessionId"]);
}

#[tokio::test]
async fn signing_out_ends_this_session_and_no_other() {
    let app = TestApp::start().await;
    let phone = app.user("ann").await;
    let laptop = phone.sign_in().await;
    let mut on_phone = phone.subscribe().await;

    phone.sign_out().await;

    assert_eq!(me(&phone).await.error_code(), "UNAUTHENTICATED");
    assert_eq!(refresh(&app, &phone.refresh_token).await.error_code(), "UNAUTHENTICATED");
    assert_eq!(on_phone.socket().until_close().await.0, 4403);
    assert_eq!(me(&laptop).await.text("/me/id"), laptop.id);
}

#[tokio::test]
async fn an_access_token_lasts_ten_minutes() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;

    app.clock().advance(TimeDelta::seconds(9 * 60 + 50));
    assert_eq!(me(&ann).await.text("/me/id"), ann.id);
    app.clock().advance(TimeDelta::seconds(10));
    assert_eq!(me(&ann).await.error_code(), "UNAUTHENTICATED");
    refresh(&app, &ann.refresh_token).await.data();
}

#[tokio::test]
async fn a_session_lasts_ninety_days_after_its_last_refresh() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;

    app.clock().advance(TimeDelta::days(89));
    let next = refresh(&app, &ann.refresh_token).await;
    app.clock().advance(TimeDelta::days(89));
    let last = refresh(&app, next.text("/refreshSession/refreshToken")).await;
    app.clock().advance(TimeDelta::days(91));
    let late = refresh(&app, last.text("/refreshSession/refreshToken")).await;

    assert_eq!(late.error_code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_session_survives_a_restart() {
    let mut app = TestApp::start().await;
    let ann = app.user("ann").await;

    app.restart().await;

    assert_eq!(me(&ann).await.text("/me/id"), ann.id);
    refresh(&app, &ann.refresh_token).await.data();
}

#[tokio::test]
async fn a_token_that_was_tampered_with_is_refused() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let token = ann.access_token.as_str();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("a JWT has three parts")
    };
    let [_, foreign, _] = bob.access_token.split('.').collect::<Vec<_>>()[..] else { panic!("a JWT has three parts") };
    // {"alg":"none","typ":"JWT"}
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let (rest, last) = payload.split_at(payload.len() - 1);
    let flipped = if last == "A" { "B" } else { "A" };

    let forgeries = [
        format!("{header}.{foreign}.{signature}"),
        format!("{header}.{rest}{flipped}.{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}"),
        format!("{unsigned}.{payload}."),
        format!("{unsigned}.{payload}.{signature}"),
        format!("{token}x"),
        ann.refresh_token.clone(),
        "x".repeat(100_000 / 8),
        "null".to_owned(),
    ];
    let bare = app.with_token("", "{ me { id } }", json!({})).await;
    assert_eq!((bare.status, bare.error_code()), (401, "UNAUTHENTICATED"));
    for forgery in forgeries {
        let answer = app.with_token(&forgery, "{ me { id } }", json!({})).await;
        assert_eq!((answer.status, &answer.body), (401, &bare.body), "{forgery}");
    }
}

#[tokio::test]
async fn a_token_of_another_server_is_refused() {
    let (here, there) = tokio::join!(TestApp::start(), TestApp::start());
    let (_, ann) = tokio::join!(here.user("ann"), there.user("ann"));

    let answer = here.with_token(&ann.access_token, "{ me { id } }", json!({})).await;

    assert_eq!(answer.error_code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn without_a_token_only_signing_in_works() {
    let app = TestApp::start().await;
    let fields = [
        "{ me { id } }",
        "{ users { nodes { id } } }",
        "{ rooms { nodes { id } } }",
        "{ syncCursor }",
        "{ sessions { nodes { id } } }",
        "{ user(id: \"user_00000000000000000000000000\") { id } }",
        "{ room(id: \"room_00000000000000000000000000\") { id } }",
        "{ node(id: \"user_00000000000000000000000000\") { id } }",
        "{ nodes(ids: [\"user_00000000000000000000000000\"]) { id } }",
        "mutation { signOut { __typename } }",
        "mutation { deleteAccount { __typename } }",
        "mutation { endSession(sessionId: \"session_00000000000000000000000000\") { __typename } }",
        "mutation { endOtherSessions { __typename } }",
        "mutation { changePassword(currentPassword: \"x\", newPassword: \"long enough\") { __typename } }",
        "mutation { initiateChat(userIds: [], type: CONSUMER_TO_CONSUMER) { isNew } }",
        "mutation { postMessage(roomId: \"room_00000000000000000000000000\", body: \"x\") { __typename } }",
        "mutation { editMessage(messageId: \"msg_00000000000000000000000000\", body: \"x\") { __typename } }",
        "mutation { deleteMessage(messageId: \"msg_00000000000000000000000000\") { __typename } }",
        "mutation { markRead(roomId: \"room_00000000000000000000000000\", seq: 1) { __typename } }",
        "mutation { muteRoom(roomId: \"room_00000000000000000000000000\", muted: true) { __typename } }",
        "mutation { leaveRoom(roomId: \"room_00000000000000000000000000\") { __typename } }",
        "mutation { deleteRoom(roomId: \"room_00000000000000000000000000\") { __typename } }",
    ];
    for field in fields {
        let answer = app.anonymous(field, json!({})).await;
        assert_eq!(answer.error_code(), "UNAUTHENTICATED", "{field}");
        assert_eq!(answer.body["data"].as_object().map_or(0, |data| data.values().filter(|v| !v.is_null()).count()), 0);
        assert_ne!(answer.error()["message"], Value::Null);
    }
}
