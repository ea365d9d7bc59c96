//! Consumers: what reads the log durably. One deletes what deleted rooms leave behind; that of the index is tried in `search`.

use chrono::TimeDelta;

use crate::support::{Room, TestApp, TestUser, within};

const PLACE: &str = "SELECT CAST(position AS text) FROM consumer WHERE name = 'purge'";
const HEAD: &str = "SELECT CAST(max(position) AS text) FROM event";
/// Messages of deleted rooms, and their read marks.
const LEFT: &str = "SELECT CAST((SELECT count(*) FROM message JOIN room ON room.id = message.room_id WHERE room.deleted_at IS NOT NULL) \
     + (SELECT count(*) FROM read_mark JOIN room ON room.id = read_mark.room_id WHERE room.deleted_at IS NOT NULL) AS text)";

async fn number(app: &TestApp, sql: &str) -> i64 {
    app.text(sql, sql).await.parse().expect("a number")
}

async fn until(app: &TestApp, what: &str, sql: &str, expected: i64) {
    within(what, async { while number(app, sql).await != expected {} }).await;
}

/// A room with messages that were read.
async fn room_of(ann: &TestUser, others: &[&TestUser], messages: usize) -> Room {
    let room = ann.initiate_chat(others.iter().copied()).await;
    for n in 0..messages {
        let message = ann.post(&room, &format!("of many {n}")).await;
        others[0].mark_read(&room, message.seq).await;
    }
    room
}

#[tokio::test]
async fn what_a_deleted_room_leaves_is_deleted_soon_and_nothing_else_is() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (gone, kept) = (room_of(&ann, &[&bob], 5).await, room_of(&ann, &[&bob, &eve], 3).await);
    ann.delete_room(&gone).await;
    until(&app, "the messages of the deleted room to go", LEFT, 0).await;
    assert_eq!(number(&app, "SELECT CAST(count(*) AS text) FROM message").await, 3);
    assert_eq!(ann.messages(&kept).await.len(), 3);
    let head = number(&app, HEAD).await;
    until(&app, "the consumer to be at the head", PLACE, head).await;
    app.until_metric(r#"parlor_consumer_running{name="purge"}"#, 1.0).await;
}

#[tokio::test]
async fn what_was_to_be_done_when_the_server_stopped_is_done_by_the_next() {
    let mut app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = room_of(&ann, &[&bob], 4).await;
    ann.delete_room(&room).await;
    until(&app, "the messages to go", LEFT, 0).await;
    app.stop().await;
    // As a server leaves it that is killed between its work and its note, and one that was killed before.
    app.execute("UPDATE consumer SET position = 0, tag = 0").await;
    app.resume().await;
    until(&app, "the consumer to be at the head", PLACE, number(&app, HEAD).await).await;
    assert_eq!(number(&app, LEFT).await, 0);
}

#[tokio::test]
async fn what_the_log_does_not_tell_any_more_is_done_all_the_same() {
    let mut app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    room_of(&ann, &[&bob], 2).await;
    let kept = room_of(&ann, &[&bob, &eve], 1).await;
    until(&app, "the consumer to be at the head", PLACE, number(&app, HEAD).await).await;
    app.stop().await;
    app.execute("UPDATE room SET deleted_at = created_at, member_key = NULL WHERE last_seq = 2").await;
    app.execute("UPDATE consumer SET position = 1, tag = 0").await;
    app.execute("DELETE FROM event WHERE position < (SELECT max(position) FROM event)").await;
    app.resume().await;
    until(&app, "the messages to go", LEFT, 0).await;
    app.until_metric(r#"parlor_consumer_missed_total{name="purge"}"#, 1.0).await;
    assert_eq!(ann.messages(&kept).await.len(), 1);
}

#[tokio::test]
async fn old_events_that_were_consumed_can_be_trimmed_without_a_word() {
    let mut app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    room_of(&ann, &[&bob], 3).await;
    until(&app, "the consumer to be at the head", PLACE, number(&app, HEAD).await).await;
    app.clock().advance(TimeDelta::days(31));
    app.restart().await;
    let ann = app.sign_in("ann").await;
    ann.delete_room(&ann.initiate_chat([&bob]).await).await;
    until(&app, "the consumer to be at the head", PLACE, number(&app, HEAD).await).await;
    assert!(app.metric(r#"parlor_consumer_missed_total{name="purge"}"#).await < 1.0);
}
