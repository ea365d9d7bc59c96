//! Rooms: opening, listing, leaving and deleting them.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Room, TestApp, TestUser, documents};

async fn initiate(user: &TestUser, ids: &[&str], r#type: &str) -> Answer {
    user.graphql(documents::INITIATE_CHAT, json!({ "userIds": ids, "type": r#type })).await
}

async fn members(user: &TestUser, room: &Room) -> Vec<String> {
    let answer = user.graphql(documents::MEMBERS, json!({ "roomId": room.id, "first": 100 })).await;
    let id = |member: &Value| member["user"]["id"].as_str().expect("a member is a user").to_owned();
    let mut ids: Vec<String> = answer.list("/room/members/nodes").iter().map(id).collect();
    ids.sort();
    ids
}

fn sorted(users: &[&TestUser]) -> Vec<String> {
    let mut ids: Vec<String> = users.iter().map(|user| user.id.clone()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn the_set_of_members_and_the_type_name_the_room() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (room, is_new) = ann.initiate([&bob, &eve], "CONSUMER_TO_CONSUMER").await;
    assert!(is_new);
    assert_eq!(members(&ann, &room).await, sorted(&[&ann, &bob, &eve]));

    for (user, ids) in [
        (&ann, vec![&eve.id, &bob.id]),
        (&ann, vec![&bob.id, &bob.id, &eve.id, &ann.id, &eve.id]),
        (&bob, vec![&ann.id, &eve.id]),
        (&eve, vec![&eve.id, &ann.id, &bob.id]),
    ] {
        let ids: Vec<&str> = ids.into_iter().map(String::as_str).collect();
        let again = initiate(user, &ids, "CONSUMER_TO_CONSUMER").await;
        assert_eq!((again.text("/initiateChat/room/id"), &again["/initiateChat/isNew"]), (&*room.id, &json!(false)));
        assert_eq!(again.text("/initiateChat/room/initiator/id"), ann.id);
    }
    let (fewer, is_new) = ann.initiate([&bob], "CONSUMER_TO_CONSUMER").await;
    assert!(is_new && fewer != room, "a smaller set is another room");
}

#[tokio::test]
async fn two_hundred_who_initiate_at_once_share_one_room_and_one_of_them_opened_it() {
    let app = TestApp::start().await;
    let crowd = app.crowd("p", 4).await;
    let ids: Vec<&str> = crowd.iter().map(|user| &*user.id).collect();

    let answers = join_all((0..200).map(|n| {
        let mut ids = ids.clone();
        ids.rotate_left(n % 4);
        if n % 2 == 1 {
            ids.reverse();
        }
        if n % 3 == 1 {
            ids.extend_from_within(..n % 5 % 4);
        }
        let user = &crowd[n / 4 % 4];
        async move { initiate(user, &ids, "CONSUMER_TO_CONSUMER").await }
    }))
    .await;

    let first = answers[0].text("/initiateChat/room/id");
    assert!(answers.iter().all(|answer| answer.text("/initiateChat/room/id") == first));
    assert_eq!(answers.iter().filter(|answer| answer["/initiateChat/isNew"] == true).count(), 1);
    for user in &crowd {
        assert_eq!(user.rooms().await.len(), 1);
    }
}

#[tokio::test]
async fn the_type_must_fit_the_members() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let sue = app.support_user("sue").await;

    for (ids, r#type) in [
        (vec![&*bob.id], "CONSUMER_TO_SUPPORT"),
        (vec![&*sue.id], "CONSUMER_TO_CONSUMER"),
        (vec![&*bob.id, &*sue.id], "CONSUMER_TO_CONSUMER"),
    ] {
        let answer = initiate(&ann, &ids, r#type).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "userIds"), "{type}");
    }
    let (support, is_new) = ann.initiate([&bob, &sue], "CONSUMER_TO_SUPPORT").await;
    assert!(is_new);
    let (same, is_new) = sue.initiate([&bob, &ann], "CONSUMER_TO_SUPPORT").await;
    assert!(same == support && !is_new, "a support user may initiate as well");
}

#[tokio::test]
async fn a_room_needs_somebody_else_who_exists() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;

    for ids in [vec![], vec![&*ann.id], vec![&*ann.id, &*ann.id]] {
        let answer = initiate(&ann, &ids, "CONSUMER_TO_CONSUMER").await;
        assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "userIds"));
    }
    let unknown = initiate(&ann, &["user_00000000000000000000000000"], "CONSUMER_TO_CONSUMER").await;
    assert_eq!((unknown.error_code(), unknown.error_field()), ("NOT_FOUND", "userIds"));
    assert_eq!(ann.rooms().await, []);
}

#[tokio::test]
async fn rooms_come_newest_activity_first() {
    let app = TestApp::start().await;
    let [ann, bob, eve, kim] = app.users(["ann", "bob", "eve", "kim"]).await;
    let with_bob = ann.initiate_chat([&bob]).await;
    let with_eve = ann.initiate_chat([&eve]).await;
    let with_kim = ann.initiate_chat([&kim]).await;
    assert_eq!(ann.rooms().await, [with_kim.clone(), with_eve.clone(), with_bob.clone()]);

    let message = bob.post(&with_bob, "hello").await;

    assert_eq!(ann.rooms().await, [with_bob.clone(), with_kim, with_eve]);
    let answer = ann.graphql(documents::ROOMS, json!({ "first": 1 })).await;
    assert_eq!(answer.text("/rooms/nodes/0/lastMessage/id"), message.id);
    assert_eq!(answer.text("/rooms/nodes/0/lastActivityAt"), message.created_at);
    assert_eq!(answer.number("/rooms/nodes/0/viewer/unreadCount"), 1);

    ann.mark_read(&with_bob, 1).await;
    ann.mute(&with_bob, true).await;
    bob.edit(&message, "hello!").await;
    let answer = ann.graphql(documents::ROOMS, json!({ "first": 1 })).await;
    let room = &answer["/rooms/nodes/0"];
    assert_eq!(room["viewer"], json!({ "unreadCount": 0, "lastReadSeq": 1, "muted": true }));
    assert_eq!((&room["lastMessage"]["body"], &room["lastActivityAt"]), (&json!("hello!"), &json!(message.created_at)));
}

#[tokio::test]
async fn pages_of_rooms_meet_without_gap_or_overlap() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let others = app.crowd("p", 7).await;
    let mut opened = join_all(others.iter().map(|other| ann.initiate_chat([other]))).await;
    let mut listed = ann.rooms().await;

    let (mut pages, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = ann.graphql(documents::ROOMS, json!({ "first": 3, "after": after })).await;
        pages.push(answer.list("/rooms/nodes").iter().map(Room::of).collect::<Vec<_>>());
        if answer["/rooms/pageInfo/hasNextPage"] != true {
            break;
        }
        after = answer["/rooms/pageInfo/endCursor"].clone();
    }

    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    assert_eq!(pages.concat(), listed);
    opened.sort_by(|a, b| a.id.cmp(&b.id));
    listed.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(opened, listed);
}

#[tokio::test]
async fn pages_of_members_meet_without_gap_or_overlap() {
    let app = TestApp::start().await;
    let crowd = app.crowd("p", 8).await;
    let room = crowd[0].initiate_chat(&crowd[1..]).await;
    crowd[3].leave(&room).await;

    let (mut pages, mut after) = (Vec::new(), Value::Null);
    loop {
        let variables = json!({ "roomId": room.id, "first": 3, "after": after });
        let answer = crowd[0].graphql(documents::MEMBERS, variables).await;
        let id = |member: &Value| member["user"]["id"].as_str().expect("a member is a user").to_owned();
        pages.push(answer.list("/room/members/nodes").iter().map(id).collect::<Vec<_>>());
        if answer["/room/members/pageInfo/hasNextPage"] != true {
            break;
        }
        after = answer["/room/members/pageInfo/endCursor"].clone();
    }

    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    let mut all = pages.concat();
    all.sort();
    let present: Vec<&TestUser> = crowd.iter().filter(|user| user.id != crowd[3].id).collect();
    assert_eq!(all, sorted(&present));
}

#[tokio::test]
async fn whoever_left_comes_back_into_the_same_room_by_initiating_again() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    let before = ann.post(&room, "before").await;
    bob.leave(&room).await;
    assert_eq!((bob.rooms().await, members(&ann, &room).await), (vec![], sorted(&[&ann, &eve])));
    let meanwhile = ann.post(&room, "meanwhile").await;
    assert_eq!(bob.graphql(documents::ROOM, json!({ "roomId": room.id })).await["/room"], Value::Null);

    let (same, is_new) = ann.initiate([&bob, &eve], "CONSUMER_TO_CONSUMER").await;
    assert!(same == room && !is_new);
    assert_eq!(bob.rooms().await, [], "nobody is brought back by another");
    let (same, is_new) = bob.initiate([&ann, &eve], "CONSUMER_TO_CONSUMER").await;

    assert!(same == room && !is_new);
    assert_eq!(members(&bob, &room).await, sorted(&[&ann, &bob, &eve]));
    let ids: Vec<String> = bob.messages(&room).await.into_iter().map(|message| message.id).collect();
    assert_eq!(ids, [before.id, meanwhile.id]);
    assert_eq!(bob.unread(&room).await, (2, 0));
}

#[tokio::test]
async fn a_room_that_everybody_left_is_still_the_room_of_its_members() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    for user in [&ann, &bob, &eve] {
        user.leave(&room).await;
    }

    let (same, is_new) = bob.initiate([&ann, &eve], "CONSUMER_TO_CONSUMER").await;

    assert!(same == room && !is_new);
    assert_eq!(members(&bob, &room).await, sorted(&[&bob]));
}

#[tokio::test]
async fn deleting_a_room_answers_how_many_messages_went() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 0..5 {
        bob.post(&room, &format!("message {n}")).await;
    }
    let message = ann.post(&room, "gone before").await;
    ann.delete(&message).await;

    assert_eq!(ann.delete_room(&room).await, 5);

    for user in [&ann, &bob] {
        assert_eq!(user.rooms().await, []);
        let answer = user.graphql("query($id: ID!) { node(id: $id) { id } }", json!({ "id": message.id })).await;
        assert_eq!(answer["/node"], Value::Null);
        let answer = user.graphql(documents::POST_MESSAGE, json!({ "roomId": room.id, "body": "late" })).await;
        assert_eq!(answer.error_code(), "NOT_FOUND");
    }
    let (other, is_new) = bob.initiate([&ann], "CONSUMER_TO_CONSUMER").await;
    assert!(is_new && other != room, "the same set opens another room afterwards");
}

#[tokio::test]
async fn only_the_initiator_deletes_a_room() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;

    let answer = bob.graphql(documents::DELETE_ROOM, json!({ "roomId": room.id })).await;

    assert_eq!(answer.error_code(), "FORBIDDEN");
    assert_eq!(bob.rooms().await, [room]);
}

#[tokio::test]
async fn muting_a_room_is_the_viewers_own_affair() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;

    ann.mute(&room, true).await;

    let muted = async |user: &TestUser| {
        user.graphql(documents::ROOM_VIEWER, json!({ "roomId": room.id })).await["/room/viewer/muted"] == true
    };
    assert!(muted(&ann).await && !muted(&bob).await);
    ann.mute(&room, false).await;
    assert!(!muted(&ann).await);
}

#[tokio::test]
async fn an_account_that_is_deleted_while_it_comes_back_to_a_room_is_in_no_room() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.leave(&room).await;

    // Both wait for the same append; whichever comes first in it, the account is gone afterwards.
    let held = app.hold_writes().await;
    let variables = json!({ "userIds": [bob.id], "type": "CONSUMER_TO_CONSUMER" });
    let asked = async { tokio::join!(ann.delete_account(), ann.graphql(documents::INITIATE_CHAT, variables)) };
    let ((), _) = tokio::join!(asked, async { held.rollback().await.expect("the lock is let go") }).0;

    let checked = app.parlor(&["check"]).await;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[tokio::test]
async fn in_a_room_with_the_support_side_that_side_deletes_and_the_customer_wipes_nothing() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let (sue, sam) = (app.support_user("sue").await, app.support_user("sam").await);
    let (room, _) = ann.initiate([&bob, &sue, &sam], "CONSUMER_TO_SUPPORT").await;
    let (hers, rude, answer) =
        (ann.post(&room, "help").await, bob.post(&room, "rude").await, sue.post(&room, "answer").await);
    let mut feed = bob.subscribe().await;

    for (user, message) in [(&ann, &answer), (&ann, &rude), (&bob, &hers), (&bob, &answer)] {
        let refused = user.graphql(documents::DELETE_MESSAGE, json!({ "messageId": message.id })).await;
        assert_eq!(refused.error_code(), "FORBIDDEN");
    }
    let edited = sue.graphql(documents::EDIT_MESSAGE, json!({ "messageId": rude.id, "body": "kind" })).await;
    assert_eq!(edited.error_code(), "FORBIDDEN", "nobody puts words into another's mouth");
    for user in [&ann, &bob] {
        assert_eq!(user.graphql(documents::DELETE_ROOM, json!({ "roomId": room.id })).await.error_code(), "FORBIDDEN");
    }

    assert!(sue.delete(&rude).await.deleted_at.is_some());
    assert_eq!(feed.next_of("MessageDeleted").await.message().id, rude.id);
    assert!(ann.delete(&hers).await.deleted_at.is_some(), "one's own words are one's own");
    // Who has left has a say over the own words only, of whatever side.
    sam.leave(&room).await;
    let refused = sam.graphql(documents::DELETE_MESSAGE, json!({ "messageId": answer.id })).await;
    assert_eq!(refused.error_code(), "NOT_FOUND");
    assert_eq!(sam.graphql(documents::DELETE_ROOM, json!({ "roomId": room.id })).await.error_code(), "NOT_FOUND");
    assert_eq!(sue.delete_room(&room).await, 1);

    let opened_by_sue = sue.initiate([&ann], "CONSUMER_TO_SUPPORT").await.0;
    let refused = ann.graphql(documents::DELETE_ROOM, json!({ "roomId": opened_by_sue.id })).await;
    assert_eq!(refused.error_code(), "FORBIDDEN");
    sue.delete_room(&opened_by_sue).await;
}

#[tokio::test]
async fn a_support_user_has_no_say_where_the_support_side_is_not_meant() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let sue = app.support_user("sue").await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "hello").await;
    let asked = json!({ "messageId": message.id });
    assert_eq!(sue.graphql(documents::DELETE_MESSAGE, asked).await.error_code(), "NOT_FOUND");
    assert_eq!(ann.delete_room(&room).await, 1);
}
