//! Members who leave and come back, and users who listen on several devices.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use crate::dice::Dice;
use crate::load::{Hall, Load, Routes, Shape};
use crate::node::Node;
use crate::receiver::Habits;
use crate::scenario::{Context, Outcome};
use crate::sender::ask;
use crate::servers::Nats;
use crate::support::{Endpoint, TestUser, documents};

/// Members leave through one node and come back through another, while everybody posts and some clients reconnect.
pub async fn members_come_and_go_under_traffic(context: Context) -> Outcome {
    let (data, broker, changes) = (context.postgres().await, Nats::start(), context.pick(200_usize, 2_000));
    let settings = [("PARLOR_NATS_URL", broker.url())];
    let (a, b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let habits = Habits { restless_percent: 1, ..Habits::default() };
    let shape = Shape { clients: 16, habits, models: 8, ..Shape::default() };
    let load = Load::start(Routes::to(&[&a, &b]), shape, context.dice("load")).await;
    let nodes = [a.endpoint().clone(), b.endpoint().clone()];
    let each = changes.div_ceil(load.halls.len() * 2);
    let turns = load
        .halls
        .iter()
        .enumerate()
        .map(|(n, hall)| turnover(hall, &load.users, &nodes, each, context.dice("turns").nth(n)));
    let turned: usize = join_all(turns).await.into_iter().sum();
    let finished = load.finish(&data).await;
    Outcome::new(format!("{changes} changes"), format!("{turned} changes on two nodes"))
        .expect(turned >= changes, "too little changed")
        .finished(finished)
}

/// One after the other, all members except the first leave a room and come back. Returns how many changes there were.
async fn turnover(hall: &Hall, users: &[TestUser], nodes: &[Endpoint], times: usize, mut dice: Dice) -> usize {
    let mut changes = 0;
    let ids: Vec<&str> = hall.members.iter().map(|member| &*users[*member].id).collect();
    for _ in 0..times {
        let member = &users[hall.members[1 + dice.below(hall.members.len() - 1)]];
        let token = &member.access_token;
        let left = ask(&nodes[dice.below(2)], token, documents::LEAVE_ROOM, json!({ "roomId": hall.room.id })).await;
        sleep(dice.about(Duration::from_millis(40))).await;
        let back = json!({ "userIds": ids, "type": "CONSUMER_TO_CONSUMER" });
        let back =
            ask(&nodes[dice.below(2)], token, documents::INITIATE_CHAT, back).await.expect("coming back is allowed");
        assert_eq!(back["initiateChat"]["room"]["id"], hall.room.id, "the same members meet in the same room");
        changes += usize::from(left.is_ok()) * 2;
        sleep(dice.about(Duration::from_millis(20))).await;
    }
    changes
}

/// One of each room of two hides it again and again, while the other posts, which brings it back, and nodes are killed: nobody
/// misses a message, whichever of the two came first.
pub async fn rooms_of_two_are_hidden_while_nodes_are_killed(context: Context) -> Outcome {
    let (data, broker, kills) = (context.postgres().await, Nats::start(), context.pick(3, 20));
    let settings = [("PARLOR_NATS_URL", broker.url())];
    let (mut a, mut b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let shape = Shape { clients: 12, members: 2, models: 6, ..Shape::default() };
    let load = Load::start(Routes::to(&[&a, &b]), shape, context.dice("load")).await;
    let nodes = [a.endpoint().clone(), b.endpoint().clone()];
    let killing = kill_in_turn([&mut a, &mut b], kills, context.dice("moments"));
    let times = context.pick(25, 200);
    let hiders = load.halls.iter().enumerate();
    let hiders = hiders.map(|(n, hall)| hide(hall, &load.users, &nodes, times, context.dice("hiding").nth(n)));
    let ((), hidden) = tokio::join!(killing, join_all(hiders));
    let (rooms, hidden) = (load.halls.len(), hidden.into_iter().sum::<usize>());
    let finished = load.finish(&data).await;
    Outcome::new("each room comes back", format!("{rooms} rooms hidden {hidden} times, {kills} kills"))
        .expect(hidden > rooms * times / 4, "too little was hidden")
        .finished(finished)
}

/// Kills one of two nodes after the other, so many times, and starts each again at once.
async fn kill_in_turn(nodes: [&mut Node; 2], kills: usize, mut dice: Dice) {
    for n in 0..kills {
        sleep(dice.about(Duration::from_millis(1_500))).await;
        nodes[n % 2].kill().await;
        nodes[n % 2].up().await;
    }
}

/// The second member of a room of two hides it, so many times or until then. Returns how often it was not hidden already.
async fn hide(hall: &Hall, users: &[TestUser], nodes: &[Endpoint], times: usize, mut dice: Dice) -> usize {
    let mut hidden = 0;
    for _ in 0..times {
        let token = &users[hall.members[1]].access_token;
        let left = ask(&nodes[dice.below(2)], token, documents::LEAVE_ROOM, json!({ "roomId": hall.room.id })).await;
        hidden += usize::from(left.is_ok());
        sleep(dice.about(Duration::from_millis(150))).await;
    }
    hidden
}

/// Owners of groups put members in, take them out, ban and silence them and change their roles, while everybody posts and
/// nodes are killed: who is in hears everything, and who isn't hears nothing.
pub async fn groups_are_moderated_while_nodes_are_killed(context: Context) -> Outcome {
    let (data, broker, kills) = (context.postgres().await, Nats::start(), context.pick(3, 20));
    let settings = [("PARLOR_NATS_URL", broker.url())];
    let (mut a, mut b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let shape = Shape { clients: 12, members: 5, models: 6, groups: true, ..Shape::default() };
    let load = Load::start(Routes::to(&[&a, &b]), shape, context.dice("load")).await;
    let nodes = [a.endpoint().clone(), b.endpoint().clone()];
    let killing = kill_in_turn([&mut a, &mut b], kills, context.dice("moments"));
    let times = context.pick(20, 160);
    let owners = load.halls.iter().enumerate();
    let owners = owners.map(|(n, hall)| moderate(hall, &load.users, &nodes, times, context.dice("moderating").nth(n)));
    let ((), done) = tokio::join!(killing, join_all(owners));
    let (groups, done) = (load.halls.len(), done.into_iter().sum::<usize>());
    let finished = load.finish(&data).await;
    Outcome::new("who is in hears all", format!("{done} changes of {groups} groups, {kills} kills"))
        .expect(done >= groups * times * 3, "too little was done")
        .finished(finished)
}

/// The owner of a group removes or bans a member, and brings the member back in another role for a while. Returns how many of
/// these calls were answered.
async fn moderate(hall: &Hall, users: &[TestUser], nodes: &[Endpoint], times: usize, mut dice: Dice) -> usize {
    const REMOVE: &str = "mutation($r: ID!, $u: ID!) { removeMember(roomId: $r, userId: $u) { userId } }";
    const BAN: &str = "mutation($r: ID!, $u: ID!, $banned: Boolean!) {
        banMember(roomId: $r, userId: $u, banned: $banned) { userId } }";
    const ADD: &str = "mutation($r: ID!, $u: ID!) { addMembers(roomId: $r, userIds: [$u]) { added { id } } }";
    const SET_ROLE: &str = "mutation($r: ID!, $u: ID!, $role: RoomRole!) {
        setMemberRole(roomId: $r, userId: $u, role: $role) { member { role } } }";
    let (token, room) = (&users[hall.members[0]].access_token, &hall.room.id);
    let mut done = 0;
    for _ in 0..times {
        let user = &users[hall.members[1 + dice.below(hall.members.len() - 1)]].id;
        let steps = if dice.below(2) == 0 {
            vec![(REMOVE, json!({})), (ADD, json!({}))]
        } else {
            vec![(BAN, json!({ "banned": true })), (BAN, json!({ "banned": false })), (ADD, json!({}))]
        };
        let roles = ["MODERATOR", "MEMBER"].map(|role| (SET_ROLE, json!({ "role": role })));
        for (document, mut variables) in steps.into_iter().chain(roles) {
            variables["r"] = json!(room);
            variables["u"] = json!(user);
            // What a killed node left open is asked again: each of these may be, and the removal of one who is gone is
            // refused.
            loop {
                match ask(&nodes[dice.below(2)], token, document, variables.clone()).await {
                    Ok(_) => done += 1,
                    Err(refused) if refused.passes() => {
                        sleep(dice.about(Duration::from_millis(50))).await;
                        continue;
                    }
                    Err(_) => {}
                }
                break;
            }
            sleep(dice.about(Duration::from_millis(25))).await;
        }
    }
    done
}

/// Each user has a device on each of three nodes: all devices receive the same events in the same order.
pub async fn a_user_listens_on_three_nodes(context: Context) -> Outcome {
    let (data, broker) = (context.postgres().await, Nats::start());
    let settings = [("PARLOR_NATS_URL", broker.url())];
    let (a, b) = (Node::start(&data, &settings).await, Node::start(&data, &settings).await);
    let c = Node::start(&data, &settings).await;
    let shape = Shape { clients: 12, devices: 3, ..Shape::default() };
    let load = Load::start(Routes::to(&[&a, &b, &c]), shape, context.dice("load")).await;
    sleep(Duration::from_secs(context.pick(4, 30))).await;
    let finished = load.finish(&data).await;
    Outcome::new("the same everywhere", "12 users with a device on each of 3 nodes").finished(finished)
}
