//! Whether it is found among the newest messages or by the index, and whoever else writes: what is found is the same.

use serde_json::{Value, json};

use super::{bodies, indexed, search};
use crate::support::{Room, TestApp, TestUser};

async fn all(user: &TestUser, text: &str, room: Option<&Room>) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let room = room.map(|room| room.id.clone());
        let page = search(user, json!({ "text": text, "first": 50, "after": after, "room": room })).await;
        all.extend(bodies(&page));
        after = page["/search/pageInfo/endCursor"].clone();
        if page["/search/pageInfo/hasNextPage"] == json!(false) {
            return all;
        }
    }
}

/// What is said in the room of few, the newest first.
fn texts() -> impl Iterator<Item = String> {
    (0..300).rev().map(|n| format!("hay {n}")).chain(["needle in the hay".to_owned()])
}

#[tokio::test]
async fn what_lies_behind_many_newer_messages_is_found_in_few_rooms_and_in_many() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (few, theirs) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&eve]).await);
    ann.post(&few, "needle in the hay").await;
    ann.post(&theirs, "needle of others").await;
    for n in 0..300 {
        ann.post(&few, &format!("hay {n}")).await;
    }
    indexed(&app).await;
    let mut rooms = 1;
    // More than are asked for by their own tokens, in the end.
    for more in [0, 16, 20] {
        for _ in 0..more {
            rooms += 1;
            let name = format!("guest{rooms}");
            let [guest] = app.users([name.as_str()]).await;
            let room = bob.initiate_chat([&guest]).await;
            bob.post(&room, "straw").await;
        }
        indexed(&app).await;
        assert_eq!(all(&bob, "needle", None).await, ["needle in the hay"]);
        assert_eq!(all(&bob, "needle", Some(&few)).await, ["needle in the hay"]);
        // The longer word of two is the one that many say, then the one that few say; in the index both are asked for in the end.
        for text in ["hay in", "need hay", "hay 7", "ha needle in the"] {
            let found = all(&bob, text, Some(&few)).await;
            let said = |body: &String| {
                let begins = |word: &str| body.split(' ').any(|said| said.starts_with(word));
                text.split(' ').all(begins)
            };
            let by_hand: Vec<_> = texts().filter(said).collect();
            assert_eq!(found, by_hand, "{text}");
            assert_eq!(all(&bob, text, None).await, by_hand, "{text}");
        }
        let hay = all(&bob, "hay", None).await;
        let expected: Vec<_> = texts().collect();
        assert_eq!(hay, expected, "beside {rooms} rooms");
        assert_eq!(all(&bob, "h", None).await, expected, "beside {rooms} rooms");
        assert_eq!(all(&eve, "hay", None).await, [""; 0]);
    }
}
