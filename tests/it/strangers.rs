//! What those see of a room who don't belong to it: nothing.

use futures_util::future::join_all;
use serde_json::{Value, json};

use self::rows::{About, rows};
use self::sdl::Sdl;
use crate::support::{Answer, TestApp, TestUser, documents};

mod actors;
mod directory;
mod rows;
mod sdl;

/// Everything that names a room or a message of one, as asked about these. The way back into a room of a set, which who has
/// left it may go, is tried on its own.
fn questions(room: &str, message: &str) -> Vec<(String, Value)> {
    let about = About { room: room.to_owned(), message: message.to_owned(), ..About::nothing(NOBODY) };
    let rows = rows(&Sdl::read()).into_iter().filter(|row| !row.document.contains("initiateChat"));
    rows.map(|row| (row.document, (row.variables)(&about))).collect()
}

async fn everything_about(user: &TestUser, room: &str, message: &str) -> Vec<Answer> {
    let asked = questions(room, message);
    join_all(asked.iter().map(|(document, variables)| user.graphql(document, variables.clone()))).await
}

#[tokio::test]
async fn to_a_stranger_a_room_looks_exactly_as_if_there_were_none() {
    let app = TestApp::start().await;
    let [ann, bob, eve, kim] = app.users(["ann", "bob", "eve", "kim"]).await;
    let room = ann.initiate_chat([&bob, &kim]).await;
    let message = ann.post(&room, "secret").await;
    kim.post(&room, "mine").await;
    kim.leave(&room).await;
    let deleted = kim.initiate_chat([&eve]).await;
    let tombstone = eve.post(&deleted, "secret").await;
    kim.delete_room(&deleted).await;

    let unknown = everything_about(&eve, "room_00000000000000000000000000", "msg_00000000000000000000000000").await;
    let of_stranger = everything_about(&eve, &room.id, &message.id).await;
    let of_former_member = everything_about(&kim, &room.id, &message.id).await;
    let of_deleted = everything_about(&eve, &deleted.id, &tombstone.id).await;

    for (n, unknown) in unknown.iter().enumerate() {
        for seen in [&of_stranger[n], &of_former_member[n], &of_deleted[n]] {
            assert_eq!((seen.status, &seen.body), (unknown.status, &unknown.body), "{n}");
        }
    }
    assert_eq!(ann.messages(&room).await.len(), 2, "nothing was changed by asking");
}

/// Ids that nothing has.
const NO_ROOM: &str = "room_00000000000000000000000000";
const NOBODY: &str = "user_00000000000000000000000000";
const NO_MESSAGE: &str = "msg_00000000000000000000000000";

#[tokio::test]
async fn what_is_absent_and_what_is_not_theirs_run_the_same_statements() {
    // The tail must not run statements of its own in between.
    let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "secret").await;
    let left = ann.initiate_chat([&bob, &eve]).await;
    let former = ann.post(&left, "secret").await;
    eve.leave(&left).await;
    // From here on eve's token is known without a statement, and the hub has handed out all events.
    eve.sync_cursor().await;
    let mut statements = app.watch_statements();

    let mut seen = 0;
    for n in 0..questions(NO_ROOM, NO_MESSAGE).len() {
        let mut ran = Vec::new();
        for (room, message) in [(NO_ROOM, NO_MESSAGE), (&*room.id, &*message.id), (&*left.id, &*former.id)] {
            let (document, variables) = questions(room, message)[n].clone();
            statements.texts();
            eve.graphql(&document, variables).await;
            let mut texts = statements.texts();
            // What is asked for together is looked up at the same time.
            texts.sort();
            ran.push(texts);
        }
        let document = &questions(NO_ROOM, NO_MESSAGE)[n].0;
        assert_eq!(ran[0], ran[1], "{document}");
        assert_eq!(ran[0], ran[2], "{document}");
        seen += ran[0].len();
    }
    assert!(seen >= 18, "the statements are seen: {seen}");
}

#[tokio::test]
async fn a_session_of_somebody_else_looks_exactly_as_if_there_were_none() {
    let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let [ann, eve] = app.users(["ann", "eve"]).await;
    let sessions = ann.graphql(documents::SESSIONS, json!({})).await;
    let [session] = sessions.list("/sessions/nodes") else { panic!("expected one session, got {sessions:?}") };
    let ended = eve.sign_in().await;
    let own = ended.graphql(documents::SESSIONS, json!({ "first": 1 })).await;
    ended.sign_out().await;
    eve.sync_cursor().await;
    let mut statements = app.watch_statements();

    let mut seen = Vec::new();
    for id in [&json!("session_00000000000000000000000000"), &session["id"], &own["/sessions/nodes/0/id"]] {
        statements.texts();
        let answer = eve.graphql(documents::END_SESSION, json!({ "id": id })).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("NOT_FOUND", "sessionId"), "{id}");
        // Whether the cache of tokens is read is another matter.
        seen.push((answer.status, answer.body, statements.texts()));
        let node = eve.graphql("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
        assert_eq!(node["/node"], Value::Null, "{id}");
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    assert_eq!(ann.graphql("{ me { id } }", json!({})).await.text("/me/id"), ann.id, "nothing was ended by asking");
}

#[tokio::test]
async fn a_stranger_goes_into_no_room_by_its_id_and_is_told_of_none() {
    const BY_ROOM: &str = "mutation($id: ID!) { initiateChat(roomId: $id) { room { id } } }";
    let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (pair, hidden) = (ann.initiate_chat([&bob]).await, bob.initiate_chat([&app.user("kim").await]).await);
    bob.leave(&hidden).await;
    let deleted = ann.initiate_chat([&bob, &eve]).await;
    ann.delete_room(&deleted).await;
    eve.sync_cursor().await;
    let mut statements = app.watch_statements();

    let mut seen = Vec::new();
    for room in [NO_ROOM, &pair.id, &hidden.id, &deleted.id] {
        statements.texts();
        let answer = eve.graphql(BY_ROOM, json!({ "id": room })).await;
        assert_eq!((answer.error_code(), answer.error_field()), ("NOT_FOUND", "roomId"), "{room}");
        let mut texts = statements.texts();
        texts.sort();
        seen.push((answer.status, answer.body, texts));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
    assert_eq!(bob.rooms().await, [pair], "nothing was changed by asking");
}

/// What there is to do with an invite.
fn about_invite(id: &Value) -> [(&'static str, Value); 3] {
    [
        (documents::CLOSE_INVITE, json!({ "id": id })),
        (documents::JOIN_ROOM, json!({ "inviteId": id })),
        ("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })),
    ]
}

#[tokio::test]
async fn an_invite_that_is_none_of_theirs_looks_exactly_as_if_there_were_none() {
    const CREATE: &str = "mutation($input: CreateRoomInput!) { createRoom(input: $input) { room { id } } }";
    let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let [ann, bob, kim, eve] = app.users(["ann", "bob", "kim", "eve"]).await;
    let input = json!({ "input": { "members": [{ "userId": kim.id }] } });
    let room = ann.graphql(CREATE, input).await.text("/createRoom/room/id").to_owned();
    let invite =
        async |input: Value| ann.graphql(documents::CREATE_INVITE, input).await["/createInvite/invite/id"].clone();
    let asked = invite(json!({ "roomId": room, "userId": bob.id })).await;
    let link = invite(json!({ "roomId": room })).await;
    let closed = invite(json!({ "roomId": room })).await;
    ann.graphql(documents::CLOSE_INVITE, json!({ "id": closed })).await.data();
    let mut statements = app.watch_statements();

    // A member who may not invite is as much a stranger to an invite as whoever isn't in the room, and so is a former one.
    for user in [&eve, &kim] {
        user.sync_cursor().await;
        for n in 0..about_invite(&link).len() {
            let mut seen = Vec::new();
            for id in [&json!("invite_00000000000000000000000000"), &asked, &link, &closed] {
                let (document, variables) = about_invite(id)[n].clone();
                statements.texts();
                let answer = user.graphql(document, variables).await;
                seen.push((answer.status, answer.body, statements.texts()));
            }
            assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{} {seen:#?}", user.username);
        }
    }
    let listed = ann.graphql(documents::ROOM_INVITES, json!({ "roomId": room })).await;
    assert_eq!(listed.list("/room/viewer/invites").len(), 2, "nothing was changed by asking");
    for user in [&eve, &kim] {
        let seen = user.graphql(documents::INVITES, json!({})).await;
        assert_eq!(seen["/viewer/invites/nodes"], json!([]));
    }
}
