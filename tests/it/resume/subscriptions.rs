//! Several subscriptions on one socket: each resumes at its own cursor, and none moves another's.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Room, Socket, TestApp, TestUser};

const POSTS: &str = "subscription { messagePosted { seq cursor } }";
const EVENTS: &str = "subscription { events { __typename cursor ... on MessagePosted { message { seq } } } }";

/// Five posts in Ann's and Bob's room, and the cursor before the first and after each.
async fn five_posts(app: &TestApp) -> ([TestUser; 2], Room, Vec<String>) {
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;
    let mut cursors = vec![bob.sync_cursor().await];
    for n in 1..=5 {
        ann.post(&room, &format!("{n}")).await;
        cursors.push(feed.next_of("MessagePosted").await.cursor);
    }
    ([ann, bob], room, cursors)
}

/// A socket of this user whose `connection_init` carries this cursor.
async fn socket(user: &TestUser, after: Option<&str>) -> Socket {
    Socket::connect(user.endpoint(), Some(&user.access_token), after).await
}

/// Subscribes with this `extensions.after`, and returns the operation's id.
async fn subscribe(socket: &mut Socket, document: &str, after: Option<&str>) -> String {
    socket.subscribe_with(document, &json!({}), &json!({ "after": after })).await
}

/// The `seq` of the message in a frame, with the id of the operation to which it belongs; nothing for other events.
fn message(frame: &Value) -> Option<(String, i64)> {
    assert_eq!(frame["type"], "next", "{frame:#}");
    let data = &frame["payload"]["data"];
    let message = data.pointer("/messagePosted").or(data.pointer("/events/message"))?;
    Some((frame["id"].as_str()?.to_owned(), message["seq"].as_i64()?))
}

/// The messages that each operation is shown, by their `seq`, until each was shown the one with this.
async fn shown(socket: &mut Socket, ids: &[String], last: i64) -> BTreeMap<String, Vec<i64>> {
    let mut shown: BTreeMap<String, Vec<i64>> = ids.iter().map(|id| (id.clone(), Vec::new())).collect();
    while shown.values().any(|seqs| !seqs.contains(&last)) {
        if let Some((id, seq)) = message(&socket.next_json().await) {
            shown.entry(id).or_default().push(seq);
        }
    }
    shown
}

/// What comes before `Synced` to this operation, which is the only one from which anything comes.
async fn until_synced(socket: &mut Socket, id: &str) -> Vec<i64> {
    let mut missed = Vec::new();
    loop {
        let frame = socket.next_json().await;
        assert_eq!(frame["id"], id, "{frame:#}");
        missed.extend(message(&frame).map(|(_, seq)| seq));
        if frame["payload"]["data"]["events"]["__typename"] == "Synced" {
            return missed;
        }
    }
}

/// The `extensions` of the one error with which the next frame ends this operation.
async fn refusal(socket: &mut Socket, id: &str) -> Value {
    let frame = socket.next_json().await;
    assert_eq!((&frame["type"], &frame["id"]), (&json!("error"), &json!(id)), "{frame:#}");
    frame["payload"][0]["extensions"].clone()
}

#[tokio::test]
async fn each_of_two_and_of_ten_resumes_at_its_own_cursor_and_goes_on_live() {
    for count in [2, 10] {
        let app = TestApp::start().await;
        let ([ann, bob], room, cursors) = five_posts(&app).await;
        // What the socket says is another place.
        let mut socket = socket(&bob, Some(&cursors[5])).await;
        let mut expected = BTreeMap::new();
        for (n, from) in [0, 3, 1, 4, 2].into_iter().cycle().take(count).enumerate() {
            let document = if n % 2 == 0 { EVENTS } else { POSTS };
            let id = subscribe(&mut socket, document, Some(&cursors[from])).await;
            expected.insert(id, (1..=6).skip(from).collect::<Vec<i64>>());
        }
        ann.post(&room, "live").await;
        let ids: Vec<String> = expected.keys().cloned().collect();
        assert_eq!(shown(&mut socket, &ids, 6).await, expected, "{count} subscriptions");
    }
}

#[tokio::test]
async fn a_later_subscription_begins_now_whatever_the_socket_said() {
    let app = TestApp::start().await;
    let ([ann, bob], room, cursors) = five_posts(&app).await;
    let mut socket = socket(&bob, Some(&cursors[0])).await;
    let first = subscribe(&mut socket, EVENTS, None).await;
    assert_eq!(until_synced(&mut socket, &first).await, [1, 2, 3, 4, 5]);
    let second = subscribe(&mut socket, EVENTS, None).await;
    assert_eq!(until_synced(&mut socket, &second).await, [0; 0]);

    let third = subscribe(&mut socket, POSTS, None).await;
    // Nothing says when it has begun, but that it is shown what is posted.
    let mut posted = 5;
    let begun_at = loop {
        posted += 1;
        ann.post(&room, "live").await;
        let mut shown = shown(&mut socket, std::slice::from_ref(&second), posted).await;
        if let Some(seqs) = shown.remove(&third) {
            break seqs[0];
        }
    };
    assert!(begun_at > 5, "{begun_at} was posted before");
}

#[tokio::test]
async fn the_first_takes_the_sockets_cursor_even_if_it_has_one_of_its_own() {
    let app = TestApp::start().await;
    let ([_, bob], _, cursors) = five_posts(&app).await;
    for (own, missed) in [(Some(&*cursors[4]), vec![5]), (None, vec![1, 2, 3, 4, 5])] {
        let mut socket = socket(&bob, Some(&cursors[0])).await;
        // What is no subscription doesn't take it, and neither does what isn't one that could be read.
        socket.subscribe("{ me { id } }", &json!({})).await;
        while socket.next_json().await["type"] != "complete" {}
        let unreadable = socket.subscribe("subscription {", &json!({})).await;
        assert_eq!(refusal(&mut socket, &unreadable).await["code"], "GRAPHQL_PARSE_FAILED");
        let first = subscribe(&mut socket, EVENTS, own).await;
        assert_eq!(until_synced(&mut socket, &first).await, missed, "{own:?}");
        let later = subscribe(&mut socket, EVENTS, None).await;
        assert_eq!(until_synced(&mut socket, &later).await, [0; 0], "{own:?}");
    }
}

#[tokio::test]
async fn of_subscriptions_that_are_sent_together_the_first_sent_takes_the_sockets_cursor() {
    let app = TestApp::start().await;
    let ([_, bob], _, cursors) = five_posts(&app).await;
    let mut socket = socket(&bob, Some(&cursors[0])).await;
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(subscribe(&mut socket, EVENTS, None).await);
    }
    let (mut missed, mut synced) = (Vec::new(), 0);
    while synced < ids.len() {
        let frame = socket.next_json().await;
        missed.extend(message(&frame));
        synced += usize::from(frame["payload"]["data"]["events"]["__typename"] == "Synced");
    }
    assert_eq!(missed, (1..=5).map(|seq| (ids[0].clone(), seq)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_text_that_is_no_cursor_ends_its_subscription_alone() {
    let app = TestApp::start().await;
    let ([ann, bob], room, cursors) = five_posts(&app).await;
    let mut socket = socket(&bob, None).await;
    let right = subscribe(&mut socket, EVENTS, Some(&cursors[3])).await;
    assert_eq!(until_synced(&mut socket, &right).await, [4, 5]);
    for document in [EVENTS, POSTS] {
        for wrong in ["garbage", "", "AQ", "-1", "\u{1F600}", &"A".repeat(10_000)] {
            let id = subscribe(&mut socket, document, Some(wrong)).await;
            assert_eq!(refusal(&mut socket, &id).await, json!({ "code": "BAD_USER_INPUT", "field": "after" }));
        }
    }
    ann.post(&room, "live").await;
    assert_eq!(shown(&mut socket, std::slice::from_ref(&right), 6).await[&right], [6]);
}

#[tokio::test]
async fn what_cannot_be_replayed_is_announced_or_refused_as_with_the_argument() {
    let app = TestApp::start().await;
    let ([ann, bob], room, cursors) = five_posts(&app).await;
    let unreadable = parlor::position::CursorText::NEUTRAL.to_string();
    let mut socket = socket(&bob, None).await;
    let id = subscribe(&mut socket, "subscription { events { __typename } }", Some(&unreadable)).await;
    for kind in ["ResyncRequired", "Synced"] {
        let frame = socket.next_json().await;
        assert_eq!((&frame["id"], &frame["payload"]["data"]["events"]["__typename"]), (&json!(id), &json!(kind)));
    }
    let id = subscribe(&mut socket, POSTS, Some(&unreadable)).await;
    let conflict = json!({ "code": "CONFLICT", "field": "after" });
    assert_eq!(refusal(&mut socket, &id).await, conflict);

    drop(socket);
    for _ in 0..101 {
        ann.post(&room, "one of many").await;
    }
    let mut socket = Socket::connect(bob.endpoint(), Some(&bob.access_token), None).await;
    let id = subscribe(&mut socket, POSTS, Some(&cursors[0])).await;
    assert_eq!(refusal(&mut socket, &id).await, conflict);
    let id = subscribe(&mut socket, POSTS, Some(&cursors[5])).await;
    assert_eq!(refusal(&mut socket, &id).await, conflict);
}

#[tokio::test]
async fn a_cursor_beside_a_query_or_a_mutation_is_ignored() {
    let app = TestApp::start().await;
    let [ann] = app.users(["ann"]).await;
    let mut socket = ann.socket().await;
    for document in ["{ me { id } }", "mutation { __typename }"] {
        socket.subscribe_with(document, &json!({}), &json!({ "after": "garbage" })).await;
        assert_eq!(socket.next_json().await["type"], "next");
        assert_eq!(socket.next_json().await["type"], "complete");
    }
}
