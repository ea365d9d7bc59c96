//! A room of two that one hides through one node while the other posts through another.

use std::collections::BTreeMap;

use serde_json::json;

use super::{nodes, stop};
use crate::support::{Database, Model, documents, verify};

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_message_that_is_posted_after_the_hiding_always_brings_the_room_back() {
    const ROUNDS: usize = 30;
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;
    let mut model = Model::fetch(&bob).await;
    let mut outcomes = BTreeMap::<usize, usize>::new();

    for n in 0..ROUNDS {
        let leaving = bob.graphql(documents::LEAVE_ROOM, json!({ "roomId": room.id }));
        let text = n.to_string();
        let (posted, left) = tokio::join!(ann.post(&room, &text), leaving);
        left.data();
        *outcomes.entry(bob.rooms().await.len()).or_default() += 1;
        let marker = ann.post(&room, "whichever came first").await;
        assert_eq!(bob.rooms().await, std::slice::from_ref(&room));
        assert_eq!(marker.seq, posted.seq + 1);
        model.follow(&bob, &mut feed, &marker).await;
        verify(&bob, &model).await;
    }

    assert_eq!(outcomes.values().sum::<usize>(), ROUNDS);
    let both = [bob.at(a.endpoint()), ann.at(b.endpoint())];
    tokio::join!(both[0].leave(&room), both[1].leave(&room));
    ann.initiate_chat([&bob]).await;
    for user in [&ann, &bob] {
        assert_eq!(user.rooms().await, std::slice::from_ref(&room));
    }
    stop([a, b]).await;
}
