//! What becomes of events that nobody takes.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{POSTS, Receiver, app};
use crate::support::within;

/// When a receiver that is down is tried next, as is said of its webhook.
fn next_attempt(said: &Value) -> Option<DateTime<Utc>> {
    said["nextAttemptAt"].as_str()?.parse().ok()
}

#[tokio::test]
async fn an_event_that_is_refused_holds_up_nothing_and_comes_again() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, false).await;
    let room = ann.initiate_chat([&bob]).await;
    receiver.answers(|request| if request.text() == "bad" { StatusCode::BAD_REQUEST } else { StatusCode::OK });
    ann.post(&room, "bad").await;
    let refused = receiver.next_with("bad").await;
    // All within less than the five seconds after which the refused one comes again by itself.
    let texts: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    for text in &texts {
        ann.post(&room, text).await;
    }
    let mut told = Vec::new();
    for _ in &texts {
        told.push(receiver.next().await.text().to_owned());
    }
    told.sort();
    assert_eq!(told, texts);
    let said = backend.until(&id, "one failure", |said| said["failureCount"] == 1).await;
    assert_eq!(said["state"], "ACTIVE");
    let failures = backend.failures(&id).await;
    assert_eq!((&failures[0]["attempts"], &failures[0]["lastStatus"]), (&json!(1), &json!(400)));
    assert!(failures[0]["nextAttemptAt"].is_string() && failures[0]["cursor"] == refused.body["cursor"]);

    for attempts in 2..=10 {
        app.clock().advance(TimeDelta::hours(27));
        assert_eq!(receiver.next_with("bad").await.id, refused.id);
        within("the failure to be noted", async { while backend.failures(&id).await[0]["attempts"] != attempts {} })
            .await;
    }
    assert_eq!(backend.failures(&id).await[0]["nextAttemptAt"], json!(null), "it is not sent any more by itself");
    receiver.answers(|_| StatusCode::OK);
    let cursor = failures[0]["cursor"].as_str().expect("a cursor");
    backend.replay_webhook(&id, None, Some(cursor)).await.data();
    assert_eq!(receiver.next_with("bad").await.id, refused.id);
    backend.until(&id, "no failure", |said| said["failureCount"] == 0).await;
    let again = backend.replay_webhook(&id, None, Some(cursor)).await;
    assert_eq!((again.error_code(), again.error_field()), ("NOT_FOUND", "failure"));
}

#[tokio::test]
async fn a_receiver_that_is_down_stops_its_own_webhook_and_is_told_everything_later() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, down, well) = (app.backend("b").await, Receiver::start().await, Receiver::start().await);
    down.answers(|_| StatusCode::INTERNAL_SERVER_ERROR);
    let (id, _) = backend.webhook(&down, POSTS, false).await;
    backend.webhook(&well, POSTS, false).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 0..30 {
        ann.post(&room, &n.to_string()).await;
        well.next_with(n).await;
    }
    let said = backend.until(&id, "it to be paused", |said| said["state"] == "PAUSED").await;
    assert_eq!((&said["lastStatus"], &said["lastError"]), (&json!(500), &json!("the answer is 500")));
    assert!(said["failingSince"].is_string() && said["nextAttemptAt"].is_string());
    assert!(said["failureCount"].as_i64().expect("a number") < 5, "they wait in the log");

    // What was deleted meanwhile isn't told late.
    let messages = ann.messages(&room).await;
    let secret = messages.iter().find(|message| message.body == "25").expect("it is there");
    ann.delete(secret).await;
    down.answers(|_| StatusCode::OK);
    down.rest();
    let mut told = std::collections::BTreeSet::new();
    while told.len() < 30 {
        app.clock().advance(TimeDelta::minutes(10));
        let next = within("the next", down.next()).await;
        told.insert(next.id.clone());
        assert_ne!(next.body["data"]["message"]["body"], "25");
    }
    backend.until(&id, "it to be well", |said| said["state"] == "ACTIVE" && said["failureCount"] == 0).await;
}

#[tokio::test]
async fn an_event_that_is_refused_holds_up_an_ordered_webhook() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, true).await;
    let room = ann.initiate_chat([&bob]).await;
    receiver.answers(|request| if request.text() == "bad" { StatusCode::BAD_REQUEST } else { StatusCode::OK });
    for text in ["good", "bad", "later"] {
        ann.post(&room, text).await;
    }
    receiver.next_with("good").await;
    let bad = receiver.next_with("bad").await;
    backend.until(&id, "it to be paused", |said| said["state"] == "PAUSED").await;
    app.clock().advance(TimeDelta::minutes(1));
    let again = receiver.next().await;
    assert_eq!((again.text(), &again.id), ("bad", &bad.id));
    let told = app.clock().now();
    backend.until(&id, "it to be paused anew", |said| next_attempt(said).is_some_and(|next| next > told)).await;
    receiver.answers(|_| StatusCode::OK);
    app.clock().advance(TimeDelta::minutes(10));
    assert_eq!(receiver.next().await.text(), "bad");
    assert_eq!(receiver.next().await.text(), "later");
    assert_eq!(backend.failures(&id).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_receiver_that_asks_to_wait_is_left_alone_and_one_that_is_gone_for_ever() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, false).await;
    let room = ann.initiate_chat([&bob]).await;
    receiver.answers(|_| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "600")]));
    ann.post(&room, "one").await;
    receiver.next_with("one").await;
    let said = backend.until(&id, "it to be paused", |said| said["state"] == "PAUSED").await;
    let wait = next_attempt(&said).expect("a time") - app.clock().now();
    assert!(wait > TimeDelta::seconds(560) && wait <= TimeDelta::seconds(600), "{wait}");
    receiver.answers(|_| StatusCode::GONE);
    app.clock().advance(TimeDelta::minutes(11));
    receiver.next_with("one").await;
    let said = backend.until(&id, "it to be disabled", |said| said["state"] == "DISABLED").await;
    assert_eq!((&said["lastStatus"], &said["failingSince"]), (&json!(410), &json!(null)));
    receiver.answers(|_| StatusCode::OK);
    backend.update_webhook(&id, json!({ "enabled": true })).await.data();
    assert_eq!(receiver.next().await.text(), "one", "it had stopped there");
}

#[tokio::test]
async fn a_receiver_may_say_by_a_date_until_when_it_is_left_alone() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, false).await;
    let room = ann.initiate_chat([&bob]).await;
    let date = |wait: TimeDelta| (app.clock().now() + wait).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let wait = async |at_least: TimeDelta| {
        let later = |said: &Value| next_attempt(said).is_some_and(|next| next > app.clock().now() + at_least);
        let said = backend.until(&id, "the next attempt to be later", later).await;
        next_attempt(&said).expect("a time") - app.clock().now()
    };
    let answers = |until: String| {
        receiver.answers(move |_| (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", until.clone())]));
    };
    answers(date(TimeDelta::minutes(10)));
    ann.post(&room, "one").await;
    let waits = wait(TimeDelta::minutes(9)).await;
    assert!(waits <= TimeDelta::minutes(10), "{waits}");
    // An hour is the most that it may ask for.
    answers(date(TimeDelta::days(3_000)));
    app.clock().advance(TimeDelta::minutes(11));
    let waits = wait(TimeDelta::minutes(55)).await;
    assert!(waits <= TimeDelta::minutes(60), "{waits}");
    // What is over asks for nothing: then the schedule holds.
    answers(date(TimeDelta::days(-1)));
    app.clock().advance(TimeDelta::minutes(61));
    let waits = wait(TimeDelta::minutes(4)).await;
    assert!(waits <= TimeDelta::minutes(6), "{waits}");
}

#[tokio::test]
async fn what_was_sent_ten_times_is_not_sent_again_though_the_receiver_asks_for_that() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, false).await;
    let room = ann.initiate_chat([&bob]).await;
    receiver.answers(|request| if request.text() == "bad" { StatusCode::BAD_REQUEST } else { StatusCode::OK });
    for text in ["bad", "good"] {
        ann.post(&room, text).await;
    }
    receiver.next_with("good").await;
    backend.until(&id, "one failure", |said| said["failureCount"] == 1).await;
    receiver.rest();
    receiver.answers(|request| match request.text() {
        "bad" => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")]).into_response(),
        _ => StatusCode::OK.into_response(),
    });
    for attempts in 2..=10 {
        app.clock().advance(TimeDelta::hours(27));
        receiver.next_with("bad").await;
        within("the failure to be noted", async { while backend.failures(&id).await[0]["attempts"] != attempts {} })
            .await;
        let next = backend.failures(&id).await[0]["nextAttemptAt"].clone();
        assert_eq!(next.is_string(), attempts < 10, "{attempts}: {next}");
        if let Some(next) = next.as_str() {
            let next: DateTime<Utc> = next.parse().expect("a time");
            assert!(next - app.clock().now() > TimeDelta::minutes(59), "it is left alone for as long as it asks");
        }
    }
    app.clock().advance(TimeDelta::hours(27));
    let ann = app.sign_in("ann").await;
    ann.post(&room, "later").await;
    assert_eq!(receiver.next().await.text(), "later");
}

#[tokio::test]
async fn one_that_is_down_for_three_days_is_given_up() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, true).await;
    receiver.answers(|_| StatusCode::FOUND);
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "one").await;
    for _ in 0..9 {
        receiver.next_with("one").await;
        let told = app.clock().now();
        backend.until(&id, "it to be paused", |said| next_attempt(said).is_some_and(|next| next > told)).await;
        app.clock().advance(TimeDelta::hours(27));
    }
    receiver.next_with("one").await;
    let said = backend.until(&id, "it to be disabled", |said| said["state"] == "DISABLED").await;
    assert!(said["failingSince"].is_string() && said["behindSecs"].as_i64().expect("a number") > 75 * 3_600);
    within("readiness to tell", async { while !app.get("/readyz").await.text().await.expect("text").contains(&id) {} })
        .await;
    receiver.answers(|_| StatusCode::OK);
    backend.update_webhook(&id, json!({ "enabled": true })).await.data();
    assert_eq!(receiver.next().await.text(), "one");
}

#[tokio::test]
async fn nobody_there_is_noticed_by_the_first_event() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, false).await;
    receiver.stop().await;
    ann.post(&ann.initiate_chat([&bob]).await, "one").await;
    let said = backend.until(&id, "it to be paused", |said| said["state"] == "PAUSED").await;
    assert_eq!((&said["lastStatus"], &said["failureCount"]), (&json!(null), &json!(0)));
}
