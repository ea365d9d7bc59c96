//! The index while two nodes post, edit and delete.

use futures_util::future::join_all;
use serde_json::json;

use super::{nodes, stop};
use crate::support::{Database, within};

/// So many messages the index waits for others with.
const FEW: [&str; 4] = ["0", "1", "2", "3"];

const FIND: &str = "query($text: String!) { search(text: $text, first: 100) { nodes { message { body } } } }";

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn what_two_nodes_edit_and_delete_while_it_is_indexed_is_found_as_it_is() {
    const BEHIND: &str = "SELECT CAST(count(*) AS text) FROM message, search_state WHERE position > upto";
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let (here, there) = (ann.at(a.endpoint()), ann.at(b.endpoint()));
    for round in 0..8 {
        let said = join_all((0..20).map(|n| {
            let (device, room) = (if n % 2 == 0 { &here } else { &there }, &room);
            async move { device.post(room, &format!("before{round} {n}")).await }
        }))
        .await;
        join_all(said.iter().enumerate().map(|(n, message)| {
            let device = if n % 3 == 0 { &here } else { &there };
            async move {
                if n % 4 == 0 {
                    device.delete(message).await;
                } else {
                    device.edit(message, &format!("after{round} {n}")).await;
                }
            }
        }))
        .await;
        let found = bob.graphql(FIND, json!({ "text": format!("before{round}") })).await;
        assert_eq!(found.list("/search/nodes").len(), 0, "round {round}");
    }
    within("the index to be complete", async { while !FEW.contains(&&*database.text(BEHIND, BEHIND).await) {} }).await;
    for round in 0..8 {
        for device in [&bob.at(a.endpoint()), &bob.at(b.endpoint())] {
            let found = device.graphql(FIND, json!({ "text": format!("after{round}") })).await;
            assert_eq!(found.list("/search/nodes").len(), 15, "round {round}");
        }
    }
    stop([a, b]).await;
    // That the index has nothing but what the messages say now.
    let output = database.parlor(&["check"]).output().await.expect("the program can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn what_nodes_of_an_older_version_post_is_found() {
    const BEHIND: &str = "SELECT CAST(count(*) AS text) FROM message, search_state \
        WHERE search_state.form = 0 OR position IS NULL OR position > upto";
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    // They know of no such column.
    database
        .execute(
            "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.position := NULL; RETURN NEW; END $$",
        )
        .await;
    database.execute("CREATE TRIGGER forget BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION forget()").await;
    for n in 0..10 {
        ann.post(&room, &format!("older {n}")).await;
    }
    within("the index to be complete", async { while !FEW.contains(&&*database.text(BEHIND, BEHIND).await) {} }).await;
    let found = bob.graphql(FIND, json!({ "text": "older" })).await;
    assert_eq!(found.list("/search/nodes").len(), 10);
    stop([a, b]).await;
}
