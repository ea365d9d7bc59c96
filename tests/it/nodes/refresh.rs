//! Refreshing a session on several nodes.

use futures_util::future::join_all;
use serde_json::json;

use super::{nodes, stop};
use crate::support::{Database, documents};

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn tabs_that_refresh_together_on_two_nodes_go_on_with_the_same_token() {
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let mut token = a.endpoint().user("ann").await.refresh_token;
    for round in 0..10 {
        let answers = join_all((0..8).map(|n| {
            let endpoint = if n % 2 == 0 { a.endpoint() } else { b.endpoint() };
            let shown = json!({ "token": token });
            async move { endpoint.graphql(None, documents::REFRESH_SESSION, shown).await }
        }))
        .await;
        let tokens: Vec<&str> = answers.iter().map(|answer| answer.text("/refreshSession/refreshToken")).collect();
        assert!(tokens.iter().all(|next| *next == tokens[0] && *next != token), "round {round}: {tokens:?}");
        token = tokens[0].to_owned();
    }
    stop([a, b]).await;
}
