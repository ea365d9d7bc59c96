//! Receivers that answer, and don't take some events: those are told the others.

use axum::http::StatusCode;
use chrono::TimeDelta;

use super::{POSTS, Receiver, app};
use crate::support::TestApp;

const POSTS_AND_DELETIONS: &str = "subscription { events { ... on MessagePosted { message { id body } } \
                                   ... on MessageDeleted { message { id } } } }";

/// Has the only webhook stand as if its receiver had refused a thousand events to the end, long ago.
async fn refused_a_thousand(app: &TestApp) {
    app.execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000) \
         INSERT INTO webhook_failure (webhook_id, position, tag, attempts, status, error) \
         SELECT webhook.id, -n.n, 0, 10, 400, 'the answer is 400' FROM webhook, n",
    )
    .await;
}

#[tokio::test]
async fn a_receiver_that_rejects_a_kind_of_event_is_told_all_others() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS_AND_DELETIONS, false).await;
    receiver.answers(|request| match request.kind() {
        "message.deleted" => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::NO_CONTENT,
    });
    let room = ann.initiate_chat([&bob]).await;
    let mut posted = Vec::new();
    for n in 0..20 {
        posted.push(ann.post(&room, &n.to_string()).await);
        receiver.next_with(n).await;
    }
    for message in &posted {
        ann.delete(message).await;
    }
    for text in ["one", "two", "three"] {
        ann.post(&room, text).await;
    }
    // So many in a row may be of a receiver that is down. It is tried soon, and says again that it doesn't like them.
    backend.until(&id, "it to be paused", |said| said["state"] == "PAUSED").await;
    app.clock().advance(TimeDelta::seconds(10));
    let mut told = Vec::new();
    while told.len() < 3 {
        let next = receiver.next().await;
        if next.kind() == "message.posted" {
            told.push(next.text().to_owned());
        }
    }
    told.sort();
    assert_eq!(told, ["one", "three", "two"]);
    backend.until(&id, "20 failures", |said| said["state"] == "ACTIVE" && said["failureCount"] == 20).await;
    for failure in backend.failures(&id).await {
        assert_eq!((&failure["lastStatus"], &failure["type"]), (&422.into(), &"message.deleted".into()));
        assert!(failure["nextAttemptAt"].is_string(), "{failure:#}");
    }
    backend.until(&id, "nothing to wait", |said| said["behindSecs"] == 0).await;
}

#[tokio::test]
async fn what_was_refused_to_the_end_makes_room_for_what_is_refused_now() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, false).await;
    refused_a_thousand(&app).await;
    receiver.answers(|request| if request.text() == "bad" { StatusCode::BAD_REQUEST } else { StatusCode::OK });
    let room = ann.initiate_chat([&bob]).await;
    for n in 0..3 {
        ann.post(&room, "bad").await;
        receiver.next_with("bad").await;
        ann.post(&room, &n.to_string()).await;
        receiver.next_with(n).await;
    }
    backend.until(&id, "nothing to wait", |said| said["behindSecs"] == 0).await;
    let said = backend.said_of(&id).await;
    assert_eq!((&said["state"], &said["failureCount"]), (&"ACTIVE".into(), &1_000.into()));
    let places = "SELECT MIN(position) || ' ' || COUNT(next_at) FROM webhook_failure";
    assert_eq!(app.text(places, places).await, "-997 3", "the oldest three are gone, and three are to be sent again");
    assert_eq!(backend.failures(&id).await[0]["type"], "message.posted");
    app.execute("UPDATE webhook_failure SET tag = tag + 1 WHERE position > 0").await;
    assert_eq!(backend.failures(&id).await[0]["type"], serde_json::Value::Null, "the log doesn't hold that event");
}

#[tokio::test]
async fn what_waits_to_be_sent_again_makes_no_room() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, false).await;
    refused_a_thousand(&app).await;
    app.execute("UPDATE webhook_failure SET next_at = '2999-01-01 00:00:00+00:00'").await;
    receiver.answers(|_| StatusCode::BAD_REQUEST);
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "bad").await;
    receiver.next_with("bad").await;
    let said = backend.until(&id, "it to be paused", |said| said["state"] == "PAUSED").await;
    assert_eq!(said["failureCount"], 1_000);
    // Room for one, and the event is noted by the next attempt.
    app.execute("UPDATE webhook_failure SET next_at = NULL WHERE position = -1000").await;
    app.clock().advance(TimeDelta::seconds(10));
    receiver.next_with("bad").await;
    backend.until(&id, "nothing to wait", |said| said["behindSecs"] == 0).await;
    let places = "SELECT MIN(position) || ' ' || MIN(attempts) FROM webhook_failure";
    assert_eq!(app.text(places, places).await, "-999 1");
}

#[tokio::test]
async fn a_receiver_that_rejected_everything_is_told_it_again_though_nothing_new_happens() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, false).await;
    // As one that has the wrong secret.
    receiver.answers(|_| StatusCode::BAD_REQUEST);
    let room = ann.initiate_chat([&bob]).await;
    for n in 0..7 {
        ann.post(&room, &n.to_string()).await;
    }
    backend.until(&id, "it to be paused", |said| said["state"] == "PAUSED").await;
    app.clock().advance(TimeDelta::seconds(10));
    let said = backend.until(&id, "7 failures", |said| said["failureCount"] == 7 && said["behindSecs"] == 0).await;
    assert_eq!(said["state"], "PAUSED", "it has taken nothing");
    receiver.rest();
    receiver.answers(|_| StatusCode::OK);
    app.clock().advance(TimeDelta::hours(1));
    backend.until(&id, "no failure", |said| said["state"] == "ACTIVE" && said["failureCount"] == 0).await;
    assert_eq!(receiver.rest().len(), 7, "each once");
}
