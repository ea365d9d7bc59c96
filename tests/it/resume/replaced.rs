//! A log that was replaced beneath a running server by one that goes on at the same positions.

use crate::support::TestApp;

/// Gives the last event another tag, as a restored or promoted copy of the database would have it.
const REPLACE: &str = "UPDATE event SET tag = tag + 1 WHERE position = (SELECT max(position) FROM event)";

#[tokio::test]
async fn a_commit_that_fits_by_its_position_alone_is_not_taken_for_the_next() {
    // The tail looks at the log by itself once a minute: only the commit can show that the log is another.
    let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe_after(&bob.sync_cursor().await).await;
    feed.until_synced().await;
    ann.post(&room, "seen").await;
    assert_eq!(feed.next_event().await.kind, "MessagePosted");

    app.execute(REPLACE).await;
    ann.post(&room, "on another log").await;

    assert_eq!(feed.next_event().await.kind, "ResyncRequired", "what was seen may not be in this log");
    feed.until_synced().await;
    let live = ann.post(&room, "live").await;
    assert_eq!(feed.next_message().await, live);
}
