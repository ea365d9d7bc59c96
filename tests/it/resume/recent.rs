//! A short absence: what was missed is still in the node's memory. It must be what the log says.

use serde_json::json;

use crate::support::{Event, Feed, Room, TestApp, TestUser, documents, within};

/// Counts statements.
const STATEMENTS: &str = "parlor_sql_statements_total";

/// What a user is told who resumes from this cursor, and up to where.
async fn resumed(user: &TestUser, document: &str, cursor: &str) -> (Vec<Event>, Option<String>) {
    let mut feed = Feed::open(user.socket().await, document, json!({ "after": cursor })).await;
    let events = feed.until_synced().await;
    (events, feed.cursor)
}

/// Everything that can happen to three users, one thing at a time. Answers where the log stood before each.
async fn deeds(users: &[TestUser; 3]) -> Vec<String> {
    let [ann, bob, eve] = users;
    let mut cursors = Vec::new();
    let mut now = async || cursors.push(ann.sync_cursor().await);
    now().await;
    let all = ann.initiate_chat([bob, eve]).await;
    now().await;
    let pair = bob.initiate_chat([eve]).await;
    let posted = post_some(ann, &all, 3).await;
    now().await;
    bob.post(&pair, "between us").await;
    now().await;
    ann.edit(&posted[0], "rewritten").await;
    ann.delete(&posted[1]).await;
    now().await;
    bob.mark_read(&all, 2).await;
    eve.mark_read(&all, 3).await;
    now().await;
    bob.mute(&all, true).await;
    ann.post(&all, "muted").await;
    now().await;
    eve.leave(&all).await;
    ann.post(&all, "behind eve's back").await;
    now().await;
    eve.initiate_chat([ann, bob]).await;
    eve.post(&all, "back again").await;
    now().await;
    bob.mute(&all, false).await;
    post_some(eve, &pair, 101).await;
    now().await;
    bob.delete_room(&pair).await;
    now().await;
    ann.post(&all, "the last").await;
    now().await;
    cursors
}

async fn post_some(user: &TestUser, room: &Room, count: usize) -> Vec<crate::support::Message> {
    let mut posted = Vec::new();
    for n in 0..count {
        posted.push(user.post(room, &format!("one of some {n}")).await);
    }
    posted
}

#[tokio::test]
async fn what_a_node_remembers_is_what_the_log_says() {
    let mut app = TestApp::start().await;
    let users = app.users(["ann", "bob", "eve"]).await;
    let cursors = deeds(&users).await;
    let told = async |app: &TestApp| {
        let mut told = Vec::new();
        for user in &users {
            for cursor in &cursors {
                let (events, synced) = resumed(user, documents::EVENTS_WITH_VIEWER, cursor).await;
                told.push((events, synced.map(|synced| app.place(&synced))));
            }
        }
        told
    };

    let remembered = told(&app).await;
    // A node that has just started remembers nothing.
    app.restart().await;
    let read = told(&app).await;

    for (n, (remembered, read)) in remembered.into_iter().zip(read).enumerate() {
        let (user, cursor) = (&users[n / cursors.len()].username, n % cursors.len());
        assert_eq!(remembered, read, "{user} resuming from before deed {cursor}");
    }
}

/// When bob was last seen, once that is written anew, as it is soon after he has come online.
async fn until_seen_again(app: &TestApp, before: &str) -> String {
    let text = |cast: &str| format!("SELECT COALESCE({cast}, 'never') FROM \"user\" WHERE username = 'bob'");
    let (sqlite, postgres) = (text("last_seen_at"), text("last_seen_at::text"));
    within("the visit to be written", async {
        loop {
            let seen = app.text(&sqlite, &postgres).await;
            if seen != before {
                return seen;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_short_absence_is_answered_without_looking_through_the_log() {
    let mut app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let cursor = bob.sync_cursor().await;
    post_some(&ann, &room, 20).await;
    let (mut costs, mut seen) = (Vec::new(), "never".to_owned());
    for restarted in [false, true] {
        if restarted {
            app.restart().await;
        }
        let mut watching = ann.subscribe().await;
        let _other_device = bob.subscribe().await;
        // What is read to tell others of the visit, and what is written of it, is behind it then.
        while watching.next_of_all().await.kind != "PresenceChanged" {}
        seen = until_seen_again(&app, &seen).await;
        let before = app.metric(STATEMENTS).await;
        let (events, _) = resumed(&bob, documents::EVENTS, &cursor).await;
        costs.push(app.metric(STATEMENTS).await - before);
        assert_eq!(events.len(), 20);
    }
    // The token, and what the events name: rooms, messages, users.
    assert!(costs[0] <= 4.0, "{costs:?} statements");
    assert!(costs[1] > costs[0], "after a restart the log is looked through: {costs:?} statements");
}
