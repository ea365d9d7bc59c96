//! Ending sessions on several nodes.

use serde_json::json;

use super::{nodes, stop};
use crate::support::{Database, documents};

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_session_that_is_ended_on_one_node_is_over_on_every_other() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let laptop = a.endpoint().user("ann").await;
    let (lost, old) = (b.endpoint().sign_in("ann").await, b.endpoint().sign_in("ann").await);
    let (mut on_lost, mut on_old) = (lost.subscribe().await, old.subscribe().await);
    let mut on_laptop = laptop.at(b.endpoint()).subscribe().await;
    let seen = lost.graphql(documents::SESSIONS, json!({})).await;
    let theirs = seen.list("/sessions/nodes").iter().find(|session| session["current"] == true).expect("its own");

    laptop.graphql(documents::END_SESSION, json!({ "id": theirs["id"] })).await.data();
    assert_eq!(on_lost.socket().until_close().await.0, 4403);
    assert_eq!(lost.graphql("{ me { id } }", json!({})).await.error_code(), "UNAUTHENTICATED");

    let passwords = json!({ "current": laptop.password(), "new": "another horse battery" });
    laptop.graphql(documents::CHANGE_PASSWORD, passwords).await.data();
    assert_eq!(on_old.socket().until_close().await.0, 4403);
    assert_eq!(old.graphql("{ me { id } }", json!({})).await.error_code(), "UNAUTHENTICATED");
    laptop.initiate_chat([&a.endpoint().user("bob").await]).await;
    on_laptop.next_of("RoomJoined").await;
    stop([a, b]).await;
}
