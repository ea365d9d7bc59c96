//! How many sessions and rooms a user has.

use serde_json::json;

use super::limited;
use crate::support::documents;

#[tokio::test]
async fn one_session_more_than_may_be_ends_the_one_that_was_unused_for_longest() {
    let app = limited(|limits| limits.sessions = 3).await;
    let first = app.user("ann").await;
    let mut feed = first.subscribe().await;
    let second = first.sign_in().await;
    let third = first.sign_in().await;
    let answer = app.anonymous(documents::REFRESH_SESSION, json!({ "token": second.refresh_token })).await;
    let second_token = answer.text("/refreshSession/accessToken").to_owned();

    let fourth = first.sign_in().await;

    assert_eq!(feed.socket().until_close().await.0, 4403, "its sockets are closed");
    assert_eq!(first.graphql("{ me { id } }", json!({})).await.error_code(), "UNAUTHENTICATED");
    for token in [&second_token, &third.access_token, &fourth.access_token] {
        app.with_token(token, "{ me { id } }", json!({})).await.data();
    }
    first.sign_in().await;
    assert_eq!(third.graphql("{ me { id } }", json!({})).await.error_code(), "UNAUTHENTICATED", "then the next");
    app.with_token(&second_token, "{ me { id } }", json!({})).await.data();
}

#[tokio::test]
async fn a_user_opens_so_many_rooms_and_those_that_others_open_do_not_count() {
    let app = limited(|limits| limits.rooms = 2).await;
    let [ann, bob, eve, kim] = app.users(["ann", "bob", "eve", "kim"]).await;
    for (one, other) in [(&bob, &ann), (&eve, &ann), (&kim, &ann)] {
        one.initiate_chat([other]).await;
    }
    let first = ann.initiate_chat([&bob, &eve]).await;
    ann.initiate_chat([&bob, &kim]).await;
    let variables = json!({ "userIds": [bob.id, eve.id, kim.id], "type": "CONSUMER_TO_CONSUMER" });
    let refused = ann.graphql(documents::INITIATE_CHAT, variables).await;
    assert_eq!((refused.error_code(), refused.error_field()), ("CONFLICT", "userIds"));
    assert!(!ann.initiate([&bob, &eve], "CONSUMER_TO_CONSUMER").await.1, "what is there can be found");

    ann.delete_room(&first).await;
    assert!(ann.initiate([&bob, &eve, &kim], "CONSUMER_TO_CONSUMER").await.1);
}
