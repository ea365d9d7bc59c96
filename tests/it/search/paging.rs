//! What happens between two pages, and which cursors lead anywhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{bodies, expect_whole, found, indexed, search};
use crate::support::{Room, TestApp, TestUser};

async fn ten_needles(app: &TestApp) -> (TestUser, TestUser, Room) {
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let members = json!([{ "userId": bob.id }]);
    let room = ann.create(json!({ "name": "Trip", "members": members })).await;
    for n in 0..10 {
        ann.post(&room, &format!("needle {n}")).await;
    }
    indexed(app).await;
    (ann, bob, room)
}

#[tokio::test]
async fn a_cursor_of_another_search_goes_on_from_its_place_and_one_of_another_list_is_refused() {
    let app = TestApp::start().await;
    let (ann, bob, room) = ten_needles(&app).await;
    let page = search(&bob, json!({ "text": "needle", "first": 4 })).await;
    let after = page["/search/pageInfo/endCursor"].clone();
    assert_eq!(bodies(&search(&bob, json!({ "text": "3", "after": after })).await), ["needle 3"]);
    assert_eq!(bodies(&search(&bob, json!({ "text": "8", "after": after })).await), [""; 0]);
    // Of a search by others of the same room, too: it names a place in the log and nobody.
    assert_eq!(bodies(&search(&ann, json!({ "text": "needle", "after": after, "first": 1 })).await), ["needle 5"]);
    let lists = "query($id: ID!) { rooms(first: 1) { edges { cursor } } syncCursor
        room(id: $id) { messages(last: 1) { edges { cursor } } members(first: 1) { edges { cursor } } } }";
    let of_others = bob.graphql(lists, json!({ "id": room.id })).await;
    let mut cursors: Vec<Value> =
        ["/rooms/edges/0/cursor", "/syncCursor", "/room/messages/edges/0/cursor", "/room/members/edges/0/cursor"]
            .map(|pointer| of_others[pointer].clone())
            .into();
    let genuine = after.as_str().expect("a cursor");
    let cut = &genuine[..genuine.len() - 1];
    cursors.extend([json!(cut), json!(format!("{genuine}A")), json!(""), json!("9223372036854775807"), json!("\0")]);
    for cursor in cursors {
        assert!(cursor.is_string(), "{cursor}");
        let refused = search(&bob, json!({ "text": "needle", "after": cursor })).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "after"), "{cursor}");
    }
}

#[tokio::test]
async fn pages_go_on_past_what_is_deleted_edited_or_taken_away_meanwhile() {
    let app = TestApp::start().await;
    let (ann, bob, room) = ten_needles(&app).await;
    let other = ann.initiate_chat([&bob]).await;
    ann.post(&other, "needle of another room").await;
    let next = async |after: &Value| {
        let page = search(&bob, json!({ "text": "needle", "first": 2, "after": after })).await;
        (bodies(&page), page["/search/pageInfo/endCursor"].clone(), page["/search/pageInfo/hasNextPage"] == true)
    };
    let (first, after, _) = next(&Value::Null).await;
    assert_eq!(first, ["needle of another room", "needle 9"]);
    // The message that the cursor is of, and the next one.
    let messages = ann.messages(&room).await;
    ann.delete(&messages[9]).await;
    ann.delete(&messages[8]).await;
    ann.edit(&messages[7], "thread 7").await;
    let (second, after, _) = next(&after).await;
    assert_eq!(second, ["needle 6", "needle 5"]);
    ann.graphql("mutation($id: ID!) { deleteRoom(roomId: $id) { roomId } }", json!({ "id": room.id })).await.data();
    let (third, _, has_next) = next(&after).await;
    assert_eq!((third, has_next), (vec![], false), "the room is gone, with what was on the next page");
    let named = search(&bob, json!({ "text": "needle", "after": after, "room": room.id })).await;
    assert_eq!((named.error_code(), named.error_field()), ("NOT_FOUND", "roomId"));
    assert_eq!(found(&bob, "needle").await, ["needle of another room"]);
    expect_whole(&app).await;
}

#[tokio::test]
async fn what_is_deleted_while_others_search_is_found_by_none_that_begins_later() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut said = Vec::new();
    for n in 0..40 {
        said.push(ann.post(&room, &format!("needle {n:02}")).await);
    }
    indexed(&app).await;
    // They go from the oldest on.
    let gone = AtomicUsize::new(0);
    let deleting = async {
        for (n, message) in said.iter().enumerate() {
            if n % 2 == 0 {
                ann.delete(message).await;
            } else {
                ann.edit(message, &format!("thread {n:02}")).await;
            }
            gone.store(n + 1, Ordering::SeqCst);
        }
    };
    let searching = async {
        while gone.load(Ordering::SeqCst) < said.len() {
            let before = gone.load(Ordering::SeqCst);
            let page = search(&bob, json!({ "text": "needle", "first": 100 })).await;
            let hits = page.list("/search/nodes");
            for hit in hits {
                let (id, body) = (&hit["message"]["id"], hit["message"]["body"].as_str().expect("a text"));
                let n = said.iter().position(|message| *id == *message.id).expect("it was posted");
                assert!(n >= before, "{n} of {before} that are gone");
                assert_eq!(body, format!("needle {n:02}"), "what was found is what is shown");
            }
        }
    };
    tokio::join!(deleting, searching);
    assert_eq!(found(&bob, "needle").await, [""; 0]);
    assert_eq!(search(&bob, json!({ "text": "thread", "first": 100 })).await.list("/search/nodes").len(), 20);
    expect_whole(&app).await;
}
