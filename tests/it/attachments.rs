//! Files: announced, sent, posted and fetched.

use std::io::Cursor;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Room, TestApp, TestUser, within};

/// Tests that are given a server: once with its files in a directory, once with them in S3-compatible storage.
macro_rules! wherever_files_are {
    ($($test:ident),+ $(,)?) => {
        mod in_a_directory {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(crate::support::TestApp::start().await).await;
                }
            )+
        }

        mod in_s3 {
            $(
                #[tokio::test]
                async fn $test() {
                    let bucket = crate::support::Bucket::new().await;
                    super::$test(crate::support::TestApp::start_in(bucket).await).await;
                }
            )+
        }
    };
}

mod found;
mod gone;
mod metadata;
mod outages;
mod sending;
mod serving;

const CREATE: &str = "mutation($name: String!, $size: Int!, $sha: String) {
    createUpload(input: { name: $name, size: $size, sha256: $sha }) {
        attachment { id name size state contentType url } uploadUrl method headers { name value } expiresAt } }";
pub(crate) const POST: &str = "mutation($room: ID!, $body: String!, $files: [ID!], $c: ID) {
    postMessage(roomId: $room, body: $body, attachmentIds: $files, clientId: $c) { message { id body
        attachments { id name size state contentType width height thumbhash url thumbnailUrl } } } }";
pub(crate) const POSTED: &str = "subscription { events { __typename cursor ... on MessagePosted { message { id body attachments { id name url } } } } }";

/// A file that was sent.
struct Sent {
    id: String,
    answer: Value,
}

impl TestUser {
    pub(crate) async fn announce(&self, name: &str, size: usize) -> Answer {
        self.graphql(CREATE, json!({ "name": name, "size": size })).await
    }

    pub(crate) async fn put(&self, url: &str, bytes: impl Into<reqwest::Body>) -> reqwest::Response {
        let sent = self.endpoint().http.put(self.endpoint().url(url)).body(bytes).send();
        within("the answer to a file", sent).await.expect("the server responds")
    }

    async fn send(&self, name: &str, bytes: &[u8]) -> Sent {
        let announced = self.announce(name, bytes.len()).await;
        let answer = self.put(announced.text("/createUpload/uploadUrl"), bytes.to_vec()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{name}");
        let answer = answer.json().await.expect("JSON");
        Sent { id: announced.text("/createUpload/attachment/id").to_owned(), answer }
    }

    async fn post_files(&self, room: &Room, body: &str, files: &[&Sent]) -> Answer {
        let files: Vec<_> = files.iter().map(|file| &file.id).collect();
        self.graphql(POST, json!({ "room": room.id, "body": body, "files": files })).await
    }

    async fn get_file(&self, url: &str) -> reqwest::Response {
        self.endpoint().get(url).await
    }
}

/// Waits until it is so.
async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    within(what, async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn picture(width: u32, height: u32, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(width, height).write_to(&mut bytes, format).expect("it is encoded");
    bytes.into_inner()
}

wherever_files_are! {
    a_file_is_announced_sent_posted_and_fetched_by_whoever_sees_the_message,
    only_ones_own_files_are_posted_once_each_and_only_when_they_are_there,
    the_text_beside_a_file_may_be_taken_away_again,
    what_isnt_the_file_that_was_announced_isnt_kept,
    a_picture_has_a_size_and_smaller_pictures_and_a_bomb_is_refused,
    a_thousand_files_at_once_are_all_kept,
}

async fn a_file_is_announced_sent_posted_and_fetched_by_whoever_sees_the_message(app: TestApp) {
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut live = bob.subscribe_to(POSTED, json!({})).await;

    let announced = ann.announce("C:\\docs\\notes é.txt", 5).await;
    assert_eq!(announced["/createUpload/attachment/name"], "notes é.txt");
    assert_eq!(announced["/createUpload/attachment/state"], "WAITING");
    assert_eq!(announced["/createUpload/attachment/url"], Value::Null);
    assert_eq!(announced["/createUpload/method"], "PUT");
    let url = announced.text("/createUpload/uploadUrl").to_owned();
    let sent = ann.put(&url, "hello").await;
    assert_eq!(sent.status(), StatusCode::OK);
    let sent: Value = sent.json().await.expect("JSON");
    assert_eq!((&sent["contentType"], &sent["size"]), (&json!("text/plain"), &json!(5)));
    assert_eq!(ann.put(&url, "hello").await.status(), StatusCode::OK, "who has lost the answer sends it again");
    assert_eq!(ann.put(&url, "hullo").await.status(), StatusCode::CONFLICT);
    assert_eq!(app.kept_files().await.len(), 1);

    let file = Sent { id: announced.text("/createUpload/attachment/id").to_owned(), answer: sent };
    let posted = ann.post_files(&room, " \n", &[&file]).await;
    let shown = &posted["/postMessage/message"];
    assert_eq!((&shown["body"], &shown["attachments"][0]["id"]), (&json!(""), &json!(file.id)));
    let event = live.next_event().await;
    assert_eq!(event.body["message"]["attachments"][0]["name"], "notes é.txt", "{event:?}");
    assert_eq!(event.body["message"]["attachments"][0]["url"], shown["attachments"][0]["url"]);
    let fetched = bob.get_file(event.body["message"]["attachments"][0]["url"].as_str().expect("a link")).await;
    assert_eq!(fetched.status(), StatusCode::OK);
    assert_eq!(fetched.text().await.expect("a text"), "hello");
    assert!(file.answer["url"].is_string());

    let again = ann.post_files(&room, "again", &[&file]).await;
    assert_eq!((again.error_code(), again.error_field()), ("CONFLICT", "attachmentIds"));
}

async fn only_ones_own_files_are_posted_once_each_and_only_when_they_are_there(app: TestApp) {
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let file = ann.send("a.txt", b"a").await;
    let stolen = bob.post_files(&room, "mine", &[&file]).await;
    assert_eq!((stolen.error_code(), stolen.error_field()), ("NOT_FOUND", "attachmentIds"));
    let twice = ann.post_files(&room, "twice", &[&file, &file]).await;
    assert_eq!((twice.error_code(), twice.error_field()), ("BAD_USER_INPUT", "attachmentIds"));
    let waiting = ann.announce("b.txt", 1).await;
    let waiting = Sent { id: waiting.text("/createUpload/attachment/id").to_owned(), answer: Value::Null };
    let early = ann.post_files(&room, "early", &[&file, &waiting]).await;
    assert_eq!((early.error_code(), early.error_field()), ("CONFLICT", "attachmentIds"));
    let blank = ann.graphql(POST, json!({ "room": room.id, "body": " ", "files": [] })).await;
    assert_eq!((blank.error_code(), blank.error_field()), ("BAD_USER_INPUT", "body"));

    let variables = json!({ "room": room.id, "body": "once", "files": [file.id], "c": "one" });
    let once = ann.graphql(POST, variables.clone()).await;
    let again = ann.graphql(POST, variables).await;
    assert_eq!(once["/postMessage/message/id"], again["/postMessage/message/id"]);
    let other = ann.graphql(POST, json!({ "room": room.id, "body": "once", "c": "one" })).await;
    assert_eq!((other.error_code(), other.error_field()), ("CONFLICT", "clientId"));
    assert_eq!(bob.messages(&room).await.len(), 1);
}

async fn the_text_beside_a_file_may_be_taken_away_again(app: TestApp) {
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let (file, words) = (ann.send("a.txt", b"a").await, ann.post(&room, "words").await);
    let with_file = ann.post_files(&room, "a caption", &[&file]).await.text("/postMessage/message/id").to_owned();
    let edit = "mutation($id: ID!, $body: String!) { editMessage(messageId: $id, body: $body) { message { body attachments { name } } } }";
    let edited = ann.graphql(edit, json!({ "id": with_file, "body": " \n" })).await;
    let shown = &edited["/editMessage/message"];
    assert_eq!((&shown["body"], &shown["attachments"][0]["name"]), (&json!(""), &json!("a.txt")));
    for body in ["", " \n", "\u{200b}"] {
        let refused = ann.graphql(edit, json!({ "id": words.id, "body": body })).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "body"), "{body:?}");
    }
}

async fn what_isnt_the_file_that_was_announced_isnt_kept(app: TestApp) {
    let [ann] = app.users(["ann"]).await;
    for (announced, bytes, status) in [(5, &b"hello!"[..], 413), (5, b"hell", 400), (5, b"", 400)] {
        let url = ann.announce("a", announced).await.text("/createUpload/uploadUrl").to_owned();
        assert_eq!(ann.put(&url, bytes.to_vec()).await.status(), status);
        let forged = url.replace("size=5", &format!("size={}", bytes.len()));
        assert_eq!(ann.put(&forged, bytes.to_vec()).await.status(), StatusCode::FORBIDDEN);
    }
    let sha = "00".repeat(32);
    let announced = ann.graphql(CREATE, json!({ "name": "a", "size": 5, "sha": sha })).await;
    let refused = ann.put(announced.text("/createUpload/uploadUrl"), "hello").await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let late = ann.announce("a", 5).await.text("/createUpload/uploadUrl").to_owned();
    app.clock().advance(chrono::TimeDelta::minutes(16));
    assert_eq!(ann.put(&late, "hello").await.status(), StatusCode::FORBIDDEN);
    let ann = app.sign_in("ann").await;
    for (name, size) in
        [("", 5), ("a\u{0}", 5), ("a", 0), ("a", 26 * 1024 * 1024), ("photo\u{202e}gpj.exe", 5), ("a\u{2028}b", 5)]
    {
        assert_eq!(ann.announce(name, size).await.error_code(), "BAD_USER_INPUT", "{name} {size}");
    }
    assert_eq!(app.kept_files().await, [""; 0]);
    let count = "SELECT CAST(count(*) AS text) FROM upload";
    assert_eq!(app.text(count, count).await, "0");
}

async fn a_picture_has_a_size_and_smaller_pictures_and_a_bomb_is_refused(app: TestApp) {
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let file = ann.send("a.html", &picture(2_000, 1_000, image::ImageFormat::Jpeg)).await;
    assert_eq!((&file.answer["contentType"], &file.answer["width"]), (&json!("image/jpeg"), &json!(2_000)));
    let posted = ann.post_files(&room, "look", &[&file]).await;
    let shown = &posted["/postMessage/message/attachments/0"];
    assert_eq!((&shown["width"], &shown["height"]), (&json!(2_000), &json!(1_000)));
    assert!(shown["thumbhash"].is_string());
    let small = bob.get_file(shown["thumbnailUrl"].as_str().expect("a link")).await;
    assert_eq!(small.headers()["content-type"], "image/jpeg");
    let small = image::load_from_memory(&small.bytes().await.expect("bytes")).expect("a picture");
    assert_eq!((small.width(), small.height()), (320, 160));

    let mut huge = picture(1, 1, image::ImageFormat::Png);
    huge[16..20].copy_from_slice(&50_000_u32.to_be_bytes());
    huge[20..24].copy_from_slice(&50_000_u32.to_be_bytes());
    let mut sum = flate2::Crc::new();
    sum.update(&huge[12..29]);
    huge[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    let url = ann.announce("bomb.png", huge.len()).await.text("/createUpload/uploadUrl").to_owned();
    assert_eq!(ann.put(&url, huge).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(app.kept_files().await.len(), 3, "the picture and two smaller ones");
}

async fn a_thousand_files_at_once_are_all_kept(app: TestApp) {
    let crowd = app.crowd("user", 10).await;
    let sent = crowd.iter().map(async |user| {
        for files in 0..25 {
            let four = (0..4).map(async |n| user.send("a.bin", &[files, n, 0, 7].repeat(5_000)).await);
            futures_util::future::join_all(four).await;
        }
    });
    futures_util::future::join_all(sent).await;
    assert_eq!(app.kept_files().await.len(), 1_000);
    let count = "SELECT CAST(count(*) AS text) FROM attachment WHERE state = 3 AND size = 20000";
    assert_eq!(app.text(count, count).await, "1000");
}

#[tokio::test]
async fn files_are_limited_by_user_in_number_and_in_bytes_within_a_day() {
    let app = TestApp::start_with(|config| {
        config.limits.enabled = true;
        config.limits.upload_mib = 1;
    })
    .await;
    let [ann] = app.users(["ann"]).await;
    assert!(ann.announce("a", 1_000_000).await.data().is_object());
    let refused = ann.announce("a", 1_000_000).await;
    assert_eq!((refused.error_code(), refused.error_field()), ("CONFLICT", "size"));
    app.clock().advance(chrono::TimeDelta::hours(25));
    let ann = app.sign_in("ann").await;
    assert!(ann.announce("a", 1_000_000).await.data().is_object());
}
