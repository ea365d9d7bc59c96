//! Webhooks: what the app's own backend is told, and what becomes of it when nobody answers.

use serde_json::{Value, json};

use crate::support::{Answer, Backend, TestApp, within};

mod again;
mod asking;
mod failing;
mod log;
pub mod receiver;
mod rejecting;
mod telling;
mod unmade;

pub use receiver::Receiver;

/// What most webhooks here are told.
pub const POSTS: &str =
    "subscription { events { cursor ... on MessagePosted { message { id body author { username } } } } }";

const FIELDS: &str = "id url query ordered state cursor behindSecs failureCount failingSince nextAttemptAt lastStatus \
                      lastError createdAt";

/// A server that may tell receivers on this machine.
pub async fn app() -> TestApp {
    TestApp::start_with(allow_this_machine).await
}

pub fn allow_this_machine(config: &mut parlor::config::Config) {
    config.webhook_allow = vec!["127.0.0.0/8".parse().expect("a network")];
}

impl Backend {
    pub async fn create_webhook(&self, input: Value) -> Answer {
        let document = format!(
            "mutation($input: WebhookInput!) {{ createWebhook(input: $input) {{ secret webhook {{ {FIELDS} }} }} }}"
        );
        self.graphql(&document, json!({ "input": input })).await
    }

    /// A webhook to this receiver: its id and its secret.
    pub async fn webhook(&self, receiver: &Receiver, query: &str, ordered: bool) -> (String, String) {
        let made = self.create_webhook(json!({ "url": receiver.url, "query": query, "ordered": ordered })).await;
        let id = made.text("/createWebhook/webhook/id").to_owned();
        (id, made.text("/createWebhook/secret").to_owned())
    }

    pub async fn update_webhook(&self, id: &str, input: Value) -> Answer {
        let document = format!(
            "mutation($id: ID!, $input: WebhookInput!) {{ updateWebhook(webhookId: $id, input: $input) \
             {{ secret webhook {{ {FIELDS} }} }} }}"
        );
        self.graphql(&document, json!({ "id": id, "input": input })).await
    }

    pub async fn replay_webhook(&self, id: &str, after: Option<&str>, failure: Option<&str>) -> Answer {
        let document = format!(
            "mutation($id: ID!, $after: Cursor, $failure: Cursor) {{ replayWebhook(webhookId: $id, after: $after, \
             failure: $failure) {{ webhook {{ {FIELDS} }} }} }}"
        );
        self.graphql(&document, json!({ "id": id, "after": after, "failure": failure })).await
    }

    pub async fn delete_webhook(&self, id: &str) -> Answer {
        let document = "mutation($id: ID!) { deleteWebhook(webhookId: $id) { webhookId } }";
        self.graphql(document, json!({ "id": id })).await
    }

    /// What is said of a webhook, the only one of this id.
    pub async fn said_of(&self, id: &str) -> Value {
        let all = self.graphql(&format!("{{ webhooks {{ {FIELDS} }} }}"), json!({})).await;
        let found = all.list("/webhooks").iter().find(|webhook| webhook["id"] == *id);
        found.unwrap_or_else(|| panic!("expected {id} in {:#}", all.body)).clone()
    }

    /// Waits until a webhook is said to be so.
    pub async fn until(&self, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        within(what, async {
            loop {
                let said = self.said_of(id).await;
                if is_so(&said) {
                    return said;
                }
            }
        })
        .await
    }

    /// What its receiver has refused.
    pub async fn failures(&self, id: &str) -> Vec<Value> {
        let document = "query($id: ID!) { webhookFailures(webhookId: $id) { nodes { cursor type attempts nextAttemptAt \
                        lastStatus lastError } } }";
        self.graphql(document, json!({ "id": id })).await.list("/webhookFailures/nodes").to_vec()
    }
}
