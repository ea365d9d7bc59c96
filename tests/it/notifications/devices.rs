//! Devices: whose they are, and when they go.

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestUser, documents};

const REGISTER: &str = "mutation($input: DeviceInput!) {
    registerDevice(input: $input) { device { id platform label createdAt lastUsedAt } } }";
const UNREGISTER: &str = "mutation($id: ID!) { unregisterDevice(deviceId: $id) { deviceId } }";
pub const P256DH: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
pub const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

pub fn web_push(endpoint: &str) -> Value {
    json!({ "platform": "WEB_PUSH", "token": endpoint, "p256dh": P256DH, "auth": AUTH, "label": " Firefox " })
}

pub fn endpoint(n: usize) -> String {
    format!("https://updates.push.services.mozilla.com/wpush/v2/{n}")
}

impl TestUser {
    pub async fn register(&self, input: Value) -> Answer {
        self.graphql(REGISTER, json!({ "input": input })).await
    }

    /// The ids of the user's devices.
    pub async fn devices(&self) -> Vec<String> {
        let answer = self.graphql("{ viewer { devices { id platform label } } }", json!({})).await;
        let devices = answer.list("/viewer/devices").iter();
        devices.map(|device| device["id"].as_str().expect("a text").to_owned()).collect()
    }
}

pub fn id(registered: &Answer) -> String {
    registered.text("/registerDevice/device/id").to_owned()
}

#[tokio::test]
async fn the_same_token_is_the_same_device_and_another_users_is_taken_over() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let first = ann.register(web_push(&endpoint(1))).await;
    assert_eq!(first["/registerDevice/device/label"], "Firefox");
    assert_eq!(id(&ann.register(web_push(&endpoint(1))).await), id(&first));
    let second = ann.register(web_push(&endpoint(2))).await;
    assert_eq!(ann.devices().await, [id(&second), id(&first)], "the last one first");

    let taken = bob.register(web_push(&endpoint(1))).await;
    assert_eq!((ann.devices().await, bob.devices().await), (vec![id(&second)], vec![id(&taken)]));

    let foreign = ann.graphql(UNREGISTER, json!({ "id": id(&taken) })).await;
    assert_eq!((foreign.error_code(), foreign.error_field()), ("NOT_FOUND", "deviceId"));
    assert_eq!(bob.devices().await.len(), 1);
    ann.graphql(UNREGISTER, json!({ "id": id(&second) })).await.data();
    let again = ann.graphql(UNREGISTER, json!({ "id": id(&second) })).await;
    assert_eq!(
        (again.error_code(), &again.body["errors"][0]["message"]),
        (foreign.error_code(), &foreign.body["errors"][0]["message"])
    );
    assert_eq!(ann.devices().await, [""; 0]);
}

#[tokio::test]
async fn a_user_has_twenty_devices_and_the_oldest_makes_place_for_one_more() {
    let app = TestApp::start().await;
    let [ann] = app.users(["ann"]).await;
    let mut registered = Vec::new();
    for n in 0..20 {
        registered.push(id(&ann.register(web_push(&endpoint(n))).await));
    }
    ann.register(web_push(&endpoint(0))).await.data();
    ann.register(web_push(&endpoint(20))).await.data();
    let devices = ann.devices().await;
    assert_eq!(devices.len(), 20);
    assert!(
        devices.contains(&registered[0]) && !devices.contains(&registered[1]),
        "the one unused for longest has gone"
    );
}

#[tokio::test]
async fn a_device_goes_with_its_session_and_with_all_tokens() {
    let app = TestApp::start().await;
    let [ann] = app.users(["ann"]).await;
    let (phone, laptop) = (ann.sign_in().await, ann.sign_in().await);
    let of_phone = id(&phone.register(web_push(&endpoint(1))).await);
    let of_laptop = id(&laptop.register(web_push(&endpoint(2))).await);
    let of_ann = id(&ann.register(web_push(&endpoint(3))).await);
    assert_eq!(ann.devices().await, [&*of_ann, &*of_laptop, &*of_phone]);

    phone.sign_out().await;
    assert_eq!(ann.devices().await, [&*of_ann, &*of_laptop]);
    ann.graphql(documents::END_OTHER_SESSIONS, json!({})).await.data();
    assert_eq!(ann.devices().await, [&*of_ann]);
    ann.delete_account().await;
    let left = "SELECT CAST(count(*) AS text) FROM device";
    assert_eq!(app.text(left, left).await, "0");
}

#[tokio::test]
async fn an_app_that_ends_its_users_tokens_ends_their_devices() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let backend = app.backend("shop").await;
    for (n, user) in [&ann, &bob].into_iter().enumerate() {
        user.register(web_push(&endpoint(n))).await.data();
    }
    let revoke = "mutation($id: ID!) { revokeTokens(userId: $id) { userId } }";
    backend.graphql(revoke, json!({ "id": ann.id })).await.data();
    backend.upsert(json!([{ "id": bob.id, "active": false }])).await;
    let left = "SELECT CAST(count(*) AS text) FROM device";
    assert_eq!(app.text(left, left).await, "0");
}

#[tokio::test]
async fn what_no_push_service_has_given_out_is_refused_by_its_name() {
    let app = TestApp::start().await;
    let [ann] = app.users(["ann"]).await;
    let with = |name: &str, value: Value| {
        let mut input = web_push(&endpoint(1));
        input[name] = value;
        input
    };
    for (input, field) in [
        (with("token", json!("https://10.0.0.5/metadata")), "token"),
        (with("token", json!("http://updates.push.services.mozilla.com/x")), "token"),
        (with("token", json!("https://updates.push.services.mozilla.com@10.0.0.5/x")), "token"),
        (with("token", json!("https://a:b@updates.push.services.mozilla.com/x")), "token"),
        (with("token", json!("https://push.services.mozilla.com.evil.example/x")), "token"),
        (with("token", json!("https://fcm.googleapis.com/é")), "token"),
        (with("token", json!(format!("https://fcm.googleapis.com/{}", "x".repeat(2_048)))), "token"),
        (with("token", json!("")), "token"),
        (with("p256dh", json!(AUTH)), "p256dh"),
        (with("p256dh", Value::Null), "p256dh"),
        (with("p256dh", json!(P256DH.replacen('B', "C", 1))), "p256dh"),
        (with("auth", json!("!")), "auth"),
        (with("label", json!("x".repeat(101))), "label"),
        (json!({ "platform": "FCM", "token": "abc" }), "platform"),
    ] {
        let refused = ann.register(input.clone()).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", field), "{input}");
    }
    assert_eq!(ann.devices().await, [""; 0]);
}
