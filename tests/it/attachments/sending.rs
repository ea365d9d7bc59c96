//! How files are sent that aren't sent as clients do, and files that several messages are posted with at once.

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::POST;
use super::gone::UPLOADS;
use crate::support::{TestApp, TestUser, within};

wherever_files_are! {
    a_file_in_pieces_of_unknown_number_has_the_announced_length_too,
    of_two_messages_at_once_one_has_the_file,
}

/// The status that this request is answered with.
async fn status(user: &TestUser, url: &str, rest: &str) -> u16 {
    let mut socket = TcpStream::connect(user.endpoint().addr).await.expect("a connection");
    let request = format!("PUT {url} HTTP/1.1\r\nhost: parlor\r\nconnection: close\r\n{rest}");
    socket.write_all(request.as_bytes()).await.expect("it is sent");
    let mut answer = String::new();
    // The server may close before it has read all of it.
    let _ = within("an answer", socket.read_to_string(&mut answer)).await;
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|answer| answer.get(..3)).map(str::parse);
    status.unwrap_or_else(|| panic!("expected an answer to {rest:?}, got {answer:?}")).expect("a number")
}

async fn a_file_in_pieces_of_unknown_number_has_the_announced_length_too(app: TestApp) {
    let [ann] = app.users(["ann"]).await;
    let url = ann.announce("a.txt", 5).await.text("/createUpload/uploadUrl").to_owned();
    let pieces = "transfer-encoding: chunked\r\n\r\n";
    for (rest, expected) in [
        ("\r\n".to_owned(), 400),
        ("content-length: 0\r\n\r\n".to_owned(), 400),
        ("content-length: 6\r\n\r\nhello!".to_owned(), 413),
        (format!("{pieces}0\r\n\r\n"), 400),
        (format!("{pieces}2\r\nhe\r\n2\r\nll\r\n0\r\n\r\n"), 400),
        (format!("{pieces}2\r\nhe\r\n4\r\nllo!\r\n0\r\n\r\n"), 413),
        (format!("content-encoding: gzip\r\n{pieces}5\r\nhello\r\n0\r\n\r\n"), 415),
        (format!("{pieces}2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), 200),
        (format!("{pieces}5\r\nhello\r\n0\r\n\r\n"), 200),
        (format!("{pieces}5\r\nhullo\r\n0\r\n\r\n"), 409),
    ] {
        assert_eq!(status(&ann, &url, &rest).await, expected, "{rest:?}");
    }
    assert_eq!((app.kept_files().await.len(), app.text(UPLOADS, UPLOADS).await), (1, "1".to_owned()));
}

async fn of_two_messages_at_once_one_has_the_file(app: TestApp) {
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let rooms = [ann.initiate_chat([&bob]).await, ann.initiate_chat([&kim]).await];
    let (file, other) = (ann.send("a.txt", b"a").await, ann.send("b.txt", b"b").await);
    let held = app.hold_writes().await;
    let posts = (0..6).map(|n| {
        let files = if n < 4 { vec![&file.id] } else { vec![&other.id, &file.id] };
        let client_id = (n == 0 || n == 3).then_some("same");
        ann.graphql(POST, json!({ "room": rooms[n % 2].id, "body": format!("{n}"), "files": files, "c": client_id }))
    });
    let letting_go = async {
        tokio::task::yield_now().await;
        held.rollback().await.expect("writes go on");
    };
    let (answers, ()) = tokio::join!(join_all(posts), letting_go);
    let posted = answers.iter().filter(|answer| answer.body.get("errors").is_none());
    let posted: Vec<_> = posted.map(|answer| answer.list("/postMessage/message/attachments").to_vec()).collect();
    assert_eq!(posted.len(), 1, "{posted:?}");
    let refused = answers.iter().filter(|answer| answer.body.get("errors").is_some());
    for answer in refused {
        assert_eq!((answer.error_code(), answer.error_field()), ("CONFLICT", "attachmentIds"));
    }
    let shown = "query($id: ID!) { room(id: $id) { messages(last: 9) { nodes { attachments { name } } } } }";
    let mut all = Vec::new();
    for room in &rooms {
        let shown = ann.graphql(shown, json!({ "id": room.id })).await;
        let nodes = shown.list("/room/messages/nodes").iter();
        all.extend(nodes.flat_map(|message| message["attachments"].as_array().expect("files").clone()));
    }
    assert_eq!(all.iter().filter(|shown| shown["name"] == "a.txt").count(), 1, "{all:?}");
    let checked = app.parlor(&["check", "--files"]).await;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}
