//! Members of a group, changed through two nodes at once.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures_util::future::join_all;
use parlor::clock::Clock;
use serde_json::{Value, json};

use super::{nodes, stop};
use crate::support::{Answer, Database, Message, Model, Room, TestUser, documents, verify};

const ADD: &str = "mutation($r: ID!, $u: [ID!]!) { addMembers(roomId: $r, userIds: $u) { added { id } } }";
const REMOVE: &str = "mutation($r: ID!, $u: ID!) { removeMember(roomId: $r, userId: $u) { userId } }";
const BAN: &str = "mutation($r: ID!, $u: ID!) { banMember(roomId: $r, userId: $u) { userId } }";
const UNBAN: &str = "mutation($r: ID!, $u: ID!) { banMember(roomId: $r, userId: $u, banned: false) { userId } }";
const SET_ROLE: &str = "mutation($r: ID!, $u: ID!, $role: RoomRole!) {
    setMemberRole(roomId: $r, userId: $u, role: $role) { member { role } } }";

async fn group(owner: &TestUser, members: &[&TestUser]) -> Room {
    let members: Vec<Value> = members.iter().map(|user| json!({ "userId": user.id })).collect();
    let create = "mutation($m: [NewMember!]!) { createRoom(input: { members: $m }) { room { id } } }";
    Room::of(&owner.graphql(create, json!({ "m": members })).await.data()["createRoom"]["room"])
}

fn is_refused(answer: &Answer) -> bool {
    answer.body["errors"].is_array()
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn who_goes_in_and_out_through_two_nodes_is_shown_alike_by_both() {
    const ROUNDS: usize = 12;
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, kim) = (a.endpoint().user("ann").await, b.endpoint().user("kim").await);
    let names = ["guest0", "guest1", "guest2", "guest3", "guest4", "guest5"];
    let crowd = join_all(names.map(async |name| a.endpoint().user(name).await)).await;
    let room = group(&ann, &[&kim]).await;
    let there = ann.at(b.endpoint());
    let mut feeds = [ann.subscribe().await, kim.subscribe().await];
    let mut models = [Model::fetch(&ann).await, Model::fetch(&kim).await];

    for round in 0..ROUNDS {
        let ids: Vec<&str> = crowd.iter().map(|user| &*user.id).collect();
        let all = json!({ "r": room.id, "u": ids });
        let both = tokio::join!(ann.graphql(ADD, all.clone()), there.graphql(ADD, all));
        let added = both.0.list("/addMembers/added").len() + both.1.list("/addMembers/added").len();
        assert_eq!(added, if round == 0 { crowd.len() } else { crowd.len() / 2 }, "each joins once");
        let posting = join_all(crowd.iter().map(|user| user.post(&room, "here")));
        let going = crowd[..crowd.len() / 2].iter().enumerate().map(|(n, user)| {
            let owner = if n % 2 == 0 { &ann } else { &there };
            owner.graphql(if n == 0 { BAN } else { REMOVE }, json!({ "r": room.id, "u": user.id }))
        });
        posting.await;
        let (refused, gone) = tokio::join!(ann.graphql(REMOVE, json!({ "r": room.id, "u": ann.id })), join_all(going));
        assert!(is_refused(&refused), "{refused:?}");
        for answer in &gone {
            answer.data();
        }
        there.graphql(UNBAN, json!({ "r": room.id, "u": crowd[0].id })).await.data();
        let marker: Message = kim.post(&room, "whichever came first").await;
        for ((user, feed), model) in [&ann, &kim].into_iter().zip(&mut feeds).zip(&mut models) {
            model.follow(user, feed, &marker).await;
            verify(user, model).await;
        }
    }
    stop([a, b]).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn of_two_owners_who_step_down_at_once_one_stays() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = group(&ann, &[&bob]).await;
    ann.graphql(SET_ROLE, json!({ "r": room.id, "u": bob.id, "role": "OWNER" })).await.data();
    let mut seen = BTreeSet::new();
    for _ in 0..10 {
        let down = |user: &TestUser| json!({ "r": room.id, "u": user.id, "role": "MEMBER" });
        let both = tokio::join!(ann.graphql(SET_ROLE, down(&ann)), bob.graphql(SET_ROLE, down(&bob)));
        assert!(!is_refused(&both.0) && !is_refused(&both.1), "{both:?}");
        let roles = "query($r: ID!) { room(id: $r) { members { nodes { userId role } } } }";
        let members = ann.graphql(roles, json!({ "r": room.id })).await;
        let owners = members.list("/room/members/nodes").iter().filter(|member| member["role"] == "OWNER");
        let owners: Vec<&str> = owners.filter_map(|member| member["userId"].as_str()).collect();
        assert_eq!(owners.len(), 1, "the second who steps down makes the first an owner again");
        seen.insert(owners[0].to_owned());
        let (owner, other) = if owners[0] == ann.id { (&ann, &bob) } else { (&bob, &ann) };
        owner.graphql(SET_ROLE, json!({ "r": room.id, "u": other.id, "role": "OWNER" })).await.data();
    }
    assert!(!seen.is_empty());
    stop([a, b]).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn what_a_moderator_says_on_one_node_holds_on_the_other_at_once() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, kim) = (a.endpoint().user("ann").await, b.endpoint().user("kim").await);
    let room = group(&ann, &[&kim]).await;
    let there = ann.at(b.endpoint());
    let post = json!({ "roomId": room.id, "body": "hello" });
    for _ in 0..5 {
        let until = (Clock::default().now() + TimeDelta::hours(1)).to_rfc3339();
        let timeout = "mutation($r: ID!, $u: ID!, $until: DateTime) {
            timeoutMember(roomId: $r, userId: $u, until: $until) { room { id } } }";
        ann.graphql(timeout, json!({ "r": room.id, "u": kim.id, "until": until })).await.data();
        assert_eq!(kim.graphql(documents::POST_MESSAGE, post.clone()).await.error_code(), "FORBIDDEN");
        ann.graphql(timeout, json!({ "r": room.id, "u": kim.id, "until": null })).await.data();
        kim.graphql(documents::POST_MESSAGE, post.clone()).await.data();
        ann.graphql(BAN, json!({ "r": room.id, "u": kim.id })).await.data();
        assert_eq!(kim.graphql(documents::POST_MESSAGE, post.clone()).await.error_code(), "NOT_FOUND");
        let (unbanned, added) = tokio::join!(
            ann.graphql(UNBAN, json!({ "r": room.id, "u": kim.id })),
            there.graphql(ADD, json!({ "r": room.id, "u": [kim.id] }))
        );
        unbanned.data();
        if is_refused(&added) {
            ann.graphql(ADD, json!({ "r": room.id, "u": [kim.id] })).await.data();
        }
        kim.graphql(documents::POST_MESSAGE, post.clone()).await.data();
    }
    stop([a, b]).await;
}
