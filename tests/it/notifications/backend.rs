//! The app's own backend, which is told by webhooks of whom to notify.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use parlor::ephemeral::EphemeralLimits;
use parlor::server::Tuning;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::devices::{AUTH, P256DH, endpoint, id, web_push};
use super::pushes::settled;
use crate::support::{PushService, TestApp, within};
use crate::webhooks::{Receiver, allow_this_machine};

const DUE: &str = "subscription { events { cursor at ... on NotificationDue { kind user { id username } room { id name } badge
    message { id body author { username } room { id } } collapseKey targets { deviceId platform token p256dh auth } } } }";

async fn app() -> TestApp {
    let ephemeral = EphemeralLimits { linger: Duration::ZERO, ..EphemeralLimits::default() };
    let tuning = Tuning { ephemeral, notify_later: Some(Duration::from_secs(2)), ..Tuning::default() };
    TestApp::start_tuned(tuning, allow_this_machine).await
}

#[tokio::test]
async fn a_webhook_is_told_whom_to_notify_with_devices_or_without_and_when_it_is_over() {
    let app = app().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let (backend, receiver) = (app.backend("backend").await, Receiver::start().await);
    let (_, secret) = backend.webhook(&receiver, DUE, false).await;
    let room = ann.initiate_chat([&bob, &kim]).await;
    // Firefox' service isn't there, so that Parlor's own push fails.
    let device = id(&bob.register(web_push(&endpoint(1))).await);
    let message = ann.post(&room, "hello").await;

    let mut told = Vec::new();
    for _ in 0..2 {
        told.push(receiver.next().await);
    }
    told.sort_by_key(|told| told.body["data"]["user"]["username"].to_string());
    assert_eq!(told.iter().map(|told| told.signed_by(&secret)).collect::<Vec<_>>(), [[true], [true]]);
    let ids: BTreeSet<&str> = told.iter().map(|told| &*told.id).collect();
    assert!(ids.len() == 2 && ids.iter().all(|id| id.starts_with("ntf_")), "{ids:?}");
    let body = &told[0].body;
    let of_bob = json!({
        "type": "notification.due",
        "timestamp": body["timestamp"],
        "cursor": body["cursor"],
        "audience": { "roomId": room.id, "userId": bob.id },
        "data": {
            "cursor": body["data"]["cursor"],
            "at": body["data"]["at"],
            "kind": "MESSAGE",
            "user": { "id": bob.id, "username": "bob" },
            "room": { "id": room.id, "name": null },
            "badge": 1,
            "message": { "id": message.id, "body": "hello", "author": { "username": "ann" }, "room": { "id": room.id } },
            "collapseKey": body["data"]["collapseKey"],
            "targets": [
                { "deviceId": device, "platform": "WEB_PUSH", "token": endpoint(1), "p256dh": P256DH, "auth": AUTH }
            ],
        },
    });
    assert_eq!(*body, of_bob);
    assert_eq!(told[1].body["data"]["targets"], json!([]), "the app knows how to reach kim");
    assert_ne!(told[1].body["data"]["collapseKey"], body["data"]["collapseKey"]);

    kim.mark_read(&room, 1).await;
    let over = receiver.next().await;
    assert_eq!((&over.body["data"]["kind"], &over.body["data"]["message"]), (&json!("CLEAR"), &Value::Null));
    assert_eq!(over.body["data"]["collapseKey"], told[1].body["data"]["collapseKey"]);
    assert_eq!((&over.body["audience"]["userId"], &over.body["data"]["badge"]), (&json!(kim.id), &json!(0)));
    assert!(!ids.contains(&*over.id));
}

#[tokio::test]
async fn whoever_is_connected_mutes_or_blocks_is_told_of_as_devices_are() {
    let app = app().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let (backend, receiver) = (app.backend("backend").await, Receiver::start().await);
    backend.webhook(&receiver, DUE, false).await;
    let room = ann.initiate_chat([&bob, &kim, &eve]).await;
    kim.mute(&room, true).await;
    eve.block(&ann, true).await;
    let mut feed = bob.subscribe().await;
    let read = ann.post(&room, "read").await;
    feed.until_posted(&read).await;
    bob.mark_read(&room, 1).await;
    ann.post(&room, "unread").await;
    let told = receiver.next().await;
    assert_eq!((told.text(), &told.body["data"]["user"]["username"]), ("unread", &json!("bob")));
    assert!(receiver.rest().is_empty());
}

#[tokio::test]
async fn whoever_is_switched_off_is_told_of_no_more_and_what_was_shown_is_taken_away() {
    let app = app().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let (backend, receiver) = (app.backend("backend").await, Receiver::start().await);
    backend.webhook(&receiver, DUE, false).await;
    let room = ann.initiate_chat([&bob, &kim]).await;
    let message = ann.post(&room, "hello").await;
    for _ in 0..2 {
        assert_eq!(receiver.next().await.text(), "hello");
    }
    backend.upsert(json!([{ "id": kim.id, "active": false }])).await;
    let over = receiver.next().await;
    let data = &over.body["data"];
    assert_eq!((&data["kind"], &data["user"]["id"], &data["message"]), (&json!("CLEAR"), &json!(kim.id), &Value::Null));
    // One after the other, since each user is told of the newest alone.
    ann.post(&room, "secret").await;
    assert_eq!(receiver.next_with("secret").await.body["data"]["user"]["username"], "bob");
    let everybody = json!({ "m": message.id, "b": "hello, all", "users": [], "room": true });
    ann.graphql(crate::mentions::EDIT, everybody).await.data();
    assert_eq!(receiver.next_with("hello, all").await.body["data"]["user"]["username"], "bob");
    settled(&app).await;
    assert!(receiver.rest().is_empty(), "kim is told of nothing");

    backend.upsert(json!([{ "id": kim.id, "active": true }])).await;
    ann.post(&room, "welcome").await;
    let told = [receiver.next_with("welcome").await, receiver.next_with("welcome").await];
    let users: BTreeSet<&str> = told.iter().filter_map(|told| told.body["data"]["user"]["username"].as_str()).collect();
    assert_eq!(users, BTreeSet::from(["bob", "kim"]));
}

#[tokio::test]
async fn a_notification_that_is_refused_comes_again_with_the_same_id_and_is_then_forgotten() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("backend").await, Receiver::start().await);
    let (webhook, _) = backend.webhook(&receiver, DUE, false).await;
    let room = ann.initiate_chat([&bob]).await;
    let asked = Arc::<AtomicUsize>::default();
    let counted = asked.clone();
    receiver.answers(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::NO_CONTENT,
    });
    ann.post(&room, "hello").await;
    let (first, second) = (receiver.next().await, receiver.next().await);
    assert_eq!((first.text(), &first.id, &first.bytes), ("hello", &second.id, &second.bytes));
    within("the consumer to go on", async {
        let pushed = "SELECT CAST(count(*) AS text) FROM pushed";
        while app.text(pushed, pushed).await != "1" {}
    })
    .await;
    let said = backend.said_of(&webhook).await;
    assert_eq!((&said["state"], &said["failureCount"]), (&json!("ACTIVE"), &json!(0)), "nothing is kept of it");

    receiver.answers(|_| StatusCode::GONE);
    let other = ann.create(json!({ "name": "Trip", "members": [{ "userId": bob.id }] })).await;
    ann.post(&other, "to nobody").await;
    receiver.next().await;
    backend.until(&webhook, "it to be disabled", |said| said["state"] == "DISABLED").await;
}

/// A receiver that says nothing: it holds each connection, or closes it. How many there were.
async fn silent(holds: bool) -> (String, Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/hook", listener.local_addr().expect("it has an address"));
    let count = Arc::<AtomicUsize>::default();
    let counted = count.clone();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut connection, _) = listener.accept().await.expect("it accepts");
            counted.fetch_add(1, Ordering::SeqCst);
            // What is asked is read, so that it was sent.
            let _ = connection.read(&mut [0; 64]).await;
            held.extend(holds.then_some(connection));
        }
    });
    (url, count, serving)
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_left_alone_for_a_minute_and_holds_up_neither_devices_nor_others() {
    let ephemeral = EphemeralLimits { linger: Duration::ZERO, ..EphemeralLimits::default() };
    let (notify_later, notify_backend) = (Some(Duration::from_secs(2)), Some(Duration::from_secs(1)));
    let tuning = Tuning { ephemeral, notify_later, notify_backend, ..Tuning::default() };
    let app = TestApp::start_tuned(tuning, |config| {
        allow_this_machine(config);
        config.push_hosts = vec!["127.0.0.1".to_owned()];
    })
    .await;
    let (service, receiver) = (PushService::start().await, Receiver::start().await);
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let mut browser = service.browser("bob");
    bob.register(browser.input()).await.data();
    let backend = app.backend("backend").await;
    let ((hangs, held, _holding), (closes, dropped, _dropping)) = (silent(true).await, silent(false).await);
    for url in [&hangs, &closes, &receiver.url] {
        backend.create_webhook(json!({ "url": url, "query": DUE, "ordered": false })).await.data();
    }
    for (n, asked) in [1, 1, 2].into_iter().enumerate() {
        if asked == 2 {
            app.clock().advance(chrono::TimeDelta::seconds(61));
        }
        // In rooms of their own, so that none is told later.
        let room = ann.create(json!({ "name": "Trip", "members": [{ "userId": bob.id }] })).await;
        ann.post(&room, &format!("{n}")).await;
        assert_eq!(browser.next().await.said["body"], json!(format!("{n}")));
        assert_eq!(receiver.next().await.text(), format!("{n}"));
        settled(&app).await;
        assert_eq!([&held, &dropped].map(|count| count.load(Ordering::SeqCst)), [asked, asked], "after {n}");
    }
    assert_eq!((browser.waiting(), receiver.rest().len()), (vec![], 0));
}

#[tokio::test]
async fn no_socket_and_no_log_is_told_of_notifications() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("backend").await, Receiver::start().await);
    backend.webhook(&receiver, DUE, false).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut own = ann.subscribe_to(DUE.replace("cursor at", "__typename cursor at").as_str(), json!({})).await;
    ann.post(&room, "hello").await;
    assert_eq!(receiver.next().await.text(), "hello");
    ann.post(&room, "end").await;
    let told = own.until(|event| event.kind == "MessagePosted").await;
    assert!(told.iter().all(|event| event.kind != "NotificationDue"), "{told:?}");
    let log = backend.graphql("{ log(first: 100) { entries { event { __typename } } } }", json!({})).await;
    let kinds: Vec<&Value> = log.list("/log/entries").iter().map(|entry| &entry["event"]["__typename"]).collect();
    assert!(!kinds.contains(&&json!("NotificationDue")) && !kinds.is_empty(), "{kinds:?}");
}
