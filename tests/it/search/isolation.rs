//! Nobody finds what isn't theirs.

use serde_json::{Value, json};

use super::{found, indexed, search};
use crate::support::{TestApp, TestUser};

#[tokio::test]
async fn a_stranger_finds_nothing_by_any_argument_and_learns_nothing_from_pages() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (room, own) = (ann.initiate_chat([&bob]).await, eve.initiate_chat([&bob]).await);
    for n in 0..60 {
        ann.post(&room, &format!("merger {n}")).await;
    }
    eve.post(&own, "nothing of it").await;
    indexed(&app).await;
    let [theirs, mine] = [ann.id.clone(), eve.id.clone()];
    for text in ["merger", "m", "mer", "merger 1", "nonsense"] {
        for by in [Value::Null, json!(theirs), json!(mine)] {
            for first in [0, 1, 100] {
                let answer = search(&eve, json!({ "text": text, "by": by, "first": first })).await;
                let empty = json!({ "nodes": [], "edges": [], "pageInfo": {
                    "hasNextPage": false, "hasPreviousPage": false, "startCursor": null, "endCursor": null } });
                let mut shown = answer["/search"].clone();
                // Of her own message she is told.
                shown["pageInfo"]["endCursor"] = Value::Null;
                assert_eq!(shown, empty, "{text} {by} {first}");
            }
        }
        let there = search(&eve, json!({ "text": text, "room": room.id })).await;
        let nowhere = search(&eve, json!({ "text": text, "room": "room_00000000000000000000000000" })).await;
        assert_eq!((there.error_code(), &there.body), ("NOT_FOUND", &nowhere.body));
    }
    // The cursors of others lead nowhere.
    let theirs = search(&ann, json!({ "text": "merger", "first": 1 })).await;
    let after = search(&eve, json!({ "text": "merger", "after": theirs["/search/pageInfo/endCursor"] })).await;
    assert_eq!(after["/search/nodes"], json!([]));
}

#[tokio::test]
async fn who_leaves_or_is_removed_finds_nothing_there_any_more_and_everything_on_coming_back() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    ann.post(&room, "for all three").await;
    eve.post(&room, "by eve for all").await;
    indexed(&app).await;
    assert_eq!(found(&eve, "all").await, ["by eve for all", "for all three"]);
    eve.leave(&room).await;
    assert_eq!(found(&eve, "all").await, [""; 0], "not even her own");
    assert_eq!(found(&bob, "all").await.len(), 2);
    let back = "mutation($id: ID!) { initiateChat(roomId: $id) { room { id } } }";
    eve.graphql(back, json!({ "id": room.id })).await.data();
    assert_eq!(found(&eve, "all").await.len(), 2);
}

#[tokio::test]
async fn who_is_removed_or_banned_finds_nothing_there_and_on_coming_back_what_the_room_shows() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let members = json!([{ "userId": bob.id }, { "userId": eve.id }]);
    let room = ann.create(json!({ "name": "Trip", "members": members })).await;
    let elsewhere = eve.initiate_chat([&bob]).await;
    eve.post(&elsewhere, "needle elsewhere").await;
    let mut said = 0;
    let mut say = async |author: &TestUser| {
        said += 1;
        author.post(&room, &format!("needle {said}")).await
    };
    for _ in 0..6 {
        say(&eve).await;
        say(&ann).await;
    }
    let secret = say(&ann).await;
    indexed(&app).await;
    for is_ban in [false, true] {
        let everything = found(&eve, "needle").await;
        let page = search(&eve, json!({ "text": "needle", "first": 3 })).await;
        let after = &page["/search/pageInfo/endCursor"];
        if is_ban {
            ann.ban(&room, &eve).await.data();
        } else {
            ann.remove(&room, &eve).await.data();
        }
        assert_eq!(found(&eve, "needle").await, ["needle elsewhere"], "not even her own");
        let rest = search(&eve, json!({ "text": "needle", "after": after, "first": 100 })).await;
        assert_eq!(super::bodies(&rest), ["needle elsewhere"], "by no cursor of when she was in");
        for by in [&eve.id, &ann.id] {
            let inside = search(&eve, json!({ "text": "needle", "room": room.id, "by": by })).await;
            assert_eq!((inside.error_code(), inside.error_field()), ("NOT_FOUND", "roomId"));
        }
        // What is said, changed and deleted meanwhile.
        say(&bob).await;
        if is_ban {
            ann.delete(&secret).await;
        } else {
            ann.edit(&secret, "needle that was changed").await;
        }
        indexed(&app).await;
        assert_eq!(found(&eve, "needle").await, ["needle elsewhere"]);
        if is_ban {
            ann.unban(&room, &eve).await.data();
            assert_eq!(found(&eve, "needle").await, ["needle elsewhere"], "she is still not in");
        }
        ann.add(&room, &[&eve]).await.data();
        let mut shown: Vec<String> = eve.messages(&room).await.into_iter().map(|message| message.body).collect();
        shown.retain(|body| body.starts_with("needle"));
        shown.reverse();
        shown.push("needle elsewhere".to_owned());
        assert_eq!(found(&eve, "needle").await, shown, "what the room shows, and no more");
        assert_ne!(shown, everything);
    }
}

#[tokio::test]
async fn searches_are_limited_apart_and_cost_what_they_show() {
    let app = TestApp::start_with(|config| {
        config.limits.enabled = true;
        config.limits.searches = "1/min burst 2".parse().expect("a rate");
    })
    .await;
    let [ann] = app.users(["ann"]).await;
    for _ in 0..2 {
        search(&ann, json!({ "text": "x" })).await.data();
    }
    assert_eq!(search(&ann, json!({ "text": "x" })).await.error_code(), "RATE_LIMITED");
    ann.graphql("{ me { id } }", json!({})).await.data();
}
