//! Users whom somebody doesn't find, where the directory shows only those who share a room.

use parlor::config::Directory;
use serde_json::{Value, json};

use crate::support::{TestApp, documents};

type Question = (&'static str, fn(&str) -> Value);

/// Everything that names a user, as asked about one of them.
pub fn rows() -> impl Iterator<Item = Question> {
    const ROWS: [Question; 16] = [
        ("query($id: ID!) { user(id: $id) { id } }", |id| json!({ "id": id })),
        ("query($id: ID!) { node(id: $id) { id } }", |id| json!({ "id": id })),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", |id| json!({ "ids": [id] })),
        (documents::BLOCK_USER, |id| json!({ "userId": id, "blocked": true })),
        (documents::BLOCK_USER, |id| json!({ "userId": id, "blocked": false })),
        (
            "mutation($input: ReportInput!) { report(input: $input) { reportId } }",
            |id| json!({ "input": { "userId": id, "reason": "SPAM" } }),
        ),
        (documents::INITIATE_CHAT, |id| json!({ "userIds": [id], "type": "CONSUMER_TO_CONSUMER" })),
        (
            "mutation($input: CreateRoomInput!) { createRoom(input: $input) { isNew } }",
            |id| json!({ "input": { "name": "Mine", "members": [{ "userId": id, "role": "MEMBER" }] } }),
        ),
        ("query($id: String!) { users(search: $id) { nodes { id } } }", |id| json!({ "id": id })),
        (
            "query($id: ID!) { userByExternalId(externalId: $id) { id } }",
            |id| json!({ "id": id.trim_start_matches("ext:") }),
        ),
        ("mutation($id: ID!) { issueToken(userId: $id) { accessToken } }", |id| json!({ "id": id })),
        ("mutation($id: ID!) { revokeTokens(userId: $id) { userId } }", |id| json!({ "id": id })),
        (
            "mutation($users: [UserInput!]!) { upsertUsers(users: $users) { users { outcome } } }",
            |id| json!({ "users": [{ "id": id, "displayName": "Mine" }] }),
        ),
        ("{ reports { nodes { id } } }", |_| json!({})),
        ("{ webhooks { id } }", |_| json!({})),
        ("{ log(after: null, first: 1) { endCursor } }", |_| json!({})),
    ];
    ROWS.into_iter()
}

#[tokio::test]
async fn a_user_who_is_not_found_looks_exactly_as_if_there_were_none() {
    let app = TestApp::start_with(|config| config.directory = Directory::Sharers).await;
    let [ann, eve] = app.users(["ann", "eve"]).await;
    let backend = app.backend("backend").await;
    let made = backend.upsert(json!([{ "externalId": "42", "displayName": "Kim" }])).await;
    assert_eq!(made[0]["outcome"], "CREATED");
    // Whoever has blocked somebody is found by them no more than anybody else.
    let blocked = app.user("dan").await;
    let block = json!({ "userId": ann.id, "blocked": true });
    backend.acting_for(&blocked.id, documents::BLOCK_USER, block).await.data();

    for (document, variables) in rows() {
        let nobody = ann.graphql(document, variables(super::NOBODY)).await;
        for id in [&eve.id, &blocked.id] {
            let seen = ann.graphql(document, variables(id)).await;
            assert_eq!((seen.status, &seen.body), (nobody.status, &nobody.body), "{document}");
        }
        let (seen, nobody) = (ann.graphql(document, variables("ext:42")), ann.graphql(document, variables("ext:43")));
        let (seen, nobody) = (seen.await, nobody.await);
        assert_eq!((seen.status, &seen.body), (nobody.status, &nobody.body), "{document}");
    }
    assert!(ann.rooms().await.is_empty(), "nothing was made by asking");
}
