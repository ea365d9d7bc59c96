//! What this server can't read is held against no receiver.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Receiver, app};
use crate::support::{Backend, TestApp, within};

/// Only what is posted is read from the table that is taken away.
const QUERY: &str = "subscription { events { ... on MessagePosted { message { id body reactions { count } } } \
                     ... on MessageEdited { message { id } } } }";

const TAKE_AWAY: &str = "ALTER TABLE reaction_count RENAME TO elsewhere";
const BRING_BACK: &str = "ALTER TABLE elsewhere RENAME TO reaction_count";

/// Waits until a webhook's consumer has failed so often.
async fn until_failed(app: &TestApp, id: &str, times: u64) {
    let name = format!("parlor_consumer_failures_total{{name=\"webhook:{id}\"}} ");
    within(format!("{times} failures of the consumer"), async {
        loop {
            let metrics = app.get("/metrics").await.text().await.expect("text");
            let value = metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok());
            if value.is_some_and(|value| value >= times) {
                return;
            }
        }
    })
    .await;
}

async fn expect_well(backend: &Backend, id: &str) {
    let said = backend.said_of(id).await;
    let keys = ["state", "failureCount", "failingSince", "lastStatus", "lastError"];
    let expected = [json!("ACTIVE"), json!(0), Value::Null, Value::Null, Value::Null];
    assert_eq!(keys.map(|key| said[key].clone()), expected);
}

#[tokio::test]
async fn while_the_database_fails_no_receiver_is_down_and_nothing_is_repeated() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, ordered, parallel) = (app.backend("b").await, Receiver::start().await, Receiver::start().await);
    let (in_order, _) = backend.webhook(&ordered, QUERY, true).await;
    let (any, _) = backend.webhook(&parallel, QUERY, false).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "first").await;
    for receiver in [&ordered, &parallel] {
        receiver.next_with("first").await;
    }
    app.execute(TAKE_AWAY).await;
    for text in ["one", "two"] {
        ann.post(&room, text).await;
    }
    ann.edit(&message, "other").await;
    for id in [&in_order, &any] {
        until_failed(&app, id, 3).await;
        expect_well(&backend, id).await;
    }
    assert_eq!(ordered.rest().len(), 0, "nothing before the first");
    app.execute(BRING_BACK).await;
    assert_eq!(ordered.next().await.text(), "one");
    assert_eq!(ordered.next().await.text(), "two");
    assert_eq!(ordered.next().await.kind(), "message.edited");
    let mut told = Vec::new();
    for _ in 0..3 {
        let next = parallel.next().await;
        told.push(next.body["data"]["message"]["body"].as_str().unwrap_or("edited").to_owned());
    }
    told.sort();
    assert_eq!(told, ["edited", "one", "two"], "the edit once, however often the others were tried");
    for id in [&in_order, &any] {
        backend.until(id, "nothing to wait", |said| said["behindSecs"] == 0).await;
        expect_well(&backend, id).await;
    }
    assert_eq!(ordered.rest().len() + parallel.rest().len(), 0);
}

#[tokio::test]
async fn events_that_can_never_be_made_are_failures_that_hold_up_only_an_ordered_webhook() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, ordered, parallel) = (app.backend("b").await, Receiver::start().await, Receiver::start().await);
    let (in_order, _) = backend.webhook(&ordered, QUERY, true).await;
    let (any, _) = backend.webhook(&parallel, QUERY, false).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "first").await;
    for receiver in [&ordered, &parallel] {
        receiver.next_with("first").await;
    }
    app.execute(TAKE_AWAY).await;
    for n in 0..7 {
        ann.post(&room, &n.to_string()).await;
    }
    let said = backend.until(&any, "7 failures", |said| said["failureCount"] == 7).await;
    assert_eq!((&said["state"], &said["lastError"]), (&json!("ACTIVE"), &Value::Null));
    for failure in backend.failures(&any).await {
        assert_eq!((&failure["attempts"], &failure["lastStatus"]), (&json!(1), &Value::Null));
        assert_eq!(failure["lastError"], "it could not be made");
    }
    ann.edit(&message, "other").await;
    assert_eq!(parallel.next().await.kind(), "message.edited");
    expect_well(&backend, &in_order).await;
    assert_eq!(ordered.rest().len(), 0);

    app.execute(BRING_BACK).await;
    for n in 0..7 {
        assert_eq!(ordered.next().await.text(), n.to_string());
    }
    app.clock().advance(TimeDelta::seconds(10));
    backend.until(&any, "no failure", |said| said["failureCount"] == 0).await;
    let mut told: Vec<String> = parallel.rest().iter().map(|request| request.text().to_owned()).collect();
    told.sort();
    assert_eq!(told, ["0", "1", "2", "3", "4", "5", "6"]);
}
