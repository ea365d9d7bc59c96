//! What clients with normalised caches need: objects that are named by ids, and events that bring them up to date.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::support::{Feed, TestApp, TestUser, documents};

const WATCHED: &str = "{ rooms(first: 10) { nodes {
    id type lastActivityAt lastMessage { id } viewer { id unreadCount lastReadSeq muted }
    members(first: 50) { nodes { id joinedAt lastReadSeq user { id displayName presence { id online lastSeenAt } } } }
    messages(last: 50) { nodes { id seq body editedAt deletedAt edgeCursor author { id } room { id } } } } } }";

const EVENTS: &str = "subscription { events { __typename cursor
    ... on MessagePosted { messageEdge { cursor node { ...message } } authorMember { ...member } }
    ... on MessageEdited { message { ...message } }
    ... on MessageDeleted { message { ...message } }
    ... on ReadMarksMoved { room { ...room } marks { id seq member { ...member } } }
    ... on RoomMuted { room { ...room } }
    ... on RoomJoined { roomEdge { cursor node { ...room } } }
    ... on RoomLeft { roomId }
    ... on MemberJoined { memberId memberEdge { cursor node { ...member } } room { ...room } }
    ... on MemberLeft { memberId room { ...room } }
    ... on PresenceChanged { user { id presence { id online lastSeenAt } } } } }
  fragment room on Room { id type lastActivityAt lastMessage { id } viewer { id unreadCount lastReadSeq muted } }
  fragment member on RoomMember { id joinedAt lastReadSeq user { id displayName } }
  fragment message on Message { id seq body editedAt deletedAt edgeCursor author { id } room { ...room } }";

/// The fields of each object that has an id, by the id. Objects within are replaced by their ids.
type Cache = BTreeMap<String, Map<String, Value>>;

/// Puts everything that has an id into the cache, as caches of GraphQL clients do, and gives what refers to it.
fn normalise(value: &Value, cache: &mut Cache) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| normalise(item, cache)).collect(),
        Value::Object(fields) => {
            let fields: Map<String, Value> =
                fields.iter().map(|(name, field)| (name.clone(), normalise(field, cache))).collect();
            let Some(id) = fields.get("id").and_then(Value::as_str).map(str::to_owned) else { return fields.into() };
            cache.entry(id.clone()).or_default().extend(fields);
            json!({ "ref": id })
        }
        other => other.clone(),
    }
}

/// What a fresh fetch holds.
async fn fetch(user: &TestUser) -> Cache {
    let mut cache = Cache::new();
    normalise(user.graphql(WATCHED, json!({})).await.data(), &mut cache);
    cache
}

/// The next event of this kind, with everything before it applied to the cache.
async fn apply(feed: &mut Feed, cache: &mut Cache, kind: &str) {
    loop {
        let event = feed.next_of_all().await;
        assert!(event.body["marks"].as_array().is_none_or(|marks| !marks.is_empty()), "{event:#?}");
        normalise(&event.body, cache);
        match &*event.kind {
            "MemberLeft" => drop(cache.remove(event.body["memberId"].as_str().expect("an id"))),
            "RoomLeft" => drop(cache.remove(event.body["roomId"].as_str().expect("an id"))),
            _ => {}
        }
        if event.kind == kind {
            return;
        }
    }
}

/// Whether it is a list, which clients change by rules of their own.
fn is_list(field: &Value) -> bool {
    field.get("nodes").is_some()
}

/// Checks that what is cached of rooms, members, messages and users is what a fresh fetch holds.
async fn compare(user: &TestUser, cache: &Cache, after: &str) {
    let fresh = fetch(user).await;
    for (id, fields) in &fresh {
        for (name, field) in fields.iter().filter(|(_, field)| !is_list(field)) {
            let cached = cache.get(id).and_then(|fields| fields.get(name));
            assert_eq!(cached, Some(field), "{name} of {id}, after {after}");
        }
    }
    let listed = |id: &&String| id.starts_with("room_") || id.starts_with("member_");
    let (known, there) = (cache.keys().filter(listed), fresh.keys().filter(listed));
    assert!(known.eq(there), "after {after}");
}

#[tokio::test]
async fn what_events_carry_brings_a_cache_up_to_date() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    let other = bob.initiate_chat([&eve]).await;
    for n in 0..3 {
        ann.post(&room, &format!("{n}")).await;
        eve.post(&other, &format!("{n}")).await;
    }
    let mut feed = Feed::open(bob.socket().await, EVENTS, json!({})).await;
    feed.until_synced().await;
    let mut cache = fetch(&bob).await;
    compare(&bob, &cache, "nothing").await;

    let message = ann.post(&room, "hello").await;
    apply(&mut feed, &mut cache, "MessagePosted").await;
    compare(&bob, &cache, "a post of another member").await;
    ann.edit(&message, "rewritten").await;
    apply(&mut feed, &mut cache, "MessageEdited").await;
    compare(&bob, &cache, "an edit").await;
    ann.delete(&message).await;
    apply(&mut feed, &mut cache, "MessageDeleted").await;
    compare(&bob, &cache, "a deletion").await;
    eve.mark_read(&room, 4).await;
    apply(&mut feed, &mut cache, "ReadMarksMoved").await;
    compare(&bob, &cache, "another member's reading").await;
    bob.mark_read(&room, 2).await;
    apply(&mut feed, &mut cache, "ReadMarksMoved").await;
    compare(&bob, &cache, "the viewer's reading").await;
    bob.post(&room, "mine").await;
    apply(&mut feed, &mut cache, "MessagePosted").await;
    compare(&bob, &cache, "a post of the viewer's").await;
    bob.mute(&room, true).await;
    apply(&mut feed, &mut cache, "RoomMuted").await;
    compare(&bob, &cache, "muting").await;
    let socket = eve.socket().await;
    apply(&mut feed, &mut cache, "PresenceChanged").await;
    compare(&bob, &cache, "coming online").await;
    drop(socket);
    apply(&mut feed, &mut cache, "PresenceChanged").await;
    compare(&bob, &cache, "going offline").await;
    eve.leave(&room).await;
    apply(&mut feed, &mut cache, "MemberLeft").await;
    compare(&bob, &cache, "a member's leaving").await;
    eve.initiate_chat([&ann, &bob]).await;
    apply(&mut feed, &mut cache, "MemberJoined").await;
    compare(&bob, &cache, "a member's coming back").await;
    bob.leave(&other).await;
    apply(&mut feed, &mut cache, "RoomLeft").await;
    let of_other = format!("member_{}_", &other.id["room_".len()..]);
    cache.retain(|id, _| !id.starts_with(&of_other));
    compare(&bob, &cache, "leaving").await;
}

/// The last edge of a list.
async fn last_edge(user: &TestUser, room: &str, field: &str) -> Value {
    let document = format!("query($id: ID!) {{ room(id: $id) {{ {field} {{ edges {{ cursor node {{ id }} }} }} }} }}");
    let answer = user.graphql(&document, json!({ "id": room })).await;
    let name = field.split('(').next().expect("a name");
    answer.list(&format!("/room/{name}/edges")).last().expect("an edge").clone()
}

#[tokio::test]
async fn what_an_event_adds_comes_as_the_edge_that_its_list_has() {
    const POST: &str = "mutation($id: ID!) { postMessage(roomId: $id, body: \"hello\") {
        messageEdge { cursor node { id } } message { id edgeCursor } } }";
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let mut feed = Feed::open(bob.socket().await, EVENTS, json!({})).await;
    feed.until_synced().await;
    let mut posts = bob.socket().await;
    posts.subscribe("subscription { messagePosted { id edgeCursor } }", &json!({})).await;
    let edge = |event: &crate::support::Event, name: &str| {
        let edge = &event.body[name];
        json!({ "cursor": edge["cursor"], "node": { "id": edge["node"]["id"] } })
    };

    let room = ann.initiate_chat([&bob, &eve]).await;
    let joined = feed.next_of("RoomJoined").await;
    let rooms = bob.graphql("{ rooms { edges { cursor node { id } } } }", json!({})).await;
    assert_eq!(edge(&joined, "roomEdge"), rooms["/rooms/edges/0"]);

    let posted = ann.graphql(POST, json!({ "id": room.id })).await;
    let expected = last_edge(&bob, &room.id, "messages(last: 1)").await;
    assert_eq!(posted["/postMessage/messageEdge"], expected);
    assert_eq!(posted["/postMessage/message/edgeCursor"], expected["cursor"]);
    assert_eq!(edge(&feed.next_of("MessagePosted").await, "messageEdge"), expected);
    let shown = posts.next_json().await["payload"]["data"]["messagePosted"].clone();
    assert_eq!(shown, json!({ "id": expected["node"]["id"], "edgeCursor": expected["cursor"] }));
    // A page goes on where it says.
    let after = ann.post(&room, "the next").await;
    let page = json!({ "roomId": room.id, "first": 5, "after": expected["cursor"] });
    assert_eq!(ann.graphql(documents::MESSAGES, page).await.text("/room/messages/nodes/0/id"), after.id);

    ann.leave(&room).await;
    let member_id = feed.until(|event| event.kind == "MemberLeft").await.pop().expect("one").body["memberId"].clone();
    ann.initiate_chat([&bob, &eve]).await;
    let joined = feed.next_of("MemberJoined").await;
    assert_eq!(joined.body["memberId"], member_id, "a membership has one id");
    let members = bob.graphql(
        "query($id: ID!) { room(id: $id) { members { edges { cursor node { id } } } } }",
        json!({ "id": room.id }),
    );
    let members = members.await;
    let of_ann = members.list("/room/members/edges").iter().find(|edge| edge["node"]["id"] == member_id);
    assert_eq!(Some(&edge(&joined, "memberEdge")), of_ann);
}

#[tokio::test]
async fn a_member_who_has_left_since_is_null_in_what_is_replayed() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    let cursor = bob.sync_cursor().await;
    eve.post(&room, "hello").await;
    ann.mark_read(&room, 1).await;
    for user in [&ann, &eve] {
        user.leave(&room).await;
    }
    let mut socket = bob.socket().await;
    socket.subscribe_with(EVENTS, &json!({}), &json!({ "after": cursor })).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&json!("Synced")) {
        let frame = socket.next_json().await;
        assert!(frame["type"] == "next" && frame["payload"].get("errors").is_none(), "{frame:#}");
        let event = &frame["payload"]["data"]["events"];
        assert!(event["authorMember"].is_null(), "{event:#}");
        assert!(event["marks"].as_array().into_iter().flatten().all(|mark| mark["member"].is_null()), "{event:#}");
        seen.push(event["__typename"].clone());
    }
    assert_eq!(json!(seen), json!(["MessagePosted", "ReadMarksMoved", "MemberLeft", "MemberLeft", "Synced"]));
}

#[tokio::test]
async fn a_cursor_of_one_list_is_refused_by_every_other() {
    const OF_ROOM: &str = "query($id: ID!) { room(id: $id) {
        members(first: 1) { edges { cursor } } messages(first: 1) { edges { cursor } } } }";
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let rooms = [ann.initiate_chat([&bob]).await, ann.initiate_chat([&eve]).await];
    let mut cursors = Vec::new();
    for list in ["users", "rooms"] {
        let answer = ann.graphql(&format!("{{ {list}(first: 1) {{ edges {{ cursor }} }} }}"), json!({})).await;
        cursors.push((list.to_owned(), answer.text(&format!("/{list}/edges/0/cursor")).to_owned()));
    }
    for room in &rooms {
        ann.post(room, "hello").await;
        let answer = ann.graphql(OF_ROOM, json!({ "id": room.id })).await;
        for list in ["members", "messages"] {
            let cursor = answer.text(&format!("/room/{list}/edges/0/cursor")).to_owned();
            cursors.push((format!("{list} of {}", room.id), cursor));
        }
    }
    cursors.push(("events".to_owned(), ann.sync_cursor().await));

    let mut refused = 0;
    for (of, cursor) in &cursors {
        for (list, argument) in [("users", "after"), ("rooms", "after")] {
            let document = format!("query($c: String) {{ {list}({argument}: $c) {{ nodes {{ id }} }} }}");
            refused += check(&ann, &document, json!({ "c": cursor }), argument, of == list).await;
        }
        for room in &rooms {
            for (list, argument) in [("members", "after"), ("messages", "after"), ("messages", "before")] {
                let document = format!(
                    "query($id: ID!, $c: String) {{ room(id: $id) {{ {list}({argument}: $c) {{ nodes {{ id }} }} }} }}"
                );
                let is_own = *of == format!("{list} of {}", room.id);
                refused += check(&ann, &document, json!({ "id": room.id, "c": cursor }), argument, is_own).await;
            }
        }
    }
    assert_eq!(refused, 7 * 8 - 8);
    // Nor is one of a list a place in the stream of events.
    for (_, cursor) in cursors.iter().filter(|(of, _)| of != "events") {
        let mut socket = ann.socket().await;
        socket.subscribe(documents::EVENTS, &json!({ "after": cursor })).await;
        assert_eq!(socket.next_json().await["payload"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }
}

/// Asks for a page, and says whether its cursor was refused: 0 or 1.
async fn check(user: &TestUser, document: &str, variables: Value, argument: &str, is_own: bool) -> usize {
    let answer = user.graphql(document, variables).await;
    if is_own {
        answer.data();
        return 0;
    }
    assert_eq!((answer.error_code(), answer.error_field()), ("BAD_USER_INPUT", argument), "{document}");
    1
}
