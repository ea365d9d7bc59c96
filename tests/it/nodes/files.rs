//! Files on several nodes, in one bucket.

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{SECRET, stop};
use crate::attachments::{POST, POSTED};
use crate::servers::Nats;
use crate::support::{Bucket, Database, Process};

#[tokio::test]
#[ignore = "needs PostgreSQL and NATS: cargo test --test postgres"]
async fn a_file_is_sent_to_one_node_fetched_from_the_other_and_gone_from_both_in_s3() {
    let (database, broker, bucket) = (Database::new().await, Nats::start(), Bucket::new().await);
    let mut settings = bucket.settings().to_vec();
    settings.extend([("PARLOR_TOKEN_SECRET", SECRET.to_owned()), ("PARLOR_NATS_URL", broker.url())]);
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let nodes = join_all((0..2).map(|_| Process::start(&database, &settings))).await;
    let [a, b] = <[Process; 2]>::try_from(nodes).unwrap_or_else(|_| panic!("expected 2 nodes"));
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut live = bob.subscribe_to(POSTED, json!({})).await;

    let large: Vec<u8> = (0..12_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    // Announced at one node and sent to the other.
    let announced = ann.announce("large.bin", large.len()).await;
    let sent = bob.put(announced.text("/createUpload/uploadUrl"), large.clone()).await;
    assert_eq!(sent.status(), StatusCode::OK);
    let id = announced.text("/createUpload/attachment/id");
    let posted = ann.graphql(POST, json!({ "room": room.id, "body": "look", "files": [id] })).await;
    let event = live.next_event().await;
    let link = event.body["message"]["attachments"][0]["url"].as_str().expect("a link").to_owned();
    for node in [&a, &b] {
        let fetched = node.endpoint().get(&link).await;
        assert!(fetched.bytes().await.expect("bytes") == large);
    }

    // Two files to one place, each to a node of its own.
    let url = ann.announce("a.txt", 5).await.text("/createUpload/uploadUrl").to_owned();
    let (one, other) = tokio::join!(ann.put(&url, "hello"), bob.put(&url, "world"));
    let mut statuses = [one.status(), other.status()];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::CONFLICT]);
    let kept = if one.status() == StatusCode::OK { (one, "hello") } else { (other, "world") };
    let answer: Value = kept.0.json().await.expect("JSON");
    for node in [&a, &b] {
        let fetched = node.endpoint().get(answer["url"].as_str().expect("a link")).await;
        assert_eq!(fetched.text().await.expect("a text"), kept.1);
    }

    // One file in several messages, through both nodes.
    let file = ann.upload("once.txt", b"once").await;
    let device = ann.at(b.endpoint());
    let posts = (0..6).map(|n| {
        let body = json!({ "room": room.id, "body": format!("{n}"), "files": [file] });
        [&ann, &device][n % 2].graphql(POST, body)
    });
    let answers = join_all(posts).await;
    let taken = answers.iter().filter(|answer| answer.body.get("errors").is_none()).count();
    assert_eq!(taken, 1);
    for answer in answers.iter().filter(|answer| answer.body.get("errors").is_some()) {
        assert_eq!((answer.error_code(), answer.error_field()), ("CONFLICT", "attachmentIds"));
    }

    let delete = "mutation($id: ID!) { deleteMessage(messageId: $id) { message { id } } }";
    ann.graphql(delete, json!({ "id": posted["/postMessage/message/id"] })).await.data();
    for node in [&a, &b] {
        assert_eq!(node.endpoint().get(&link).await.status(), StatusCode::GONE);
    }
    assert_eq!(bucket.files().await.len(), 3, "{:?}", bucket.files().await);
    stop([a, b]).await;
}
