//! Files go with what they belong to.

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::eventually;
use super::{POST, picture};
use crate::support::TestApp;

pub(super) const UPLOADS: &str = "SELECT CAST(count(*) AS text) FROM upload";
const FILES: &str = "SELECT CAST(count(*) AS text) FROM attachment";

wherever_files_are! {
    a_link_dies_with_the_message_the_room_and_the_account,
    a_file_that_nobody_posts_goes_after_a_day_and_one_that_is_posted_stays,
    nothing_is_kept_of_a_connection_that_was_cut,
    of_two_at_once_the_slower_one_writes_over_nothing,
    the_check_tells_what_is_lost_and_what_nobody_knows,
    who_has_all_messages_erased_leaves_no_file,
}

async fn a_link_dies_with_the_message_the_room_and_the_account(app: TestApp) {
    let [ann, bob, cat] = app.users(["ann", "bob", "cat"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let (other, third) = (ann.initiate_chat([&cat]).await, cat.initiate_chat([&bob]).await);
    let mut links = Vec::new();
    let mut messages = Vec::new();
    for (user, room) in [(&ann, &room), (&ann, &other), (&cat, &third)] {
        let file = user.send("a.png", &picture(400, 400, image::ImageFormat::Png)).await;
        messages.push(user.post_files(room, "look", &[&file]).await);
        links.push(file.answer["url"].as_str().expect("a link").to_owned());
    }
    assert_eq!(app.kept_files().await.len(), 6, "each with a smaller one");
    for link in &links {
        assert_eq!(bob.get_file(link).await.status(), StatusCode::OK);
    }
    let delete = "mutation($id: ID!) { deleteMessage(messageId: $id) { message { attachments { id } } } }";
    let deleted = ann.graphql(delete, json!({ "id": messages[0]["/postMessage/message/id"] })).await;
    assert_eq!(deleted.list("/deleteMessage/message/attachments"), [json!(null); 0]);
    ann.delete_room(&other).await;
    cat.delete_account().await;
    for link in &links {
        assert_eq!(bob.get_file(link).await.status(), StatusCode::GONE, "{link}");
    }
    let document = "query($id: ID!) { room(id: $id) { messages(last: 9) { nodes { body attachments { id } } } } }";
    let kept = bob.graphql(document, json!({ "id": third.id })).await;
    assert_eq!(kept.list("/room/messages/nodes"), [json!({ "body": "look", "attachments": [] })]);
    eventually("what the room has left is deleted", async || {
        app.collect_files().await;
        app.kept_files().await.is_empty()
    })
    .await;
    assert_eq!([app.text(UPLOADS, UPLOADS).await, app.text(FILES, FILES).await], ["0", "0"]);
}

async fn a_file_that_nobody_posts_goes_after_a_day_and_one_that_is_posted_stays(app: TestApp) {
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let (loose, posted) = (ann.send("a.txt", b"a").await, ann.send("b.txt", b"b").await);
    ann.announce("c.txt", 1).await;
    assert!(ann.post_files(&room, "", &[&posted]).await.data().is_object());
    app.collect_files().await;
    assert_eq!(app.kept_files().await.len(), 2);

    app.clock().advance(TimeDelta::hours(24));
    let ann = app.sign_in("ann").await;
    let late = ann.graphql(POST, json!({ "room": room.id, "body": "late", "files": [loose.id] })).await;
    assert_eq!((late.error_code(), late.error_field()), ("NOT_FOUND", "attachmentIds"));
    app.clock().advance(TimeDelta::hours(2));
    app.collect_files().await;
    assert_eq!((app.kept_files().await.len(), app.text(FILES, FILES).await), (1, "1".to_owned()));
}

async fn nothing_is_kept_of_a_connection_that_was_cut(app: TestApp) {
    let [ann] = app.users(["ann"]).await;
    for (size, beginning) in [(8_000_000, vec![7; 6_000_000]), (100_000, b"\x89PNG\r\n\x1a\n".to_vec())] {
        let url = ann.announce("a.bin", size).await.text("/createUpload/uploadUrl").to_owned();
        let mut socket = TcpStream::connect(ann.endpoint().addr).await.expect("a connection");
        let head = format!("PUT {url} HTTP/1.1\r\nhost: parlor\r\ncontent-length: {size}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.expect("it is sent");
        socket.write_all(&beginning).await.expect("it is sent");
        eventually("the file to begin", async || app.text(UPLOADS, UPLOADS).await == "1").await;
        drop(socket);
        eventually("nothing to be kept", async || app.text(UPLOADS, UPLOADS).await == "0").await;
        assert_eq!(app.kept_files().await, [""; 0]);
    }
}

async fn of_two_at_once_the_slower_one_writes_over_nothing(app: TestApp) {
    let [ann] = app.users(["ann"]).await;
    let shown = picture(8, 8, image::ImageFormat::Png);
    let hostile = vec![b'<'; shown.len()];
    let url = ann.announce("a.png", shown.len()).await.text("/createUpload/uploadUrl").to_owned();
    let (one, other) = tokio::join!(ann.put(&url, shown.clone()), ann.put(&url, hostile));
    let mut statuses = [one.status(), other.status()];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::CONFLICT]);
    assert_eq!((app.kept_files().await.len(), app.text(UPLOADS, UPLOADS).await), (1, "1".to_owned()));
    let again = ann.put(&url, shown).await;
    assert_eq!(again.status().is_success(), one.status().is_success());
}

async fn the_check_tells_what_is_lost_and_what_nobody_knows(app: TestApp) {
    let [ann] = app.users(["ann"]).await;
    ann.send("a.png", &picture(400, 400, image::ImageFormat::Png)).await;
    let report = async || {
        let output = app.parlor(&["check", "--files"]).await;
        (output.status.success(), String::from_utf8(output.stdout).expect("the report is text"))
    };
    let (whole, told) = report().await;
    assert!(whole, "{told}");
    app.execute("UPDATE upload SET object_id = attachment_id").await;
    app.execute("UPDATE attachment SET object_id = id").await;
    let (whole, told) = report().await;
    assert!(!whole && told.contains("files: object_"), "{told}");
    assert!(told.contains(" is in the storage, and the database knows nothing of it"), "{told}");
    assert!(told.contains(" isn't in the storage, and is the file of an attachment"), "{told}");
    assert!(app.parlor(&["check"]).await.status.success(), "without being asked, it doesn't look there");
}

async fn who_has_all_messages_erased_leaves_no_file(app: TestApp) {
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let (posted, loose) = (ann.send("a.txt", b"hello").await, ann.send("b.txt", b"hello").await);
    ann.post_files(&room, "look", &[&posted]).await.data();
    let large = ann.announce("c.txt", 5).await.text("/createUpload/uploadUrl").to_owned();
    ann.graphql("mutation { deleteAccount(messages: DELETE) { __typename } }", json!({})).await.data();
    for file in [&posted, &loose] {
        let link = file.answer["url"].as_str().expect("a link");
        assert_eq!(bob.get_file(link).await.status(), StatusCode::GONE);
    }
    assert_eq!(bob.put(&large, "hello").await.status(), StatusCode::NOT_FOUND, "a link to send dies as well");
    app.collect_files().await;
    assert_eq!(app.kept_files().await, [""; 0]);
    assert_eq!([app.text(UPLOADS, UPLOADS).await, app.text(FILES, FILES).await], ["0", "0"]);
}
