//! Blocks that are made through one node while the other posts through another.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{nodes, stop};
use crate::support::{Answer, Database, Room, TestUser, documents};

async fn try_post(user: &TestUser, room: &Room, body: &str) -> Answer {
    user.graphql(documents::POST_MESSAGE, json!({ "roomId": room.id, "body": body })).await
}

fn reason(answer: &Answer) -> Value {
    answer.body["errors"][0]["extensions"]["reason"].clone()
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_block_through_one_node_refuses_the_next_post_through_another() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;

    for n in 0..10 {
        ann.block(&bob, true).await;
        assert_eq!(reason(&try_post(&bob, &room, "x").await), "BLOCKED", "{n}");
        assert_eq!(reason(&try_post(&ann.at(b.endpoint()), &room, "x").await), "BLOCKED", "{n}");
        let edit = json!({ "userIds": [ann.id], "type": "CONSUMER_TO_CONSUMER" });
        assert_eq!(reason(&bob.graphql(documents::INITIATE_CHAT, edit).await), "BLOCKED", "{n}");
        ann.block(&bob, false).await;
        try_post(&bob, &room, &n.to_string()).await.data();
    }
    assert_eq!(ann.messages(&room).await.len(), 10);
    stop([a, b]).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn of_posts_that_wait_with_a_block_those_that_come_after_it_are_refused() {
    const POSTS: usize = 12;
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;

    // Posts through both nodes and a block wait together for the log.
    let held = database.hold_writes().await;
    let bobs = [bob.clone(), bob.at(a.endpoint())];
    let posts = join_all((0..POSTS).map(|n| {
        let (bob, room) = (&bobs[n % 2], &room);
        async move { try_post(bob, room, &n.to_string()).await }
    }));
    let block = ann.graphql(documents::BLOCK_USER, json!({ "userId": bob.id, "blocked": true }));
    let (posts, block, rolled_back) = tokio::join!(posts, block, held.rollback());
    rolled_back.expect("the lock is let go");
    block.data();

    let refused = posts.iter().filter(|answer| answer.body.get("errors").is_some()).collect::<Vec<_>>();
    assert!(refused.iter().all(|answer| reason(answer) == "BLOCKED"), "{refused:?}");
    let there = bob.messages(&room).await.len();
    assert_eq!(there, POSTS - refused.len(), "what was answered is there, and what was refused isn't");
    assert_eq!(reason(&try_post(&bob, &room, "late").await), "BLOCKED");
    // In the log, nothing was said after the block and before it was lifted.
    ann.block(&bob, false).await;
    let marker = ann.post(&room, "marker").await;
    for seq in 1..=there {
        assert_eq!(feed.next_message().await.seq, i64::try_from(seq).expect("few"));
    }
    assert_eq!(feed.next_message().await.id, marker.id);
    let after = "SELECT CAST(count(*) AS text) FROM event WHERE kind = 1 AND position > (SELECT min(position) FROM event WHERE \
         kind = 22) AND position < (SELECT max(position) FROM event WHERE kind = 22)";
    assert_eq!(database.text(after, after).await, "0");
    stop([a, b]).await;
}
