//! Apps that are notified by Firebase Cloud Messaging.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parlor::clock::Clock;
use parlor::ephemeral::EphemeralLimits;
use parlor::server::Tuning;
use serde_json::{Value, json};

use super::devices::id;
use super::pushes::settled;
use crate::support::{Google, PushService, TestApp, TestUser, within};

/// A server with an account at this Google, which knows its key or doesn't.
async fn start(is_known: bool) -> (TestApp, Google) {
    start_ahead(is_known, Arc::default()).await
}

/// The same, with a Google that is so many seconds ahead, as the server is once its clock was moved.
async fn start_ahead(is_known: bool, ahead: Arc<AtomicI64>) -> (TestApp, Google) {
    let google = Google::start(move || Clock::default().now().timestamp() + ahead.load(Ordering::SeqCst)).await;
    let ephemeral = EphemeralLimits { linger: Duration::ZERO, ..EphemeralLimits::default() };
    let tuning = Tuning { ephemeral, notify_later: Some(Duration::from_secs(3)), ..Tuning::default() };
    let (account, url) = (google.account(is_known), google.url.clone());
    let app = TestApp::start_tuned(tuning, |config| {
        config.push_hosts = vec!["127.0.0.1".to_owned()];
        config.fcm_account = Some(account);
        config.fcm_url = url;
    });
    (app.await, google)
}

impl TestUser {
    /// Registers an app, and returns the device's id.
    async fn has_app(&self, token: &str) -> String {
        id(&self.register(json!({ "platform": "FCM", "token": token })).await)
    }
}

fn unregistered() -> Value {
    json!({ "error": { "code": 404, "status": "NOT_FOUND", "details": [
        { "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "UNREGISTERED" },
    ] } })
}

#[tokio::test]
async fn an_app_is_notified_with_what_it_shows_and_told_by_data_alone_when_it_is_over() {
    let (app, mut google) = start(true).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    bob.has_app("bobs-phone").await;

    let message = ann.post(&room, "hello").await;
    let told = google.next().await;
    assert_eq!(told["token"], "bobs-phone");
    assert_eq!(told["notification"], json!({ "title": "The ann", "body": "hello" }));
    let data = json!({ "type": "MESSAGE", "roomId": room.id, "badge": "1", "messageId": message.id, "seq": "1",
        "author": "The ann", "body": "hello" });
    assert_eq!(told["data"], data);
    assert_eq!((&told["android"]["priority"], &told["apns"]["payload"]["aps"]["badge"]), (&json!("HIGH"), &json!(1)));
    let collapse = told["android"]["collapse_key"].clone();

    bob.mark_read(&room, 1).await;
    let told = google.next().await;
    assert_eq!(told["data"], json!({ "type": "CLEAR", "roomId": room.id, "badge": "0" }));
    assert_eq!((&told["notification"], &told["android"]["collapse_key"]), (&Value::Null, &collapse));
    assert_eq!(told["apns"]["payload"]["aps"]["content-available"], 1);
    assert_eq!(
        (google.tokens(), google.wrong()),
        (1, vec![]),
        "one token is enough, and was asked for as Google wants"
    );
}

#[tokio::test]
async fn a_token_is_asked_for_anew_before_it_ends_and_when_it_was_revoked() {
    let (app, mut google) = start(true).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    bob.has_app("bobs-phone").await;
    // Less than is left at least.
    google.tokens_last(200);
    for n in 1..=2 {
        let room = ann.create(json!({ "name": format!("{n}"), "members": [{ "userId": bob.id }] })).await;
        ann.post(&room, "hello").await;
        google.next().await;
        assert_eq!(google.tokens(), n);
    }
    google.tokens_last(3_599);
    let room = ann.create(json!({ "name": "three", "members": [{ "userId": bob.id }] })).await;
    ann.post(&room, "hello").await;
    google.next().await;
    google.revoke();
    let room = ann.create(json!({ "name": "four", "members": [{ "userId": bob.id }] })).await;
    ann.post(&room, "again").await;
    assert_eq!(google.next().await["data"]["body"], "again");
    assert_eq!((google.tokens(), google.wrong()), (104, vec![]));
}

#[tokio::test]
async fn an_app_that_is_gone_is_forgotten_and_a_busy_google_asked_again() {
    let (app, mut google) = start(true).await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let device = bob.has_app("bobs-phone").await;
    google.answers([(429, json!({})), (503, json!({})), (200, json!({}))]);
    ann.post(&room, "hello").await;
    for _ in 0..3 {
        assert_eq!(google.next().await["data"]["body"], "hello");
    }
    assert_eq!(bob.devices().await, [device], "whoever is busy forgets nobody");

    let other = ann.initiate_chat([&kim]).await;
    kim.has_app("kims-phone").await;
    // What is wrong with the message isn't the device's fault.
    google.answers([(400, json!({ "error": { "status": "INVALID_ARGUMENT" } })), (404, unregistered())]);
    ann.post(&other, "not taken").await;
    google.next().await;
    assert_eq!(kim.devices().await.len(), 1);
    let third = ann.create(json!({ "name": "third", "members": [{ "userId": kim.id }] })).await;
    ann.post(&third, "gone").await;
    google.next().await;
    within("the device to be forgotten", async { while !kim.devices().await.is_empty() {} }).await;
    assert_eq!(google.waiting(), [] as [Value; 0]);
    app.until_metric("parlor_notifications_total", 3.0).await;
}

#[tokio::test]
async fn an_account_that_google_does_not_know_loses_notifications_and_no_devices() {
    let (app, mut google) = start(false).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    bob.has_app("bobs-phone").await;
    ann.post(&room, "hello").await;
    within("it to be asked", async {
        while google.wrong().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(google.wrong()[0], "the signature");
    assert_eq!((google.waiting(), bob.devices().await.len()), (vec![], 1));
}

#[tokio::test]
async fn while_google_gives_out_no_token_browsers_are_notified_and_it_is_asked_twice_a_minute() {
    let ahead = Arc::<AtomicI64>::default();
    let (app, mut google) = start_ahead(true, ahead.clone()).await;
    let service = PushService::start().await;
    let [ann, bob, kim, eve, joe, zoe] = app.users(["ann", "bob", "kim", "eve", "joe", "zoe"]).await;
    let mut browser = service.browser("bob");
    bob.register(browser.input()).await.data();
    let mut apps = 0;
    // More than are notified together.
    while apps < 72 {
        for user in [&kim, &eve, &joe, &zoe] {
            user.has_app(&format!("phone-{apps}")).await;
            apps += 1;
        }
    }
    let members = [&bob, &kim, &eve, &joe, &zoe].map(|user| json!({ "userId": user.id }));
    let room = ann.create(json!({ "name": "Trip", "members": members })).await;

    google.hangs(true);
    for body in ["one", "two"] {
        let message = ann.post(&room, body).await;
        assert_eq!(browser.next().await.said["body"], body);
        bob.mark_read(&room, message.seq).await;
        assert_eq!(browser.next().await.said["type"], "CLEAR");
    }
    settled(&app).await;
    assert_eq!((google.asked(), google.waiting()), (1, vec![]));
    google.hangs(false);
    ahead.store(31, Ordering::SeqCst);
    app.clock().advance(chrono::TimeDelta::seconds(31));
    ann.post(&room, "three").await;
    for _ in 0..apps {
        assert_eq!(google.next().await["data"]["body"], "three");
    }
    assert_eq!((google.asked(), bob.devices().await.len()), (2, 1));
}

#[tokio::test]
async fn a_file_that_holds_no_account_is_said_at_the_start_without_its_key() {
    let google = Google::start(|| 0).await;
    let account = google.account(true);
    let text = std::fs::read_to_string(&account).expect("it is there");
    for (from, to, problem) in [
        ("PRIVATE KEY-----", "NOTHING-----", "`private_key` is no RSA key"),
        ("parlor-test\"", "../x?\"", "`project_id` is none"),
        ("http://", "ftp://", "`token_uri` must be"),
        ("client_email", "client", "it is not a service account's"),
    ] {
        std::fs::write(&account, text.replace(from, to)).expect("it can be written");
        let (path, clock) = (account.clone(), parlor::clock::Clock::default());
        let allowed = ["127.0.0.0/8".parse().expect("a network")];
        let outgoing = parlor::outgoing::Outgoing::new(&allowed).expect("TLS can be set up");
        let opened = parlor::notify::push::Fcm::open(&path, &google.url, outgoing, clock);
        let said = opened.err().expect(problem).to_string();
        assert!(said.contains(problem) && !said.contains("MII"), "{said}");
    }
}
