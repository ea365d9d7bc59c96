//! Who is notified of what, when, and when a notification is taken away again.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parlor::ephemeral::EphemeralLimits;
use parlor::server::Tuning;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

use super::devices::id;
use crate::support::{Browser, Message, PushService, Pushed, Room, TestApp, TestUser, within};

/// A server whose push service is on this machine, and that notifies those who are connected after three seconds.
pub async fn start() -> (TestApp, PushService) {
    start_with(|_| {}).await
}

async fn start_with(configure: impl FnOnce(&mut parlor::config::Config)) -> (TestApp, PushService) {
    // Whoever has closed the last socket is away at once.
    let ephemeral = EphemeralLimits { linger: Duration::ZERO, ..EphemeralLimits::default() };
    let tuning = Tuning { ephemeral, notify_later: Some(Duration::from_secs(3)), ..Tuning::default() };
    let app = TestApp::start_tuned(tuning, |config| {
        config.push_hosts = vec!["127.0.0.1".to_owned()];
        configure(config);
    });
    (app.await, PushService::start().await)
}

impl TestUser {
    /// Registers a browser, and returns the device's id.
    async fn has(&self, browser: &Browser) -> String {
        id(&self.register(browser.input()).await)
    }
}

fn about<'p>(pushed: &'p Pushed, room: &Room) -> (&'p str, &'p Value, i64) {
    assert_eq!(pushed.said["roomId"], json!(room.id));
    let badge = pushed.said["badge"].as_i64().expect("a number");
    (pushed.said["type"].as_str().expect("a text"), &pushed.said["body"], badge)
}

/// Waits until both consumers have dealt with everything so far.
pub async fn settled(app: &TestApp) {
    let behind = "SELECT CAST((SELECT count(*) FROM consumer WHERE name IN ('notify', 'notify-later') \
        AND position >= (SELECT max(position) FROM event WHERE kind IN (1, 2))) AS text)";
    let decided = async { while app.text(behind, behind).await != "2" {} };
    within("notifications to be decided", decided).await;
}

#[tokio::test]
async fn who_is_nowhere_is_notified_at_once_and_the_notification_goes_when_it_is_read() {
    let (app, service) = start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let (mut browser, mut own) = (service.browser("bob"), service.browser("ann"));
    bob.has(&browser).await;
    ann.has(&own).await;

    let message = ann.post(&room, "hello").await;
    let pushed = browser.next().await;
    assert_eq!(about(&pushed, &room), ("MESSAGE", &json!("hello"), 1));
    assert_eq!(
        (&pushed.said["author"], &pushed.said["seq"], &pushed.said["messageId"]),
        (&json!("The ann"), &json!(1), &json!(message.id))
    );
    assert_eq!(pushed.headers["content-encoding"], "aes128gcm");
    assert_eq!(pushed.headers["urgency"], "high");
    let topic = pushed.headers["topic"].clone();
    assert_eq!(topic.len(), 32);

    bob.mark_read(&room, 1).await;
    let cleared = browser.next().await;
    assert_eq!(about(&cleared, &room), ("CLEAR", &Value::Null, 0));
    assert_eq!(cleared.headers["topic"], topic);
    settled(&app).await;
    assert_eq!((browser.waiting(), own.waiting()), (vec![], vec![]), "nobody is notified twice, nor of the own");
    let left = "SELECT CAST(count(*) AS text) FROM pushed";
    within("the notification to be forgotten", async { while app.text(left, left).await != "0" {} }).await;
}

#[tokio::test]
async fn who_is_connected_is_notified_later_and_only_if_it_is_still_unread() {
    let (app, service) = start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut browser = service.browser("bob");
    bob.has(&browser).await;
    let mut feed = bob.subscribe().await;

    let read = ann.post(&room, "read at once").await;
    feed.until_posted(&read).await;
    bob.mark_read(&room, 1).await;
    settled(&app).await;
    assert_eq!(browser.waiting(), [] as [Value; 0]);

    for body in ["first", "second", "third"] {
        ann.post(&room, body).await;
    }
    // Of several together the newest, once; before it others where three seconds were over in between.
    let mut pushed = browser.next().await;
    while pushed.said["body"] != "third" {
        pushed = browser.next().await;
    }
    assert_eq!(about(&pushed, &room), ("MESSAGE", &json!("third"), 3));
    settled(&app).await;
    assert_eq!(browser.waiting(), [] as [Value; 0]);
}

#[tokio::test]
async fn levels_and_blocks_keep_devices_silent() {
    let (app, service) = start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let room = ann.initiate_chat([&bob, &kim, &eve]).await;
    let mut browsers = [&bob, &kim, &eve].map(|_| String::new());
    let mut open = Vec::new();
    for (n, user) in [&bob, &kim, &eve].into_iter().enumerate() {
        let browser = service.browser(&format!("browser-{n}"));
        browsers[n] = user.has(&browser).await;
        open.push(browser);
    }
    bob.set_notifications(&room, "MENTIONS").await;
    kim.mute(&room, true).await;
    eve.block(&ann, true).await;
    ann.post(&room, "to nobody").await;
    settled(&app).await;
    for browser in &mut open {
        assert_eq!(browser.waiting(), [] as [Value; 0]);
    }

    bob.set_notifications(&room, "ALL").await;
    kim.mute(&room, false).await;
    eve.block(&ann, false).await;
    ann.post(&room, "to all").await;
    for browser in &mut open {
        assert_eq!(browser.next().await.said["body"], "to all");
    }
}

#[tokio::test]
async fn a_notification_goes_with_its_message_its_room_and_its_member() {
    let (app, service) = start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let mut browser = service.browser("bob");
    bob.has(&browser).await;
    let group = json!({ "name": "Trip", "members": [{ "userId": bob.id }] });
    for n in 0..4 {
        let room = ann.create(group.clone()).await;
        let message = ann.post(&room, "hello").await;
        let pushed = browser.next().await;
        assert_eq!((about(&pushed, &room).0, &pushed.said["room"]), ("MESSAGE", &json!("Trip")));
        match n {
            0 => drop(ann.delete(&message).await),
            1 => bob.leave(&room).await,
            2 => drop(ann.delete_room(&room).await),
            _ => bob.mute(&room, true).await,
        }
        assert_eq!(about(&browser.next().await, &room), ("CLEAR", &Value::Null, 0), "{n}");
    }
}

#[tokio::test]
async fn when_the_message_that_is_shown_is_deleted_the_newest_that_is_unread_is_shown_again() {
    let (app, service) = start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = ann.initiate_chat([&bob, &kim]).await;
    let mut browser = service.browser("bob");
    bob.has(&browser).await;
    ann.post(&room, "read").await;
    assert_eq!(about(&browser.next().await, &room), ("MESSAGE", &json!("read"), 1));
    bob.mark_read(&room, 1).await;
    assert_eq!(about(&browser.next().await, &room), ("CLEAR", &Value::Null, 0));

    let mut posted = Vec::new();
    for (n, body) in (1..).zip(["important", "blunder", "oops"]) {
        posted.push(ann.post(&room, body).await);
        assert_eq!(about(&browser.next().await, &room), ("MESSAGE", &json!(body), n));
    }
    settled(&app).await;
    // Nothing was shown of it but what is newer.
    ann.delete(&posted[1]).await;
    ann.delete(&posted[2]).await;
    let again = browser.next().await;
    assert_eq!(about(&again, &room), ("MESSAGE", &json!("important"), 1));
    assert_eq!((&again.said["seq"], &again.said["messageId"]), (&json!(2), &json!(posted[0].id)));
    let seq = "SELECT CAST(min(seq) AS text) FROM pushed";
    within("it to be written down", async { while app.text(seq, seq).await != "2" {} }).await;
    ann.delete(&posted[0]).await;
    assert_eq!(about(&browser.next().await, &room), ("CLEAR", &Value::Null, 0));

    // What one isn't notified of isn't shown in its place.
    bob.set_notifications(&room, "MENTIONS").await;
    let mention = async |by: &TestUser, body: &str| {
        let answer = by.graphql(crate::mentions::POST, json!({ "r": room.id, "b": body, "m": [bob.id] })).await;
        Message::of(&answer["/postMessage/message"])
    };
    mention(&ann, "look").await;
    assert_eq!(browser.next().await.said["body"], "look");
    ann.post(&room, "by the way").await;
    bob.block(&kim, true).await;
    mention(&kim, "ignored").await;
    let over = mention(&ann, "look here").await;
    assert_eq!(browser.next().await.said["body"], "look here");
    settled(&app).await;
    ann.delete(&over).await;
    assert_eq!(browser.next().await.said["body"], "look");
    bob.mark_read(&room, over.seq).await;
    assert_eq!(about(&browser.next().await, &room), ("CLEAR", &Value::Null, 0));
    settled(&app).await;
    assert_eq!(browser.waiting(), [] as [Value; 0]);
    let left = "SELECT CAST(count(*) AS text) FROM pushed";
    assert_eq!(app.text(left, left).await, "0");
}

#[tokio::test]
async fn a_device_that_its_service_does_not_know_is_forgotten_and_one_whose_service_fails_is_tried_again() {
    let (app, service) = start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let (mut gone, mut busy, mut refused) =
        (service.browser("gone"), service.browser("busy"), service.browser("refused"));
    for browser in [&gone, &busy, &refused] {
        bob.has(browser).await;
    }
    service.answer(&gone, &[410]);
    service.answer(&busy, &[503, 201]);
    service.answer(&refused, &[403]);

    ann.post(&room, "hello").await;
    for browser in [&mut gone, &mut busy, &mut refused] {
        assert_eq!(browser.next().await.said["body"], "hello");
    }
    assert_eq!(busy.next().await.said["body"], "hello", "once more");
    settled(&app).await;
    assert_eq!(bob.devices().await.len(), 2);
    let metrics = app.get("/metrics").await.text().await.expect("metrics are text");
    for outcome in ["taken", "gone", "failed"] {
        let sample = format!("parlor_notifications_total{{outcome=\"{outcome}\",service=\"web_push\"}} 1\n");
        assert!(metrics.contains(&sample), "expected {sample} in {metrics}");
    }
}

#[tokio::test]
async fn who_signs_out_is_notified_no_longer_and_a_device_of_an_ended_session_is_none() {
    let (app, service) = start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let (phone, laptop) = (bob.sign_in().await, bob.sign_in().await);
    let (mut of_phone, mut of_laptop) = (service.browser("phone"), service.browser("laptop"));
    phone.has(&of_phone).await;
    laptop.has(&of_laptop).await;
    phone.sign_out().await;
    ann.post(&room, "hello").await;
    assert_eq!(of_laptop.next().await.said["body"], "hello");
    settled(&app).await;
    assert_eq!(of_phone.waiting(), [] as [Value; 0]);
}

#[tokio::test]
async fn the_operator_decides_how_much_services_see() {
    for (text, author, body) in [("author", json!("The ann"), Value::Null), ("none", Value::Null, Value::Null)] {
        let (app, service) = start_with(|config| {
            config.push_text = serde_json::from_value(json!(text)).expect("a setting");
        })
        .await;
        let [ann, bob] = app.users(["ann", "bob"]).await;
        let room = ann.initiate_chat([&bob]).await;
        let mut browser = service.browser("bob");
        bob.has(&browser).await;
        ann.post(&room, "secret").await;
        let said = browser.next().await.said;
        assert_eq!(
            (said.get("author").cloned().unwrap_or_default(), said.get("body").cloned().unwrap_or_default()),
            (author, body)
        );
    }
}

#[tokio::test]
async fn a_long_text_is_shown_up_to_its_300th_character() {
    let (app, service) = start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let mut browser = service.browser("bob");
    bob.has(&browser).await;
    for (characters, last) in [(300, '𝄞'), (301, '…'), (900, '…')] {
        let room = ann.create(json!({ "name": "Trip", "members": [{ "userId": bob.id }] })).await;
        ann.post(&room, &"𝄞".repeat(characters)).await;
        let said = browser.next().await.said;
        let body: Vec<char> = said["body"].as_str().expect("a text").chars().collect();
        assert_eq!((body.len(), body.last()), (300, Some(&last)), "of {characters}");
    }
}

#[tokio::test]
async fn the_server_says_who_it_is_by_one_key_that_outlives_it() {
    let (mut app, service) = start_with(|config| config.push_contact = Some("mailto:ops@example.com".to_owned())).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut browser = service.browser("bob");
    bob.has(&browser).await;
    let key = "{ viewer { applicationServerKey } }";
    let first = ann.graphql(key, json!({})).await.text("/viewer/applicationServerKey").to_owned();
    app.restart().await;
    assert_eq!(ann.graphql(key, json!({})).await.text("/viewer/applicationServerKey"), first);

    ann.post(&room, "hello").await;
    let pushed = browser.next().await;
    let authorization = pushed.headers["authorization"].to_str().expect("a text");
    let (token, shown) = authorization.strip_prefix("vapid t=").and_then(|it| it.split_once(", k=")).expect("both");
    assert_eq!(shown, first);
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("Base64");
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decode(&first));
    public.verify(signed.as_bytes(), &decode(signature)).expect("it is signed by this key");
    let claims: Value = serde_json::from_slice(&decode(signed.split_once('.').expect("two").1)).expect("JSON");
    let origin = browser.input()["token"].as_str().and_then(|url| url.split_once("/push")).expect("a URL").0.to_owned();
    assert_eq!((&claims["aud"], &claims["sub"]), (&json!(origin), &json!("mailto:ops@example.com")));
    let lasts = claims["exp"].as_i64().expect("a time") - app.clock().now().timestamp();
    assert!((1..=86_400).contains(&lasts), "{lasts}");
}

#[tokio::test]
async fn a_mention_is_notified_of_at_that_level_and_not_in_a_muted_room() {
    let (app, service) = start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = ann.initiate_chat([&bob, &kim]).await;
    let (mut bobs, mut kims) = (service.browser("bob"), service.browser("kim"));
    bob.has(&bobs).await;
    kim.has(&kims).await;
    bob.set_notifications(&room, "MENTIONS").await;
    kim.mute(&room, true).await;
    ann.post(&room, "to nobody").await;
    let look = json!({ "r": room.id, "b": "look", "m": [bob.id, kim.id] });
    ann.graphql(crate::mentions::POST, look).await.data();
    let pushed = bobs.next().await;
    assert_eq!(about(&pushed, &room), ("MESSAGE", &json!("look"), 1));
    settled(&app).await;
    assert_eq!(kims.waiting(), [] as [Value; 0]);
}

#[tokio::test]
async fn a_mention_that_an_edit_adds_is_notified_of_once_and_one_that_is_taken_away_in_time_is_not() {
    let (app, service) = start().await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let room = ann.initiate_chat([&bob, &kim, &eve]).await;
    let mut browsers = Vec::new();
    for user in [&bob, &kim, &eve] {
        let browser = service.browser(&user.username);
        user.has(&browser).await;
        user.set_notifications(&room, "MENTIONS").await;
        browsers.push(browser);
    }
    kim.mute(&room, true).await;
    let message = ann.post(&room, "hello").await;
    let edit = async |body: &str, users: &[&TestUser], room: bool| {
        let users: Vec<_> = users.iter().map(|user| &user.id).collect();
        let variables = json!({ "m": message.id, "b": body, "users": users, "room": room });
        ann.graphql(crate::mentions::EDIT, variables).await.data();
    };
    settled(&app).await;
    edit("hello bob", &[&bob, &kim], false).await;
    assert_eq!(about(&browsers[0].next().await, &room), ("MESSAGE", &json!("hello bob"), 1));
    edit("hello, bob", &[&bob, &kim], false).await;
    settled(&app).await;
    // Whoever is connected is told later, and then isn't mentioned any more.
    let mut feed = eve.subscribe().await;
    edit("hello, bob and eve", &[&bob, &kim, &eve], false).await;
    feed.next_of("MessageEdited").await;
    edit("hello, bob", &[&bob, &kim], false).await;
    settled(&app).await;
    for browser in &mut browsers {
        assert_eq!(browser.waiting(), [] as [Value; 0], "once, and not in a muted room");
    }

    edit("hello, all", &[&bob], true).await;
    for n in [0, 2] {
        assert_eq!(about(&browsers[n].next().await, &room), ("MESSAGE", &json!("hello, all"), 1));
    }
    // What is read while it is on its way may be taken away twice.
    settled(&app).await;
    bob.mark_read(&room, 1).await;
    assert_eq!(about(&browsers[0].next().await, &room).0, "CLEAR");
    edit("hello", &[], false).await;
    edit("hello, you", &[&bob], false).await;
    settled(&app).await;
    assert_eq!(browsers[0].waiting(), [] as [Value; 0], "what was read is no news");
    eve.block(&ann, true).await;
    edit("hello, eve", &[&eve], false).await;
    settled(&app).await;
    assert_eq!(browsers[2].waiting(), [] as [Value; 0]);
}
