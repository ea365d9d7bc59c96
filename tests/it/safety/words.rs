//! The operator's list of words.

use serde_json::json;

use crate::support::{Answer, Room, TestApp, TestUser, documents};

const LIST: &str = "# of the tests\nrefuse\tforbidden*\nmask\tdarn\nreport\tbuy now\n";

async fn start() -> (TestApp, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), LIST).expect("it can be written");
    let path = file.path().to_owned();
    (TestApp::start_with(move |config| config.words = Some(path)).await, file)
}

async fn try_post(user: &TestUser, room: &Room, client_id: &str, body: &str) -> Answer {
    let variables = json!({ "roomId": room.id, "body": body, "clientId": client_id });
    user.graphql(documents::POST_MESSAGE, variables).await
}

#[track_caller]
fn expect_refused(answer: &Answer) {
    assert_eq!((answer.error_code(), &answer.error()["extensions"]["reason"]), ("FORBIDDEN", &json!("REFUSED_WORD")));
}

#[tokio::test]
async fn a_word_of_the_list_is_refused_or_masked_wherever_text_is_written() {
    let (app, _file) = start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob]).await;

    for hidden in ["FORBIDDEN", "f\u{200b}or\u{ad}bidden fruit", "ｆｏｒｂｉｄｄｅｎ", "forbiddenness"] {
        expect_refused(&try_post(&ann, &room, "1", hidden).await);
    }
    assert_eq!(try_post(&eve, &room, "1", "forbidden").await.error_code(), "NOT_FOUND", "who isn't in comes first");
    let first = ann.post_as(&room, "1", "Darn, d\u{200b}arn it").await;
    assert_eq!(first.body, "****, **** it");
    assert_eq!(ann.post_as(&room, "1", "Darn, d\u{200b}arn it").await, first, "the digest is of what was written");
    assert_eq!(try_post(&ann, &room, "1", "****, **** it").await.error_code(), "CONFLICT");
    assert_eq!(try_post(&ann, &room, "1", "forbidden").await.error_code(), "CONFLICT", "it was said before");

    let edited = ann.edit(&first, "no darn").await;
    assert_eq!(edited.body, "no ****");
    assert_eq!(ann.edit(&edited, "no DARN").await, edited, "that is no news");
    let edit = json!({ "messageId": first.id, "body": "a forbidden one" });
    expect_refused(&ann.graphql(documents::EDIT_MESSAGE, edit).await);
    assert_eq!(bob.messages(&room).await[0].body, "no ****");

    ann.block(&bob, true).await;
    let refused = try_post(&bob, &room, "2", "forbidden").await;
    assert_eq!(refused.error()["extensions"]["reason"], "BLOCKED", "who may not post isn't told of words");
}

#[tokio::test]
async fn what_is_to_be_reported_is_posted_and_reported_once() {
    let (app, _file) = start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;
    let posted = ann.post_as(&room, "1", "Buy\nnow, darn!").await;
    ann.post_as(&room, "1", "Buy\nnow, darn!").await;
    ann.edit(&posted, "buy  NOW").await;
    feed.next_of("MessagePosted").await;
    feed.next_of("MessageEdited").await;

    let backend = app.backend("backend").await;
    let document = "{ reports { nodes { reporter { id } userId messageId roomId reportedBody reason note } } }";
    let reports = backend.graphql(document, json!({})).await;
    let expected = json!([{ "reporter": null, "userId": ann.id, "messageId": posted.id, "roomId": room.id,
        "reportedBody": "Buy\nnow, darn!", "reason": "OTHER", "note": null }]);
    assert_eq!(reports["/reports/nodes"], expected);
}
