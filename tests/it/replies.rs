//! Answers to messages, and what the app keeps about them.

use serde_json::{Value, json};

use crate::support::{Answer, Feed, Message, Model, Room, TestApp, TestUser, verify};

const REPLY: &str = "mutation($r: ID!, $b: String!, $to: ID, $c: ID, $custom: JSON) {
    postMessage(roomId: $r, body: $b, replyToId: $to, clientId: $c, custom: $custom) { message {
        id seq custom replyToSeq replyTo { id body deletedAt room { id } author { id } } } } }";
const QUOTES: &str = "subscription($after: Cursor) { events(after: $after) { __typename cursor
    ... on MessagePosted { message { id body replyToSeq replyTo { body deletedAt room { id } } } }
    ... on MessageEdited { message { id body custom editedAt } } } }";
const UPDATE: &str = "mutation($m: ID!, $custom: JSON!) { updateMessage(messageId: $m, custom: $custom) { message { custom editedAt } } }";

impl TestUser {
    async fn reply(&self, room: &Room, body: &str, to: &Message) -> Answer {
        self.graphql(REPLY, json!({ "r": room.id, "b": body, "to": to.id })).await
    }

    async fn quotes(&self, room: &Room) -> Vec<Value> {
        let document =
            "query($id: ID!) { room(id: $id) { messages(last: 100) { nodes { replyTo { body deletedAt } } } } }";
        let answer = self.graphql(document, json!({ "id": room.id })).await;
        answer.list("/room/messages/nodes").iter().map(|message| message["replyTo"].clone()).collect()
    }
}

#[tokio::test]
async fn an_answer_shows_what_it_answers_as_that_is_now() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let question = ann.post(&room, "secret plan?").await;
    let after = ann.sync_cursor().await;
    let mut live = ann.subscribe_to(QUOTES, json!({})).await;

    let answer = bob.reply(&room, "yes", &question).await;
    assert_eq!(answer["/postMessage/message/replyToSeq"], 1);
    assert_eq!(answer["/postMessage/message/replyTo/body"], "secret plan?");
    assert_eq!(answer["/postMessage/message/replyTo/author/id"], json!(ann.id));
    let event = live.next_event().await;
    assert_eq!(event.body["message"]["replyTo"]["body"], "secret plan?", "{event:?}");
    assert_eq!(event.body["message"]["replyTo"]["room"]["id"], json!(room.id));

    ann.edit(&question, "plan?").await;
    assert_eq!(bob.quotes(&room).await[1]["body"], "plan?");
    ann.delete(&question).await;
    assert_eq!(bob.quotes(&room).await[1]["body"], "");
    assert!(bob.quotes(&room).await[1]["deletedAt"].is_string());
    let mut replayed = Feed::open(ann.socket().await, QUOTES, json!({ "after": after })).await;
    let event = replayed.next_event().await;
    assert_eq!(event.body["message"]["body"], "yes");
    assert_eq!(event.body["message"]["replyTo"]["body"], "", "deleted text doesn't live on in a quote");

    let late = bob.reply(&room, "what?", &question).await;
    assert_eq!((late.error_code(), late.error_field()), ("CONFLICT", "replyToId"));
}

#[tokio::test]
async fn only_what_is_in_the_room_is_answered_and_a_tombstone_says_nothing_of_it() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (room, other) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&eve]).await);
    let (here, there) = (ann.post(&room, "here").await, ann.post(&other, "there").await);

    for user in [&ann, &bob] {
        let answer = user.reply(&room, "no", &there).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("NOT_FOUND", "replyToId"));
    }
    let answer = eve.reply(&room, "no", &here).await;
    assert_eq!((answer.error_code(), answer.error_field()), ("NOT_FOUND", "roomId"));

    bob.reply(&room, "mine", &here).await.data();
    let mine = bob.messages(&room).await.remove(1);
    bob.delete(&mine).await;
    assert_eq!(ann.quotes(&room).await, [Value::Null, Value::Null]);
    let own = ann.reply(&room, "to myself", &here).await;
    assert_eq!(own["/postMessage/message/replyTo/id"], json!(here.id));
}

#[tokio::test]
async fn a_client_id_covers_what_is_answered_and_what_the_app_keeps() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let (one, two) = (ann.post(&room, "one").await, ann.post(&room, "two").await);
    let post = async |to: Option<&Message>, custom: Value| {
        let to = to.map(|to| &to.id);
        ann.graphql(REPLY, json!({ "r": room.id, "b": "so", "c": "c1", "to": to, "custom": custom })).await
    };
    let first = post(Some(&one), json!({ "b": 1, "a": { "x": null } })).await;
    let id = first["/postMessage/message/id"].clone();
    assert_eq!(first["/postMessage/message/custom"], json!({ "a": {}, "b": 1 }));

    for (to, custom) in [(Some(&two), json!({ "a": {}, "b": 1 })), (None, json!({ "a": {}, "b": 1 }))] {
        assert_eq!(post(to, custom).await.error_field(), "clientId");
    }
    for custom in [json!({ "a": {}, "b": 2 }), json!({}), Value::Null] {
        assert_eq!(post(Some(&one), custom).await.error_field(), "clientId");
    }
    ann.delete(&one).await;
    let again = post(Some(&one), json!({ "a": {}, "b": 1 })).await;
    assert_eq!(again["/postMessage/message/id"], id, "what it answers may be gone by then");
    let large = json!({ "a": "x".repeat(5_000) });
    let refused = ann.graphql(REPLY, json!({ "r": room.id, "b": "so", "custom": large })).await;
    assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "custom"));
}

#[tokio::test]
async fn the_apps_backend_keeps_things_about_messages() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let backend = app.backend("backend").await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "hello").await;
    let mut feed = bob.subscribe_to(QUOTES, json!({})).await;

    let answer = backend.graphql(UPDATE, json!({ "m": message.id, "custom": { "de": "hallo" } })).await;
    assert_eq!(answer["/updateMessage/message"], json!({ "custom": { "de": "hallo" }, "editedAt": null }));
    let event = feed.next_event().await;
    assert_eq!((event.kind.as_str(), &event.body["message"]["custom"]), ("MessageEdited", &json!({ "de": "hallo" })));
    backend.graphql(UPDATE, json!({ "m": message.id, "custom": { "de": "hallo" } })).await.data();
    backend.graphql(UPDATE, json!({ "m": message.id, "custom": { "de": null, "fr": "salut" } })).await.data();
    let event = feed.next_event().await;
    assert_eq!(event.body["message"]["custom"], json!({ "fr": "salut" }), "what is so already isn't told");

    let own = ann.graphql(UPDATE, json!({ "m": message.id, "custom": { "x": 1 } })).await;
    assert_eq!(own.error()["extensions"]["reason"], "SERVER_KEY_NEEDED");
    ann.delete(&message).await;
    let gone = backend.graphql(UPDATE, json!({ "m": message.id, "custom": { "x": 1 } })).await;
    assert_eq!((gone.error_code(), gone.error_field()), ("CONFLICT", "messageId"));
    let left = bob
        .graphql("query($id: ID!) { node(id: $id) { ... on Message { custom } } }", json!({ "id": message.id }))
        .await;
    assert_eq!(left["/node/custom"], json!({}));
    ann.delete_room(&room).await;
    let gone = backend.graphql(UPDATE, json!({ "m": message.id, "custom": { "x": 1 } })).await;
    assert_eq!(gone.error_code(), "NOT_FOUND");
}

#[tokio::test]
async fn answers_of_whoever_has_left_show_nothing_of_the_room() {
    let app = TestApp::start().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let room = ann.initiate_chat([&bob, &kim]).await;
    let question = ann.post(&room, "question").await;
    bob.reply(&room, "answer", &question).await.data();
    let mine = bob.messages(&room).await.remove(1);
    let mut model = Model::fetch(&kim).await;
    let mut feed = kim.subscribe().await;
    bob.leave(&room).await;
    model.apply(&kim, &feed.next_event().await).await;

    let document = "mutation($m: ID!, $b: String!) { editMessage(messageId: $m, body: $b) {
        message { body replyToSeq replyTo { body } } } }";
    let edited = bob.graphql(document, json!({ "m": mine.id, "b": "other" })).await;
    assert_eq!(edited["/editMessage/message"], json!({ "body": "other", "replyToSeq": null, "replyTo": null }));
    model.apply(&kim, &feed.next_event().await).await;
    verify(&kim, &model).await;
    assert_eq!(kim.quotes(&room).await[1]["body"], "question");
}
