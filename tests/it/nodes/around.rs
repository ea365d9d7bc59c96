//! What stands around messages, said through one node and asked for at another, and raced through both.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{nodes, stop};
use crate::support::{Answer, Database, Message, Model, Process, Room, TestUser, documents, verify};

const REACT: &str =
    "mutation($m: ID!, $on: Boolean!) { setReaction(messageId: $m, emoji: \"👍\", on: $on) { message { id } } }";
const PIN: &str = "mutation($m: ID!, $on: Boolean!) { pinMessage(messageId: $m, pinned: $on) { room { id } } }";
const MARK_UNREAD: &str = "mutation($m: ID!) { markUnread(messageId: $m) { room { id } } }";
const REPLY: &str = "mutation($r: ID!, $b: String!, $m: ID!) { postMessage(roomId: $r, body: $b, replyToId: $m) {
    message { id } } }";
const ROOM: &str = "query($r: ID!) { room(id: $r) { pinnedMessages { message { id } }
    viewer { unreadCount unreadMentionCount unreadFromSeq }
    messages(last: 100) { nodes { id body replyToSeq replyTo { body deletedAt } reactions { emoji count }
        viewer { reactions mentioned } } } } }";

async fn seen(user: &TestUser, room: &Room) -> Value {
    user.graphql(ROOM, json!({ "r": room.id })).await["/room"].clone()
}

async fn expect_whole(database: &Database) {
    let checked = database.parlor(&["check"]).output().await.expect("the program runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

/// The user's device at each of the nodes.
fn at(user: &TestUser, nodes: &[Process; 2]) -> [TestUser; 2] {
    [user.at(nodes[0].endpoint()), user.at(nodes[1].endpoint())]
}

/// Has these wait for the log together, through both nodes, so that whichever comes first is first.
async fn raced(database: &Database, calls: impl Iterator<Item = impl Future<Output = Answer>>) -> Vec<Answer> {
    let held = database.hold_writes().await;
    let letting_go = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        held.rollback().await.expect("the lock comes free");
    };
    tokio::join!(join_all(calls), letting_go).0
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn what_is_done_around_a_message_through_one_node_is_so_at_the_other() {
    let database = Database::new().await;
    let nodes = nodes::<2>(&database, None).await;
    let (ann, bob) = (nodes[0].endpoint().user("ann").await, nodes[1].endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let (anns, bobs) = (at(&ann, &nodes), at(&bob, &nodes));
    let mut feeds = [bobs[0].subscribe().await, bobs[1].subscribe().await];
    let mut models = vec![Model::fetch(&bobs[0]).await, Model::fetch(&bobs[1]).await];
    for round in 0..6 {
        let (here, there) = (round % 2, 1 - round % 2);
        let look = json!({ "r": room.id, "b": "look", "m": [bob.id] });
        let posted = anns[here].graphql(crate::mentions::POST, look).await;
        let message = Message::of(&posted["/postMessage/message"]);
        for (user, node) in [(&anns, there), (&bobs, here)] {
            user[node].graphql(PIN, json!({ "m": message.id, "on": true })).await.data();
            user[1 - node].graphql(REACT, json!({ "m": message.id, "on": true })).await.data();
        }
        for bob in &bobs {
            let seen = seen(bob, &room).await;
            assert_eq!(seen["viewer"]["unreadMentionCount"], 1);
            assert_eq!(seen["pinnedMessages"][0]["message"]["id"], json!(message.id));
        }
        bobs[here].mark_read(&room, message.seq).await;
        bobs[there].graphql(MARK_UNREAD, json!({ "m": message.id })).await.data();
        for bob in &bobs {
            let viewer = json!({ "unreadCount": 1, "unreadMentionCount": 1, "unreadFromSeq": message.seq });
            assert_eq!(seen(bob, &room).await["viewer"], viewer);
        }
        // By the other, it ends.
        let answer = json!({ "r": room.id, "b": "so it is", "m": message.id });
        bobs[here].graphql(REPLY, answer).await.data();
        let marker = anns[there].post(&room, "whatever came").await;
        for ((feed, model), bob) in feeds.iter_mut().zip(&mut models).zip(&bobs) {
            model.follow(bob, feed, &marker).await;
            verify(bob, model).await;
        }
        bobs[there].mark_read(&room, marker.seq).await;
    }
    expect_whole(&database).await;
    stop(nodes).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_hundred_messages_are_pinned_through_two_nodes_and_no_more() {
    let database = Database::new().await;
    let nodes = nodes::<2>(&database, None).await;
    let (ann, bob) = (nodes[0].endpoint().user("ann").await, nodes[1].endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let messages = join_all((0..110).map(|n| {
        let (ann, room) = (&ann, &room);
        async move { ann.post(room, &n.to_string()).await }
    }))
    .await;
    let devices = [at(&ann, &nodes), at(&bob, &nodes)].concat();
    let pin = |n: usize, on: bool| devices[n % 4].graphql(PIN, json!({ "m": messages[n].id, "on": on }));
    for answer in join_all((0..95).map(|n| pin(n, true))).await {
        answer.data();
    }
    let refused = |answers: &[Answer]| {
        let refused = answers.iter().filter(|answer| answer.body.get("errors").is_some());
        refused.map(|answer| (answer.error_code().to_owned(), answer.error_field().to_owned())).collect::<Vec<_>>()
    };
    let conflict = ("CONFLICT".to_owned(), "messageId".to_owned());
    let answers = raced(&database, (95..110).map(|n| pin(n, true))).await;
    assert_eq!(refused(&answers), vec![conflict; 10]);
    // As many as are taken away meanwhile may come.
    let answers = raced(&database, (0..10).map(|n| pin(n, false)).chain((95..110).map(|n| pin(n, true)))).await;
    let pinned = seen(&ann, &room).await["pinnedMessages"].as_array().map_or(0, Vec::len);
    assert!(
        (90..=100).contains(&pinned) && refused(&answers).len() >= 100 - pinned,
        "{pinned} {:?}",
        refused(&answers)
    );
    expect_whole(&database).await;
    stop(nodes).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_message_has_twenty_kinds_of_reactions_through_two_nodes_and_no_more() {
    let database = Database::new().await;
    let nodes = nodes::<2>(&database, None).await;
    let (ann, bob) = (nodes[0].endpoint().user("ann").await, nodes[1].endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "what do you think?").await;
    let devices = [at(&ann, &nodes), at(&bob, &nodes)].concat();
    let (mut feed, mut model) = (devices[3].subscribe().await, Model::fetch(&devices[3]).await);
    let react = |n: usize, on: bool| {
        let react = "mutation($m: ID!, $e: String!, $on: Boolean!) {
            setReaction(messageId: $m, emoji: $e, on: $on) { message { id } } }";
        devices[n % 4].graphql(react, json!({ "m": message.id, "e": format!(":{n}:"), "on": on }))
    };
    let refused = |answers: &[Answer]| {
        let refused = answers.iter().filter(|answer| answer.body.get("errors").is_some());
        refused.map(|answer| (answer.error_code().to_owned(), answer.error_field().to_owned())).collect::<Vec<_>>()
    };
    let conflict = ("CONFLICT".to_owned(), "emoji".to_owned());
    for answer in join_all((0..17).map(|n| react(n, true))).await {
        answer.data();
    }
    let answers = raced(&database, (17..29).map(|n| react(n, true))).await;
    assert_eq!(refused(&answers), vec![conflict; 9]);
    // As many kinds as are taken back meanwhile may come.
    let answers = raced(&database, (0..5).map(|n| react(n, false)).chain((40..52).map(|n| react(n, true)))).await;
    let came = 12 - refused(&answers).len();
    let shown = seen(&ann, &room).await;
    let kinds = shown["messages"]["nodes"][0]["reactions"].as_array().expect("kinds").clone();
    assert!(came <= 5 && kinds.len() == 15 + came, "{came} came, and there are {kinds:?}");
    assert!(kinds.iter().all(|kind| kind["count"] == 1), "{kinds:?}");
    let marker = ann.post(&room, "whatever came").await;
    model.follow(&devices[3], &mut feed, &marker).await;
    verify(&devices[3], &model).await;
    expect_whole(&database).await;
    stop(nodes).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn reactions_replies_and_deletions_that_are_raced_leave_what_one_order_of_them_leaves() {
    let database = Database::new().await;
    let nodes = nodes::<2>(&database, None).await;
    let (ann, bob) = (nodes[0].endpoint().user("ann").await, nodes[1].endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let (anns, bobs) = (at(&ann, &nodes), at(&bob, &nodes));
    let (mut feed, mut model) = (bob.subscribe().await, Model::fetch(&bob).await);
    for round in 0..4 {
        let message = ann.post(&room, &format!("secret {round}")).await;
        let on_and_off = (0..8).map(|n| bobs[n % 2].graphql(REACT, json!({ "m": message.id, "on": n % 4 < 2 })));
        for answer in raced(&database, on_and_off).await {
            answer.data();
        }
        let shown = seen(&bob, &room).await;
        let newest = shown["messages"]["nodes"].as_array().and_then(|nodes| nodes.last()).expect("a message");
        let own = newest["viewer"]["reactions"].as_array().map_or(0, Vec::len);
        assert_eq!(newest["reactions"].as_array().map_or(0, Vec::len), own, "what is counted stands: {newest:#}");

        // Whatever comes before the deletion goes with it, and nothing comes after it.
        let id = json!({ "messageId": message.id });
        let replies = (0..6)
            .map(|n| bobs[n % 2].graphql(REPLY, json!({ "r": room.id, "b": format!("answer {n}"), "m": message.id })));
        let calls = replies.collect::<Vec<_>>().into_iter();
        let reactions = (0..2).map(|n| bobs[n].graphql(REACT, json!({ "m": message.id, "on": true })));
        let pins = (0..2).map(|n| anns[n].graphql(PIN, json!({ "m": message.id, "on": true })));
        let deletion = [anns[1].graphql(documents::DELETE_MESSAGE, id)];
        let calls = calls.chain(reactions.collect::<Vec<_>>()).chain(pins.collect::<Vec<_>>()).chain(deletion);
        let answers = raced(&database, calls).await;
        answers.last().expect("the deletion").data();
        for answer in answers.iter().filter(|answer| answer.body.get("errors").is_some()) {
            assert_eq!(answer.error_code(), "CONFLICT");
        }
        let shown = seen(&ann, &room).await;
        assert_eq!(shown["pinnedMessages"], json!([]));
        for shown in shown["messages"]["nodes"].as_array().expect("messages") {
            assert!(!shown.to_string().contains("secret"), "{shown:#}");
            assert_eq!(shown["replyToSeq"].is_null(), shown["replyTo"]["deletedAt"].is_null(), "{shown:#}");
            assert!(shown["body"] != "" || shown["reactions"] == json!([]), "{shown:#}");
        }
        let marker = ann.post(&room, "whatever came").await;
        model.follow(&bob, &mut feed, &marker).await;
        verify(&bob, &model).await;
    }
    expect_whole(&database).await;
    stop(nodes).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn whoever_is_banned_while_mentioned_is_mentioned_before_or_not_at_all() {
    let database = Database::new().await;
    let nodes = nodes::<2>(&database, None).await;
    let endpoint = nodes[0].endpoint();
    let (ann, bob, kim) = (endpoint.user("ann").await, endpoint.user("bob").await, endpoint.user("kim").await);
    let create = "mutation($m: [NewMember!]!) { createRoom(input: { members: $m }) { room { id } } }";
    let members = json!({ "m": [{ "userId": bob.id }, { "userId": kim.id }] });
    let room = Room::of(&ann.graphql(create, members).await["/createRoom/room"]);
    let (anns, bobs) = (at(&ann, &nodes), at(&bob, &nodes));
    let ban = "mutation($r: ID!, $u: ID!, $b: Boolean!) { banMember(roomId: $r, userId: $u, banned: $b) { userId } }";
    let add = "mutation($r: ID!, $u: ID!) { addMembers(roomId: $r, userIds: [$u]) { room { id } } }";
    let mentions = "{ viewer { mentions(first: 50) { nodes { id } } unread { mentions } } }";
    let mut made = 0;
    for round in 0..4 {
        let look = |n: usize| {
            let look = json!({ "r": room.id, "b": format!("look {n}"), "m": [kim.id] });
            bobs[n % 2].graphql(crate::mentions::POST, look)
        };
        let banning = anns[round % 2].graphql(ban, json!({ "r": room.id, "u": kim.id, "b": true }));
        let calls = (0..6).map(look).collect::<Vec<_>>().into_iter().chain([banning]).collect::<Vec<_>>();
        let answers = raced(&database, calls.into_iter()).await;
        for answer in &answers {
            match answer.body.get("errors") {
                Some(_) => assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", "mentions")),
                None => made += usize::from(answer.body["data"].get("postMessage").is_some()),
            }
        }
        let banned = kim.graphql(mentions, json!({})).await;
        assert_eq!(banned["/viewer"], json!({ "mentions": { "nodes": [] }, "unread": { "mentions": 0 } }));
        for (document, variables) in
            [(ban, json!({ "r": room.id, "u": kim.id, "b": false })), (add, json!({ "r": room.id, "u": kim.id }))]
        {
            anns[1 - round % 2].graphql(document, variables).await.data();
        }
        let back = kim.at(nodes[1].endpoint()).graphql(mentions, json!({})).await;
        assert_eq!(back.list("/viewer/mentions/nodes").len(), made, "round {round}");
        assert_eq!(seen(&kim, &room).await["viewer"]["unreadMentionCount"], back["/viewer/unread/mentions"]);
    }
    expect_whole(&database).await;
    stop(nodes).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL and NATS: cargo test --test postgres"]
async fn a_storm_of_reactions_through_two_nodes_costs_events_by_the_batch() {
    let (database, broker) = (Database::new().await, crate::servers::Nats::start());
    let nodes = nodes::<2>(&database, Some(&broker)).await;
    let names: Vec<String> = (0..20).map(|n| format!("fan{n}")).collect();
    let crowd = join_all(names.iter().map(|name| nodes[0].endpoint().user(name))).await;
    let room = crowd[0].initiate_chat(&crowd[1..]).await;
    let message = crowd[0].post(&room, "we won").await;
    let watching = [crowd[1].at(nodes[0].endpoint()), crowd[1].at(nodes[1].endpoint())];
    let (mut feeds, mut models) = (Vec::new(), Vec::new());
    for device in &watching {
        models.push(Model::fetch(device).await);
        feeds.push(device.subscribe().await);
    }
    let react = "mutation($m: ID!, $e: String!) { setReaction(messageId: $m, emoji: $e) { message { id } } }";
    let held = database.hold_writes().await;
    let storm = join_all(crowd.iter().enumerate().flat_map(|(n, user)| {
        let (user, message) = (user.at(nodes[n % 2].endpoint()), &message);
        (0..20).map(move |kind| {
            let user = user.clone();
            async move { user.graphql(react, json!({ "m": message.id, "e": format!(":{kind}:") })).await }
        })
    }));
    let letting_go = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        held.rollback().await.expect("the lock comes free");
    };
    for answer in tokio::join!(storm, letting_go).0 {
        answer.data();
    }
    let events = "SELECT count(*)::text FROM event WHERE kind = 13";
    let events: usize = database.text(events, events).await.parse().expect("a number");
    assert!(events <= 200, "{events} events for 400 reactions");
    let end = crowd[3].post(&room, "end").await;
    for ((device, feed), model) in watching.iter().zip(&mut feeds).zip(&mut models) {
        model.follow(device, feed, &end).await;
        verify(device, model).await;
        let counts = &model.rooms[&room.id].reactions[&1];
        assert!(counts.len() == 20 && counts.iter().all(|(_, count)| *count == 20), "{counts:?}");
    }
    expect_whole(&database).await;
    stop(nodes).await;
}
