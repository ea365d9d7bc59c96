//! Reactions to one message through two nodes at once.

use futures_util::future::join_all;
use serde_json::json;

use super::{nodes, stop};
use crate::support::{Database, Model, documents, verify};

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn reactions_through_two_nodes_are_counted_once_each() {
    const REACT: &str = "mutation($m: ID!, $e: String!, $on: Boolean!) {
        setReaction(messageId: $m, emoji: $e, on: $on) { message { id } } }";
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let (one, other) = (ann.post(&room, "one").await, ann.post(&room, "other").await);
    let devices = [&ann, &bob].into_iter().flat_map(|user| [user.at(a.endpoint()), user.at(b.endpoint())]);
    let devices: Vec<_> = devices.collect();
    let (mut feed, mut model) = (bob.subscribe().await, Model::fetch(&bob).await);

    for round in 0..12 {
        let calls = devices.iter().enumerate().flat_map(|(n, device)| {
            let (one, other) = (&one, &other);
            ["👍", "❤️", "🎉"].into_iter().enumerate().map(move |(kind, emoji)| {
                let message = if kind == 1 { one } else { other };
                let on = (round + n / 2 + kind) % 2 == 0;
                device.graphql(REACT, json!({ "m": message.id, "e": emoji, "on": on }))
            })
        });
        for answer in join_all(calls).await {
            answer.data();
        }
        let counts = "query($id: ID!) { node(id: $id) { ... on Message { reactions { emoji count } } } }";
        let shown = ann.graphql(counts, json!({ "id": one.id })).await;
        assert_eq!(shown["/node/reactions"], json!([{ "emoji": "❤", "count": 1 }]), "two devices ask for the same");
        let marker = ann.post(&room, "whichever came first").await;
        model.follow(&bob, &mut feed, &marker).await;
        verify(&bob, &model).await;
    }
    assert_eq!(bob.graphql(documents::ROOMS, json!({})).await.list("/rooms/nodes").len(), 1);
    stop([a, b]).await;
}
