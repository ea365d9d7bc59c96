//! What happens between an event that is refused and the time at which it comes again, and where telling can begin anew.

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{POSTS, Receiver, app};
use crate::support::within;

#[tokio::test]
async fn what_is_told_again_is_signed_by_the_secrets_of_that_time() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, old) = backend.webhook(&receiver, POSTS, false).await;
    let room = ann.initiate_chat([&bob]).await;
    receiver.answers(|request| if request.text() == "bad" { StatusCode::BAD_REQUEST } else { StatusCode::OK });
    ann.post(&room, "bad").await;
    let first = receiver.next_with("bad").await;
    assert_eq!(first.signed_by(&old), [true]);
    backend.until(&id, "one failure", |said| said["failureCount"] == 1).await;

    let noted = async |attempts: u32| {
        within("the attempt to be noted", async { while backend.failures(&id).await[0]["attempts"] != attempts {} })
            .await;
    };
    let rotated = backend.update_webhook(&id, json!({ "rotateSecret": true })).await;
    let new = rotated.text("/updateWebhook/secret").to_owned();
    app.clock().advance(TimeDelta::hours(1));
    let again = receiver.next_with("bad").await;
    assert_eq!((&again.id, &again.bytes), (&first.id, &first.bytes));
    assert_eq!((again.signed_by(&new), again.signed_by(&old)), (vec![true, false], vec![false, true]));
    assert!(again.timestamp >= first.timestamp + 3_600, "a receiver refuses what is signed long ago");
    noted(2).await;

    // Once more, before the first one has run out: the oldest secret is forgotten.
    let rotated = backend.update_webhook(&id, json!({ "rotateSecret": true })).await;
    let newest = rotated.text("/updateWebhook/secret").to_owned();
    app.clock().advance(TimeDelta::hours(1));
    let again = receiver.next_with("bad").await;
    assert_eq!((again.signed_by(&newest), again.signed_by(&new)), (vec![true, false], vec![false, true]));
    assert_eq!(again.signed_by(&old), [false, false]);
    noted(3).await;
    app.clock().advance(TimeDelta::hours(25));
    let again = receiver.next_with("bad").await;
    assert_eq!((again.id.as_str(), again.signed_by(&newest)), (first.id.as_str(), vec![true]));
}

#[tokio::test]
async fn a_receiver_that_is_gone_when_an_event_comes_again_is_told_nothing_more() {
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
    receiver.answers(|request| if request.text() == "bad" { StatusCode::GONE } else { StatusCode::OK });
    app.clock().advance(TimeDelta::hours(1));
    assert_eq!(receiver.next().await.text(), "bad");
    let said = backend.until(&id, "it to be disabled", |said| said["state"] == "DISABLED").await;
    assert_eq!((&said["lastStatus"], &said["failureCount"]), (&json!(410), &json!(1)));
    app.clock().advance(TimeDelta::hours(30));
    let ann = app.sign_in("ann").await;
    ann.post(&room, "later").await;
    assert_eq!(backend.said_of(&id).await["state"], "DISABLED");
    assert_eq!(receiver.rest().len(), 0, "neither the one nor the other");

    receiver.answers(|_| StatusCode::OK);
    backend.update_webhook(&id, json!({ "enabled": true })).await.data();
    let mut told = [receiver.next().await.text().to_owned(), receiver.next().await.text().to_owned()];
    told.sort();
    assert_eq!(told, ["bad", "later"], "what was refused, and where it had stopped");
    backend.until(&id, "no failure", |said| said["failureCount"] == 0 && said["state"] == "ACTIVE").await;
    ann.post(&room, "last").await;
    assert_eq!(receiver.next().await.text(), "last");
}

#[tokio::test]
async fn telling_begins_anew_at_no_cursor_that_the_log_does_not_have() {
    let mut app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    let (id, _) = backend.webhook(&receiver, POSTS, true).await;
    let (other, _) = backend.webhook(&receiver, POSTS, true).await;
    backend.delete_webhook(&other).await.data();
    let room = ann.initiate_chat([&bob]).await;
    let mut cursors = Vec::new();
    for text in ["one", "two", "three"] {
        ann.post(&room, text).await;
        let cursor = receiver.next_with(text).await.body["cursor"].clone();
        cursors.push(cursor.as_str().expect("a cursor").to_owned());
    }
    let behind = backend.until(&id, "nothing to wait", |said| said["behindSecs"] == 0).await["cursor"].clone();
    let longer = format!("{}A", cursors[0]);
    for garbage in ["", "x", "1", "-1", "99999999999999999999", "\0", &cursors[0][1..], longer.as_str()] {
        for (after, failure) in [(Some(garbage), None), (None, Some(garbage))] {
            let refused = backend.replay_webhook(&id, after, failure).await;
            assert!(
                ["BAD_USER_INPUT", "CONFLICT", "NOT_FOUND"].contains(&refused.error_code()),
                "{garbage:?}: {:#}",
                refused.body
            );
        }
    }
    let both = backend.replay_webhook(&id, Some(&cursors[0]), Some(&cursors[0])).await;
    assert_eq!((both.error_code(), both.error_field()), ("BAD_USER_INPUT", "after"));
    let well = backend.replay_webhook(&id, None, Some(&cursors[0])).await;
    assert_eq!((well.error_code(), well.error_field()), ("NOT_FOUND", "failure"), "it was not refused");
    let gone = backend.replay_webhook(&other, Some(&cursors[0]), None).await;
    assert_eq!((gone.error_code(), gone.error_field()), ("NOT_FOUND", "webhookId"));

    // The log is one without the last event, and with another one in the place of the one before.
    let [at, last] = [&cursors[1], &cursors[2]].map(|cursor| app.place(cursor).position.0);
    app.stop().await;
    app.execute(&format!("UPDATE event SET tag = tag + 1 WHERE position = {at}")).await;
    app.execute(&format!("DELETE FROM event WHERE position >= {last}")).await;
    app.resume().await;
    receiver.rest();
    for cursor in &cursors[1..] {
        let refused = backend.replay_webhook(&id, Some(cursor), None).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("CONFLICT", "after"), "{cursor}");
        let document = "query($after: Cursor) { log(after: $after) { endCursor } }";
        let pulled = backend.graphql(document, json!({ "after": cursor })).await;
        assert_eq!((pulled.error_code(), pulled.error_field()), ("CONFLICT", "after"), "{cursor}");
    }
    assert_ne!(behind, Value::Null);
    backend.replay_webhook(&id, Some(&cursors[0]), None).await.data();
    let told = receiver.next().await;
    assert_eq!(told.text(), "two", "the other one, in its place");
    assert_ne!(told.body["cursor"], *cursors[1]);
}
