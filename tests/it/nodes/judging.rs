//! A report that moderators resolve through several nodes at once.

use std::collections::BTreeSet;

use serde_json::json;

use super::{nodes, stop};
use crate::support::{Database, Room};

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn of_two_who_resolve_a_report_at_once_one_has_the_say_and_the_other_is_told() {
    const ROUNDS: usize = 10;
    let database = Database::new().await;
    let [a, b] = nodes(&database, None).await;
    let (ann, bob) = (a.endpoint().user("ann").await, b.endpoint().user("bob").await);
    let kim = a.endpoint().user("kim").await;
    let members = json!([{ "userId": bob.id, "role": "MODERATOR" }, { "userId": kim.id }]);
    let document = "mutation($input: CreateRoomInput!) { createRoom(input: $input) { room { id } } }";
    let made = ann.graphql(document, json!({ "input": { "members": members } })).await;
    let room = Room { id: made.text("/createRoom/room/id").to_owned() };
    let report = "mutation($input: ReportInput!) { report(input: $input) { reportId } }";
    let resolve = "mutation($id: ID!, $outcome: ReportOutcome!) { resolveReport(reportId: $id, outcome: $outcome) {
        report { outcome resolvedBy { id } } } }";
    let open = "query($id: ID!) { room(id: $id) { viewer { reports { nodes { id } } } } }";

    for n in 0..ROUNDS {
        let message = kim.post(&room, &n.to_string()).await;
        let input = json!({ "messageId": message.id, "reason": "SPAM" });
        let made = bob.graphql(report, json!({ "input": input })).await;
        let id = made.text("/report/reportId");
        let seen = ann.graphql(open, json!({ "id": room.id })).await;
        assert_eq!(seen["/room/viewer/reports/nodes/0/id"], id, "what one node has committed the other shows");
        let (one, other) = tokio::join!(
            ann.graphql(resolve, json!({ "id": id, "outcome": "ACTED" })),
            bob.graphql(resolve, json!({ "id": id, "outcome": "DISMISSED" })),
        );
        let codes: BTreeSet<bool> = [&one, &other].map(|answer| answer.body.get("errors").is_none()).into();
        assert_eq!(codes.len(), 2, "one of the two: {one:?} {other:?}");
        let refused = if one.body.get("errors").is_some() { &one } else { &other };
        assert_eq!(refused.error_code(), "CONFLICT");
        let seen = bob.graphql(open, json!({ "id": room.id })).await;
        assert!(seen.list("/room/viewer/reports/nodes").is_empty());
    }
    stop([a, b]).await;
}
