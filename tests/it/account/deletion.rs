//! What is left when an account is deleted: of the name nothing that can be read, and of the messages what was chosen.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Message, Room, TestApp, TestUser, within};

const MESSAGES: &str = "query Messages($roomId: ID!, $last: Int!, $before: String) { room(id: $roomId) {
    messages(last: $last, before: $before) { nodes { body authorId author { id } deletedAt clientId } } } }";

/// How many names are kept of deleted users.
const KEPT: &str = "SELECT CAST(count(*) AS text) FROM \"user\" WHERE name_digest IS NOT NULL";

/// How many users' messages are to be deleted.
const TO_ERASE: &str = "SELECT CAST(count(*) AS text) FROM \"user\" WHERE erases_messages";

/// How many messages aren't deleted.
const SAID: &str = "SELECT CAST(count(*) AS text) FROM message WHERE deleted_at IS NULL";

/// Deletes the account and the messages.
async fn delete_all(user: &TestUser) {
    user.graphql("mutation { deleteAccount(messages: DELETE) { userId } }", json!({})).await.data();
}

/// The newest messages of a room, by author and text.
async fn texts(user: &TestUser, room: &Room) -> Vec<(String, String)> {
    let answer = user.graphql(MESSAGES, json!({ "roomId": room.id, "last": 100 })).await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    answer.list("/room/messages/nodes").iter().map(|it| (text(&it["authorId"]), text(&it["body"]))).collect()
}

/// Waits until nothing of this author's is left in the newest messages of the room.
async fn until_gone(user: &TestUser, room: &Room, author: &str) -> Vec<(String, String)> {
    within("the messages to be deleted", async {
        loop {
            let texts = texts(user, room).await;
            if texts.iter().all(|(by, body)| by != author || body.is_empty()) {
                return texts;
            }
        }
    })
    .await
}

async fn expect_whole(app: &TestApp) {
    let checked = app.parlor(&["check"]).await;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[tokio::test]
async fn nobody_else_has_the_name_of_a_deleted_user_for_thirty_days() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    ann.delete_account().await;

    let held = app.sign_up("Ann").await;
    assert_eq!(held.body, app.sign_up("bob").await.body, "it looks as if it were taken");
    assert_eq!((held.error_code(), held.error_field()), ("CONFLICT", "username"));
    let refused = app.parlor(&["user", "add", "ann", "--type", "consumer"]).await;
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("taken"), "{refused:?}");
    app.user("anna").await;
    bob.delete_account().await;

    app.clock().advance(TimeDelta::days(30) - TimeDelta::minutes(1));
    assert_eq!(app.sign_up("ann").await.error_code(), "CONFLICT");
    app.clock().advance(TimeDelta::minutes(2));
    assert_ne!(app.user("ann").await.id, ann.id);
    app.prune_kept(TimeDelta::days(30)).await;
    assert_eq!(app.text(KEPT, KEPT).await, "0", "nothing is kept of a name that is free");
}

#[tokio::test]
async fn a_name_that_is_given_up_twice_is_held_from_the_last_time_on() {
    let app = TestApp::start().await;
    app.user("ann").await.delete_account().await;
    app.clock().advance(TimeDelta::days(31));
    app.user("ann").await.delete_account().await;
    app.clock().advance(TimeDelta::days(29));
    assert_eq!(app.sign_up("ann").await.error_code(), "CONFLICT");
    app.clock().advance(TimeDelta::days(2));
    app.user("ann").await;
}

#[tokio::test]
async fn names_are_free_immediately_where_the_operator_wants_it() {
    let app = TestApp::start_with(|config| config.username_hold_days = 0).await;
    app.user("ann").await.delete_account().await;
    app.user("ann").await;
}

#[tokio::test]
async fn of_many_who_ask_for_a_name_while_it_is_given_up_none_gets_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;

    let signing_up = join_all((0..12).map(|_| app.sign_up("ann")));
    let (answers, ()) = tokio::join!(signing_up, ann.delete_account());

    for answer in answers {
        assert_eq!((answer.error_code(), answer.error_field()), ("CONFLICT", "username"));
    }
}

#[tokio::test]
async fn deleted_authors_stay_distinguishable() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    ann.post(&room, "from ann").await;
    bob.post(&room, "from bob").await;
    eve.post(&room, "from eve").await;
    ann.delete_account().await;
    bob.delete_account().await;

    let by = |user: &TestUser, text: &str| (user.id.clone(), text.to_owned());
    assert_eq!(texts(&eve, &room).await, [by(&ann, "from ann"), by(&bob, "from bob"), by(&eve, "from eve")]);
    let answer = eve.graphql(MESSAGES, json!({ "roomId": room.id, "last": 100 })).await;
    let authors: Vec<&Value> = answer.list("/room/messages/nodes").iter().map(|it| &it["author"]).collect();
    assert_eq!(authors, [&Value::Null, &Value::Null, &json!({ "id": eve.id })]);
}

#[tokio::test]
async fn whoever_wants_it_takes_the_own_messages_along_from_every_room() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (room, left) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&bob, &eve]).await);
    let posted = async |n: usize| {
        ann.post_as(&room, &format!("client {n}"), &format!("of ann {n}")).await;
    };
    join_all((0..230).map(posted)).await;
    bob.post(&room, "of bob").await;
    ann.post(&left, "said before leaving").await;
    bob.post(&left, "stays").await;
    ann.leave(&left).await;
    let mut feed = bob.subscribe().await;

    delete_all(&ann).await;

    let mut deleted = Vec::new();
    while deleted.len() < 231 {
        let event = feed.next_event().await;
        if event.kind == "MessageDeleted" {
            deleted.push(Message::of(&event.body["message"]));
        } else {
            assert_eq!((&*event.kind, deleted.len()), ("MemberLeft", 0), "{event:#?}");
        }
    }
    assert!(deleted.iter().all(|message| message.body.is_empty() && message.deleted_at.is_some()), "{deleted:#?}");
    assert!(deleted.iter().all(|message| message.author_id.is_none() && message.client_id.is_none()), "{deleted:#?}");
    let [(by, text), rest @ ..] = &texts(&bob, &left).await[..] else { panic!("expected two messages") };
    assert_eq!((by, &**text), (&ann.id, ""));
    assert_eq!(*rest, [(bob.id.clone(), "stays".to_owned())]);
    let seen = until_gone(&bob, &room, &ann.id).await;
    assert_eq!(seen.last(), Some(&(bob.id.clone(), "of bob".to_owned())));
    assert_eq!(bob.unread(&room).await.0, 0);
    expect_whole(&app).await;
}

#[tokio::test]
async fn messages_stay_unless_it_is_asked_for() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "so long").await;
    ann.graphql("mutation { deleteAccount(messages: KEEP) { userId } }", json!({})).await.data();
    assert_eq!(texts(&bob, &room).await, [(ann.id, "so long".to_owned())]);
}

#[tokio::test]
async fn what_was_left_undone_is_done_by_the_next_start() {
    let mut app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (room, gone) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&bob, &app.user("eve").await]).await);
    let messages = join_all((0..5).map(|n| ann.post(&room, ["one", "two", "three", "four", "five"][n]))).await;
    ann.post(&gone, "in a room that is deleted").await;
    ann.delete_room(&gone).await;
    bob.post(&room, "of bob").await;
    ann.delete(&messages[0]).await;
    ann.delete_account().await;
    // As a server leaves it that is killed after the deletion, or in the middle of what follows.
    app.stop().await;
    app.execute("UPDATE \"user\" SET erases_messages = true WHERE deleted_at IS NOT NULL").await;

    app.resume().await;

    let left = until_gone(&bob, &room, &ann.id).await;
    assert_eq!(left.iter().filter(|(_, body)| !body.is_empty()).count(), 1, "{left:?}");
    within("the work to be noted as done", async { while app.text(TO_ERASE, TO_ERASE).await != "0" {} }).await;
    expect_whole(&app).await;
}

#[tokio::test]
async fn a_server_that_is_stopped_between_two_steps_goes_on_when_it_is_started() {
    let mut app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    join_all((0..300).map(|n| ann.post(&room, ["one", "two", "three"][n % 3]))).await;
    let mut feed = bob.subscribe().await;

    delete_all(&ann).await;
    while feed.next_event().await.kind != "MessageDeleted" {}
    drop(feed);
    app.restart().await;

    until_gone(&bob, &room, &ann.id).await;
    within("all messages to be deleted", async { while app.text(SAID, SAID).await != "0" {} }).await;
    expect_whole(&app).await;
}
