//! Who is asking, what they may do, and what is there already.

use chrono::TimeDelta;
use reqwest::header::{AUTHORIZATION, ORIGIN};
use serde_json::json;

use super::{Answers, GRAPHQL_JSON, JSON, operation};
use crate::support::{Room, SUBPROTOCOL, TestApp, TestUser, documents};

const ME: &str = "{ me { id } }";

#[tokio::test]
async fn a_request_without_a_valid_token_is_unauthenticated() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    bob.sign_out().await;
    let mut answers = Answers::default();
    for accept in [GRAPHQL_JSON, JSON] {
        let request = || operation(app.endpoint(), accept, ME, json!({}));
        answers.note(&format!("no token, for {accept}"), request()).await;
        answers.note(&format!("a token that is none, for {accept}"), request().bearer_auth("nonsense")).await;
    }
    let request = || operation(app.endpoint(), GRAPHQL_JSON, ME, json!({}));
    answers.note("another scheme", request().header(AUTHORIZATION, "Basic YTpi")).await;
    answers.note("two tokens", request().bearer_auth(&ann.access_token).bearer_auth(&ann.access_token)).await;
    answers.note_of(&bob, "a session that has ended", ME, json!({})).await;
    for (what, username) in [("a wrong password", "ann"), ("an unknown name", "nobody")] {
        let input = json!({ "username": username, "password": "a wrong password" });
        answers.note_anonymous(&app, what, documents::SIGN_IN, json!({ "input": input })).await;
    }
    let refresh = json!({ "token": bob.refresh_token });
    answers.note_anonymous(&app, "a refresh token of the past", documents::REFRESH_SESSION, refresh).await;
    app.clock().advance(TimeDelta::minutes(11));
    answers.note_of(&ann, "a token that has expired", ME, json!({})).await;
    answers.assert("unauthenticated");
}

#[tokio::test]
async fn what_is_seen_and_not_to_be_changed_is_forbidden() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "hello").await;
    let mut answers = Answers::default();
    let edit = json!({ "messageId": message.id, "body": "goodbye" });
    answers.note_in_both(&bob, "to edit another's message", documents::EDIT_MESSAGE, edit).await;
    let delete = json!({ "messageId": message.id });
    answers.note_of(&bob, "to delete another's message", documents::DELETE_MESSAGE, delete).await;
    answers.note_of(&bob, "to delete another's room", documents::DELETE_ROOM, json!({ "roomId": room.id })).await;
    let token = app.parlor(&["user", "token", "ann"]).await.stdout;
    let token = String::from_utf8(token).expect("a token is text");
    let sign_out = operation(app.endpoint(), GRAPHQL_JSON, documents::SIGN_OUT, json!({})).bearer_auth(token.trim());
    answers.note("to end a session without one", sign_out).await;
    let upgrade = app.endpoint().http.get(app.endpoint().url("/graphql")).header("connection", "upgrade");
    let upgrade = upgrade.header("upgrade", "websocket").header("sec-websocket-version", "13");
    let upgrade =
        upgrade.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").header(ORIGIN, "https://evil.example");
    let upgrade = upgrade.header("sec-websocket-protocol", SUBPROTOCOL);
    answers.note("a socket of another website", upgrade).await;
    answers.assert("forbidden");
}

/// Of what is not there, and of what is there for others.
async fn note_not_found(answers: &mut Answers, user: &TestUser, what: &str, room: &str, message: &str) {
    for (verb, document, variables) in [
        ("to post to", documents::POST_MESSAGE, json!({ "roomId": room, "body": "hello" })),
        ("to mark as read in", documents::MARK_READ, json!({ "roomId": room, "seq": 0 })),
        ("to leave", documents::LEAVE_ROOM, json!({ "roomId": room })),
        ("to edit a message of", documents::EDIT_MESSAGE, json!({ "messageId": message, "body": "hello" })),
        ("to see", documents::ROOM, json!({ "roomId": room })),
    ] {
        answers.note_of(user, &format!("{verb} a room that {what}"), document, variables).await;
    }
}

#[tokio::test]
async fn a_room_of_others_looks_like_one_that_is_not_there() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let Room { id: room, .. } = ann.initiate_chat([&bob]).await;
    let message = ann.graphql(documents::POST_MESSAGE, json!({ "roomId": room, "body": "hello" })).await;
    let message = message.text("/postMessage/message/id");
    let unknown = "01h455vb4pex5vsknk084sn02q";
    let mut answers = Answers::default();
    let variables = json!({ "roomId": room, "body": "hello" });
    answers.note_in_both(&eve, "to post to a room of others", documents::POST_MESSAGE, variables).await;
    note_not_found(&mut answers, &eve, "is others'", &room, message).await;
    note_not_found(&mut answers, &eve, "is not there", &format!("room_{unknown}"), &format!("msg_{unknown}")).await;
    let chat = json!({ "userIds": [format!("user_{unknown}")], "type": "CONSUMER_TO_CONSUMER" });
    answers.note_of(&eve, "to chat with a user who is not there", documents::INITIATE_CHAT, chat).await;
    answers.assert("not_found");
}

#[tokio::test]
async fn what_contradicts_the_state_is_a_conflict() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post_as(&room, "first", "hello").await;
    let mut answers = Answers::default();
    let again = json!({ "roomId": room.id, "body": "another text", "clientId": "first" });
    answers.note_in_both(&ann, "a client id that was used", documents::POST_MESSAGE, again).await;
    ann.delete(&message).await;
    let edit = json!({ "messageId": message.id, "body": "goodbye" });
    answers.note_of(&ann, "to edit what was deleted", documents::EDIT_MESSAGE, edit).await;
    let input = json!({ "username": "ANN", "password": "a good password", "displayName": "Another" });
    answers.note_anonymous(&app, "a username that is taken", documents::SIGN_UP, json!({ "input": input })).await;
    answers.assert("conflict");
}
