//! Messages: posting, editing, deleting, reading back.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Message, Room, TestApp, TestUser, documents};

async fn post(user: &TestUser, room: &Room, body: &str) -> Answer {
    user.graphql(documents::POST_MESSAGE, json!({ "roomId": room.id, "body": body })).await
}

#[tokio::test]
async fn a_posted_message_is_there_for_every_member() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;

    let posted = ann.post_as(&room, "first", "  hello  ").await;

    assert_eq!((posted.seq, &*posted.body, &*posted.room_id), (1, "  hello", &*room.id));
    assert_eq!((posted.author_id.as_ref(), posted.client_id.as_deref()), (Some(&ann.id), Some("first")));
    assert_eq!((&posted.edited_at, &posted.deleted_at), (&None, &None));
    for user in [&ann, &bob] {
        assert_eq!(user.messages(&room).await, std::slice::from_ref(&posted));
    }
}

#[tokio::test]
async fn fifty_who_post_at_once_leave_no_hole_in_the_numbers() {
    let app = TestApp::start().await;
    let crowd = app.crowd("p", 50).await;
    let room = crowd[0].initiate_chat(&crowd[1..]).await;

    let posted = join_all(crowd.iter().map(|user| {
        let room = &room;
        async move {
            let mut posted = Vec::new();
            for n in 0..4 {
                posted.push(user.post(room, &format!("{} {n}", user.username)).await);
            }
            posted
        }
    }))
    .await;

    for of_one in &posted {
        assert!(of_one.is_sorted_by_key(|message| message.seq), "each poster's messages keep their order");
    }
    let mut all: Vec<Message> = posted.concat();
    all.sort_by_key(|message| message.seq);
    assert_eq!(all.iter().map(|message| message.seq).collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
    assert!(all.is_sorted_by_key(|message| message.created_at.clone()), "time goes with the numbers");
    assert_eq!(crowd[7].messages(&room).await, all[100..]);
    // A member's mark stands at the own last post: unread is what came after it.
    let last_own = posted[9].last().expect("four messages").seq;
    assert_eq!(crowd[9].unread(&room).await, (200 - last_own, last_own));
}

#[tokio::test]
async fn an_edit_changes_the_text_and_says_when() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let posted = ann.post(&room, "helo").await;

    let same = ann.edit(&posted, "helo").await;
    assert_eq!(same, posted, "the same text is no edit");
    let edited = ann.edit(&posted, " hello ").await;

    assert_eq!((&*edited.id, edited.seq, &*edited.body), (&*posted.id, 1, " hello"));
    assert!(edited.edited_at.as_ref().is_some_and(|at| *at > posted.created_at));
    assert_eq!(edited.created_at, posted.created_at);
    assert_eq!(bob.messages(&room).await, [edited]);
}

#[tokio::test]
async fn a_deleted_message_is_a_tombstone() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let posted = ann.post_as(&room, "c1", "oops").await;
    let kept = ann.post(&room, "better").await;

    let deleted = ann.delete(&posted).await;

    assert_eq!((&*deleted.id, deleted.seq, &*deleted.body), (&*posted.id, 1, ""));
    assert!(deleted.deleted_at.is_some());
    assert_eq!(ann.delete(&posted).await, deleted, "deleting again changes nothing");
    assert_eq!(bob.messages(&room).await, [deleted, kept]);
    let answer = ann.graphql(documents::EDIT_MESSAGE, json!({ "messageId": posted.id, "body": "back" })).await;
    assert_eq!((answer.error_code(), answer.error_field()), ("CONFLICT", "messageId"));
}

#[tokio::test]
async fn only_its_author_changes_a_message() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let posted = ann.post(&room, "mine").await;

    let edit = bob.graphql(documents::EDIT_MESSAGE, json!({ "messageId": posted.id, "body": "ours" })).await;
    let delete = bob.graphql(documents::DELETE_MESSAGE, json!({ "messageId": posted.id })).await;

    assert_eq!((edit.error_code(), delete.error_code()), ("FORBIDDEN", "FORBIDDEN"));
    assert_eq!(ann.messages(&room).await, [posted]);
}

#[tokio::test]
async fn a_text_has_bounds_and_they_are_told() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let longest = "é".repeat(8 * 1024);
    assert_eq!(ann.post(&room, &longest).await.body, longest);
    let odd = "line\n\ttwo 👩‍👩‍👧 \u{202e}right to left\u{feff} end";
    assert_eq!(ann.post(&room, odd).await.body, odd);

    for body in ["", " \n\t ", "a\0b", "a\u{7}b", "a\u{1b}[2Jb", "a\rb", "a\u{85}b", &format!("{longest}x")] {
        let answer = post(&ann, &room, body).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "body"));
    }
    let answer = post(&ann, &room, &format!("{longest}x")).await;
    assert!(answer.error_message().contains("16384"), "the limit is told: {}", answer.error_message());
    let message = ann.post(&room, "short").await;
    for body in ["", "a\u{1b}[2Jb"] {
        let answer = ann.graphql(documents::EDIT_MESSAGE, json!({ "messageId": message.id, "body": body })).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "body"));
    }
    assert_eq!(ann.edit(&message, "line\r\nline").await.body, "line\nline");
}

/// Numbers of the messages on a page, and whether there are more on either side.
fn page(answer: &Answer) -> (Vec<i64>, bool, bool) {
    let info = &answer["/room/messages/pageInfo"];
    let seqs = answer.list("/room/messages/nodes").iter().map(|message| Message::of(message).seq).collect();
    (seqs, info["hasPreviousPage"] == true, info["hasNextPage"] == true)
}

#[tokio::test]
async fn messages_are_paged_from_either_end() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 1..=7 {
        ann.post(&room, &format!("message {n}")).await;
    }
    let messages = async |mut variables: Value| {
        variables["roomId"] = room.id.clone().into();
        bob.graphql(documents::MESSAGES, variables).await
    };

    let newest = messages(json!({ "last": 3 })).await;
    assert_eq!(page(&newest), (vec![5, 6, 7], true, false));
    let before = messages(json!({ "last": 3, "before": newest["/room/messages/pageInfo/startCursor"] })).await;
    assert_eq!(page(&before), (vec![2, 3, 4], true, true));
    let first = messages(json!({ "last": 3, "before": before["/room/messages/pageInfo/startCursor"] })).await;
    assert_eq!(page(&first), (vec![1], false, true));

    let oldest = messages(json!({ "first": 3 })).await;
    assert_eq!(page(&oldest), (vec![1, 2, 3], false, true));
    let after = messages(json!({ "first": 100, "after": oldest["/room/messages/pageInfo/endCursor"] })).await;
    assert_eq!(page(&after), (vec![4, 5, 6, 7], true, false));
    let beyond = messages(json!({ "first": 3, "after": after["/room/messages/pageInfo/endCursor"] })).await;
    assert_eq!(page(&beyond).0, [0; 0]);
    assert_eq!(page(&messages(json!({})).await), (vec![1, 2, 3, 4, 5, 6, 7], false, false));
}

#[tokio::test]
async fn messages_are_read_from_one_number_to_another() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 1..=9 {
        ann.post(&room, &format!("message {n}")).await;
    }
    let between = async |mut variables: Value| {
        variables["roomId"] = room.id.clone().into();
        bob.graphql(documents::MESSAGES_BETWEEN, variables).await
    };

    assert_eq!(page(&between(json!({ "fromSeq": 3, "toSeq": 5 })).await).0, [3, 4, 5]);
    assert_eq!(page(&between(json!({ "fromSeq": 8 })).await).0, [8, 9]);
    assert_eq!(page(&between(json!({ "toSeq": 2 })).await).0, [1, 2]);
    assert_eq!(page(&between(json!({ "fromSeq": 5, "toSeq": 4 })).await).0, [0; 0]);
    assert_eq!(page(&between(json!({ "fromSeq": 10, "toSeq": 9 })).await).0, [0; 0]);
    let first = between(json!({ "fromSeq": 3, "toSeq": 8, "first": 4 })).await;
    assert_eq!(page(&first), (vec![3, 4, 5, 6], true, true));
    let after = first["/room/messages/pageInfo/endCursor"].clone();
    let second = between(json!({ "fromSeq": 3, "toSeq": 8, "first": 4, "after": after })).await;
    assert_eq!((page(&second).0, page(&second).2), (vec![7, 8], false));
}

#[tokio::test]
async fn the_time_of_what_happens_never_goes_back_with_a_clock() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    app.clock().advance(TimeDelta::minutes(5));
    let first = ann.post(&room, "five minutes ahead").await;
    app.clock().advance(TimeDelta::minutes(-5));
    let second = ann.post(&room, "by the right clock").await;
    let edited = ann.edit(&first, "corrected").await;

    let time = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().expect("a time");
    assert!(
        time(&second.created_at) > time(&first.created_at),
        "{} came before {}",
        second.created_at,
        first.created_at
    );
    assert!(edited.edited_at.is_some_and(|at| time(&at) > time(&first.created_at)));
}

#[tokio::test]
async fn whoever_has_left_keeps_the_say_over_the_own_words_and_sees_nothing_else() {
    const EDIT: &str = "mutation Edit($id: ID!, $body: String!) { editMessage(messageId: $id, body: $body) {
        message { id seq body editedAt authorId author { id } readBy { user { id } } } } }";
    const DELETE: &str = "mutation Delete($id: ID!) { deleteMessage(messageId: $id) {
        message { body deletedAt readBy { user { id } } } } }";
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    let (own, regretted, others) =
        (bob.post(&room, "mine").await, bob.post(&room, "regretted").await, ann.post(&room, "hers").await);
    bob.leave(&room).await;
    ann.mark_read(&room, others.seq).await;
    let mut feed = ann.subscribe().await;

    let edited = bob.graphql(EDIT, json!({ "id": own.id, "body": "still mine" })).await;
    let message = &edited["/editMessage/message"];
    assert_eq!((&message["body"], &message["authorId"]), (&json!("still mine"), &json!(bob.id)));
    assert_eq!(message["readBy"], json!([]), "who reads there is none of the leaver's business");
    assert_eq!(feed.next_of("MessageEdited").await.message().body, "still mine");

    let deleted = bob.graphql(DELETE, json!({ "id": regretted.id })).await;
    assert_eq!(deleted["/deleteMessage/message/body"], "");
    assert_eq!(feed.next_of("MessageDeleted").await.message().id, regretted.id);

    // The room isn't shown, and the deed is done all the same.
    let with_room = bob.graphql(documents::EDIT_MESSAGE, json!({ "messageId": own.id, "body": "and again" })).await;
    assert_eq!(with_room.error_code(), "NOT_FOUND");
    assert_eq!(feed.next_of("MessageEdited").await.message().body, "and again");
    for (document, variables) in [
        (documents::EDIT_MESSAGE, json!({ "messageId": others.id, "body": "x" })),
        (documents::DELETE_MESSAGE, json!({ "messageId": others.id })),
        (documents::POST_MESSAGE, json!({ "roomId": room.id, "body": "x" })),
    ] {
        assert_eq!(bob.graphql(document, variables).await.error_code(), "NOT_FOUND", "{document}");
    }
    let node = bob.graphql("query($id: ID!) { node(id: $id) { id } }", json!({ "id": own.id })).await;
    assert_eq!(node["/node"], Value::Null);

    ann.delete_room(&room).await;
    for (document, variables) in [(EDIT, json!({ "id": own.id, "body": "x" })), (DELETE, json!({ "id": own.id }))] {
        assert_eq!(bob.graphql(document, variables).await.error_code(), "NOT_FOUND", "{document}");
    }
}
