//! Links and invites that are used through one node while another counts or closes them.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{nodes, stop};
use crate::servers::Nats;
use crate::support::{Answer, Database, TestUser, documents};

const CREATE: &str = "mutation($input: CreateRoomInput!) { createRoom(input: $input) { room { id } } }";

async fn room_of(user: &TestUser) -> String {
    user.graphql(CREATE, json!({ "input": { "name": "Club" } })).await.text("/createRoom/room/id").to_owned()
}

async fn link(user: &TestUser, room: &str, max_uses: Option<i32>) -> (String, String) {
    let answer = user.graphql(documents::CREATE_INVITE, json!({ "roomId": room, "maxUses": max_uses })).await;
    let text = |at| answer.text(at).to_owned();
    (text("/createInvite/invite/id"), text("/createInvite/invite/code"))
}

fn is_in(answer: &Answer) -> bool {
    if answer.body.get("errors").is_none() {
        return true;
    }
    assert_eq!((answer.error_code(), answer.error_field()), ("NOT_FOUND", "code"));
    false
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_link_lets_in_as_many_as_it_says_through_however_many_nodes() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let ann = a.endpoint().user("ann").await;
    let room = room_of(&ann).await;
    let users = join_all((0..8).map(|n| {
        let node = if n % 2 == 0 { a.endpoint() } else { b.endpoint() };
        async move { node.user(&format!("user{n}")).await }
    }))
    .await;
    for uses in [1, 3] {
        let (_, code) = link(&ann, &room, Some(uses)).await;
        let before = users_in(&ann, &room).await;
        let join = |user: TestUser| {
            let code = json!({ "code": code });
            async move { is_in(&user.graphql(documents::JOIN_ROOM, code).await) }
        };
        // Everybody tries through both nodes at the same time; whoever is in is answered twice, and counts once.
        let both = users.iter().flat_map(|user| [user.at(a.endpoint()), user.at(b.endpoint())]);
        let answers = join_all(both.map(join)).await;
        assert_eq!(users_in(&ann, &room).await, before + i64::from(uses));
        assert!(answers.iter().filter(|is_in| **is_in).count() >= usize::try_from(uses).expect("a few"));
        assert_eq!(ann.graphql(documents::INVITE_BY_CODE, json!({ "code": code })).await["/invite"], Value::Null);
    }
    stop([a, b]).await;
}

async fn users_in(user: &TestUser, room: &str) -> i64 {
    user.graphql("query($id: ID!) { room(id: $id) { memberCount } }", json!({ "id": room }))
        .await
        .number("/room/memberCount")
}

#[tokio::test]
#[ignore = "needs PostgreSQL and NATS: cargo test --test postgres"]
async fn a_link_that_is_closed_on_one_node_is_closed_on_the_other_at_once() {
    let (database, broker) = (Database::new().await, Nats::start());
    let [a, b] = nodes(&database, Some(&broker)).await;
    let (ann, eve) = (a.endpoint().user("ann").await, b.endpoint().user("eve").await);
    let room = room_of(&ann).await;
    let (id, code) = link(&ann, &room, None).await;
    let seen = eve.graphql(documents::INVITE_BY_CODE, json!({ "code": code })).await;
    assert_eq!(seen.text("/invite/room/id"), room);
    ann.graphql(documents::CLOSE_INVITE, json!({ "id": id })).await.data();
    assert!(!is_in(&eve.graphql(documents::JOIN_ROOM, json!({ "code": code })).await));
    let seen = eve.graphql(documents::INVITE_BY_CODE, json!({ "code": code })).await;
    assert_eq!(seen["/invite"], Value::Null);

    // An invite is told through the other node, too, and so is that it was taken back.
    let mut feed = eve.subscribe().await;
    let asked = ann.graphql(documents::CREATE_INVITE, json!({ "roomId": room, "userId": eve.id })).await;
    let invite = &asked["/createInvite/invite/id"];
    assert_eq!(feed.next_event().await.body["invite"]["id"], *invite);
    ann.at(b.endpoint()).graphql(documents::CLOSE_INVITE, json!({ "id": invite })).await.data();
    assert_eq!(feed.next_event().await.body["inviteId"], *invite);
    stop([a, b]).await;
}
