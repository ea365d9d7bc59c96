//! Many at once.

use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Feed, TestApp, documents, within};

#[tokio::test]
async fn fifty_posters_at_once_make_one_sequence_without_a_hole_on_every_socket() {
    const POSTERS: usize = 50;
    const POSTS: usize = 10;
    let app = TestApp::start().await;
    let posters = app.crowd("poster", POSTERS).await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat(posters.iter().chain([&bob, &eve])).await;
    let mut feeds = Vec::new();
    for device in [&ann, &bob, &bob, &eve, &posters[0]] {
        feeds.push(device.subscribe().await);
    }

    let posted = join_all(posters.iter().map(|poster| {
        let room = &room;
        async move {
            let mut posted = Vec::new();
            for n in 0..POSTS {
                posted.push(poster.post(room, &format!("{} {n}", poster.username)).await);
            }
            posted
        }
    }))
    .await;

    let mut posted = posted.concat();
    posted.sort_by_key(|message| message.seq);
    let seqs: Vec<i64> = posted.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..=500).collect::<Vec<i64>>());
    for feed in &mut feeds {
        for expected in &posted {
            assert_eq!(feed.next_of("MessagePosted").await.message(), *expected);
        }
    }
    assert!((app.metric("parlor_mailbox_overflows_total").await).abs() < f64::EPSILON);
}

#[tokio::test]
async fn sockets_that_subscribe_while_posts_go_on_miss_none_from_there_on() {
    const SOCKETS: i64 = 100;
    const POSTS: i64 = 300;
    let app = TestApp::start().await;
    let posters = app.crowd("poster", 4).await;
    let readers = app.crowd("reader", 3).await;
    let room = posters[0].initiate_chat(posters[1..].iter().chain(&readers)).await;
    let (begun, ended) = (AtomicI64::new(0), tokio::sync::watch::channel(0_i64).0);

    let posting = join_all(posters.iter().map(async |poster| {
        while begun.fetch_add(1, Ordering::SeqCst) < POSTS {
            poster.post(&room, "on and on").await;
            ended.send_modify(|ended| *ended += 1);
        }
    }));
    let reading = join_all((0..SOCKETS).map(|n| {
        let reader = &readers[usize::try_from(n).expect("small") % readers.len()];
        let (room, begun, mut ended) = (&room, &begun, ended.subscribe());
        async move {
            // Each comes at a moment of its own, spread over the time of posting.
            let moment = n * (POSTS - 50) / SOCKETS;
            while *ended.borrow_and_update() < moment {
                within("another post", ended.changed()).await.expect("posting goes on");
            }
            let resumes = n % 2 == 0;
            let (after, least) = if resumes {
                let document = "query($room: ID!) { syncCursor room(id: $room) { lastMessage { seq } } }";
                let answer = reader.graphql(document, json!({ "room": room.id })).await;
                let seq = answer.data().pointer("/room/lastMessage/seq").and_then(serde_json::Value::as_i64);
                (Some(answer.text("/syncCursor").to_owned()), seq.unwrap_or(0) + 1)
            } else {
                (None, 0)
            };
            let mut feed = Feed::open(reader.socket().await, documents::EVENTS, json!({ "after": after })).await;
            let mut seqs: Vec<i64> = feed.until_synced().await.iter().map(|event| event.message().seq).collect();
            let least = if resumes { least } else { begun.load(Ordering::SeqCst) + 1 };
            while seqs.last() != Some(&POSTS) {
                seqs.push(feed.next_of("MessagePosted").await.message().seq);
            }
            (seqs, least)
        }
    }));
    let (_, read) = futures_util::join!(posting, reading);

    for (seqs, least) in read {
        let first = seqs[0];
        assert!(first <= least, "expected what came after the subscription from {least} on, got {first}");
        assert_eq!(seqs, (first..=POSTS).collect::<Vec<i64>>());
    }
}
