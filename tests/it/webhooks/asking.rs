//! Who may have what told to whom.

use serde_json::{Value, json};

use super::{POSTS, Receiver, app};
use crate::support::{Answer, TestApp};

fn refusal(answer: &Answer) -> (&str, &str) {
    (answer.error_code(), answer.error_field())
}

#[tokio::test]
async fn only_a_server_key_has_webhooks() {
    let app = app().await;
    let ann = app.user("ann").await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, false).await;
    let input = json!({ "url": receiver.url, "query": POSTS });
    for (document, variables) in [
        ("{ webhooks { url } }", json!({})),
        ("query($id: ID!) { webhookFailures(webhookId: $id) { nodes { attempts } } }", json!({ "id": id })),
        ("{ log { endCursor } }", json!({})),
        ("mutation($input: WebhookInput!) { createWebhook(input: $input) { secret } }", json!({ "input": input })),
        (
            "mutation($id: ID!) { updateWebhook(webhookId: $id, input: { rotateSecret: true }) { secret } }",
            json!({ "id": id }),
        ),
        ("mutation($id: ID!) { replayWebhook(webhookId: $id) { secret } }", json!({ "id": id })),
        ("mutation($id: ID!) { deleteWebhook(webhookId: $id) { webhookId } }", json!({ "id": id })),
    ] {
        let refused = ann.graphql(document, variables.clone()).await;
        assert_eq!(refused.error()["extensions"]["reason"], "SERVER_KEY_NEEDED", "{document}");
        assert_eq!(app.anonymous(document, variables).await.error_code(), "UNAUTHENTICATED", "{document}");
    }
    assert_eq!(backend.said_of(&id).await["state"], "ACTIVE");
}

#[tokio::test]
async fn what_can_not_be_told_is_refused_when_it_is_asked_for() {
    let app = app().await;
    let backend = app.backend("b").await;
    let viewer = "subscription { events { ... on MessagePosted { message { room { viewer { muted } } } } } }";
    for (input, field) in [
        (json!({ "query": POSTS }), "url"),
        (json!({ "url": "https://example.com" }), "query"),
        (json!({ "url": "https://example.com", "query": "{ me { id } }" }), "query"),
        (json!({ "url": "https://example.com", "query": viewer }), "query"),
        (json!({ "url": "https://user:secret@example.com", "query": POSTS }), "url"),
        (json!({ "url": "https://10.0.0.1", "query": POSTS }), "url"),
        (json!({ "url": "http://169.254.169.254/latest", "query": POSTS }), "url"),
    ] {
        assert_eq!(refusal(&backend.create_webhook(input.clone()).await), ("BAD_USER_INPUT", field), "{input}");
    }
    let unknown = "webhook_00000000000000000000000000";
    assert_eq!(refusal(&backend.update_webhook(unknown, json!({})).await), ("NOT_FOUND", "webhookId"));
    assert_eq!(refusal(&backend.delete_webhook(unknown).await), ("NOT_FOUND", "webhookId"));
    assert_eq!(refusal(&backend.replay_webhook(unknown, None, None).await), ("BAD_USER_INPUT", "after"));
    for _ in 0..20 {
        backend.create_webhook(json!({ "url": "https://example.com", "query": POSTS, "enabled": false })).await.data();
    }
    let one_more = backend.create_webhook(json!({ "url": "https://example.com", "query": POSTS })).await;
    assert_eq!(refusal(&one_more), ("CONFLICT", "url"));
}

#[tokio::test]
async fn a_receiver_of_this_machine_is_not_reached_unless_the_operator_allows_it() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    for url in [receiver.url.clone(), receiver.url.replace("http://127.0.0.1", "https://127.0.0.1")] {
        let refused = backend.create_webhook(json!({ "url": url, "query": POSTS })).await;
        assert_eq!(refusal(&refused), ("BAD_USER_INPUT", "url"), "{url}");
    }
    // A name is looked up when it is connected to.
    let url = receiver.url.replace("http://127.0.0.1", "https://localhost");
    let made = backend.create_webhook(json!({ "url": url, "query": POSTS })).await;
    let id = made.text("/createWebhook/webhook/id").to_owned();
    ann.post(&ann.initiate_chat([&bob]).await, "one").await;
    let said = backend.until(&id, "it to be paused", |said| said["state"] == "PAUSED").await;
    assert_eq!(said["lastError"], "the address is not public");
    assert_eq!(receiver.rest().len(), 0);
}

#[tokio::test]
async fn a_webhook_ends_with_the_key_that_answers_for_it() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (leaked, other, receiver) = (app.backend("leaked").await, app.backend("other").await, Receiver::start().await);
    let (id, _) = leaked.webhook(&receiver, POSTS, false).await;
    let (adopted, _) = leaked.webhook(&receiver, POSTS, false).await;
    other.update_webhook(&adopted, json!({ "url": receiver.url })).await.data();
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "one").await;
    assert_eq!([receiver.next().await, receiver.next().await].map(|told| told.text().to_owned()), ["one", "one"]);
    assert!(app.parlor(&["key", "revoke", "leaked"]).await.status.success());
    assert_eq!(other.said_of(&id).await["state"], "DISABLED");
    assert_eq!(other.said_of(&adopted).await["state"], "ACTIVE");
    let only_one = |metrics: &str| metrics.matches("parlor_consumer_running{name=\"webhook:").count() == 1;
    crate::support::within("one to stop", async {
        while !only_one(&app.get("/metrics").await.text().await.expect("text")) {}
    })
    .await;
    ann.post(&room, "two").await;
    receiver.next_with("two").await;
    ann.post(&room, "three").await;
    assert_eq!(receiver.next().await.text(), "three", "one of them is told");
    assert_eq!(other.failures(&id).await, Vec::<Value>::new());
}
