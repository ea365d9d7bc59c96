//! Arguments that are not acceptable.

use serde_json::json;

use super::Answers;
use crate::support::{TestApp, documents};

#[tokio::test]
async fn an_argument_that_is_not_acceptable_is_named_with_what_would_be() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut answers = Answers::default();
    let variables = json!({ "roomId": bob.id, "body": "hello" });
    answers.note_in_both(&ann, "the id of a user in the place of a room's", documents::POST_MESSAGE, variables).await;
    for (what, document, variables) in [
        ("an id that is none", documents::ROOM, json!({ "roomId": "room_1" })),
        ("an empty message", documents::POST_MESSAGE, json!({ "roomId": room.id, "body": "  " })),
        (
            "a message with a control character",
            documents::POST_MESSAGE,
            json!({ "roomId": room.id, "body": "a\u{0}b" }),
        ),
        ("a long message", documents::POST_MESSAGE, json!({ "roomId": room.id, "body": "x".repeat(32 * 1024) })),
        ("an empty client id", documents::POST_MESSAGE, json!({ "roomId": room.id, "body": "a", "clientId": "" })),
        ("a mark beyond the last message", documents::MARK_READ, json!({ "roomId": room.id, "seq": 1 })),
        ("a page that is too long", documents::ROOMS, json!({ "first": 101 })),
        ("a page from both ends", documents::MESSAGES, json!({ "roomId": room.id, "first": 1, "last": 1 })),
        ("a cursor that is none", documents::ROOMS, json!({ "after": "elsewhere" })),
        ("a chat with nobody", documents::INITIATE_CHAT, json!({ "userIds": [], "type": "CONSUMER_TO_CONSUMER" })),
        (
            "a chat with support and without",
            documents::INITIATE_CHAT,
            json!({ "userIds": [bob.id], "type": "CONSUMER_TO_SUPPORT" }),
        ),
        ("a long search", documents::USERS, json!({ "search": "x".repeat(200) })),
    ] {
        answers.note_of(&ann, what, document, variables).await;
    }
    for (what, username, password, display_name) in [
        ("a username of two words", "two words", "a good password", "Two Words"),
        ("a short password", "cid", "short", "Cid"),
        ("a long password", "cid", &*"x".repeat(2_000), "Cid"),
        ("an empty display name", "cid", "a good password", " "),
    ] {
        let input = json!({ "username": username, "password": password, "displayName": display_name });
        answers.note_anonymous(&app, what, documents::SIGN_UP, json!({ "input": input })).await;
    }
    answers.assert("bad_user_input");
}
