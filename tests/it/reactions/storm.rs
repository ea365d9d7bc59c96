//! Five thousand reactions in a room: they cost events and bytes by the batch.

use std::collections::BTreeSet;
use std::fmt::Write;

use futures_util::future::join_all;
use serde_json::json;

use super::changes;
use crate::support::{Feed, Message, Model, TestApp, TestUser, verify};

const USERS: usize = 100;

/// Each of so many kinds to the one message: as many as a message may have.
const KINDS: usize = 20;

/// One to each of so many others.
const OTHERS: usize = 30;

/// What a client needs to know of a storm.
const EVENTS: &str = "subscription { events { __typename cursor ... on MessagePosted { message { id } }
    ... on ReactionsChanged { message { id reactions { emoji count } } changes { userId emoji on } } } }";

/// The events of reactions that there are, and how many times anything was committed.
async fn costs(app: &TestApp) -> (usize, usize) {
    let events = "SELECT CAST(count(*) AS text) FROM event WHERE kind = 13";
    let events = app.text(events, events).await.parse().expect("a number");
    let batches = app.metric("parlor_append_batch_size_count").await;
    (events, format!("{batches}").parse().expect("a whole number"))
}

/// A request for these reactions.
fn document(ways: &[(&Message, usize)]) -> String {
    let mut document = "mutation {".to_owned();
    for (n, (message, kind)) in ways.iter().enumerate() {
        let how = format!("_{n}: setReaction(messageId: \"{}\", emoji: \":{kind}:\")", message.id);
        write!(document, " {how} {{ message {{ id }} }}").expect("a text takes what is written");
    }
    document + " }"
}

/// Everybody reacts to all of these, in all of these ways, one after the other. How many did, and the events and batches of it.
async fn storm(app: &TestApp, crowd: &[TestUser], messages: &[Message], kinds: usize) -> (usize, usize, usize) {
    let before = costs(app).await;
    let ways: Vec<_> = messages.iter().flat_map(|message| (0..kinds).map(move |kind| (message, kind))).collect();
    // As many at a time as a request may ask for.
    let documents: Vec<String> = ways.chunks(5).map(document).collect();
    let everybody = crowd.iter().map(|user| async {
        for document in &documents {
            user.graphql(document, json!({})).await.data();
        }
    });
    join_all(everybody).await;
    let after = costs(app).await;
    (crowd.len() * messages.len() * kinds, after.0 - before.0, after.1 - before.1)
}

/// What of it reached a socket, in bytes, after which comes a post.
async fn received(feed: &mut Feed, end: &Message) -> (usize, BTreeSet<(String, String, String)>) {
    let (mut bytes, mut all) = (0, BTreeSet::new());
    let events =
        feed.until(|event| event.body["message"]["id"] == json!(end.id) && event.kind == "MessagePosted").await;
    for event in events.iter().filter(|event| event.kind == "ReactionsChanged") {
        bytes += event.body.to_string().len();
        let message = event.body["message"]["id"].as_str().expect("an id");
        all.extend(changes(&event.body).into_iter().map(|(user, emoji, _)| (message.to_owned(), user, emoji)));
    }
    (bytes, all)
}

#[tokio::test]
async fn five_thousand_reactions_in_a_room_cost_events_by_the_batch() {
    let app = TestApp::start().await;
    // No more passwords are hashed at once than may wait for it.
    let crowd = [app.crowd("fan", USERS / 2).await, app.crowd("friend", USERS / 2).await].concat();
    let room = crowd[0].initiate_chat(&crowd[1..]).await;
    let one = crowd[0].post(&room, "we won").await;
    let others = join_all((0..OTHERS).map(|n| crowd[n].post(&room, "so did we"))).await;
    let mut model = Model::fetch(&crowd[0]).await;
    let mut whole = crowd[0].subscribe().await;
    let mut feed = crowd[1].subscribe_to(EVENTS, json!({})).await;

    let (reactions, events, batches) = storm(&app, &crowd, std::slice::from_ref(&one), KINDS).await;
    assert_eq!(reactions, 2_000);
    assert!(
        events <= batches && 4 * events <= reactions,
        "{events} events in {batches} batches for {reactions} reactions"
    );
    let end = crowd[2].post(&room, "end").await;
    let (bytes, all) = received(&mut feed, &end).await;
    assert!(all.len() == reactions && bytes <= 300 * reactions, "{bytes} bytes for {} changes", all.len());

    let (reactions, events, batches) = storm(&app, &crowd, &others, 1).await;
    assert_eq!(reactions, 3_000);
    // One for each message and batch, at most.
    assert!(
        events <= batches * OTHERS && 2 * events <= reactions,
        "{events} events in {batches} batches for {reactions} reactions"
    );
    let end = crowd[2].post(&room, "end").await;
    let (bytes, all) = received(&mut feed, &end).await;
    assert!(all.len() == reactions && bytes <= 300 * reactions, "{bytes} bytes for {} changes", all.len());

    model.follow(&crowd[0], &mut whole, &end).await;
    verify(&crowd[0], &model).await;
    let counted: i64 = model.rooms[&room.id].reactions.values().flatten().map(|(_, count)| count).sum();
    assert_eq!(counted, 5_000);
}
