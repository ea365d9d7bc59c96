//! A node whose clock is wrong.

use chrono::{DateTime, TimeDelta, Utc};

use super::{SECRET, stop};
use crate::servers::faketime;
use crate::support::{Database, Process};

#[tokio::test]
#[ignore = "needs PostgreSQL and libfaketime: cargo test --test postgres"]
async fn a_node_that_is_40_days_ahead_prunes_nothing_and_moves_nobodys_time() {
    let database = Database::new().await;
    let right = Process::start(&database, &[("PARLOR_TOKEN_SECRET", SECRET)]).await;
    let (ann, bob) = (right.endpoint().user("ann").await, right.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let cursor = bob.sync_cursor().await;

    let library = faketime().expect("it is installed").display().to_string();
    let ahead = [
        ("PARLOR_TOKEN_SECRET", SECRET),
        ("LD_PRELOAD", &library),
        ("FAKETIME", "+40d"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let ahead = Process::start(&database, &ahead).await;
    let posted = ahead.endpoint().sign_in("ann").await.post(&room, "from the future").await;
    // Pruning begins as soon as a node has started, and is finished before it stops.
    stop([ahead]).await;

    let now = right.endpoint().user("eve").await.graphql("{ me { createdAt } }", serde_json::json!({})).await;
    let (now, posted) = (time(now.text("/me/createdAt")), time(&posted.created_at));
    assert!((posted - now).abs() < TimeDelta::minutes(5), "posted {posted}, and now is {now}");
    let after = time(&ann.post(&room, "from the present").await.created_at);
    assert!(after > posted && after - now < TimeDelta::minutes(5), "posted {after}, and now is {now}");
    let missed = bob.subscribe_after(&cursor).await.until_synced().await;
    let kinds: Vec<&str> = missed.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["MessagePosted", "MessagePosted"]);
    stop([right]).await;
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}
