//! The app's own backend.

use serde_json::{Value, json};

use super::{Answer, Endpoint, TestApp, within};

/// The app's own backend, which calls with a server key.
#[derive(Clone)]
pub struct Backend {
    /// `sk_…`.
    pub key: String,
    endpoint: Endpoint,
}

impl TestApp {
    /// A backend with a new key of this name.
    pub async fn backend(&self, name: &str) -> Backend {
        let made = self.parlor(&["key", "add", name]).await;
        assert!(made.status.success(), "{made:?}");
        let key = String::from_utf8(made.stdout).expect("a key is text").trim().to_owned();
        Backend { key, endpoint: self.endpoint().clone() }
    }
}

impl Backend {
    /// A backend that has this key.
    pub fn with_key(key: String, endpoint: &Endpoint) -> Self {
        Self { key, endpoint: endpoint.clone() }
    }

    /// The same backend, calling another node.
    pub fn at(&self, endpoint: &Endpoint) -> Self {
        Self { endpoint: endpoint.clone(), ..self.clone() }
    }

    /// The answer to one request, by the key itself.
    pub async fn graphql(&self, document: &str, variables: Value) -> Answer {
        self.endpoint.graphql(Some(&self.key), document, variables).await
    }

    /// The answer to one request, for a user.
    pub async fn acting_for(&self, user: &str, document: &str, variables: Value) -> Answer {
        self.endpoint.graphql_as(&self.key, &[user], document, variables).await
    }

    /// Makes or changes users; what became of each.
    pub async fn upsert(&self, users: Value) -> Vec<Value> {
        self.try_upsert(users).await.list("/upsertUsers/users").to_vec()
    }

    /// The answer to `upsertUsers`.
    pub async fn try_upsert(&self, users: Value) -> Answer {
        let document = "mutation($users: [UserInput!]!) { upsertUsers(users: $users) { users { outcome user {
            id username displayName externalId avatarUrl custom isBot type deactivatedAt } } } }";
        self.graphql(document, json!({ "users": users })).await
    }

    /// A token for a user.
    pub async fn token(&self, user: &str) -> String {
        let document = "mutation($user: ID!) { issueToken(userId: $user) { accessToken } }";
        self.graphql(document, json!({ "user": user })).await.text("/issueToken/accessToken").to_owned()
    }
}

impl Endpoint {
    /// The answer to one operation of somebody who names these users in `parlor-user`.
    pub async fn graphql_as(&self, token: &str, users: &[&str], document: &str, variables: Value) -> Answer {
        let mut request = self.http.post(self.url("/graphql")).header("accept", "application/graphql-response+json");
        request = request.bearer_auth(token);
        for user in users {
            request = request.header("parlor-user", *user);
        }
        let request = request.json(&json!({ "query": document, "variables": variables }));
        within(format_args!("the answer to {document}"), async {
            let response = request.send().await.expect("the server responds");
            let status = response.status().as_u16();
            Answer { status, body: response.json().await.expect("the answer is JSON") }
        })
        .await
    }
}
