//! `parlor check`: a database that the server has written is whole, and one that somebody else has written is not.

mod broken;
mod whole;

use std::process::Output;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Room, TestApp, TestUser, documents};
use crate::webhooks::POSTS;

/// Does one of everything that can be done, some of it at once.
async fn be_busy(app: &TestApp) -> Room {
    let [ann, bob, cid, eve] = app.users(["ann", "bob", "cid", "eve"]).await;
    let (room, pair) = tokio::join!(ann.initiate_chat([&bob, &cid]), eve.initiate_chat([&cid]));
    ann.post_as(&room, "of-ann", "hello").await;
    let posts = [&ann, &bob, &cid].into_iter().flat_map(|user| (0..8).map(move |n| (user, n)));
    join_all(posts.map(async |(user, n)| user.post(&room, &format!("{n}")).await)).await;
    let last = ann.post(&room, "read this").await;
    join_all([&bob, &cid].map(|user| user.mark_read(&room, last.seq))).await;
    tokio::join!(eve.post(&pair, "is anybody there?"), bob.mute(&room, true));
    let (edited, deleted) = tokio::join!(ann.post(&room, "helo"), bob.post(&room, "oops"));
    tokio::join!(ann.edit(&edited, "hello"), bob.delete(&deleted));
    let react = "mutation($m: ID!, $e: String!, $on: Boolean!) { setReaction(messageId: $m, emoji: $e, on: $on) { message { id } } }";
    let reacting = |user: &TestUser, emoji: &'static str, on: bool| {
        let (user, message) = (user.clone(), last.id.clone());
        async move { user.graphql(react, json!({ "m": message, "e": emoji, "on": on })).await.data().clone() }
    };
    tokio::join!(reacting(&ann, "👍", true), reacting(&bob, "👍", true), reacting(&cid, "🎉", true));
    reacting(&cid, "🎉", false).await;
    bob.leave(&room).await;
    ann.initiate_chat([&bob, &cid]).await;
    bob.initiate_chat([&ann, &cid]).await;
    cid.post(&room, "all here").await;
    cid.leave(&pair).await;
    eve.initiate_chat([&cid]).await;
    let hidden = bob.initiate_chat([&eve]).await;
    eve.leave(&hidden).await;
    eve.delete_room(&pair).await;
    eve.initiate_chat([&cid]).await;
    invite(&ann, &[&bob, &eve]).await;
    let webhook = json!({ "url": "https://example.com", "query": POSTS, "enabled": false });
    app.backend("of webhooks").await.create_webhook(webhook).await.data();
    bob.sign_in().await.sign_out().await;
    let device = "mutation { registerDevice(input: { platform: WEB_PUSH, token: \"https://web.push.apple.com/1\",
        p256dh: \"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4\",
        auth: \"BTBZMqHH6r4Tts7J_aSIgg\" }) { device { id } } }";
    eve.graphql(device, json!({})).await.data();
    let group = "mutation($a: ID!, $b: ID!) { createRoom(input: { name: \"Trip\", members: [{ userId: $a }, { userId: $b }] }) {
        room { id } } }";
    let group = ann.graphql(group, json!({ "a": bob.id, "b": cid.id })).await.text("/createRoom/room/id").to_owned();
    let keeping_order = "mutation($r: ID!, $a: ID!, $b: ID!, $c: ID!) {
        removeMember(roomId: $r, userId: $a) { userId } addMembers(roomId: $r, userIds: [$a, $c]) { added { id } }
        banMember(roomId: $r, userId: $c) { userId } setMemberRole(roomId: $r, userId: $b, role: MODERATOR) { room { id } }
        updateRoom(roomId: $r, input: { slowModeSecs: 1 }) { room { id } } }";
    ann.graphql(keeping_order, json!({ "r": group, "a": bob.id, "b": cid.id, "c": eve.id })).await.data();
    ann.leave(&Room { id: group }).await;
    send_file(&ann, &room).await;
    let dan = app.user("dan").await;
    dan.initiate_chat([&ann]).await;
    dan.delete_account().await;
    room
}

/// An open group with a link, into which the first of these users is invited and comes, and the second declines to come.
async fn invite(maker: &TestUser, users: &[&TestUser; 2]) {
    const CREATE: &str = "mutation($input: CreateRoomInput!) { createRoom(input: $input) { room { id } } }";
    let input = json!({ "input": { "name": "Everybody's", "joinPolicy": "OPEN" } });
    let room = maker.graphql(CREATE, input).await.text("/createRoom/room/id").to_owned();
    maker.graphql(documents::CREATE_INVITE, json!({ "roomId": room })).await.data();
    for (user, document, name) in
        [(users[0], documents::JOIN_ROOM, "inviteId"), (users[1], documents::CLOSE_INVITE, "id")]
    {
        let asked = maker.graphql(documents::CREATE_INVITE, json!({ "roomId": room, "userId": user.id })).await;
        user.graphql(document, json!({ name: asked["/createInvite/invite/id"] })).await.data();
    }
}

/// A message with a file and nothing else.
async fn send_file(user: &TestUser, room: &Room) {
    let announce = "mutation { createUpload(input: { name: \"a.txt\", size: 5 }) { attachment { id } uploadUrl } }";
    let announced = user.graphql(announce, json!({})).await;
    let url = user.endpoint().url(announced.text("/createUpload/uploadUrl"));
    let sent = user.endpoint().http.put(url).body("hello").send().await.expect("the server responds");
    assert!(sent.status().is_success());
    let post =
        "mutation($r: ID!, $f: ID!) { postMessage(roomId: $r, body: \"\", attachmentIds: [$f]) { message { id } } }";
    user.graphql(post, json!({ "r": room.id, "f": announced["/createUpload/attachment/id"] })).await.data();
}

async fn check(app: &TestApp) -> (bool, String) {
    outcome(&app.parlor(&["check"]).await)
}

fn outcome(output: &Output) -> (bool, String) {
    let printed = [&*output.stdout, &*output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).expect("the report is text"))
}

/// How many rules hold.
async fn expect_whole(app: &TestApp, when: &str) -> usize {
    let (whole, report) = check(app).await;
    assert!(whole, "{when}: {report}");
    let rules = report.strip_prefix("whole: all ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    rules.unwrap_or_else(|| panic!("expected the number of rules, got {report}"))
}
