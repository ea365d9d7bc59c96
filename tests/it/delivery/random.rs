//! Whatever users do, in whatever order: what clients keep by events is what the server has, and nobody is shown what
//! is others'.

use std::cell::RefCell;
use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Event, Feed, Message, Model, Room, TestApp, TestUser, documents, verify};

/// What each of the users does.
const DEEDS: usize = 60;

/// As much of everything as a document can ask for, so that whatever could leak would.
const CURIOUS: &str = "subscription($after: Cursor) { events(after: $after) { __typename cursor at
      ... on MessagePosted { message { ...message } } ... on MessageEdited { message { ...message } }
      ... on MessageDeleted { message { ...message } }
      ... on RoomJoined { room { ...room } } ... on RoomLeft { roomId }
      ... on MemberJoined { room { ...room } userId user { ...user } }
      ... on MemberLeft { room { ...room } userId user { ...user } }
      ... on ReadMarksMoved { room { ...room } marks { user { ...user } seq readAt } }
      ... on RoomMuted { room { ...room } } ... on RoomGap { room { ...room } fromSeq toSeq } } }
    fragment user on User { id username displayName }
    fragment room on Room { id initiator { ...user } members(first: 9) { nodes { user { ...user } lastReadSeq } }
      lastMessage { body } messages(last: 9) { nodes { body author { ...user } } } }
    fragment message on Message { id seq body clientId createdAt editedAt deletedAt author { ...user } room { ...room }
      readBy { user { ...user } } }";

/// A die with a seed: a failure can be repeated as far as the order of what happens at once allows.
pub(super) struct Die(pub(super) u64);

impl Die {
    /// Below `sides`. [SplitMix64](https://prng.di.unimi.it/splitmix64.c).
    pub(super) fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).expect("below `sides`")
    }
}

/// What has come to be, as far as those who act know.
#[derive(Default)]
struct World {
    /// Members of each room when it was opened, by number.
    rooms: Vec<(Room, Vec<usize>)>,
    messages: Vec<(Message, usize)>,
}

/// A refusal is fine when the one who was refused could not know better.
fn accept(answer: &crate::support::Answer) -> Option<&Value> {
    if answer.body.get("errors").is_none() {
        return Some(&answer.body["data"]);
    }
    let code = answer.error_code();
    assert!(["NOT_FOUND", "FORBIDDEN", "CONFLICT", "BAD_USER_INPUT"].contains(&code), "{:#}", answer.body);
    None
}

/// One user does one thing.
async fn act(users: &[TestUser], me: usize, world: &RefCell<World>, die: &mut Die) {
    let user = &users[me];
    let own_room = {
        let world = world.borrow();
        let own: Vec<&Room> = world.rooms.iter().filter(|(_, of)| of.contains(&me)).map(|(room, _)| room).collect();
        (!own.is_empty()).then(|| own[die.throw(own.len())].clone())
    };
    let own_message = {
        let world = world.borrow();
        let own: Vec<&Message> =
            world.messages.iter().filter(|(_, by)| *by == me).map(|(message, _)| message).collect();
        (!own.is_empty()).then(|| own[die.throw(own.len())].clone())
    };
    match (die.throw(40), own_room, own_message) {
        (0..=17, Some(room), _) => {
            let body = format!("secret of {} {}", room.id, die.throw(1_000));
            let variables = json!({ "roomId": room.id, "body": body });
            if let Some(data) = accept(&user.graphql(documents::POST_MESSAGE, variables).await) {
                world.borrow_mut().messages.push((Message::of(&data["postMessage"]["message"]), me));
            }
        }
        (18..=21, _, Some(message)) => {
            let body = format!("secret of {} edited {}", message.room_id, die.throw(1_000));
            accept(&user.graphql(documents::EDIT_MESSAGE, json!({ "messageId": message.id, "body": body })).await);
        }
        (22..=23, _, Some(message)) => {
            accept(&user.graphql(documents::DELETE_MESSAGE, json!({ "messageId": message.id })).await);
        }
        (24..=30, Some(room), _) => {
            let seq = die.throw(20);
            accept(&user.graphql(documents::MARK_READ, json!({ "roomId": room.id, "seq": seq })).await);
        }
        (31..=32, Some(room), _) => {
            let muted = die.throw(2) == 0;
            accept(&user.graphql(documents::MUTE_ROOM, json!({ "roomId": room.id, "muted": muted })).await);
        }
        (33..=34, Some(room), _) => {
            accept(&user.graphql(documents::LEAVE_ROOM, json!({ "roomId": room.id })).await);
        }
        (35, Some(room), _) => {
            accept(&user.graphql(documents::DELETE_ROOM, json!({ "roomId": room.id })).await);
        }
        _ => initiate(users, me, world, die).await,
    }
}

/// Opens a room or comes back to one. The last user is an outsider to all rooms but the one of the end.
async fn initiate(users: &[TestUser], me: usize, world: &RefCell<World>, die: &mut Die) {
    let insiders = users.len() - 1;
    let mut members = vec![me, (me + 1 + die.throw(insiders - 1)) % insiders];
    if die.throw(2) == 0 {
        members.push(die.throw(insiders));
    }
    members.sort_unstable();
    members.dedup();
    let (room, _) = users[me].initiate(members.iter().map(|member| &users[*member]), "CONSUMER_TO_CONSUMER").await;
    let mut world = world.borrow_mut();
    if !world.rooms.iter().any(|(known, _)| *known == room) {
        world.rooms.push((room, members));
    }
}

/// A client that now and then loses its connection and resumes, until the end. Answers what it was sent.
async fn follow(user: &TestUser, document: &str, mut die: Die, mut feed: Feed, mut model: Model) -> (Model, String) {
    let mut seen = String::new();
    loop {
        let data = feed.next_data().await;
        seen.push_str(&data.to_string());
        let event = Event::of(&data["events"]);
        model.apply(user, &event).await;
        if event.kind == "MessagePosted" && event.message().body == "the end" {
            return (model, seen);
        }
        if die.throw(25) == 0 {
            drop(feed);
            let after = json!({ "after": event.cursor });
            feed = Feed::open(user.socket().await, document, after).await;
        }
    }
}

async fn random_deeds(seed: u64) {
    let app = TestApp::start().await;
    let names = ["ann", "bob", "cat", "dan", "eve"];
    let mut users = Vec::new();
    for name in names {
        users.push(app.user_shown_as(name, &format!("display name of {name}")).await);
    }
    let world = RefCell::new(World::default());
    let mut clients = Vec::new();
    for (n, user) in users.iter().enumerate() {
        for (m, document) in [CURIOUS, documents::EVENTS_WITH_VIEWER, documents::EVENTS].into_iter().enumerate() {
            let feed = user.subscribe_to(document, json!({})).await;
            let die = Die(seed ^ (n * 10 + m + 1) as u64);
            clients.push(follow(user, document, die, feed, Model::fetch(user).await));
        }
    }

    let acting = async {
        let insiders = join_all((0..users.len() - 1).map(|me| {
            let (users, world) = (&users, &world);
            async move {
                let mut die = Die(seed.wrapping_mul(31) ^ (me as u64) << 32);
                for _ in 0..DEEDS {
                    act(users, me, world, &mut die).await;
                }
            }
        }));
        insiders.await;
        let all = users[0].initiate_chat(&users[1..]).await;
        users[0].post(&all, "the end").await;
    };
    let ((), followed) = futures_util::join!(acting, join_all(clients));

    let world = world.into_inner();
    let happened = (world.rooms.len(), world.messages.len());
    assert!(happened.0 > 3 && happened.1 > 30, "too little has happened: {happened:?} rooms and messages");
    for (n, (model, seen)) in followed.iter().enumerate() {
        let me = n / 3;
        verify(&users[me], model).await;
        // Up to the last event, which opens a room of all, a frame holds nothing of rooms that one was never in.
        let before_the_end = &seen[..seen.rfind("RoomJoined").unwrap_or(seen.len())];
        let mut was_shown = false;
        let mut acquaintances: BTreeSet<usize> = BTreeSet::from([me]);
        for (room, members) in &world.rooms {
            if members.contains(&me) {
                was_shown |= seen.contains(&format!("secret of {}", room.id));
                acquaintances.extend(members);
            } else {
                assert!(!seen.contains(&room.id), "{} was sent something of {}", users[me].username, room.id);
            }
        }
        assert!(was_shown || me == names.len() - 1, "what is one's own was shown");
        for (other, name) in names.iter().enumerate() {
            let is_shown = before_the_end.contains(&format!("display name of {name}"));
            assert!(!is_shown || acquaintances.contains(&other), "{} was sent {name}'s name", users[me].username);
        }
    }
}

#[tokio::test]
async fn after_random_deeds_what_clients_know_is_what_the_server_has_and_none_knows_what_is_others() {
    random_deeds(1).await;
}

#[tokio::test]
async fn after_other_random_deeds_as_well() {
    random_deeds(2).await;
}
