//! The storage fails, fills up, goes away or lets nobody in.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::gone::UPLOADS;
use super::{POST, eventually};
use crate::servers::disk::SmallDisk;
use crate::servers::s3::S3;
use crate::support::{Bucket, Database, Process, TestApp, TestUser, within};

const DELETE: &str = "mutation($id: ID!) { deleteMessage(messageId: $id) { message { id } } }";

/// An answer that says that the storage can't be used now, and nothing of why. Returns its text.
async fn expect_outage(answer: reqwest::Response, status: StatusCode) -> String {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["retry-after"], "5");
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{body}");
    let text = body.to_string();
    for inside in ["127.0.0.1", "secret", "Signature", "NoSuch", "bucket", "os error"] {
        assert!(!text.contains(inside), "{text}");
    }
    text
}

/// Sends the beginning of a file.
async fn begin(user: &TestUser, url: &str, size: usize, beginning: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(user.endpoint().addr).await.expect("a connection");
    let head = format!("PUT {url} HTTP/1.1\r\nhost: parlor\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.expect("it is sent");
    socket.write_all(beginning).await.expect("it is sent");
    socket
}

#[tokio::test]
async fn a_wrong_key_is_an_outage_that_is_logged_once_and_over_with_the_right_one_in_s3() {
    let (database, bucket) = (Database::new().await, Bucket::new().await);
    let mut wrong = bucket.clone();
    "not the one of the bucket".clone_into(&mut wrong.secret);
    let start = async |bucket: &Bucket| {
        let mut settings = bucket.settings().to_vec();
        settings.push(("PARLOR_TOKEN_SECRET", "the same at each start, 32 bytes and more".to_owned()));
        let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Process::start(&database, &settings).await
    };
    let server = start(&wrong).await;
    let ann = server.endpoint().user("ann").await;
    let url = ann.announce("a.txt", 5).await.text("/createUpload/uploadUrl").to_owned();
    expect_outage(ann.put(&url, "hello").await, StatusCode::SERVICE_UNAVAILABLE).await;
    let bob = server.endpoint().user("bob").await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "text goes on").await;
    let logged = String::from_utf8(server.terminate().await.stderr).expect("the log is text");
    let lines = |text: &str| logged.lines().filter(|line| line.contains(text)).count();
    assert_eq!(lines("the storage of files failed"), 1, "{logged}");
    assert_eq!(lines("the storage of files can't be used"), 1, "at the start: {logged}");
    assert_eq!(lines("can't be deleted now"), 0, "{logged}");
    assert!(logged.contains("SignatureDoesNotMatch") && !logged.contains(&wrong.secret), "{logged}");
    assert_eq!(bucket.files().await, [""; 0]);

    let server = start(&bucket).await;
    let ann = ann.at(server.endpoint());
    assert_eq!(ann.put(&url, "hello").await.status(), StatusCode::OK, "the same link");
    assert_eq!(bucket.files().await.len(), 1);
    assert!(server.terminate().await.status.success());
}

#[tokio::test]
async fn a_storage_that_is_killed_in_the_middle_of_a_file_and_started_again_has_lost_nothing_in_s3() {
    let mut storage = S3::start(false);
    let app = TestApp::start_in(Bucket::on(&storage).await).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let kept = ann.send("a.txt", b"hello").await;
    let kept = kept.answer["url"].as_str().expect("a link");
    let large: Vec<u8> = (0..12_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let url = ann.announce("large.bin", large.len()).await.text("/createUpload/uploadUrl").to_owned();
    let mut socket = begin(&ann, &url, large.len(), &large[..6_000_000]).await;
    eventually("a part", async || app.kept_files().await.len() > 1).await;
    storage.kill();
    // The server may have given up before all of it was sent.
    let _ = socket.write_all(&large[6_000_000..]).await;
    let mut answer = String::new();
    let _ = within("an answer", socket.read_to_string(&mut answer)).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("UNAVAILABLE"), "{answer}");
    expect_outage(bob.get_file(kept).await, StatusCode::SERVICE_UNAVAILABLE).await;
    ann.post(&room, "text goes on").await;

    storage.resume();
    assert_eq!(bob.get_file(kept).await.text().await.expect("a text"), "hello");
    let again = ann.put(&url, large.clone()).await;
    assert_eq!(again.status(), StatusCode::OK);
    let again: Value = again.json().await.expect("JSON");
    let fetched = bob.get_file(again["url"].as_str().expect("a link")).await;
    assert!(fetched.bytes().await.expect("bytes") == large);
    assert_eq!(app.text(UPLOADS, UPLOADS).await, "3", "what was sent in vain is to be looked after");
    app.clock().advance(chrono::TimeDelta::hours(25));
    app.collect_files().await;
    assert_eq!(app.text(UPLOADS, UPLOADS).await, "0");
    let left = app.kept_files().await;
    assert!(left.iter().all(|path| path.contains("/.uploads/")), "{left:?}");
}

#[tokio::test]
async fn where_the_bucket_is_missing_nothing_is_told_lost_and_no_deletion_forgotten_in_s3() {
    let bucket = Bucket::new().await;
    let mut app = TestApp::start_in(bucket.clone()).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let file = ann.send("a.txt", b"hello").await;
    let link = file.answer["url"].as_str().expect("a link").to_owned();
    let posted = ann.post_files(&room, "", &[&file]).await;
    let late = ann.announce("b.txt", 5).await.text("/createUpload/uploadUrl").to_owned();

    let mut missing = bucket.clone();
    missing.name.push_str("-not");
    app.restart_in(missing.clone()).await;
    expect_outage(bob.get_file(&link).await, StatusCode::SERVICE_UNAVAILABLE).await;
    expect_outage(ann.put(&late, "hello").await, StatusCode::SERVICE_UNAVAILABLE).await;
    let checked = app.parlor(&["check", "--files"]).await;
    assert!(!checked.status.success() && checked.stdout.is_empty(), "{checked:?}");
    ann.graphql(DELETE, json!({ "id": posted["/postMessage/message/id"] })).await.data();
    assert!(app.try_collect_files().await.is_err(), "it isn't known whether the file is gone");
    assert_eq!(bucket.files().await.len(), 1);
    missing.make().await;
    assert_eq!(ann.put(&late, "hello").await.status(), StatusCode::OK, "it was made meanwhile");

    app.restart_in(bucket.clone()).await;
    app.collect_files().await;
    assert_eq!(bucket.files().await, [""; 0]);
}

#[tokio::test]
async fn what_was_taken_out_of_the_storage_is_told_lost_and_what_was_put_there_is_told_unknown_in_s3() {
    let bucket = Bucket::new().await;
    let app = TestApp::start_in(bucket.clone()).await;
    let [ann] = app.users(["ann"]).await;
    let file = ann.send("a.txt", b"hello").await;
    let path = app.kept_files().await.remove(0);
    bucket.put_file("stray.txt").await;
    bucket.delete_file(&path).await;
    let gone = ann.get_file(file.answer["url"].as_str().expect("a link")).await;
    assert_eq!(gone.status(), StatusCode::GONE);
    let checked = app.parlor(&["check", "--files"]).await;
    let told = String::from_utf8(checked.stdout).expect("the report is text");
    assert!(!checked.status.success(), "{told}");
    assert!(told.contains("`stray.txt` is in the storage, and is no file of Parlor's"), "{told}");
    assert!(told.contains(" isn't in the storage, and is the file of an attachment"), "{told}");
}

#[tokio::test]
async fn a_full_disk_takes_no_file_keeps_no_half_and_lets_texts_go_on() {
    let app = TestApp::start().await;
    let disk =
        SmallDisk::mount(&app.files_dir(), 8).expect("this test mounts a disk of 8 MiB, for which it has to be root");
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let kept = ann.send("a.bin", &vec![1; 6_000_000]).await;
    let before = app.kept_files().await;
    let mut links = Vec::new();
    for (what, bytes) in [
        ("one part", vec![2; 3_000_000]),
        ("several parts", vec![3; 12_000_000]),
        ("a picture", noise(1_200)),
        ("a picture that fits, and its smaller one doesn't", nearly(2_380_000)),
    ] {
        let url = ann.announce("b.bin", bytes.len()).await.text("/createUpload/uploadUrl").to_owned();
        let text = expect_outage(ann.put(&url, bytes.clone()).await, StatusCode::INSUFFICIENT_STORAGE).await;
        assert!(text.contains("the storage of files is full"), "{text}");
        assert_eq!(app.kept_files().await, before, "{what}");
        links.push((url, bytes));
    }
    assert_eq!(app.text(UPLOADS, UPLOADS).await, "1");
    ann.post(&room, "text goes on").await;
    let fetched = ann.get_file(kept.answer["url"].as_str().expect("a link")).await;
    assert_eq!(fetched.bytes().await.expect("bytes").len(), 6_000_000);

    disk.resize(64);
    for (url, bytes) in links {
        assert_eq!(ann.put(&url, bytes).await.status(), StatusCode::OK, "there is room");
    }
    assert!(ann.graphql(POST, json!({ "room": room.id, "body": "", "files": [kept.id] })).await.data().is_object());
}

/// A picture of at most so many bytes, and not much less.
fn nearly(bytes: usize) -> Vec<u8> {
    let fits = (800..=900).rev().map(noise).find(|picture| picture.len() <= bytes);
    fits.filter(|picture| picture.len() > bytes - 8_000).expect("a picture of such a size")
}

/// A picture that packing makes no smaller.
fn noise(side: u32) -> Vec<u8> {
    let mut state = 7_u32;
    let pictured = image::RgbImage::from_fn(side, side, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [_, red, green, blue] = state.to_le_bytes();
        image::Rgb([red, green, blue])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    pictured.write_to(&mut bytes, image::ImageFormat::Png).expect("it is encoded");
    bytes.into_inner()
}

#[tokio::test]
async fn what_a_killed_server_had_begun_to_write_is_deleted_a_day_later() {
    let database = Database::new().await;
    let server = Process::start(&database, &[]).await;
    let ann = server.endpoint().user("ann").await;
    let url = ann.announce("a.bin", 12_000_000).await.text("/createUpload/uploadUrl").to_owned();
    let _socket = begin(&ann, &url, 12_000_000, &vec![7; 6_000_000]).await;
    let begun = || {
        let folders = std::fs::read_dir(database.files_dir()).into_iter().flatten().flatten();
        folders.map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().count()).sum::<usize>()
    };
    eventually("a part", async || begun() == 1).await;
    server.kill().await;
    assert_eq!(begun(), 1);
    database.execute("UPDATE upload SET begun_at = '2020-01-01 00:00:00+00:00'").await;
    let server = Process::start(&database, &[]).await;
    eventually("nothing to be left", async || begun() == 0).await;
    eventually("nothing to be known", async || database.text(UPLOADS, UPLOADS).await == "0").await;
    assert!(server.terminate().await.status.success());
}
