//! The log, pulled.

use serde_json::{Value, json};

use super::{Receiver, app};
use crate::support::{Answer, Backend};

const EVENT: &str =
    "__typename cursor ... on MessagePosted { message { body } } ... on MessageDeleted { message { id } }
    ... on MemberJoined { user { username } } ... on MemberLeft { userId }";

async fn log(backend: &Backend, after: Option<&str>, first: i32) -> Answer {
    let document = format!(
        "query($after: Cursor, $first: Int) {{ log(after: $after, first: $first) {{ endCursor hasNextPage
         entries {{ audience {{ roomId userId }} event {{ {EVENT} }} }} }} }}"
    );
    backend.graphql(&document, json!({ "after": after, "first": first })).await
}

#[tokio::test]
async fn the_log_tells_what_webhooks_are_told_page_by_page() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (backend, receiver) = (app.backend("b").await, Receiver::start().await);
    assert_eq!(log(&backend, None, 10).await["/log/entries"], json!([]));
    backend.webhook(&receiver, &format!("subscription {{ events {{ {EVENT} }} }}"), true).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 0..7 {
        let message = ann.post(&room, &n.to_string()).await;
        bob.mark_read(&room, message.seq).await;
        if n == 3 {
            ann.delete(&message).await;
        }
    }
    bob.block(&ann, true).await;
    bob.leave(&room).await;

    let (mut pulled, mut after): (Vec<Value>, Option<String>) = (Vec::new(), None);
    loop {
        let page = log(&backend, after.as_deref(), 3).await;
        assert!(page.list("/log/entries").len() <= 3);
        pulled.extend(page.list("/log/entries").iter().cloned());
        after = Some(page.text("/log/endCursor").to_owned());
        if page["/log/hasNextPage"] == json!(false) {
            break;
        }
    }
    let kinds: Vec<&str> = pulled.iter().filter_map(|entry| entry["event"]["__typename"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "MemberJoined").count(), 2);
    assert_eq!(kinds.iter().filter(|kind| **kind == "MessagePosted").count(), 7);
    assert!(!kinds.iter().any(|kind| ["BlocksChanged", "ReadMarksMoved", "RoomJoined"].contains(kind)), "{kinds:?}");
    for entry in &pulled {
        let pushed = receiver.next().await;
        assert_eq!(
            (&pushed.body["data"]["cursor"], &pushed.body["audience"]),
            (&entry["event"]["cursor"], &entry["audience"])
        );
    }
    let none = log(&backend, after.as_deref(), 3).await;
    assert_eq!((&none["/log/entries"], &none["/log/hasNextPage"]), (&json!([]), &json!(false)));
    ann.post(&ann.initiate_chat([&app.user("eve").await]).await, "more").await;
    assert_eq!(log(&backend, after.as_deref(), 100).await.list("/log/entries").len(), 3);

    let first = pulled[0]["event"]["cursor"].as_str().expect("a cursor").to_owned();
    app.prune().await;
    let refused = log(&backend, Some(&first), 3).await;
    assert_eq!((refused.error_code(), refused.error_field()), ("CONFLICT", "after"));
    assert!(!log(&backend, None, 100).await.list("/log/entries").is_empty(), "the last event is kept");
}

#[tokio::test]
async fn what_depends_on_a_viewer_is_not_in_the_log() {
    let app = app().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let backend = app.backend("b").await;
    ann.post(&ann.initiate_chat([&bob]).await, "one").await;
    let document = "{ log { entries { event { ... on MessagePosted { message { room { viewer { muted } } } } } } } }";
    let refused = backend.graphql(document, json!({})).await;
    assert!(refused.body["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{:#}", refused.body);
}
