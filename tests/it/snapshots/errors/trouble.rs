//! When the server has too much to do, can't reach its database, or is broken.

use futures_util::future::join_all;
use serde_json::json;

use super::{Answers, GRAPHQL_JSON, JSON, operation};
use crate::support::{TestApp, documents, within};

const ME: &str = "{ me { username } }";

#[tokio::test]
async fn one_sign_in_too_many_is_refused_with_the_time_to_wait() {
    let app = TestApp::start().await;
    // More than the server hashes together and lets wait.
    let input = json!({ "username": "nobody", "password": "a password" });
    let attempts = (0..150).map(|_| app.anonymous(documents::SIGN_IN, json!({ "input": input })));
    let attempts = join_all(attempts).await;
    let refused = attempts.iter().find(|answer| answer.error_code() == "RATE_LIMITED").expect("some are refused");
    let mut answers = Answers::default();
    answers.note_answer("one of 150 sign-ins together", refused);
    answers.assert("rate_limited");
}

#[tokio::test]
async fn a_database_that_cannot_be_written_is_unavailable() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let held = app.hold_writes().await;
    let mut answers = Answers::default();
    let variables = json!({ "roomId": room.id, "body": "hello" });
    answers.note_of(&ann, "a database that can't be written", documents::POST_MESSAGE, variables).await;
    held.rollback().await.expect("the lock is released");
    answers.assert("unavailable_for_writing");
}

#[tokio::test]
async fn a_database_that_cannot_be_read_is_unavailable() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    ann.graphql(ME, json!({})).await.data();
    let _held = app.hold_reads().await;
    // Only ann has been here before, so only her token is remembered.
    let users = [("a database that can't be read", &ann), ("a database that can't tell whose token it is", &bob)];
    let requests = [GRAPHQL_JSON, JSON].into_iter().flat_map(|accept| users.map(|(what, user)| (what, user, accept)));
    // Together, for each has to wait before it is refused.
    let responses = requests.map(async |(what, user, accept)| {
        let request = operation(app.endpoint(), accept, ME, json!({})).bearer_auth(&user.access_token);
        (format!("{what}, for {accept}"), within(what, request.send()).await.expect("the server responds"))
    });
    let mut answers = Answers::default();
    for (what, response) in join_all(responses).await {
        answers.note_response(&what, response).await;
    }
    answers.assert("unavailable_for_reading");
}

#[tokio::test]
async fn a_broken_database_is_an_internal_error_and_says_no_more() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "before").await;
    app.execute("ALTER TABLE message RENAME TO elsewhere").await;
    let mut answers = Answers::default();

    let variables = json!({ "roomId": room.id, "body": "hello", "last": 1 });
    answers.note_in_both(&ann, "a message that can't be written", documents::POST_MESSAGE, variables.clone()).await;
    answers.note_of(&ann, "messages that can't be read", documents::MESSAGES, variables).await;
    app.execute("ALTER TABLE session RENAME TO nowhere").await;
    answers.note_in_both(&bob, "a database that can't tell whose token it is", ME, json!({})).await;
    answers.assert("internal_server_error");
}
