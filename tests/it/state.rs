//! A state that is kept by applying events equals a fresh fetch.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Feed, Model, TestApp, TestUser, documents, verify};

/// A client: a user with a running subscription and what it knows.
struct Client<'u> {
    user: &'u TestUser,
    feed: Feed,
    model: Model,
}

impl<'u> Client<'u> {
    async fn start(user: &'u TestUser, document: &str) -> Self {
        let feed = user.subscribe_to(document, json!({})).await;
        Self { user, feed, model: Model::fetch(user).await }
    }
}

/// A bit of everything that users do to each other.
async fn much_happens([ann, bob, eve]: [&TestUser; 3]) {
    let room = ann.initiate_chat([bob, eve]).await;
    let first = ann.post(&room, "one").await;
    let second = bob.post(&room, "two").await;
    tokio::join!(ann.mark_read(&room, 2), eve.mark_read(&room, 1), bob.mute(&room, true));
    ann.edit(&first, "one, edited").await;
    bob.delete(&second).await;
    let with_bob = ann.initiate_chat([bob]).await;
    let posts = (0..20).map(|n| {
        let (user, room) = if n % 2 == 0 { (ann, &room) } else { (bob, &with_bob) };
        async move { user.post(room, &format!("at once {n}")).await }
    });
    let posts = join_all(posts).await;
    tokio::join!(eve.leave(&room), bob.mark_read(&with_bob, 7), ann.delete(&posts[4]));
    ann.post(&room, "behind eve's back").await;
    eve.initiate_chat([ann, bob]).await;
    let with_eve = eve.initiate_chat([ann]).await;
    ann.post(&with_eve, "soon gone").await;
    eve.delete_room(&with_eve).await;
    bob.mute(&room, false).await;
    eve.post(&room, "I am back").await;
}

#[tokio::test]
async fn a_state_kept_by_events_equals_a_fresh_fetch() {
    for document in [documents::EVENTS, documents::EVENTS_WITH_VIEWER] {
        let app = TestApp::start().await;
        let users = app.users(["ann", "bob", "eve"]).await;
        let [ann, bob, eve] = &users;
        let mut clients = join_all(users.iter().map(|user| Client::start(user, document))).await;

        much_happens([ann, bob, eve]).await;

        let marker_room = ann.initiate_chat([bob, eve]).await;
        let marker = ann.post(&marker_room, "that was all").await;
        for client in &mut clients {
            client.model.follow(client.user, &mut client.feed, &marker).await;
            verify(client.user, &client.model).await;
        }
    }
}

#[tokio::test]
async fn a_state_fetched_with_a_sync_cursor_goes_on_from_there() {
    let app = TestApp::start().await;
    let users = app.users(["ann", "bob", "eve"]).await;
    let [ann, bob, eve] = &users;
    let cursor = bob.sync_cursor().await;
    let mut model = Model::fetch(bob).await;
    much_happens([ann, bob, eve]).await;

    let mut feed = bob.subscribe_after(&cursor).await;

    model.apply_all(bob, &feed.until_synced().await).await;
    verify(bob, &model).await;
}
