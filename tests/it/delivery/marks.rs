//! Read marks: who is told of them, and how many become one event.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use crate::support::TestApp;

#[tokio::test]
async fn in_a_large_room_each_is_told_of_the_own_mark_only() {
    let app = TestApp::start_with(|config| config.receipts_max_members = 2).await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (small, large) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&bob, &eve]).await);
    ann.post(&small, "hello").await;
    ann.post(&large, "hello").await;
    let mut hers = ann.subscribe().await;
    let mut his = [bob.subscribe().await, bob.sign_in().await.subscribe().await];
    let mut eves = eve.subscribe().await;

    bob.mark_read(&large, 1).await;
    bob.mark_read(&small, 1).await;
    let marker = ann.post(&large, "marker").await;

    for feed in &mut his {
        for room in [&large, &small] {
            let moved = feed.next_of("ReadMarksMoved").await;
            assert_eq!((moved.room_id(), moved.marks()), (room.id.clone(), vec![(bob.id.clone(), 1)]));
        }
        feed.expect_silence_until(&marker).await;
    }
    let moved = hers.next_of("ReadMarksMoved").await;
    assert_eq!((moved.room_id(), moved.marks()), (small.id.clone(), vec![(bob.id.clone(), 1)]));
    hers.expect_silence_until(&marker).await;
    eves.expect_silence_until(&marker).await;
}

#[tokio::test]
async fn a_room_becomes_small_again_when_members_leave() {
    let app = TestApp::start_with(|config| config.receipts_max_members = 2).await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    ann.post(&room, "hello").await;
    eve.leave(&room).await;
    let mut hers = ann.subscribe().await;

    bob.mark_read(&room, 1).await;

    assert_eq!(hers.next_of("ReadMarksMoved").await.marks(), [(bob.id, 1)]);
}

#[tokio::test]
async fn marks_of_one_room_that_come_at_once_become_few_events() {
    let app = TestApp::start().await;
    let readers = app.crowd("reader", 30).await;
    let ann = app.user("ann").await;
    let room = ann.initiate_chat(&readers).await;
    for n in 0..3 {
        ann.post(&room, &format!("{n}")).await;
    }
    let mut feed = ann.subscribe().await;

    // What comes while nothing can be written is written at once afterwards.
    let held = app.hold_writes().await;
    let marks = join_all(readers.iter().flat_map(|reader| (1..=3).map(|seq| reader.mark_read(&room, seq))));
    let release = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        held.rollback().await.expect("a transaction");
    };
    tokio::join!(marks, release);
    let marker = ann.post(&room, "marker").await;

    let mut events = feed.until_posted(&marker).await;
    events.pop();
    let mut read: BTreeMap<String, i64> = BTreeMap::new();
    for (reader, seq) in events.iter().flat_map(|event| event.marks()) {
        let before = read.insert(reader, seq);
        assert!(before < Some(seq), "a mark never moves back or is told twice");
    }
    assert_eq!(read, readers.iter().map(|reader| (reader.id.clone(), 3)).collect());
    assert!(events.len() < 30, "90 marks came in {} events", events.len());
}
